"""Table of FID, KID and CMMD: how close each generator's pictures are to true ones, as a set.

The distances are those of `fid_kid_cmmd`, beside what true pictures reach. True pictures in the
wrong places are perfect by all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.array_types import Floats
from benchmarks.metrics import feature_cache
from benchmarks.metrics.encoders import ImageEncoder
from benchmarks.metrics.fid_kid_cmmd import (
    SCALE,
    Kernel,
    cubic_kernel,
    enough_for_infinity,
    frechet_figure,
    frechet_infinity,
    gaussian_kernel,
    mmd_figure,
    polynomial_kernel,
    squared_mmd,
)
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.stories import Story

HALVINGS = 40  # of true stories in halves


@dataclasses.dataclass(frozen=True)
class _Measure:
    column: Column
    kernel: Kernel | None = None  # none is Frechet's
    scale: float = 1.0
    extrapolated: bool = False

    @property
    def biased(self) -> bool:
        """Whether the distance depends on the number of pictures."""
        return self.kernel is None and not self.extrapolated

    def between(self, some: Floats, others: Floats) -> float:
        """Computes the distance of two samples of features."""
        if self.extrapolated:
            return frechet_infinity(some, others)
        assert self.kernel is not None  # a biased distance is compared at full n only
        return self.scale * squared_mmd(some, others, self.kernel)

    def figure(self, some: Floats, stories: Sequence[int], others: Floats, seed: int) -> Figure:
        """Computes the distance with its interval; says where there are too few pictures."""
        if len(some) < 2:
            return Figure(None, len(some), note="too few pictures")
        if self.extrapolated:
            if not enough_for_infinity(some, others):
                return Figure(None, len(some), note="too few pictures")
            return Figure(frechet_infinity(some, others, seed), len(some))
        if self.kernel is None:
            return frechet_figure(some, stories, others)
        found = mmd_figure(some, stories, others, self.kernel, seed)
        return dataclasses.replace(
            found,
            **{
                name: value * self.scale
                for name in ("value", "low", "high")
                if (value := getattr(found, name)) is not None
            },
        )


def _measures(embedder: ImageEncoder, many: bool) -> list[_Measure]:
    def column(name: str, digits: int) -> Column:
        return Column(name, "lower", digits=digits)

    name = embedder.name
    if embedder.kind == "clip":
        return [_Measure(column(f"CMMD ({name})", 3), gaussian_kernel, SCALE)]
    if embedder.kind == "sample-trained":
        return [_Measure(column(f"CMMD's distance ({name})", 3), gaussian_kernel, SCALE)]
    if embedder.kind == "inception":
        names, digits, kernel = ("FID", "KID"), 2, polynomial_kernel
    else:
        names = (f"Frechet distance ({name})", f"kernel distance ({name})")
        digits, kernel = 3, cubic_kernel
    endless = [_Measure(column(f"{names[0]}, extrapolated", digits), extrapolated=True)]
    return [
        _Measure(column(names[0], digits)),
        *endless * many,
        _Measure(column(names[1], 4), kernel),
    ]


REFERENCE_SHARE = Column("share of reference pictures", unit="%", digits=0)


def tables(
    stories: Mapping[str, Sequence[Story]],
    reference: Sequence[Story],
    size: int,
    embedders: Sequence[ImageEncoder],
    seed: int = 0,
    others: Mapping[str, Sequence[Story]] | None = None,
    cache: str | Path | None = None,
) -> list[Table]:
    """Makes the table of the distances of each generator's pictures to the true stories
    `reference`.

    The first picture of a story is given and is not scored. All are squashed to `size` pixels
    first. A row that is mostly pictures of the reference would be near 0, which means nothing: it
    shows the distances between halves of its stories, for those measures that do not depend on n.
    `others` are rows of true stories that no generator is asked for (of the training films, say),
    of which as many pictures are taken as the reference has: the lower bound of what depends on n.

    Raises ValueError where the reference has no pictures.
    """
    reference_paths = list(dict.fromkeys(_picture_paths(reference)))
    if len(reference_paths) < 2:
        raise ValueError("there are no true pictures to compare with: make a dataset of more films")
    rows = {
        **stories,
        **{
            name: _draw_as_many(some, len(reference_paths), seed)
            for name, some in (others or {}).items()
        },
    }
    own = {name: _reference_share(row, reference_paths) for name, row in rows.items()}
    cells: dict[str, dict[str, Cell]] = {
        name: {REFERENCE_SHARE.name: share} for name, share in own.items()
    }
    columns: list[Column] = []
    for embedder in embedders:
        known = (
            {}
            if embedder.missing
            else feature_cache.features_by_path(
                embedder, [reference_paths, *map(_picture_paths, rows.values())], size, cache
            )
        )
        true = _stack(known, reference_paths) if known else np.zeros((0, 1))
        measures = _measures(embedder, len(known) > 0 and enough_for_infinity(true, true))
        columns += [measure.column for measure in measures]
        for name, row in rows.items():
            cells[name].update(
                {
                    measure.column.name: (
                        Figure(None, note="no weights")
                        if embedder.missing
                        else _half_against_half(measure, row, known, seed)
                        if (own[name].value or 0) > 0.5
                        else _figure_of_row(measure, row, known, true, seed)
                    )
                    for measure in measures
                }
            )
    return [
        Table(
            "fid",
            "Distance of pictures to true ones",
            "generator",
            (*columns, REFERENCE_SHARE),
            cells,
            _description(embedders, len(reference_paths)),
            _metadata(embedders, size, seed),
        )
    ]


def _picture_paths(row: Sequence[Story]) -> list[str]:
    return [path for story in row for path in story.images[1:]]


def _figure_of_row(
    measure: _Measure, row: Sequence[Story], known: Mapping[str, Floats], true: Floats, seed: int
) -> Figure:
    row = [story for story in row if len(story.images) > 1]
    if not row:
        return Figure(None, note="no pictures")
    numbers = [number for number, story in enumerate(row) for _ in story.images[1:]]
    return measure.figure(_stack(known, _picture_paths(row)), numbers, true, seed)


def _half_against_half(
    measure: _Measure, row: Sequence[Story], known: Mapping[str, Floats], seed: int
) -> Figure:
    """Computes the mean distance between halves of the stories, over many ways to halve them.

    Not for measures that are biased by n: at half the n they do not compare with the other rows.
    """
    if measure.biased:
        return Figure(None, len(_picture_paths(row)), note="pictures of the reference")
    dice, found, count = np.random.default_rng(seed), [], 0
    for _ in range(HALVINGS):
        order = dice.permutation(len(row))
        half, rest = (
            set(_picture_paths([row[at] for at in part])) for part in np.array_split(order, 2)
        )
        rest -= half  # stories of a film may share pictures
        few = min(len(half), len(rest))
        if few < 2:
            return Figure(None, few, note="too few stories to halve")
        one_side, other_side = (_stack(known, sorted(paths)) for paths in (half, rest))
        if measure.extrapolated and not enough_for_infinity(one_side, other_side):
            return Figure(None, few, note="too few pictures")
        found.append(measure.between(one_side, other_side))
        count = max(count, few)
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(float(np.mean(found)), count, float(low), float(high), "half against half")


def _stack(known: Mapping[str, Floats], paths: Sequence[str]) -> Floats:
    return np.stack([known[path] for path in paths])


def _reference_share(row: Sequence[Story], reference: Sequence[str]) -> Figure:
    paths, known = _picture_paths(row), set(reference)
    return Figure(float(np.mean([path in known for path in paths])) if paths else None, len(paths))


def _draw_as_many(stories: Sequence[Story], count: int, seed: int) -> list[Story]:
    """Draws stories until they have `count` pictures after the first; the last one is cut short."""
    found: list[Story] = []
    for at in np.random.default_rng(seed).permutation(len(stories)):
        story = stories[at]
        found.append(Story(story.id, story.texts[: count + 1], story.images[: count + 1]))
        count -= len(story.images) - 1
        if count < 1:
            break
    return found


def _description(embedders: Sequence[ImageEncoder], count: int) -> str:
    parts = [
        f"Distances of a generator's pictures, as a set, to the {count} of the true held-out "
        "stories; the first of a story is given and left out. Frechet distances are biased "
        "upwards where pictures are few, so compare only rows of one n; kernel distances are "
        "not, and are around 0 (also below) where nothing differs. A row that shows mostly "
        "pictures of the reference, as the true stories do, has the kernel distances of half of "
        "its stories to the other half, which is what true pictures of other stories reach; a "
        "generator that is given what happens in the very same stories can be nearer. No "
        "distance depends on the order of a story or its texts: true pictures in the wrong "
        "places are perfect here."
    ]
    if any(encoder.kind == "sample-trained" for encoder in embedders):
        parts.append(
            "The sample-trained encoders are small and not a CLIP, and a story model that was "
            "trained on their features has an advantage with them."
        )
    parts += [
        f"{encoder.name}: no weights; {encoder.missing}."
        for encoder in embedders
        if encoder.missing
    ]
    return "\n\n".join(parts)


def _metadata(embedders: Sequence[ImageEncoder], size: int, seed: int) -> dict[str, Any]:
    return {
        "pixels": size,
        "seed": seed,
        "interval": "95 %; of kernel distances a bootstrap over stories, of Frechet distances "
        "a jackknife over stories, the reference as it is; half against half: over "
        f"{HALVINGS} ways to halve",
        **{encoder.name: f"weights {encoder.version}" for encoder in embedders if encoder.version},
    }
