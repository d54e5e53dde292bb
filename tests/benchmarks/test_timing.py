import time

import pytest

from benchmarks import timing
from benchmarks.results.tables import Figure


def test_tools_take_turns_and_the_first_round_does_not_count():
    order = []

    def tool(name, values):
        return lambda: order.append(name) or values.pop(0)

    found = timing.timed({"one": tool("one", [9, 1, 2]), "other": tool("other", [9, 3, 4])}, 2)
    assert found == {"one": [1, 2], "other": [3, 4]}
    assert order == ["one", "other"] * 3


def test_a_clocked_tool_says_what_it_took(monkeypatch):
    now = iter([10.0, 12.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    assert timing.clocked(lambda: None)() == 2.5


def test_figures_are_the_median_and_what_it_lies_between():
    assert timing.spread([3, 1, 2]) == Figure(2, 3, 1, 3)
    # Of a machine that is half as fast in the second round, the ratio is the same in both.
    assert timing.ratio([1, 2, 3], [2, 4, 4]) == Figure(0.5, 3, 0.5, 0.75)
    with pytest.raises(ValueError):
        timing.ratio([1, 2], [1])


def test_versions_and_the_machine_may_differ_between_results_that_are_compared():
    said = timing.about("torch", batch=4)
    assert said["batch"] == 4 and set(said["versions"]) == {"torch"}
    assert "load" in said["machine"]
