import pytest

from benchmarks.speed.shot_scores import Score, cuts, gradual


def test_each_true_cut_is_found_once():
    assert cuts([10, 50, 90], [10, 51, 91]) == Score(true=3, found=3, right=3)
    assert cuts([10], [9, 10, 11]) == Score(true=1, found=3, right=1)
    assert cuts([10, 12], [11]) == Score(true=2, found=1, right=1)
    assert cuts([10], [13]) == Score(true=1, found=1, right=0)


def test_a_gradual_one_is_right_inside_the_true_one_and_only_once():
    assert gradual([(100, 120)], [110.0]) == Score(true=1, found=1, right=1)
    assert gradual([(100, 120)], [105.0, 115.0]) == Score(true=1, found=2, right=1)
    assert gradual([(100, 120)], [130.0]) == Score(true=1, found=1, right=0)


def test_f1_weighs_what_was_missed_and_what_was_made_up():
    assert Score(true=10, found=10, right=10).f1 == 1
    assert Score(true=10, found=5, right=5).f1 == pytest.approx(2 / 3)
    assert Score(true=0, found=0, right=0).f1 == 1
    assert Score(1, 2, 1) + Score(3, 1, 1) == Score(4, 3, 2)
