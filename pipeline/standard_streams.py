"""Prepares standard output and error: closed ones, full disks behind them, any encoding."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class CannotPrint(Exception):
    """Raised when standard output cannot be written."""


def prepare() -> None:
    """Lets every text be printed, whatever the streams are.

    What the encoding lacks is shown as \\xe9. Closed streams are None, and what is printed to them
    would go to the other, or fail. No run of hours fails as its messages cannot be written.
    """
    sys.stdout = _checked(sys.stdout, "standard output") if sys.stdout else _nowhere()
    sys.stderr = _checked(sys.stderr, "") if sys.stderr else _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


class _Stream(io.FileIO):
    """The file of a stream, which may fail once: what is written after that is dropped."""

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream.fileno(), "wb", closefd=False)
        self.title, self.failed = name, False

    def write(self, data: Any) -> int:
        if self.failed:
            return len(data)
        try:
            return super().write(data)
        except OSError as error:
            self.failed = True
            if self.title:
                raise CannotPrint(f"{self.title} cannot be written: {error.strerror}") from None
            return len(data)


def _checked(stream: TextIO, name: str) -> TextIO:
    """Returns a stream that raises CannotPrint once; one without a name drops what it cannot
    write."""
    try:
        file = _Stream(stream, name)
    except (OSError, ValueError):  # of a test, or a notebook
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(file), encoding=stream.encoding, line_buffering=not name or file.isatty()
    )
