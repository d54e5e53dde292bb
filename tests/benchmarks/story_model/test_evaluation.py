import dataclasses

import cv2
import numpy as np
import pytest

from benchmarks.attributes import classifier, labels
from benchmarks.attributes.labels import Labels
from benchmarks.metrics import tfidf
from benchmarks.results.tables import Figure
from benchmarks.story_model import chunks, evaluation, retrieval, ridge_regression, tables
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


def test_the_likest_training_caption_stands_for_its_picture(tmp_path, quick):
    dataset, sample = toy.make(tmp_path)
    result, _ = evaluation.evaluate(trained(lambda captions, seen: seen[:-1]), dataset, sample)
    # Captions name who and where, which is what pictures show, but for their brightness.
    likest = result.guesses["picture of the most similar training caption"]
    assert likest.cosine.value > 0.95 > result.guesses["previous picture"].cosine.value
    assert result.guesses[evaluation.PREDICTED] == result.guesses["previous picture"]
    linear = result.guesses[evaluation.LINEAR]  # which does not know a brightness either
    assert likest.cosine.value - 0.05 < linear.cosine.value < 1


def test_texts_are_alike_by_their_rare_words():
    known = ["the fox runs in the wood", "the bear sleeps in the wood", "the owl reads"]
    assert tfidf.most_similar(["The owl sits in the wood.", "A bear!", "nothing known"], known) == [
        2,
        1,
        0,
    ]


def test_vectors_of_texts_weigh_rare_words_and_pairs():
    vectors = tfidf.tfidf_vectors(["A fox.", "bear"], ["a fox", "a bear", "a"])
    common, two = 1.0, 1 + np.log(4 / 2)  # "a" is in all three, the others in one each
    # in the order of terms: a, a bear, a fox, bear, fox
    expected = np.array([[common, 0, two, 0, two], [0, 0, 0, two, 0]])
    np.testing.assert_allclose(
        vectors, expected / np.linalg.norm(expected, axis=1)[:, None], rtol=1e-6
    )


@pytest.mark.parametrize("noise", [0.01, 3.0])
def test_the_regression_is_a_ridges_with_the_penalty_that_does_best_on_what_is_left_out(noise):
    dice = np.random.default_rng(0)
    learned, asked = dice.normal(size=(20, 6)) / 6**0.5, dice.normal(size=(4, 6)) / 6**0.5
    wanted = learned @ dice.normal(size=(6, 3)) + noise * dice.normal(size=(20, 3)) + 5
    inputs, mean = learned - learned.mean(0), wanted.mean(0)

    def ridge(rows, outputs, penalty):
        return np.linalg.solve(rows.T @ rows + penalty * np.eye(6), rows.T @ (outputs - mean))

    def left_out(penalty):
        rest = [np.arange(20) != i for i in range(20)]
        return sum(
            np.square(
                inputs[~keep] @ ridge(inputs[keep], wanted[keep], penalty) + mean - wanted[~keep]
            ).sum()
            for keep in rest
        )

    best = min(ridge_regression.PENALTIES, key=left_out)
    assert best == {0.01: 0.1, 3.0: 3.0}[noise]
    found = ridge_regression.ridge_regression(learned, asked, wanted.reshape(20, 3, 1))
    np.testing.assert_allclose(
        found[..., 0], (asked - learned.mean(0)) @ ridge(inputs, wanted, best) + mean, rtol=1e-6
    )


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


def test_tables_name_what_is_missed():
    def scores(main, place):
        return {
            "main": Figure(main, 100, main - 0.1, main + 0.1),
            "there": Figure(0.95, 100),
            "place": Figure(place, 100),
        }

    guess = evaluation.FeatureScores(Figure(0.5, 100, 0.4, 0.6), Figure(0.25, 100, 0.2, 0.3))
    result = evaluation.Result(
        100,
        12,
        4,
        3,
        0.795,
        32.0,
        1 / 32,
        {evaluation.PREDICTED: guess},
        {
            evaluation.PAINTED_TRUE: scores(0.79, 0.8),
            evaluation.PAINTED_PREDICTED: scores(0.6, 0.61),
            evaluation.MAJORITY: scores(0.4, 0.2),
        },
        {"all": scores(0.95, 0.99)},
    )
    near, read, ceilings = tables.tables(result, {})
    assert near.cells[evaluation.PREDICTED] == {"cosine": guess.cosine, "recall@1": guess.recall}
    assert near.cells["chance"]["recall@1"].value == 1 / 32
    true, predicted = (
        read.cells[name] for name in (evaluation.PAINTED_TRUE, evaluation.PAINTED_PREDICTED)
    )
    assert true["main character"] == Figure(0.79, 100, 0.79 - 0.1, 0.79 + 0.1)
    assert (true["target"], true["target met"]) == ("80%", "missed: main character")
    assert (predicted["target"], predicted["target met"]) == ("60%", "yes")
    assert "target" not in read.cells[evaluation.MAJORITY]
    assert ceilings.cells["all"]["place"].value == 0.99
    assert "3 more moments show nobody" in near.text
    assert "name the main character in 79.5%" in near.text
    assert "some episodes have fewer" not in near.text
    short, *_ = tables.tables(dataclasses.replace(result, candidates=30.5), {})
    assert "some episodes have fewer: 30.5 on average" in short.text


def test_a_dataset_without_chunks_is_an_error_with_a_remedy(tmp_path):
    dataset, _ = toy.make(tmp_path, held_out=0)
    with pytest.raises(ValueError, match=r"val_chunks.jsonl is missing or empty.*more films"):
        chunks.read_chunks(dataset, "val")
