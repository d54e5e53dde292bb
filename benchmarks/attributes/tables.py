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

CEILING = "ceiling: the classifier on true held-out frames"
CHANCE = "chance: the best constant answer for them"
COLUMNS = {
    "main": Column("main character", "higher", "%", 1),
    "there": Column("anyone who is there", "higher", "%", 1),
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
    by_path = {str(Path(dataset, image)): one for image, one in known.items()}
    return {one.id: tuple(by_path.get(image) for image in one.images) for one in stories}


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
    held_out = [one for one in known.values() if one.split == "val"]
    if not held_out:
        raise ValueError(f"{dataset} has no held-out episodes: make one of more films")
    films = [one.video for one in held_out]
    seen = labels.read_keyframes(dataset, (one.image for one in held_out), size)
    bounds = {
        CEILING: _accuracies(accuracy.correct_answers(classifier, seen, held_out), films, seed),
        CHANCE: _accuracies(accuracy.majority_baseline(held_out), films, seed),
    }
    unread = [
        name for name in COLUMNS if not _lies_above(bounds[CEILING][name], bounds[CHANCE][name])
    ]
    true, wanted = {one.id: one for one in reference}, labels_of_stories(reference, known, dataset)
    whole: dict[str, dict[str, Figure]] = {}
    parts: dict[str, dict[str, Cell]] = {}
    for name, told in stories.items():
        told = [one for one in told if has_true_texts(one, true.get(one.id))]
        panels = [
            (one, at, what)
            for one in told
            for at, what in enumerate(wanted[one.id][: len(one.images)])
            if at and what
        ]
        right = accuracy.correct_answers(
            classifier,
            read_pictures((one.images[at] for one, at, _ in panels), size),
            [what for _, _, what in panels],
        )
        groups = [one.id for one, _, _ in panels]
        numbers = np.array([at + 1 for _, at, _ in panels])
        whole[name] = _accuracies(right, groups, seed, unread)
        parts[name] = {}
        for first, last in LENGTHS:
            rows = (numbers >= first) & (numbers <= last)
            figures = _accuracies(
                {one: right[one][rows] for one in BY_LENGTH},
                [groups[at] for at in np.flatnonzero(rows)],
                seed,
                unread,
            )
            parts[name].update(
                {_length_column(one, first, last).name: cell for one, cell in figures.items()}
            )
    cells = {
        name: {COLUMNS[one].name: cell for one, cell in row.items()}
        for name, row in (bounds | whole).items()
    }
    about = {
        "reader": f"benchmarks.readback, recipe {CLASSIFIER_VERSION}",
        "pixels": size,
        "seed": seed,
        "interval": "95 %, bootstrap over stories (ceiling and chance: films)",
    }
    best = tuple(name for name, told in stories.items() if list(told) == list(reference))
    return [
        Table(
            "truth",
            "What the pictures show, by the sample's ground truth",
            "generator",
            tuple(COLUMNS.values()),
            cells,
            _text(unread),
            about,
            bounds=(CEILING, CHANCE, *best),
        ),
        Table(
            "truth-by-length",
            "The same by how far into the story",
            "generator",
            tuple(_length_column(one, *ends) for one in BY_LENGTH for ends in LENGTHS),
            parts,
            "The main character and the place, by the panel's number; the first is given.",
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
                None, len(values), note="unreadable" if name in unread else "no panels"
            )
        else:
            found[name] = bootstrap_mean(values.tolist(), groups, seed)
    return found


def _lies_above(one: Figure, other: Figure) -> bool:
    """Tells whether an interval lies above another."""
    return one.low is not None and other.high is not None and one.low > other.high


def _length_column(name: str, first: int, last: int) -> Column:
    return Column(f"{COLUMNS[name].name}, panels {first}-{last}", "higher", "%", 1)


def _text(unread: Sequence[str]) -> str:
    said = (
        "How often a small network, which learned from true training frames alone, reads a "
        "panel as what the true story has there. Compare with its ceiling and with chance: a "
        "figure at chance says that the pictures show nothing of what was asked. A generator "
        "that draws in a way that the network has never seen may be right and not be read. "
        "The action is the main character's and is right only by its exact name, one of "
        f"{len(labels.ACTION_NAMES)}. Stories that tell their own texts have no score."
    )
    if unread:
        names = ", ".join(COLUMNS[name].name for name in unread)
        said += (
            f"\n\nUnreadable here: {names}. The network's ceiling does not lie above chance, "
            "so nothing could be told from its answers."
        )
    return said
