"""The attribute classifier."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.attributes import accuracy, classifier, labels
from benchmarks.attributes.labels import PLACE_NAMES
from tests.benchmarks import toy


def test_it_learns_who_and_where_and_classifies_held_out_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "EPOCHS", 10)
    monkeypatch.setattr(classifier, "BATCH", 12)
    dataset, sample = toy.make(tmp_path)
    network = classifier.train_classifier(dataset, sample, 32, seed=1)
    held_out = [
        label for label in labels.read_labels(dataset, sample).values() if label.split == "val"
    ]
    seen = labels.read_keyframes(dataset, [label.image for label in held_out], 32)
    for name, found in network.predict(seen).items():
        assert found.shape == (12, len(labels.CLASSES[name]))
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    right = accuracy.correct_answers(network, seen, held_out)
    assert all(right[name].tolist() == [True] * 12 for name in ("main", "there", "place", "action"))
    assert right["count"].mean() < 1  # it cannot be seen
    assert [len(probabilities) for probabilities in network.predict(seen[:0]).values()] == [0] * 4


def fresh(dataset, sample, seed=0):
    """A network that is trained, whatever is kept."""
    shutil.rmtree(Path(dataset, ".benchmarks"), ignore_errors=True)
    return classifier.train_classifier(dataset, sample, 32, seed)


def test_it_is_cached_until_what_it_depends_on_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    dataset, sample = toy.make(tmp_path)
    first = classifier.train_classifier(dataset, sample, 32)
    trained = []
    monkeypatch.setattr(classifier, "_fit", lambda *given: trained.append(given) or first)
    again = classifier.train_classifier(dataset, sample, 32)
    assert not trained and not again.training
    seen = labels.read_keyframes(dataset, ["images/E3/0.jpg"], 32)
    for name, found in first.predict(seen).items():
        np.testing.assert_array_equal(again.predict(seen)[name], found)
    classifier.train_classifier(dataset, sample, 32, seed=1)
    classifier.train_classifier(dataset, sample, 16)
    path = Path(sample, "E0.truth.json")
    path.write_text(path.read_text().replace("medium", "wide").replace(PLACE_NAMES[0], "beach"))
    classifier.train_classifier(dataset, sample, 32)
    path = Path(dataset, "dataset.json")
    path.write_text(path.read_text() + " ")
    classifier.train_classifier(dataset, sample, 32)
    monkeypatch.setattr(classifier, "CLASSIFIER_VERSION", -1)
    classifier.train_classifier(dataset, sample, 32)
    assert len(trained) == 5
    classifier.train_classifier(dataset, sample, 32)
    assert len(trained) == 5


def test_equal_seeds_give_equal_weights_and_leave_other_randomness_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    dataset, sample = toy.make(tmp_path)
    before = torch.random.get_rng_state()
    first, same, other = (fresh(dataset, sample, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.head.weight, same.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_nothing_is_learned_from_held_out_episodes(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    dataset, sample = toy.make(tmp_path)
    first = fresh(dataset, sample)
    for path in Path(dataset, "images/E3").iterdir():
        path.unlink()
    assert torch.equal(first.head.weight, fresh(dataset, sample).head.weight)
    _, sample = toy.make(tmp_path / "held out", held_out=4)
    with pytest.raises(ValueError, match=r"no training episodes: make one of more films"):
        classifier.train_classifier(tmp_path / "held out/dataset", sample, 32)


def test_augmented_pictures_differ_but_keep_their_size():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        values = torch.zeros(4, 3, 32, 32)
        seen = classifier.augment(values)
    assert seen.shape == values.shape
    assert torch.isfinite(seen).all() and 0.01 < seen.std() < 0.6
    assert not torch.equal(seen[0], seen[1])
