"""Recall@1 among candidates."""

import numpy as np
import pytest

from benchmarks.attributes.labels import Labels
from benchmarks.story_model import retrieval


def test_candidates_are_of_other_shots_of_the_episode_without_the_previous_picture():
    known = [
        Labels(f"{video}/{i}", video, i // 2, "val", "pond", ("Pip",), "wide")
        for video in ("A", "B")
        for i in range(50)
    ]
    dice = np.random.default_rng(0)
    found = retrieval.draw_candidates(known[10], "A/9", known, dice)
    assert len(found) == len(set(found)) == 31
    assert not {"A/9", "A/10", "A/11"} & set(found)
    assert all(image.startswith("A/") for image in found)
    few = retrieval.draw_candidates(known[2], "A/1", known[:6], dice)
    assert few == ["A/0", "A/4", "A/5"]


def test_cosine_is_the_mean_over_tokens():
    features = np.array([[[3, 4], [1, 0]]], np.float32)
    other = np.array([[[4, 3], [0, 2]]], np.float32)
    assert retrieval.mean_token_cosine(features, other) == pytest.approx([(24 / 25 + 0) / 2])


def test_random_features_are_found_by_chance_and_draws_are_shared():
    dice = np.random.default_rng(0)
    hits = [
        retrieval.recall_at_1(
            *(dice.normal(size=(4, 8)) for _ in range(2)), dice.normal(size=(31, 4, 8))
        )
        for _ in range(2000)
    ]
    assert np.mean(hits) == pytest.approx(1 / 32, abs=0.012)  # three standard errors
    same = np.ones((4, 8))
    assert retrieval.recall_at_1(same, same, np.ones((3, 4, 8))) == 0.25
