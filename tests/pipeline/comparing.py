"""What two runs must agree on."""

import hashlib
from pathlib import Path

NOT_THE_DATASET = {"run.json", "report.html"}  # the record of the run itself, and what reads it


def digests(out: Path) -> dict[str, str]:
    """The digest of each file of a dataset, by its path."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
        and "work" not in path.relative_to(out).parts
        and path.name not in NOT_THE_DATASET
    }
