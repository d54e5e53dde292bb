"""Statistics of the judge, against closed forms and independent computations."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from benchmarks import published_results
from benchmarks.judge import agreement, bradley_terry, sign_test


@pytest.mark.parametrize(
    "wins, losses",
    [(0, 0), (1, 0), (5, 5), (8, 2), (0, 12), (22, 29), (64, 93), (31, 86), (400, 500)],
)
def test_the_sign_test_is_scipys_binomial_test(wins, losses):
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test.sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_the_papers_style_preference_is_not_significant_and_the_others_are():
    p = {
        name: sign_test.sign_test(*preference.counts()[:2])
        for name, preference in published_results.PREFERENCES.items()
    }
    assert published_results.PREFERENCES["style consistency"].counts() == (22, 29, 129)
    assert p["style consistency"] == pytest.approx(stats.binomtest(22, 51).pvalue)
    assert p["style consistency"] > 0.4
    assert p["engagement"] < 0.03 and p["image-text coherence"] < 1e-6


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


def test_kappa_of_a_table_from_a_textbook():
    # 50 grants, two readers: both yes 20, both no 15, 5 and 10 apart. Agreement 0.7, by chance 0.5.
    first = [1] * 25 + [0] * 25
    second = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert agreement.cohens_kappa(first, second) == pytest.approx(0.4)


def test_weighted_kappa_by_its_definition():
    dice = np.random.default_rng(0)
    first = dice.integers(0, 11, 60)
    second = np.clip(first + dice.integers(-2, 3, 60), 0, 10)
    apart = ((first - second) ** 2).mean()
    by_chance = ((first[:, None] - second[None, :]) ** 2).mean()
    assert agreement.cohens_kappa(first, second, True) == pytest.approx(1 - apart / by_chance)
    assert agreement.cohens_kappa(first, first) == agreement.cohens_kappa(first, first, True) == 1
    assert agreement.cohens_kappa([0, 1, 0, 1], [1, 0, 1, 0]) == pytest.approx(-1)
    assert math.isnan(agreement.cohens_kappa([3, 3], [3, 3]))


def test_agreement_is_over_what_both_judged_and_of_three_the_mean_over_pairs():
    items = [(f"opening {number}", "story") for number in range(50)]
    first = dict(zip(items, [1] * 25 + [0] * 25, strict=True))
    second = dict(zip(items, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15, strict=True))
    same, kappa = agreement.agreement([{**first, ("other", "story"): 1}, second])
    assert same.value == pytest.approx(0.7) and kappa.value == pytest.approx(0.4)
    assert same.n == kappa.n == 50 and kappa.low < 0.4 < kappa.high
    same, kappa = agreement.agreement([first, second, first])
    assert same.value == pytest.approx((0.7 + 1 + 0.7) / 3)
    assert kappa.value == pytest.approx((0.4 + 1 + 0.4) / 3)


def test_agreement_about_nothing_or_about_one_answer_is_no_number():
    same, kappa = agreement.agreement([{("a",): 1}, {("b",): 1}])
    assert same.value is None and kappa.value is None
    same, kappa = agreement.agreement([{("a",): 1, ("b",): 1}] * 2)
    assert same.value == 1 and kappa.value is None and "one and the same" in kappa.note
