"""Accuracy of the attributes that generated pictures show, by the sample's ground truth.

The sample has for each panel of a true story who is the main character, where, doing what, and how
many are there. A story that illustrates the same texts should show the same, panel by panel; the
attribute classifier, which was trained on true frames, predicts what its panels show, and the share
of correct answers is the score. A story with texts of its own has no ground truth and no score.

The classifier makes errors, so its upper bound (true held-out frames) and chance (the majority
baseline) stand in the table, and an attribute that it cannot tell better than chance gives no
score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.array_types import Flags
from benchmarks.attributes import accuracy, labels
from benchmarks.attributes.classifier import CLASSIFIER_VERSION, AttributeClassifier
from benchmarks.attributes.labels import Labels
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.stories import Story, read_pictures

CEILING = "upper bound: classifier on true held-out frames"
CHANCE = "chance: majority baseline"
COLUMNS = {
    "main": Column("main character", "higher", "%", 1),
    "there": Column("any character present", "higher", "%", 1),
    "place": Column("place", "higher", "%", 1),
    "action": Column("action", "higher", "%", 1),
    "count": Column("count", "higher", "%", 1),
}
LENGTHS = ((2, 5), (6, 10), (11, 20), (21, 30))  # panels, the given one being number 1
BY_LENGTH = ("main", "place")


def labels_of_stories(
    stories: Iterable[Story], known: Mapping[str, Labels], dataset: str | Path
) -> dict[str, tuple[Labels | None, ...]]:
    """Returns the labels of each panel of true stories of a dataset, by the story's id; None for
    nobody.

    `known` is what `labels.read_labels` gives for the dataset and its sample.
    """
    by_path = {str(Path(dataset, image)): label for image, label in known.items()}
    return {story.id: tuple(by_path.get(image) for image in story.images) for story in stories}


def has_true_texts(story: Story, true: Story | None) -> bool:
    """Tells whether a story has the texts of the true one, perhaps not to their end."""
    return true is not None and story.texts == true.texts[: len(story.texts)]


def tables(
    stories: Mapping[str, Sequence[Story]],
    reference: Sequence[Story],
    known: Mapping[str, Labels],
    dataset: str | Path,
    size: int,
    classifier: AttributeClassifier,
    seed: int = 0,
) -> list[Table]:
    """Makes tables of the accuracy of each generator's panels: over all of them, and by their
    position.

    `reference` are the true stories of the same openings and `known` are `labels.read_labels` of
    their dataset; `classifier` classifies pictures of `size` pixels. The first panel of a story is
    given and is not scored. Raises ValueError where the dataset has no held-out episodes.
    """
    held_out = [label for label in known.values() if label.split == "val"]
    if not held_out:
        raise ValueError(f"{dataset} has no held-out episodes: make one of more films")
    films = [label.video for label in held_out]
    seen = labels.read_keyframes(dataset, (label.image for label in held_out), size)
    bounds = {
        CEILING: _accuracies(accuracy.correct_answers(classifier, seen, held_out), films, seed),
        CHANCE: _accuracies(accuracy.majority_baseline(held_out), films, seed),
    }
    unread = [
        name for name in COLUMNS if not _lies_above(bounds[CEILING][name], bounds[CHANCE][name])
    ]
    true, wanted = (
        {story.id: story for story in reference},
        labels_of_stories(reference, known, dataset),
    )
    whole: dict[str, dict[str, Figure]] = {}
    parts: dict[str, dict[str, Cell]] = {}
    for name, told in stories.items():
        told = [story for story in told if has_true_texts(story, true.get(story.id))]
        panels = [
            (story, at, what)
            for story in told
            for at, what in enumerate(wanted[story.id][: len(story.images)])
            if at and what
        ]
        right = accuracy.correct_answers(
            classifier,
            read_pictures((story.images[at] for story, at, _ in panels), size),
            [what for _, _, what in panels],
        )
        groups = [story.id for story, _, _ in panels]
        numbers = np.array([at + 1 for _, at, _ in panels])
        whole[name] = _accuracies(right, groups, seed, unread)
        parts[name] = {}
        for first, last in LENGTHS:
            rows = (numbers >= first) & (numbers <= last)
            figures = _accuracies(
                {attribute: right[attribute][rows] for attribute in BY_LENGTH},
                [groups[at] for at in np.flatnonzero(rows)],
                seed,
                unread,
            )
            parts[name].update(
                {
                    _length_column(attribute, first, last).name: cell
                    for attribute, cell in figures.items()
                }
            )
    cells = {
        name: {COLUMNS[attribute].name: cell for attribute, cell in row.items()}
        for name, row in (bounds | whole).items()
    }
    about = {
        "classifier": f"benchmarks.attributes, version {CLASSIFIER_VERSION}",
        "pixels": size,
        "seed": seed,
        "interval": "95 %, bootstrap over stories (upper bound and chance: films)",
    }
    best = tuple(name for name, told in stories.items() if list(told) == list(reference))
    return [
        Table(
            "attributes",
            "Attributes that pictures show, by the sample's ground truth",
            "generator",
            tuple(COLUMNS.values()),
            cells,
            _text(unread),
            about,
            bounds=(CEILING, CHANCE, *best),
        ),
        Table(
            "attributes-by-position",
            "The same by position in the story",
            "generator",
            tuple(_length_column(attribute, *ends) for attribute in BY_LENGTH for ends in LENGTHS),
            parts,
            "The main character and the place, by the panel's position; the first is given.",
            about,
            bounds=best,
        ),
    ]


def _accuracies(
    right: Mapping[str, Flags], groups: Sequence[str], seed: int, unread: Sequence[str] = ()
) -> dict[str, Figure]:
    found = {}
    for name, values in right.items():
        if name in unread or not len(values):
            found[name] = Figure(
                None, len(values), note="not classifiable" if name in unread else "no panels"
            )
        else:
            found[name] = bootstrap_mean(values.tolist(), groups, seed)
    return found


def _lies_above(figure: Figure, other: Figure) -> bool:
    """Tells whether an interval lies above another."""
    return figure.low is not None and other.high is not None and figure.low > other.high


def _length_column(name: str, first: int, last: int) -> Column:
    return Column(f"{COLUMNS[name].name}, panels {first}-{last}", "higher", "%", 1)


def _text(unread: Sequence[str]) -> str:
    said = (
        "How often the attribute classifier, which was trained on true training frames only, "
        "predicts for a panel what the true story has there. Compare with its upper bound and "
        "with chance: a figure at chance says that the pictures show nothing of what was asked. "
        "A generator with a style that the classifier has never seen may be right and still "
        "score low. The action is that of the main character and is right only by its exact "
        f"name, one of {len(labels.ACTION_NAMES)}. Stories that write their own texts have no "
        "score."
    )
    if unread:
        names = ", ".join(COLUMNS[name].name for name in unread)
        said += (
            f"\n\nNot classifiable here: {names}. The classifier's upper bound does not lie above "
            "chance, so its answers carry no information."
        )
    return said
