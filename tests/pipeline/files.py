"""Files that tests find."""

from pathlib import Path


def place(folder: Path, *names: str, content: bytes = b"film") -> None:
    """Writes files below a folder, with the folders that they lie in."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
