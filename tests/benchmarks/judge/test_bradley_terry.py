"""Bradley-Terry ratings."""

import math

import numpy as np
import pytest
from scipy import optimize

from benchmarks.judge import bradley_terry


def test_two_that_were_compared_are_rated_by_their_odds():
    wins = np.array([[0.0, 30], [10, 0]])
    first, second = bradley_terry.bradley_terry(wins)
    assert first - second == pytest.approx(math.log(3)) and first + second == pytest.approx(0)


def test_strengths_are_those_of_the_greatest_likelihood():
    wins = np.array([[0.0, 7, 9, 3], [3, 0, 6.5, 4], [1, 3.5, 0, 2], [2, 1, 5, 0]])

    def unlikely(strengths):
        chance = 1 / (1 + np.exp(strengths[None] - strengths[:, None]))
        return -(wins * np.log(chance)).sum() + strengths.mean() ** 2

    expected = optimize.minimize(unlikely, np.zeros(4), tol=1e-10).x
    assert bradley_terry.bradley_terry(wins) == pytest.approx(expected - expected.mean(), abs=1e-4)
    both = bradley_terry.bradley_terry(np.stack([wins, wins.T]))  # several at once, each for itself
    assert both[1] == pytest.approx(-bradley_terry.bradley_terry(wins), abs=1e-5)


def test_planted_strengths_are_found_within_their_intervals():
    truth = np.array([0.8, 0.2, -0.3, -0.7])
    dice, openings = np.random.default_rng(3), 300
    wins = np.zeros((openings, 4, 4))
    for row in range(4):
        for column in range(row):
            won = dice.random(openings) < 1 / (1 + np.exp(truth[column] - truth[row]))
            wins[:, row, column], wins[:, column, row] = won, ~won
    for figure, strength in zip(bradley_terry.rate_generators(wins), truth, strict=True):
        assert figure.n == openings and figure.low < bradley_terry.POINTS * strength < figure.high
        assert figure.high - figure.low < 120


def test_who_never_wins_is_rated_finite_and_last():
    wins = np.zeros((10, 3, 3))
    wins[:, 0, 1] = wins[:, 0, 2] = wins[:, 1, 2] = 1
    first, second, third = bradley_terry.rate_generators(wins)
    assert first.value > second.value > third.value > -1000
    assert second.value == pytest.approx(0, abs=1e-3)
    alone = bradley_terry.rate_generators(wins[:, :2, :2])  # ten and a half wins to a half
    assert alone[0].value - alone[1].value == pytest.approx(400 * math.log10(10.5 / 0.5))
    assert alone[0].low == alone[0].high == alone[0].value  # ten openings, all alike


def test_who_was_compared_with_nobody_has_no_rating():
    wins = np.zeros((4, 3, 3))
    wins[:, 0, 1], wins[0, 1, 0] = 1, 1
    first, second, alone = bradley_terry.rate_generators(wins)
    assert first.value == pytest.approx(-second.value) and first.value > 0
    assert alone.value is None and "none" in alone.note
    assert [rating.value for rating in bradley_terry.rate_generators(np.zeros((0, 2, 2)))] == [
        None,
        None,
    ]
