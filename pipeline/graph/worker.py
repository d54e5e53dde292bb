"""A worker process of a local run: Beam's own, but it ends when the driver does, however that ends.

By itself Beam's takes its time to notice that a driver was killed, and would still write meanwhile.
A driver that ends can tell only those workers to end that have found it already; the others see it
by `interrupts.must_end`.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from pipeline.runtime import interrupts

_WATCH = 0.5  # seconds


def main() -> None:
    """Works for the driver, whose process is the argument, until that ends."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main  # takes seconds

    sdk_worker_main.main(sys.argv)


def _end_with(driver: int) -> None:
    # The shell that started this process has become it, so its parent is the driver.
    while os.getppid() == driver and not interrupts.must_end():
        time.sleep(_WATCH)
    os._exit(1)


if __name__ == "__main__":
    main()
