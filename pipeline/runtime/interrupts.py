"""Stops a run on Ctrl-C or SIGTERM, in all its processes, without losing model calls in flight.

The driver and its workers communicate by files in a folder that an environment variable names: a
file per worker with calls in flight, one that asks workers to start no more calls, and one that
tells them to exit at once.
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

FOLDER = "STORYSTREAM_PROGRESS"  # environment variable that names the folder; unset outside a run
_STOP = "stop"  # the file that asks workers to start no more calls
_END = "end"  # the file that tells workers to exit at once


@contextlib.contextmanager
def calls_in_flight() -> Iterator[None]:
    """Makes Ctrl-C during the block request a stop (see `interrupted`) instead of raising."""
    folder = os.environ.get(FOLDER)
    if not folder:
        yield
        return
    descriptor, path = tempfile.mkstemp(suffix=".calls", dir=folder)
    os.close(descriptor)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):  # the driver has removed the folder already
            os.remove(path)


def interrupted() -> bool:
    """Returns whether the user has requested that the run stop."""
    folder = os.environ.get(FOLDER)
    return bool(folder) and os.path.exists(os.path.join(str(folder), _STOP))


def end_workers() -> None:
    """Tells the worker processes to exit at once.

    Beam waits for each of them, but can only stop those that have connected to it.
    """
    if folder := os.environ.get(FOLDER):
        with open(os.path.join(folder, _END), "w", encoding="utf-8"):
            pass


def must_end() -> bool:
    """Returns whether worker processes have been told to exit at once."""
    folder = os.environ.get(FOLDER)
    return bool(folder) and os.path.exists(os.path.join(str(folder), _END))


@contextlib.contextmanager
def signals_handled(folder: str) -> Iterator[None]:
    """Handles Ctrl-C and SIGTERM during the block, in the main thread.

    While calls are in flight, the first signal lets them complete; a second one, or one after the
    workers have been told to exit, raises KeyboardInterrupt at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stop = os.path.join(folder, _STOP)

    def on_signal(number: int, frame: Any) -> None:
        in_flight = any(name.endswith(".calls") for name in os.listdir(folder))
        if must_end() or os.path.exists(stop) or not in_flight:
            end_workers()
            raise KeyboardInterrupt
        with open(stop, "w", encoding="utf-8"):
            pass
        print(
            "\nStopping when the model calls in flight are answered, as they are paid for. "
            "Press Ctrl-C again to drop them.",
            file=sys.stderr,
            flush=True,
        )

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }

    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
