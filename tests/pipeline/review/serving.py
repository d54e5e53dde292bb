"""A server of the pages in a process of its own, as `storystream review` starts it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


@contextlib.contextmanager
def served(out: Path, *options: str) -> Iterator[str]:
    """Serves the pages of a dataset; yields the address."""
    command = [sys.executable, "-m", "pipeline", "review", str(out), "--port", "0", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            address = re.fullmatch(r"open (http://\S+)\n", line)
            assert address, line
            yield address[1]
        finally:
            process.terminate()
