"""Agreement of judges."""

import math

import numpy as np
import pytest

from benchmarks.judge import agreement


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
