"""Consistency by how many pictures ago somebody was last seen."""

import math

import numpy as np
import pytest

from benchmarks.metrics import recurrence
from benchmarks.metrics.recurrence import Recurrence


def test_a_name_comes_back_after_the_pictures_since_it_was_last_seen():
    shown = [{"Momo"}, {"Pip", "Rosa"}, None, {"Momo", "Pip"}, {"Momo"}]
    found = recurrence.find_recurrences(shown)
    assert found == [Recurrence("Momo", 0, 3), Recurrence("Pip", 1, 3), Recurrence("Momo", 3, 4)]
    assert [recurrence.gap for recurrence in found] == [3, 2, 1]


def test_a_column_is_from_one_gap_to_before_the_next():
    assert [recurrence.gap_name(gap) for gap in (0, 1, 2, 4, 5, 9, 10, 19, 20, 49, 50, 99)] == [
        "never before",
        *["1"],
        *["2 to 4"] * 2,
        *["5 to 9"] * 2,
        *["10 to 19"] * 2,
        *["20 to 49"] * 2,
        *["50 or more"] * 2,
    ]


def test_a_margin_is_over_pairs_equally_far_apart_of_which_one_shows_the_name():
    alike = np.array(
        [
            [1.0, 0.3, 0.9, 0.5],
            [0.3, 1.0, 0.1, 0.4],
            [0.9, 0.1, 1.0, 0.8],
            [0.5, 0.4, 0.8, 1.0],
        ]
    )
    found = recurrence.similarities([{"A"}, {"B"}, {"A"}, {"A"}], alike)
    assert found == {
        Recurrence("A", 0, 2): pytest.approx((0.9, 0.9 - 0.4)),  # against 1 and 3
        Recurrence("A", 2, 3): pytest.approx((0.8, 0.8 - (0.3 + 0.1) / 2)),  # 0 and 1, 1 and 2
    }


def test_pairs_that_may_not_be_compared_are_left_out():
    alike = np.eye(3)
    allowed = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    found = recurrence.similarities([{"A"}, {"A"}, {"B"}], alike, allowed)
    assert found == {Recurrence("A", 0, 1): (0.0, 0.0)}
    assert recurrence.similarities([{"A"}, {"B"}, {"A"}], alike, allowed) == {}
    [[_, margin]] = recurrence.similarities([{"A"}, {"A"}], np.eye(2)).values()
    assert math.isnan(margin)  # there is nobody else to compare with
    with pytest.raises(ValueError, match="3 pictures need similarities"):
        recurrence.similarities([{"A"}] * 3, np.eye(2))


@pytest.mark.parametrize("keeps", [1, 5, 60])
def test_a_generator_that_forgets_has_no_margin_beyond_its_memory(keeps):
    """Bob comes back after each of the gaps, and is drawn anew where he was last seen more than
    `keeps` pictures ago; Ann, in all other pictures, looks the same throughout."""
    times = np.cumsum([0, *recurrence.GAPS])
    shown = [{"Bob"} if at in times else {"Ann"} for at in range(times[-1] + 1)]
    dice = np.random.default_rng(0)
    stories, repeated = {}, {}
    for number in range(20):
        looks = np.tile(dice.normal(size=64), (len(shown), 1))
        for last, at in zip([-99, *times], times, strict=False):
            looks[at] = looks[last] if at - last <= keeps else dice.normal(size=64)
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        for kept, alike in ((stories, looks @ looks.T), (repeated, np.ones((len(shown),) * 2))):
            found = recurrence.similarities(shown, alike)
            kept[str(number)] = {
                comeback: values for comeback, values in found.items() if comeback.name == "Bob"
            }
    similar, margin = recurrence.figures_by_gap(stories)
    for gap, column in zip(recurrence.GAPS, margin, strict=True):
        expected = 1 if gap <= keeps else 0
        assert similar[column].value == pytest.approx(expected, abs=0.1)
        assert margin[column].value == pytest.approx(expected, abs=0.1)
        assert recurrence.figures_by_gap(repeated)[1][column].value == 0


def test_a_column_without_a_recurrence_says_so():
    _, margin = recurrence.figures_by_gap({"story": {Recurrence("A", 0, 7): (0.5, 0.25)}})
    assert (margin["5 to 9"].value, margin["5 to 9"].n) == (0.25, 1)
    assert (margin["1"].value, margin["1"].note) == (None, "nothing to measure")
