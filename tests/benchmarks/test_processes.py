import sys

import pytest

from benchmarks.processes import Cost, busy_cores, cost, median

BUSY = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_the_cost_of_a_process_counts_those_it_waited_for():
    alone = cost([sys.executable, "-c", BUSY])
    with_child = cost([sys.executable, "-c",
                       f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])"])
    assert alone.cpu >= 0.3 and with_child.cpu >= 0.3
    assert alone.wall >= 0.3 and alone.memory > 1


def test_a_process_that_fails_is_no_measurement():
    with pytest.raises(RuntimeError, match="ended with 3"):
        cost([sys.executable, "-c", "import sys; sys.exit(3)"])


def test_the_median_is_taken_figure_by_figure():
    assert median([Cost(1, 9, 5), Cost(2, 8, 6), Cost(3, 7, 4)]) == Cost(2, 8, 5)


def test_busy_loops_get_something():
    assert 0 < busy_cores(0.2) < 1000
