"""Takes what pyproject.toml excludes out of what the installed packages say they need.

Some packages ask for more than we use of them ([tool.uv] exclude-dependencies says what and why).
The lock files leave that out; with this, `pip check` knows it too. Run with the Python of the
environment, in the folder of pyproject.toml.
"""

import os
import re
import sysconfig
import tomllib
from pathlib import Path

NEED = re.compile(r"Requires-Dist: *([\w.-]+)")


def main() -> None:
    excluded = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["uv"][
        "exclude-dependencies"
    ]
    for file in Path(sysconfig.get_path("purelib")).glob("*.dist-info/METADATA"):
        lines = file.read_text("utf-8").splitlines(keepends=True)
        kept = [
            line
            for line in lines
            if not ((need := NEED.match(line)) and need[1].lower() in excluded)
        ]
        if kept != lines:  # a new file: installers link this one to their caches
            temporary = file.with_suffix(".new")
            temporary.write_text("".join(kept), "utf-8")
            os.replace(temporary, file)


if __name__ == "__main__":
    main()
