"""Names carried from text to text, by hand and over shuffled texts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from benchmarks.metrics.entity_grid import (
    adjacent_overlap,
    names_in_texts,
    overlap_above_chance,
    run_lengths,
)
from tests.benchmarks.metrics.story_texts import CAST, TOLD, shuffled


def test_who_is_named():
    assert names_in_texts(["Pip's hat", "Old Quint and momo", "He runs"], CAST) == [
        {"Pip"},
        {"Mr. Quint", "Momo"},
        set(),
    ]


def test_names_over_texts_by_hand():
    said = [{"a"}, {"a", "b"}, {"b"}, set(), {"a"}]
    assert run_lengths(said) == [2, 1, 2]  # a, a again, b
    assert adjacent_overlap(said) == 2 / 4
    # Of 10 pairs share: 0-1, 0-4, 1-2, 1-4.
    assert overlap_above_chance(said) == pytest.approx(2 / 4 - 4 / 10)
    assert math.isnan(overlap_above_chance([{"a"}]))
    assert overlap_above_chance([{"a"}] * 5) == 0  # who repeats himself gains nothing


def test_overlap_above_chance_is_zero_over_all_orders():
    said = [{"a"}, {"a", "b"}, {"b"}, set(), {"a"}]
    assert np.mean(
        [overlap_above_chance(order) for order in itertools.permutations(said)]
    ) == pytest.approx(0)


def test_shuffling_lowers_overlap_above_chance():
    said = names_in_texts(TOLD, CAST)
    assert overlap_above_chance(said) > 0.25
    for seed in range(20):
        mixed = names_in_texts(shuffled(TOLD, seed), CAST)
        assert overlap_above_chance(mixed) < overlap_above_chance(said)
        assert np.mean(run_lengths(mixed)) < np.mean(run_lengths(said))
