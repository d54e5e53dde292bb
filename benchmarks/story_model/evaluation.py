"""Evaluates a story model's predictions on the sample's held-out episodes, beside baselines.

The model predicts every chunk of the validation split turn by turn: given the true texts and the
true pictures before, it predicts the features of the next picture (9 of a chunk's 10).

Features. The cosine of prediction and true features (mean over the tokens, as in training), and
recall@1: how often the true picture is the nearest among 32 of its episode, itself and 31 of other
shots, without the previous picture. Beside it the same for baselines without a model: the previous
picture's features, the mean features of all training pictures, and those of the picture with the
most similar training caption (TF-IDF of words and pairs of words: captions of the sample share
names and phrases, which it weighs by their rarity). Last, a linear model of the same inputs: ridge
regression on these TF-IDF vectors and the previous picture's features, which takes seconds to fit.

Attributes. The attribute classifier (`benchmarks.attributes`), trained on true frames only,
predicts main character and place of true frames (the upper bound), of the autoencoder's
reconstructions (the upper bound of painting), and of what is painted from true, predicted and
baseline features; all for the same moments.

`evaluate` sees the model as four functions (`TrainedModel`); `load_trained_model` makes them of a
run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.array_types import Flags, Floats, Pictures
from benchmarks.attributes import accuracy, labels
from benchmarks.attributes.classifier import AttributeClassifier, train_classifier
from benchmarks.attributes.labels import Labels
from benchmarks.metrics.tfidf import most_similar, tfidf_vectors
from benchmarks.results import confidence_intervals
from benchmarks.results.tables import Figure
from benchmarks.story_model.chunks import Chunk, read_chunks
from benchmarks.story_model.retrieval import draw_candidates, mean_token_cosine, recall_at_1
from benchmarks.story_model.ridge_regression import ridge_regression
from benchmarks.story_model.trained_model import TrainedModel

SHOWN_MOMENTS = 12  # moments in the picture that is written
QUESTIONS = ("main", "there", "place")  # of labels.CLASSES, and any character present
BATCH = 32


@dataclass(frozen=True)
class FeatureScores:
    """Scores of predicted features, with 95 % intervals over chunks."""

    cosine: Figure
    recall: Figure


Accuracies = dict[str, Figure]  # how often a question of READ was read right


@dataclass(frozen=True)
class Result:
    """The results of an evaluation."""

    moments: int
    chunks: int
    episodes: int
    left_out: int  # moments without a character
    named: float  # share of the moments whose text names the main character
    candidates: float  # mean number that the true picture was looked for among
    chance: float  # of recall
    guesses: dict[str, FeatureScores]
    read: dict[str, Accuracies]
    ceilings: dict[str, Accuracies]  # of the classifier, on all true validation keyframes, by scale


PREDICTED, PREVIOUS = "predicted by the story model", "previous picture"
MEAN, MOST_SIMILAR = "mean of the training pictures", "picture of the most similar training caption"
LINEAR = "linear regression on words and previous picture"
TRUE, RECONSTRUCTED = "true frames", "autoencoder's reconstructions"
PAINTED_TRUE, PAINTED_PREDICTED = "painted from true features", "painted from predicted features"
MAJORITY = "majority baseline"


def evaluate(
    model: TrainedModel, dataset: str, sample: str, seed: int = 0
) -> tuple[Result, Pictures]:
    """Evaluates the model; returns the results, and a picture [H, W, 3] of what it paints.

    Rows of the picture: true, reconstructed, painted from true and from predicted features. Raises
    ValueError where the dataset was not made from this sample or has no chunks on one side.
    """
    known = labels.read_labels(dataset, sample)
    held_out, learned = read_chunks(dataset, "val"), read_chunks(dataset, "train")
    features = _FeatureCache(model, dataset)
    features.add(image for chunk in held_out for image in chunk.images)
    features.add(image for image, label in known.items() if label.split == "val")
    features.add(image for chunk in learned for image in chunk.images)

    moments = [(chunk, at) for chunk in held_out for at in range(1, len(chunk.images))]
    told = [
        prediction
        for chunk in held_out
        for prediction in model.predict(chunk.captions, features.of(chunk.images))
    ]
    kept = [i for i, (chunk, at) in enumerate(moments) if chunk.images[at] in known]
    if not kept:
        raise ValueError(f"no chunk of {dataset} has a picture that {sample} knows a character of")
    told, moments, count = [told[i] for i in kept], [moments[i] for i in kept], len(moments)
    images = [chunk.images[at] for chunk, at in moments]
    groups = [chunk.id for chunk, _ in moments]
    nearest = most_similar(
        [chunk.captions[at] for chunk, at in moments],
        [caption for chunk in learned for caption in chunk.captions],
    )
    pool = [image for chunk in learned for image in chunk.images]
    before = [chunk.images[at - 1] for chunk, at in moments]
    mean = features.of(sorted(set(pool))).mean(axis=0)
    alike = [pool[i] for i in nearest]
    guessed = {
        PREDICTED: np.stack(told),
        PREVIOUS: features.of(before),
        MEAN: np.repeat(mean[None], len(images), axis=0),
        MOST_SIMILAR: features.of(alike),
        LINEAR: _linear_predictions(learned, moments, features),
    }
    others = [
        draw_candidates(known[image], previous, known.values(), np.random.default_rng([seed, i]))
        for i, (image, previous) in enumerate(zip(images, before, strict=True))
    ]
    guesses = {
        name: _score_features(values, images, others, features, groups)
        for name, values in guessed.items()
    }

    classifier = train_classifier(dataset, sample, model.paints, seed)
    true = labels.read_keyframes(dataset, images, model.paints)
    once = sorted({*images, *before, *alike})  # many are needed twice, and painting takes long
    made = dict(zip(once, _batched(model.paint, features.of(once)), strict=True))
    painted = {
        TRUE: true,
        RECONSTRUCTED: _batched(model.reconstruct, true),
        PAINTED_TRUE: np.stack([made[image] for image in images]),
        PAINTED_PREDICTED: _batched(model.paint_predicted, guessed[PREDICTED]),
        f"painted: {PREVIOUS}": np.stack([made[image] for image in before]),
        f"painted: {MEAN}": np.repeat(model.paint(mean[None]), len(images), axis=0),
        f"painted: {MOST_SIMILAR}": np.stack([made[image] for image in alike]),
    }
    shown = [known[image] for image in images]
    read = {
        name: _accuracies(accuracy.correct_answers(classifier, seen, shown), groups)
        for name, seen in painted.items()
    }
    read[MAJORITY] = _accuracies(accuracy.majority_baseline(shown), groups)
    where = np.linspace(0, len(images) - 1, min(SHOWN_MOMENTS, len(images))).astype(int)
    grid = np.concatenate(
        [
            np.concatenate(list(painted[name][where]), axis=1)
            for name in (TRUE, RECONSTRUCTED, PAINTED_TRUE, PAINTED_PREDICTED)
        ]
    )
    sizes = [len(candidates) + 1 for candidates in others]
    named = np.mean([known[chunk.images[at]].main in chunk.captions[at] for chunk, at in moments])
    return Result(
        moments=len(images),
        chunks=len(set(groups)),
        episodes=len({label.video for label in shown}),
        left_out=count - len(kept),
        named=float(named),
        candidates=float(np.mean(sizes)),
        chance=float(np.mean([1 / size for size in sizes])),
        guesses=guesses,
        read=read,
        ceilings=_ceilings(classifier, dataset, known.values(), model.paints),
    ), grid


class _FeatureCache:
    """Features of pictures by path, each computed once."""

    def __init__(self, model: TrainedModel, dataset: str) -> None:
        self.model, self.dataset = model, dataset
        self.known: dict[str, Floats] = {}

    def add(self, images: Iterable[str]) -> None:
        """Computes the features of those images that are new."""
        missing = sorted(set(images) - self.known.keys())
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            seen = labels.read_keyframes(self.dataset, part, self.model.sees)
            self.known.update(zip(part, self.model.features(seen), strict=True))

    def of(self, images: Sequence[str]) -> Floats:
        """Returns the features of images, float32 [n, tokens, width]."""
        return np.stack([self.known[image] for image in images])


def _batched(make: Callable[[Any], Pictures], values: Any) -> Pictures:
    return np.concatenate(
        [make(values[start : start + BATCH]) for start in range(0, len(values), BATCH)]
    )


def _linear_predictions(
    learned: Sequence[Chunk], moments: Sequence[tuple[Chunk, int]], features: _FeatureCache
) -> Floats:
    """Predicts the features of the moments by ridge regression on their texts and the previous
    pictures."""
    known = [(chunk, at) for chunk in learned for at in range(1, len(chunk.images))]
    captions = [chunk.captions[at] for chunk, at in known]

    def inputs(some: Sequence[tuple[Chunk, int]]) -> Floats:
        """Returns TF-IDF vectors and previous picture's features, [n, d]."""
        seen = _unit_length(features.of([chunk.images[at - 1] for chunk, at in some]))
        return np.concatenate(
            [
                tfidf_vectors([chunk.captions[at] for chunk, at in some], captions),
                seen.reshape(len(some), -1) / np.sqrt(seen.shape[1]),
            ],
            axis=1,
        )

    return ridge_regression(
        inputs(known),
        inputs(moments),
        _unit_length(features.of([chunk.images[at] for chunk, at in known])),
    )


