"""Labels of keyframes by the sample's ground truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.attributes import labels
from benchmarks.attributes.labels import ACTION_NAMES, CHARACTERS, PLACE_NAMES, Labels
from tests.benchmarks import toy


def test_labels_are_joined_by_film_and_time(tmp_path):
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
