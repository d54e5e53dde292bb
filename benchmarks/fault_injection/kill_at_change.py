"""Runs the pipeline's command in a process that kills itself with SIGKILL at a chosen moment.

`python -m benchmarks.fault_injection.kill_at_change N FOLDER dataset ...` dies when it is about to
change a file or folder below FOLDER for the N-th time: to open one for writing, to rename, link,
make or remove one. With before:NAME instead of N it dies when it is about to change the file
FOLDER/NAME, and with the path of a file it survives, and writes there how many changes it made.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

# Audit events of Python's own, each with the number of the argument that is the path changed.
_CHANGES = {"os.rename": 1, "os.link": 1, "os.mkdir": 0, "os.remove": 0, "os.rmdir": 0}
_WRITING = os.O_WRONLY | os.O_RDWR


class _Counter:
    """An audit hook that counts changes below a folder and kills the process before the last of
    them: its number, or before:NAME of the file changed."""

    def __init__(self, folder: str, last: str) -> None:
        self.folder, self.last, self.changes = folder, last, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            changed = path if flags & _WRITING else None
        else:
            changed = arguments[_CHANGES[event]] if event in _CHANGES else None
        if isinstance(changed, str | os.PathLike) and os.fspath(changed).startswith(self.folder):
            self.changes += 1
            name = os.path.relpath(changed, self.folder)
            if self.last in (str(self.changes), f"before:{name}"):
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Runs the command, if not to its end; returns its exit code."""
    last, folder, *command = sys.argv[1:]
    counter = _Counter(folder, last)
    sys.addaudithook(counter)
    from pipeline.__main__ import main as pipeline

    code = pipeline(command)
    if "/" in last:
        Path(last).write_text(str(counter.changes))
    return code


if __name__ == "__main__":
    sys.exit(main())
