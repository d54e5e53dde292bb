"""Runs Beam's worker process for a local run, and exits when the driver does, even if it is killed.

Beam's own worker takes long to notice that its driver was killed, and would write files meanwhile.
A driver that ends can only stop workers that have connected to it; the others check
`interrupts.must_end`.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from pipeline.runtime import interrupts

_POLL = 0.5  # seconds


def main() -> None:
    """Serves the driver whose process id is the argument, until that process ends."""
    threading.Thread(target=_exit_with, args=(int(sys.argv[1]),), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main  # importing it takes seconds

    sdk_worker_main.main(sys.argv)


def _exit_with(driver: int) -> None:
    # The driver started a shell that exec'ed this process, so this process's parent is the driver.
    while os.getppid() == driver and not interrupts.must_end():
        time.sleep(_POLL)

    os._exit(1)


if __name__ == "__main__":
    main()
