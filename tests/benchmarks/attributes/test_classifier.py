import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.attributes import accuracy, classifier, labels
from benchmarks.attributes.labels import ACTION_NAMES, CHARACTERS, PLACE_NAMES, Labels
from tests.benchmarks import toy


def test_truth_is_joined_by_film_and_time(tmp_path):
    dataset, sample = toy.make(tmp_path)
    known = labels.read_labels(dataset, sample)
    assert len(known) == 48
    assert known["images/E0/1.jpg"] == Labels(
        "images/E0/1.jpg",
        "E0",
        1,
        "train",
        PLACE_NAMES[1],
        (CHARACTERS[1], CHARACTERS[0]),
        "wide",
        ACTION_NAMES[4],
    )
    assert known["images/E3/8.jpg"] == Labels(
        "images/E3/8.jpg",
        "E3",
        8,
        "val",
        PLACE_NAMES[2],
        (CHARACTERS[2], CHARACTERS[0]),
        "wide",
        ACTION_NAMES[5],
    )
    assert known["images/E3/8.jpg"].main == CHARACTERS[2]
    assert [known[f"images/E3/{at}.jpg"].count for at in (7, 8)] == [1, 2]
    crowd = Labels("", "E", 0, "val", "pond", CHARACTERS, "wide")
    assert crowd.count == labels.COUNTS[-1] == 3  # or more


def test_another_sample_is_an_error_with_a_remedy(tmp_path):
    dataset, sample = toy.make(tmp_path)
    path = Path(sample, "E2.truth.json")
    path.write_text(json.dumps({"shots": json.loads(path.read_text())["shots"][:5]}))
    with pytest.raises(ValueError, match=r"no shot of E2 at 11.0 s.*give the sample"):
        labels.read_labels(dataset, sample)
    path.unlink()
    with pytest.raises(ValueError, match=r"no .*E2.truth.json: give the sample"):
        labels.read_labels(dataset, sample)
    with pytest.raises(ValueError, match=r"is no finished dataset: .*dataset.json cannot be read"):
        labels.read_labels(sample, sample)


def test_pictures_are_squashed_and_rgb(tmp_path):
    dataset, _ = toy.make(tmp_path)
    seen = labels.read_keyframes(dataset, ["images/E0/0.jpg", "images/E0/2.jpg"], 32)
    assert seen.shape == (2, 32, 32, 3) and seen.dtype == np.uint8
    np.testing.assert_allclose(seen[:, 16, 4], [[0, 0, 200], [200, 0, 0]], atol=12)
    with pytest.raises(ValueError, match=r"E0/99.jpg.*make it again"):
        labels.read_keyframes(dataset, ["images/E0/99.jpg"], 32)


def test_a_reader_learns_who_and_where_and_reads_held_out_pictures(tmp_path, monkeypatch):
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


def test_a_reader_is_kept_until_what_it_depends_on_changes(tmp_path, monkeypatch):
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


def test_equal_seeds_give_equal_readers_and_leave_other_chance_alone(tmp_path, monkeypatch):
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


class _Says:
    """A network that gives the same answers whatever it sees."""

    def __init__(self, **answers):
        self.answers = {
            name: np.eye(len(known))[[known.index(answer) for answer in answers[name]]]
            for name, known in labels.CLASSES.items()
        }

    def predict(self, seen):
        return self.answers


def test_the_main_character_alone_is_right_and_others_who_are_there_count_apart():
    true = [
        Labels("", "E", 0, "val", "pond", ("Pip", "Momo"), "wide", "walks"),
        Labels("", "E", 1, "val", "pond", ("Pip", "Momo"), "wide", "runs"),
        Labels("", "E", 2, "val", "forest", ("Otto",), "wide", "runs"),
        Labels("", "E", 3, "val", "beach", ("Pip",), "wide", "runs"),
    ]
    network = _Says(
        main=["Pip", "Momo", "Pip", "Pip"],
        place=["pond", "pond", "forest", "pond"],
        action=["walks", "walks", "runs", "digs"],
        count=[2, 2, 2, 1],
    )
    right = accuracy.correct_answers(network, np.zeros((4, 1, 1, 3), np.uint8), true)
    assert right["main"].tolist() == [True, False, False, True]
    assert right["there"].tolist() == [True, True, False, True]
    assert right["place"].tolist() == [True, True, True, False]
    assert right["action"].tolist() == [True, False, True, False]
    assert right["count"].tolist() == [True, True, False, True]
    constant = accuracy.majority_baseline(true)
    assert {name: constant[name].sum() for name in ("main", "there", "place")} == {
        "main": 3,
        "there": 3,
        "place": 2,
    }
    assert constant["action"].tolist() == [False, True, True, True]
    assert constant["count"].sum() == 2
    assert all(len(flags) == 0 for flags in accuracy.majority_baseline([]).values())


def test_disturbed_pictures_differ_but_keep_their_size():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        values = torch.zeros(4, 3, 32, 32)
        seen = classifier.augment(values)
    assert seen.shape == values.shape
    assert torch.isfinite(seen).all() and 0.01 < seen.std() < 0.6
    assert not torch.equal(seen[0], seen[1])
