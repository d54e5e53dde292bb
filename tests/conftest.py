"""One thread for every test's arithmetic, and the end of the run for a test that stands still.

The networks here are tiny: a second thread gains nothing, and where the cores are also wanted by
others the threads wait for each other. So also for the processes that tests start.
"""

import os
import signal
import sys
import threading
import traceback

import pytest

os.environ["OMP_NUM_THREADS"] = "1"

LONGEST = 300  # seconds for one test; the slowest takes a tenth of that on two busy cores
STDERR = pytest.StashKey[int]()


def pytest_configure(config):
    config.stash[STDERR] = os.dup(2)  # not the one that is captured during a test
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Ends the run, saying in a few lines where each thread is: of a long log the end is kept."""
    timer = threading.Timer(LONGEST, stood_still, (item.nodeid, item.config.stash[STDERR]))
    timer.daemon = True
    timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()


def stood_still(test, stderr):
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines = [f"\n{test} has taken {LONGEST} s; the run ends. Each thread, innermost frame last:\n"]
    for ident, frame in sys._current_frames().items():
        if ident != threading.get_ident():
            stack = traceback.extract_stack(frame)[-6:]
            where = (f"{os.path.basename(at.filename)}:{at.lineno} {at.name}" for at in stack)
            lines.append(f"{names.get(ident, ident)}: {' > '.join(where)}\n")
    os.write(stderr, "".join(lines).encode())
    os._exit(1)
