"""Ends a run on Ctrl-C or SIGTERM, also in worker processes, without losing calls that are paid for.

Driver and workers share a folder, named by an environment variable. A file there stands for calls
in flight; one asks workers to begin no further call, and another tells them to end at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

FOLDER = "STORYSTREAM_PROGRESS"  # environment variable: the folder of one run; unset, there is none
_STOP = "stop"  # the file there that asks workers to stop
_END = "end"  # the file there that tells them to end at once


@contextlib.contextmanager
def calls_in_flight() -> Iterator[None]:
    """Makes Ctrl-C, while the block lasts, ask for the end (`interrupted`) instead of being it."""
    folder = os.environ.get(FOLDER)
    if not folder:
        yield
        return
    descriptor, path = tempfile.mkstemp(suffix=".calls", dir=folder)
    os.close(descriptor)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):  # the driver has cleared up before us
            os.remove(path)


def interrupted() -> bool:
    """Returns whether the user has asked the run to stop."""
    folder = os.environ.get(FOLDER)
    return bool(folder) and os.path.exists(os.path.join(str(folder), _STOP))


def end_workers() -> None:
    """Tells the worker processes to end at once: Beam waits for each to end, but can tell only
    those that it has heard of."""
    if folder := os.environ.get(FOLDER):
        with open(os.path.join(folder, _END), "w", encoding="utf-8"):
            pass


def must_end() -> bool:
    """Returns whether worker processes are to end at once."""
    folder = os.environ.get(FOLDER)
    return bool(folder) and os.path.exists(os.path.join(str(folder), _END))


@contextlib.contextmanager
def handled(folder: str) -> Iterator[None]:
    """Handles Ctrl-C and SIGTERM while the block lasts.

    While calls are in flight, the first lets them end; a second one does not, nor one that comes
    when the workers have been told to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stop = os.path.join(folder, _STOP)

    def stopping(number: int, frame: Any) -> None:
        calls = any(name.endswith(".calls") for name in os.listdir(folder))
        if must_end() or os.path.exists(stop) or not calls:
            end_workers()
            raise KeyboardInterrupt
        with open(stop, "w", encoding="utf-8"):
            pass
        print(
            "\nstopping once the calls in flight are answered, as they are paid for; "
            "Ctrl-C again drops them",
            file=sys.stderr,
            flush=True,
        )

    before = {number: signal.signal(number, stopping) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