def _unit_length(values: Floats) -> Floats:
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)


def _score_features(
    values: Floats,
    images: Sequence[str],
    others: Sequence[Sequence[str]],
    features: _FeatureCache,
    groups: Sequence[str],
) -> FeatureScores:
    near = mean_token_cosine(values, features.of(images))
    hits = np.array(
        [
            recall_at_1(value, features.known[image], features.of(rest)) if rest else 1.0
            for value, image, rest in zip(values, images, others, strict=True)
        ]
    )
    return FeatureScores(
        confidence_intervals.bootstrap_mean(near, groups),
        confidence_intervals.bootstrap_mean(hits, groups),
    )


def _ceilings(
    classifier: AttributeClassifier, dataset: str, known: Iterable[Labels], size: int
) -> dict[str, Accuracies]:
    held_out = [label for label in known if label.split == "val"]
    right = accuracy.correct_answers(
        classifier,
        labels.read_keyframes(dataset, (chunk.image for chunk in held_out), size),
        held_out,
    )
    found = {}
    for scale in ("all", "close-up", "medium", "wide"):
        rows = [i for i, label in enumerate(held_out) if scale in ("all", label.scale)]
        found[scale] = _accuracies(
            {name: values[rows] for name, values in right.items()},
            [held_out[i].video for i in rows],
        )
    return found


def _accuracies(right: Mapping[str, Flags], groups: Sequence[str]) -> Accuracies:
    return {
        name: confidence_intervals.bootstrap_mean(right[name].tolist(), groups)
        for name in QUESTIONS
    }
