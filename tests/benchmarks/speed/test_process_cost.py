import sys

import pytest

from benchmarks.speed.process_cost import busy_cores, process_cost

BUSY = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_the_cost_of_a_process_counts_those_it_waited_for():
    alone = process_cost([sys.executable, "-c", BUSY])
    with_child = process_cost(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])",
        ]
    )
    assert alone.cpu >= 0.3 and with_child.cpu >= 0.3
    assert alone.wall >= 0.3 and alone.memory > 1


def test_the_memory_of_the_one_that_measures_does_not_count():
    block = bytearray(b"1" * 300_000_000)
    assert process_cost([sys.executable, "-c", "pass"]).memory < 100
    assert 200 < process_cost([sys.executable, "-c", "bytearray(b'1' * 100_000_000)"]).memory < 300
    del block


def test_a_command_that_is_not_there_is_no_measurement():
    with pytest.raises(RuntimeError, match="no-such-command"):
        process_cost(["/no-such-command"])


def test_a_process_that_fails_is_no_measurement():
    with pytest.raises(RuntimeError, match="ended with 3"):
        process_cost([sys.executable, "-c", "import sys; sys.exit(3)"])


def test_busy_loops_get_something():
    assert 0 < busy_cores(0.2) < 1000
