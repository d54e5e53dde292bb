"""ViStoryBench's formulas, on features whose similarities are known."""

import math

import numpy as np
import pytest

from benchmarks.metrics import vistory_scores
from benchmarks.metrics.vistory_scores import SeenShot

X, Y, Z = np.eye(3)
BETWEEN = np.array([0.8, 0.6, 0.0])  # 0.8 like X, 0.6 like Y


def test_figures_go_to_characters_such_that_the_sum_is_largest():
    references = {"Momo": np.stack([X]), "Pip": np.stack([Y])}
    # Both are most similar to the first figure; Momo alone would take it.
    figures = np.stack([BETWEEN, X])
    assert vistory_scores.assign_figures(("Momo", "Pip"), figures, references) == {
        "Momo": 1,
        "Pip": 0,
    }
    assert vistory_scores.assign_figures(("Momo", "Pip"), figures[:1], references) == {"Momo": 0}
    assert vistory_scores.assign_figures(("Momo",), np.zeros((0, 3)), references) == {}


def test_the_most_similar_reference_counts_for_who_it_is_and_all_for_how_similar():
    shots = [SeenShot(("Momo",), np.stack([X]))]
    scores = vistory_scores.score_characters(shots, {"Momo": np.stack([Y, X])}, {"Momo": Y})
    assert scores.cross == 0.5  # of 0 and 1
    assert scores.self_similarity == 1  # a single figure
    assert scores.copy_paste == 0.5  # the mirror image is the same


def test_the_number_of_figures_is_scored_relative_to_the_expected_one():
    assert vistory_scores.onstage_count(2, 2) == 100
    assert vistory_scores.onstage_count(2, 1) == pytest.approx(100 * math.exp(-0.5), abs=1e-3)
    assert vistory_scores.onstage_count(1, 3) == pytest.approx(100 * math.exp(-2), abs=1e-3)


def test_a_story_is_scored_by_the_means_over_its_characters():
    shots = [
        SeenShot(("Momo", "Pip"), np.stack([X, Y])),
        SeenShot(("Momo",), np.stack([BETWEEN, Z])),  # one figure too many
        SeenShot((), np.stack([Z])),  # nobody is asked for
        SeenShot(("Momo",), None),  # not drawn
    ]
    references = {"Momo": np.stack([X]), "Pip": np.stack([Y]), "Rosa": np.stack([Z])}
    scores = vistory_scores.score_characters(shots, references, {"Momo": Z, "Pip": Z, "Rosa": X})
    assert scores.cross == pytest.approx(((1 + 0.8) / 2 + 1 + 0) / 3)  # Rosa is never there
    assert scores.self_similarity == pytest.approx((0.8 + 1 + 0) / 3)
    assert scores.occm == pytest.approx((100 + 100 * math.exp(-1)) / 2, abs=1e-3)
    assert scores.copy_paste == pytest.approx(1)
    nobody = vistory_scores.score_characters([], references, references)
    assert (nobody.cross, nobody.self_similarity, nobody.occm, nobody.copy_paste) == (0, 0, 0, None)


def test_copy_paste_is_half_where_nothing_tells_a_reference_from_its_mirror_image():
    assert vistory_scores.copy_paste(np.stack([Z, BETWEEN]), Y, Y) == 0.5
    assert vistory_scores.copy_paste(np.stack([X]), X, Y) == pytest.approx(1)
    slightly = np.array([[0.71, 0.70, 0.0]])
    assert vistory_scores.copy_paste(slightly, X, Y) == pytest.approx(1 / (1 + math.exp(-1)))


def test_style_is_compared_with_the_references_of_who_is_shown():
    references = {"Momo": X, "Pip": Y}
    shots = [(("Momo", "Pip"), BETWEEN), ((), Y), (("Rosa",), X)]
    assert vistory_scores.style_to_references(shots, references) == pytest.approx(
        ((0.8 + 0.6) / 2 + 0 + 1) / 3  # nobody, and Rosa, are compared with Momo
    )
    assert vistory_scores.style_to_references(shots, {}) is None
    assert vistory_scores.mean_of_pairs(np.stack([X, X, BETWEEN])) == pytest.approx((1 + 1.6) / 3)
    assert vistory_scores.mean_of_pairs(np.stack([X])) is None
