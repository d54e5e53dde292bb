import pytest

from benchmarks.metrics.shot_scores import ShotScore, score_cuts, score_gradual


def test_each_true_cut_is_found_once():
    assert score_cuts([10, 50, 90], [10, 51, 91]) == ShotScore(true=3, found=3, right=3)
    assert score_cuts([10], [9, 10, 11]) == ShotScore(true=1, found=3, right=1)
    assert score_cuts([10, 12], [11]) == ShotScore(true=2, found=1, right=1)
    assert score_cuts([10], [13]) == ShotScore(true=1, found=1, right=0)


def test_a_gradual_one_is_right_inside_the_true_one_and_only_once():
    assert score_gradual([(100, 120)], [110.0]) == ShotScore(true=1, found=1, right=1)
    assert score_gradual([(100, 120)], [105.0, 115.0]) == ShotScore(true=1, found=2, right=1)
    assert score_gradual([(100, 120)], [130.0]) == ShotScore(true=1, found=1, right=0)


def test_f1_weighs_what_was_missed_and_what_was_made_up():
    assert ShotScore(true=10, found=10, right=10).f1 == 1
    assert ShotScore(true=10, found=5, right=5).f1 == pytest.approx(2 / 3)
    assert ShotScore(true=0, found=0, right=0).f1 == 1
    assert ShotScore(1, 2, 1) + ShotScore(3, 1, 1) == ShotScore(4, 3, 2)
