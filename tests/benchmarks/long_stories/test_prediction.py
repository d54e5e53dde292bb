"""Predictions along long stories."""

import numpy as np
import pytest
import torch

from benchmarks.long_stories import prediction, run
from benchmarks.long_stories.policies import PolicyVariant
from benchmarks.long_stories.prediction import Predictions

LENGTH = 12  # pictures of a story


def test_dense_at_ten_pictures_is_what_training_has(teller, stories):
    told = prediction.predict_stories(
        teller, stories, PolicyVariant("dense", "dense", {}), own=False
    )
    fresh = prediction.predict_as_last_of_chunk(teller, stories, [9, 11])

    assert told.nats[:, 9] == pytest.approx(fresh.nats[:, 9], rel=1e-5)
    assert told.cosine[:, 9] == pytest.approx(fresh.cosine[:, 9], abs=1e-4)
    assert (
        told.words[:, 9].tolist()
        == fresh.words[:, 9].tolist()
        == [len(ids[9]) for ids in stories.ids]
    )
    assert told.nats[:, 11] != pytest.approx(fresh.nats[:, 11], rel=1e-4)
    assert prediction.perplexity_ratio(told, fresh, slice(9, 10))[0] == pytest.approx(1, abs=1e-4)
    assert prediction.perplexity(told, slice(1, LENGTH)) == pytest.approx(200, rel=0.9)


def test_true_pictures_or_its_own_are_read_on(teller, stories):
    dense = PolicyVariant("dense", "dense", {})
    given, own = (
        prediction.predict_stories(teller, stories, dense, own=own) for own in (False, True)
    )
    assert torch.equal(given.features[:, :2], own.features[:, :2])
    assert not torch.allclose(given.features[:, 2], own.features[:, 2], atol=1e-5)


def test_ratio_of_perplexities():
    words = np.full((4, 6), 10.0)
    worse, better = (Predictions(words * nats, words, words, torch.zeros(1)) for nats in (0.5, 0.3))
    assert prediction.perplexity_ratio(worse, better, slice(0, 6)) == pytest.approx(
        [np.exp(0.2)] * 3
    )
    assert prediction.perplexity(worse, slice(2, 4)) == pytest.approx(np.exp(0.5))


def test_what_cannot_be_measured_is_named(teller, tmp_path):
    with pytest.raises(ValueError, match="9 pictures are fewer than the 10 of training"):
        run.run("", "", "", "", [9, 15])
    with pytest.raises(ValueError, match=r"val_stories.jsonl is missing"):
        prediction.JoinedStories(teller, str(tmp_path), 20, range(1))
