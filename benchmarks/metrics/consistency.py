"""Consistency within a story: whether its pictures belong together without repeating one picture.

Every measure is a margin: how much more similar those pairs of panels are that should be similar
than pairs of the same story that need not be. So identical pictures (one picture repeated, noise, a
generator with one colour) and true pictures in random order have a margin of about 0.

    scene       adjacent panels against distant ones, by early statistics (style) and late features
    character   the same main character against different ones, always in different places
    place       the same place against different ones, always with different main characters

A character's and a place's margin stand by recurrence gap too (`metrics.recurrence`).

Beside them stand the share of near copies and the diversity of the panels: a margin alone would not
reveal a story of two pictures. The first picture of a story is given, so no pair has it. Similarity
to that first picture and raw similarity of adjacent panels (CLIP-I) are not measured: in true
stories the former is no higher than in shuffled ones, and the latter is highest for noise and
copies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.array_types import Flags, Floats
from benchmarks.attributes.labels import Labels
from benchmarks.metrics import feature_cache, recurrence
from benchmarks.metrics.consistency_features import consistency_encoder, split_features
from benchmarks.metrics.encoders import ImageEncoder
from benchmarks.metrics.near_copies import COPY_SIMILARITY, Hashes, find_near_copies, picture_hashes
from benchmarks.metrics.panel_labels import panel_labels, recurring_names
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.stories import Story, read_pictures

FAR_PANELS = 5  # panels: no neighbours any more
STYLE = Column("scene, style", "higher")
SCENE = Column("scene, EfficientNet-Lite0", "higher")
CHARACTER, PLACE = Column("character", "higher"), Column("place", "higher")
COPIES = Column("copies of an earlier panel", "lower", "%", 1)
MEMORISED = Column("copies of a training picture", "lower", "%", 1)
DIVERSITY = Column("diversity relative to the true story", "", "", 2)


def panel_similarity(features: Floats) -> Floats:
    """Computes the similarity of a story's panels, [n, n]: products of their features [n, width]
    after a linear trend from panel to panel is removed. For features of length 1, differences of
    similarities are differences of cosines.

    With the trend, a generator whose pictures become ever softer would have the most consistent
    stories: adjacent pictures are equally soft.
    """
    steps = np.linspace(-1, 1, len(features))
    line = np.stack([np.ones_like(steps), steps], axis=1)
    left = features - line @ np.linalg.lstsq(line, features, rcond=None)[0]
    return left @ left.T


def margins(alike: Floats, same: Flags, other: Flags) -> Floats:
    """Computes for each panel its mean similarity to the panels of `same` minus that to those of
    `other`.

    All are [n, n]; returns [n], nan where a panel lacks pairs of one kind.
    """

    def of(chosen: Flags) -> Floats:
        """Averages the similarity over the chosen pairs of each panel."""
        count = chosen.sum(1)
        return np.where(count, (alike * chosen).sum(1) / np.maximum(count, 1), np.nan)

    return of(same) - of(other)


def adjacent_pairs(count: int) -> tuple[Flags, Flags]:
    """Returns which pairs of panels are adjacent and which are at least FAR_PANELS apart, [n, n]
    each."""
    steps = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    return steps == 1, steps >= FAR_PANELS


def labelled_pairs(labels: Sequence[str | None]) -> tuple[Flags, Flags]:
    """Returns which pairs of panels have the same label and which have different ones, [n, n] each;
    a panel without a label is in no pair, and none is paired with itself."""
    known = np.array([label is not None for label in labels], bool)
    both = np.logical_and.outer(known, known) & ~np.eye(len(labels), dtype=bool)
    equal = np.array([[label == other for other in labels] for label in labels], bool)
    equal = equal.reshape(both.shape)
    return both & equal, both & ~equal


def mean_distance(features: Floats) -> float:
    """Computes the mean distance, 1 - cosine, of two panels of a story: features [n, width] of
    length 1.

    nan for fewer than two.
    """
    n = len(features)
    return float((1 - features @ features.T).sum() / (n * (n - 1))) if n > 1 else math.nan


def measure_story(
    looks: Floats,
    copies: Flags,
    who: Sequence[str | None],
    where: Sequence[str | None],
    others: Mapping[str, Floats],
) -> dict[str, Floats]:
    """Computes the margins of a story's panels but the first, by column.

    `features` are those of `consistency_encoder` [n, width], `copies` the near copies [n + 1, n +
    1] among all panels, `who` and `where` the labels, `others` the features [n, width] of more
    encoders. Pairs of near copies are left out; a panel that copies an earlier one counts 0, or
    repeating one picture for each character would be best.
    """
    style, whole, centre = map(panel_similarity, split_features(looks))
    near, far = adjacent_pairs(len(looks))
    (same_who, other_who), (same_where, other_where) = labelled_pairs(who), labelled_pairs(where)
    asked = {
        STYLE.name: (style, near, far),
        SCENE.name: (whole, near, far),
        **{
            f"scene, {name}": (panel_similarity(features), near, far)
            for name, features in others.items()
        },
        CHARACTER.name: (centre, same_who & ~same_where, other_who & ~same_where),
        PLACE.name: (whole, same_where & ~same_who, other_where & ~same_who),
    }
    news = ~copies[1:, 1:]
    copied = np.tril(copies, -1)[1:].any(axis=1)
    known = {PLACE.name: any(where), CHARACTER.name: any(who)}
    found = {}
    for name, (alike, same, other) in asked.items():
        values = margins(alike, same & news, other & news)
        found[name] = np.where(copied & known.get(name, True), 0.0, values)
    return found


def measure_recurrences(
    looks: Floats, copies: Flags, who: Sequence[str | None], where: Sequence[str | None]
) -> dict[str, dict[recurrence.Recurrence, tuple[float, float]]]:
    """Computes similarity and margin of what comes back in a story, by column: CHARACTER and PLACE.

    The arguments are those of `measure_story`. Characters are compared at different places and
    places with different characters; a panel that copies an earlier one has margin 0.
    """
    _, whole, centre = map(panel_similarity, split_features(looks))
    copied: Any = np.tril(copies, -1)[1:].any(axis=1)
    asked = {CHARACTER.name: (who, where, centre), PLACE.name: (where, who, whole)}
    found = {}
    for column, (names, others, alike) in asked.items():
        shown = [None if name is None else [name] for name in names]
        values = recurrence.similarities(shown, alike, ~labelled_pairs(others)[0])
        found[column] = {
            comeback: (similarity, 0.0 if copied[comeback.at] else margin)
            for comeback, (similarity, margin) in values.items()
        }
    return found


def tables(
    stories: Mapping[str, Sequence[Story]],
    reference: Sequence[Story],
    size: int,
    shown: Mapping[str, Sequence[Labels | None]] | None = None,
    names: Sequence[str] = (),
    training: Hashes | None = None,
    embedders: Sequence[ImageEncoder] = (),
    seed: int = 0,
    cache: str | Path | None = None,
) -> list[Table]:
    """Makes the table of the consistency of each generator's stories, beside the true ones
    `reference`, and those of characters and places by recurrence gap.

    `shown` are the labels of the panels of the true stories
    (`attributes.tables.labels_of_stories`). Where it is None, or a generator tells its own texts, a
    panel's character is the first of `names` in its text (without names, recurring capitalised
    words), and places are unknown. All pictures are squashed to `size` pixels first, so that a
    sharp one gains nothing.
    """
    true = {story.id: story for story in reference}
    names = names or recurring_names(text for story in reference for text in story.texts)
    rows = [
        [path for story in row for path in story.images] for row in (reference, *stories.values())
    ]
    seen, *more = (
        feature_cache.features_by_path(by, rows, size, cache)
        for by in (consistency_encoder(), *embedders)
    )
    comebacks: dict[str, dict[str, dict[str, Any]]] = {CHARACTER.name: {}, PLACE.name: {}}
    hashed = {path: picture_hashes(read_pictures([path], size))[0] for path in seen}

    def row(generator: str, told: Sequence[Story]) -> dict[str, Cell]:
        told = [story for story in told if len(story.images) > 1]
        found: dict[str, tuple[list[float], list[str]]] = {}

        def add(name: str, values: Sequence[float], story: Story) -> None:
            kept, groups = found.setdefault(name, ([], []))
            kept += [value for value in values if math.isfinite(value)]
            groups += [story.id] * (len(kept) - len(groups))

        for story in told:
            marks = np.stack([hashed[path] for path in story.images])
            copies = find_near_copies(marks, marks)
            features = _stack(seen, story.images[1:])
            others = {
                by.name: _stack(known, story.images[1:])
                for by, known in zip(embedders, more, strict=True)
            }
            labels = panel_labels(story, true.get(story.id), shown or {}, names)
            for name, values in measure_story(features, copies, *labels, others).items():
                add(name, values.tolist(), story)
            for column, scores in measure_recurrences(features, copies, *labels).items():
                comebacks[column].setdefault(generator, {})[story.id] = scores
            repeated: Any = np.tril(copies, -1)[1:].any(axis=1)
            add(COPIES.name, repeated.tolist(), story)
            if training is not None:
                memorised: Any = find_near_copies(marks[1:], training).any(axis=1)
                add(MEMORISED.name, memorised.tolist(), story)
            if story.id in true:
                ours, theirs = (
                    mean_distance(split_features(_stack(seen, version.images[1:]))[1])
                    for version in (
                        story,
                        Story(story.id, (), true[story.id].images[: len(story.images)]),
                    )
                )
                add(DIVERSITY.name, [ours / theirs if theirs else math.nan], story)
        return {
            name: bootstrap_mean(*values, seed)
            if values[0]
            else Figure(None, note=_missing_note(name))
            for name, values in found.items()
        }

    columns = (
        STYLE,
        SCENE,
        *(Column(f"scene, {encoder.name}", "higher") for encoder in embedders),
        CHARACTER,
        PLACE,
        COPIES,
        *([MEMORISED] if training is not None else []),
        DIVERSITY,
    )
    about = {
        "pixels": size,
        "seed": seed,
        "style, scene, character, place, diversity": "EfficientNet-Lite0 "
        f"{consistency_encoder().version}",
        **{encoder.name: encoder.version for encoder in embedders},
        "near copy": f"{COPY_SIMILARITY:.0%} of 256 hash bits",
        "interval": "95 %, bootstrap over stories",
    }
    bounds = tuple(name for name, told in stories.items() if list(told) == list(reference))
    return [
        Table(
            "consistency",
            "Consistency within a story",
            "generator",
            columns,
            {name: row(name, told) for name, told in stories.items()},
            _description(bool(shown)),
            about,
            bounds=bounds,
        ),
        *(
            table
            for column, found in comebacks.items()
            if (table := _recurrence_table(column, found, about, bounds, seed))
        ),
    ]


def _recurrence_table(
    what: str,
    found: Mapping[str, Mapping[str, Any]],
    about: Mapping[str, Any],
    bounds: tuple[str, ...],
    seed: int,
) -> Table | None:
    """Makes the table of one attribute's margins by recurrence gap; None where nothing recurs."""
    cells = {name: recurrence.figures_by_gap(told, seed)[1] for name, told in found.items()}
    seen = [column for column in recurrence.COLUMNS if any(row[column].n for row in cells.values())]
    if not seen:
        return None
    return Table(
        f"consistency-recurrence-{what}",
        f"Consistency of what comes back: {what}, by how many pictures ago it was last seen",
        "generator",
        tuple(Column(column, "higher") for column in seen),
        {name: {column: row[column] for column in seen} for name, row in cells.items()},
        "Margins: how much more similar a picture is to the one where its "
        f"{what} was last seen than pictures equally far apart of which only one shows it, as "
        "differences of cosines. A repeated picture, a shuffled story and noise have about 0.",
        about,
        bounds=bounds,
    )


def _stack(known: Mapping[str, Floats], paths: Sequence[str]) -> Floats:
    return np.stack([known[path] for path in paths])


def _missing_note(name: str) -> str:
    return {PLACE.name: "places are not known", CHARACTER.name: "no two panels to compare"}.get(
        name, "too few panels"
    )


def _description(known: bool) -> str:
    said = (
        "Margins: how much more similar those panels of a story are that should be similar, as "
        f"differences of cosines: adjacent panels against panels {FAR_PANELS} or more apart "
        "(scene), the same main character against others, in different places (character), the "
        "same place against others, with different main characters (place). A shuffled story, a "
        "repeated picture and noise have about 0 or less. The true stories' figure is the "
        "target; more is not better. A linear trend along the story is removed first, or ever "
        "softer pictures would be consistent.\n\n"
        "Read them with the near copies and the diversity (the mean distance of two panels "
        "relative to the true story's: 1 is right, 0 is one picture): a copy that is shifted by "
        "more than 2 % is not detected."
    )
    if not known:
        said += (
            " No ground truth is known here, so a panel's character is the first name in its "
            "text, in whatever place, and places are not measured."
        )
    return said
