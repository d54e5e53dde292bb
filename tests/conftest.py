"""Sets what holds for every test: one thread, a limit of time, and the skips that CI accepts.

One thread for every test's arithmetic, also in the processes that tests start: the networks here
are tiny, a second thread gains nothing, and where the cores are also wanted by others the threads
wait for each other.
"""

import os
import re
import signal
import sys
import threading
import traceback

import pytest

os.environ["OMP_NUM_THREADS"] = "1"

LONGEST = 300  # seconds for one test; the slowest takes a tenth of that on two busy cores
STDERR = pytest.StashKey[int]()

# The reasons for which CI may skip a test. Any other fails there: `make install` has installed all
# that the tests need.
EXPECTED_SKIPS = (
    r"only root can become somebody else",
    r"mounting a small disk takes a superuser",
    r"permissions do not bind a superuser, and there is no setpriv",
    r"there is no Chromium: apt-get failed",  # .ci/run has tried, and says so
)


def pytest_configure(config):
    config.stash[STDERR] = os.dup(2)  # not the one that is captured during a test
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Ends the run, saying in a few lines where each thread is: of a long log the end is kept.

    Of a run that several processes share it interrupts the one that waits for the others, too.
    """
    shared = hasattr(item.config, "workerinput")  # pytest-xdist's
    timer = threading.Timer(LONGEST, stood_still, (item.nodeid, item.config.stash[STDERR], shared))
    timer.daemon = True
    timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()


def stood_still(test, stderr, shared):
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines = [f"\n{test} has taken {LONGEST} s; the run ends. Each thread, innermost frame last:\n"]
    for ident, frame in sys._current_frames().items():
        if ident != threading.get_ident():
            stack = traceback.extract_stack(frame)[-6:]
            where = (f"{os.path.basename(at.filename)}:{at.lineno} {at.name}" for at in stack)
            lines.append(f"{names.get(ident, ident)}: {' > '.join(where)}\n")
    os.write(stderr, "".join(lines).encode())
    if shared:
        os.kill(os.getppid(), signal.SIGINT)
    os._exit(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return expected((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return expected((yield))  # of a module that skips itself


def expected(report):
    """Returns the report; where `CI` is set, as a failure if EXPECTED_SKIPS lacks its reason."""
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        path, line, reason = report.longrepr
        if not any(re.search(known, reason) for known in EXPECTED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"{path}:{line}: {reason}: this skip is not expected in CI"
    return report
