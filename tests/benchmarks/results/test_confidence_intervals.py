import numpy as np
import pytest

from benchmarks.results.confidence_intervals import bootstrap_mean


def test_intervals_of_means_widen_where_groups_hold_together():
    # Groups of one: the normal approximation holds, mean +- 1.96 s / sqrt(n)
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = bootstrap_mean(values, [str(i) for i in range(400)])
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean()) and found.n == 400
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.03
    )
    # Ten copies of each are no more evidence
    repeated = bootstrap_mean(np.repeat(values, 10), np.repeat([str(i) for i in range(400)], 10))
    assert (repeated.low, repeated.high) == pytest.approx((found.low, found.high))


def test_nothing_has_no_mean():
    assert bootstrap_mean([], []).value is None
