"""Prints progress that never stands still, however long a step takes.

A thread prints a line, or redraws a progress bar, at regular intervals during a block.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator

LINES = 15.0  # seconds between lines


def print_anywhere() -> None:
    """Lets every text be printed: what the terminal's encoding lacks is shown as \\xe9."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def heartbeat(
    beat: Callable[[], object], pause: float, wait: Callable[[float], bool] | None = None
) -> Iterator[None]:
    """Calls `beat` every `pause` seconds during the block, in a thread.

    `wait` sleeps for so many seconds and returns whether the block has ended; another than the
    built-in one is for tests.
    """
    ended = threading.Event()
    waits = wait or ended.wait

    def run() -> None:
        while not waits(pause):
            beat()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def telling(
    describe: Callable[[], str],
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], bool] | None = None,
) -> Iterator[None]:
    """Prints what `describe` returns to standard error every `LINES` seconds during the block, with
    the seconds since it began."""
    began = clock()

    def tell() -> None:
        print(f"[{clock() - began:5.0f} s] {describe()}", file=sys.stderr, flush=True)

    with heartbeat(tell, LINES, wait):
        yield


def left(seconds: float, share: float) -> str:
    """Returns the time left after `seconds` for a share of the work, as "0:45" or "1:02:03"."""
    rest = round(seconds * (1 - share) / share)
    hours, minutes = f"{rest // 3600}:" if rest >= 3600 else "", rest // 60 % 60
    return f"{hours}{minutes:0{2 if hours else 1}d}:{rest % 60:02d}"
