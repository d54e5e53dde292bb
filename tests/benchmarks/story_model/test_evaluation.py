import cv2
import numpy as np
import pytest

from benchmarks.attributes import classifier, labels
from benchmarks.story_model import evaluation
from benchmarks.story_model.trained_model import TrainedModel
from tests.benchmarks import toy

SIDE = 16


def features(pictures):
    """A token a corner: its mean colour."""
    halves = pictures.reshape(len(pictures), 2, pictures.shape[1] // 2, 2, -1, 3)
    return halves.mean(axis=(2, 4)).reshape(len(pictures), 4, 3).astype(np.float32) / 255


def paint(values):
    small = (values.reshape(-1, 2, 2, 3) * 255).clip(0, 255).astype(np.uint8)
    return np.stack(
        [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) for picture in small]
    )


def trained(predict):
    return TrainedModel(SIDE, SIDE, features, predict, paint, paint, lambda pictures: pictures)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(classifier, "EPOCHS", 2)
    monkeypatch.setattr(classifier, "BATCH", 12)


def test_what_is_predicted_right_has_a_cosine_and_a_recall_of_one(tmp_path, quick):
    dataset, sample = toy.make(tmp_path)
    result, grid = evaluation.evaluate(trained(lambda captions, seen: seen[1:]), dataset, sample)
    assert (result.moments, result.chunks, result.episodes, result.left_out) == (9, 1, 1, 0)
    assert result.named == pytest.approx(8 / 9)
    # 12 keyframes without the previous one; the first moment's own previous is not more
    assert (result.candidates, result.chance) == (11, pytest.approx(1 / 11))
    right = result.guesses[evaluation.PREDICTED]
    assert right.cosine.value == pytest.approx(1)
    assert (right.cosine.low, right.cosine.high) == pytest.approx((1, 1))
    seen = features(labels.read_keyframes(dataset, [f"images/E3/{i}.jpg" for i in range(12)], SIDE))
    previous = result.guesses["previous picture"]
    unit = seen / np.linalg.norm(seen, axis=-1, keepdims=True)
    expected = [(unit[i] * unit[i - 1]).sum(-1).mean() for i in range(1, 10)]
    assert previous.cosine.value == pytest.approx(np.mean(expected))
    assert previous.recall.value < right.recall.value == 1
    assert grid.shape == (4 * SIDE, 9 * SIDE, 3)
    same = labels.read_keyframes(dataset, [f"images/E3/{i}.jpg" for i in range(1, 10)], SIDE)
    np.testing.assert_array_equal(grid[:SIDE], np.concatenate(list(same), axis=1))
    assert result.read[evaluation.TRUE] == result.read[evaluation.RECONSTRUCTED]
    assert result.read[evaluation.MAJORITY]["main"].value == 3 / 9


def test_the_most_similar_training_caption_stands_for_its_picture(tmp_path, quick):
    dataset, sample = toy.make(tmp_path)
    result, _ = evaluation.evaluate(trained(lambda captions, seen: seen[:-1]), dataset, sample)
    # Captions name who and where, which is what pictures show, but for their brightness.
    likest = result.guesses["picture of the most similar training caption"]
    assert likest.cosine.value > 0.95 > result.guesses["previous picture"].cosine.value
    assert result.guesses[evaluation.PREDICTED] == result.guesses["previous picture"]
    linear = result.guesses[evaluation.LINEAR]  # which does not know a brightness either
    assert likest.cosine.value - 0.05 < linear.cosine.value < 1
