"""Are the pictures like true ones, as a set? Distances between samples of features.

`frechet` compares means and covariances (as FID does), `mmd` averages of a kernel over pairs (as
KID and CMMD do). `tables` gives them for every generator, beside what true pictures reach.

None of them looks at one picture, at its text or at the order of a story: true pictures in the
wrong places are perfect by all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import statistics
from benchmarks.metrics import embeddings
from benchmarks.metrics.embeddings import Embedder
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.stories import Story

Floats = NDArray[np.floating]
Kernel = Callable[[Floats, Floats], Floats]  # [n, width] and [m, width] to [n, m]

SPLITS = 40  # of true stories in halves
FOLDS = 20  # stories are left out one at a time, or in so many parts
SIZES = 10  # of the sub-samples that are extrapolated from
SIGMA, SCALE = 10.0, 1000.0  # CMMD's
BLOCK = 1024


def frechet(some: Floats, others: Floats) -> float:
    """Frechet distance of two samples of features [n, width] and [m, width], as of Gaussians.

    With Inception's features it is FID (Heusel et al. 2017, arXiv 1706.08500). It is biased
    upwards, the more the fewer pictures there are: compare only equal numbers. Features are not
    Gaussian, and it sees no more than mean and covariance.
    """
    one, other = (np.asarray(values, np.float64) for values in (some, others))
    centred = [values - values.mean(0) for values in (one, other)]
    scale = np.sqrt((len(one) - 1) * (len(other) - 1))
    # The trace of the root of the product of covariances, without the covariances
    roots = [
        np.linalg.qr(values, mode="r") if len(values) > values.shape[1] else values
        for values in centred
    ]
    joint = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum() / scale
    spread = sum((values**2).sum() / (len(values) - 1) for values in centred)
    return float(((one.mean(0) - other.mean(0)) ** 2).sum() + spread - 2 * joint)


def enough(some: Floats, others: Floats) -> bool:
    """Whether `frechet_of_infinitely_many` can be trusted: two pictures for each feature.

    With fewer, the bias is not yet proportional to 1/n.
    """
    return min(len(some), len(others)) >= 2 * some.shape[1]


def frechet_of_infinitely_many(some: Floats, others: Floats, seed: int = 0) -> float:
    """The Frechet distance without its bias: a line through those of sub-samples, over 1/n, at 0.

    Sub-samples of both are taken, half to all of the smaller one, so that the bias of the reference
    goes too. Raises ValueError where there are too few pictures (see `enough`).

    Source: FID infinity, Chong and Forsyth 2020 (arXiv 1911.07023), which takes sub-samples of the
    generated pictures alone.
    """
    if not enough(some, others):
        raise ValueError(
            f"{min(len(some), len(others))} pictures are too few to extrapolate from: "
            f"{some.shape[1]} features need {2 * some.shape[1]}"
        )
    count = min(len(some), len(others))
    dice = np.random.default_rng(seed)
    sizes = np.linspace(count / 2, count, SIZES).astype(int)
    found = [
        frechet(
            some[dice.permutation(len(some))[:size]], others[dice.permutation(len(others))[:size]]
        )
        for size in sizes
    ]
    return float(np.polyfit(1 / sizes, found, 1)[1])


def polynomial(some: Floats, others: Floats) -> Floats:
    """KID's kernel: the third power of (x.y / width + 1)."""
    return (some @ others.T / some.shape[1] + 1) ** 3


def cubic(some: Floats, others: Floats) -> Floats:
    """The same for features of length 1, whose products a division by the width would make so
    small that only their means counted: the third power of (x.y + 1)."""
    return (some @ others.T + 1) ** 3


def gaussian(some: Floats, others: Floats) -> Floats:
    """CMMD's kernel: exp(-|x - y|^2 / (2 * 10^2)).

    Between features of length 1 it is almost linear, so the distance is almost that of the means.
    """
    squares = (some**2).sum(1)[:, None] + (others**2).sum(1) - 2 * some @ others.T
    return np.exp(-squares / (2 * SIGMA**2))


def mmd(some: Floats, others: Floats, kernel: Kernel, unbiased: bool = True) -> float:
    """Squared maximum mean discrepancy of features [n, width] and [m, width] (Gretton et al. 2012).

    Unbiased (no picture is paired with itself), so that it is negative about as often as positive
    where both come from one distribution, whatever n. KID with `polynomial` on Inception's features
    (Binkowski et al. 2018, arXiv 1801.01401; of all pictures at once, not of subsets), CMMD with
    `gaussian` on CLIP's, times 1000 (Jayasumana et al. 2024, arXiv 2401.09603). CMMD's released
    code is not `unbiased`, which adds about (1 - the mean of k)/n for each sample.
    """
    one, other = (np.asarray(values, np.float64) for values in (some, others))
    return (
        _mean(one, one, kernel, unbiased)
        + _mean(other, other, kernel, unbiased)
        - 2 * _mean(one, other, kernel, False)
    )


def _mean(some: Floats, others: Floats, kernel: Kernel, apart: bool) -> float:
    """The kernel's mean over all pairs; if `apart`, without those of the same number."""
    total = sum(
        _block(some, others, kernel, slice(at, at + BLOCK), apart).sum()
        for at in range(0, len(some), BLOCK)
    )
    return float(total / (len(some) * (len(others) - apart)))


def _block(some: Floats, others: Floats, kernel: Kernel, rows: slice, apart: bool) -> Floats:
    found = kernel(some[rows], others)
    if apart:
        found[np.arange(len(found)), np.arange(rows.start, rows.start + len(found))] = 0
    return found


def mmd_figure(
    some: Floats, stories: Sequence[int], others: Floats, kernel: Kernel, seed: int = 0
) -> Figure:
    """`mmd` with a 95 % interval by drawing stories anew; `others` stay as they are.

    `stories` has the number of each row's story, 0, 0, .., 1, 1, ... A story that is drawn twice is
    not compared with itself more than once, or it would look as if stories repeated each other.
    """
    one, other = (np.asarray(values, np.float64) for values in (some, others))
    sizes = np.bincount(stories)
    if len(sizes) < 2:
        return Figure(mmd(one, other, kernel), len(one))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    among = np.zeros((len(sizes), len(sizes)))
    across = np.zeros(len(sizes))
    for story, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        rows = slice(start, start + size)
        among[story] = np.add.reduceat(_block(one, one, kernel, rows, True).sum(0), starts)
        across[story] = kernel(one[rows], other).mean(1).sum()
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    rest = _mean(other, other, kernel, True)

    def measure(drawn: NDArray[np.intp]) -> float:
        times = np.bincount(drawn, minlength=len(sizes))
        weights = np.outer(times, times)
        np.fill_diagonal(weights, times)
        return float(
            (weights * among).sum() / max((weights * pairs).sum(), 1)
            + rest
            - 2 * times @ across / (times @ sizes)
        )

    figure = statistics.bootstrap(measure, len(sizes), seed, 1000)
    return dataclasses.replace(figure, n=len(one))


def frechet_figure(some: Floats, stories: Sequence[int], others: Floats) -> Figure:
    """`frechet` with a 95 % interval by leaving out stories (a jackknife, normal).

    Not by drawing stories anew: a picture that is drawn twice says nothing new, and fewer pictures
    are farther away.
    """
    value, parts = frechet(some, others), np.asarray(stories) % FOLDS
    count = int(parts.max()) + 1
    if count < 2:
        return Figure(value, len(some))
    found = [frechet(some[parts != part], others) for part in range(count)]
    half = 1.96 * np.sqrt((count - 1) * np.var(found))
    return Figure(value, len(some), float(value - half), float(value + half))


@dataclasses.dataclass(frozen=True)
class _Measure:
    column: Column
    kernel: Kernel | None = None  # none is Frechet's
    scale: float = 1.0
    extrapolated: bool = False

    @property
    def biased(self) -> bool:
        return self.kernel is None and not self.extrapolated

    def between(self, some: Floats, others: Floats) -> float:
        if self.extrapolated:
            return frechet_of_infinitely_many(some, others)
        return self.scale * mmd(some, others, self.kernel)

    def figure(self, some: Floats, stories: Sequence[int], others: Floats, seed: int) -> Figure:
        if len(some) < 2:
            return Figure(None, len(some), note="too few pictures")
        if self.extrapolated:
            if not enough(some, others):
                return Figure(None, len(some), note="too few pictures")
            return Figure(frechet_of_infinitely_many(some, others, seed), len(some))
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


def _measures(embedder: Embedder, many: bool) -> list[_Measure]:
    def column(name: str, digits: int) -> Column:
        return Column(name, "lower", digits=digits)

    name = embedder.name
    if embedder.kind == "clip":
        return [_Measure(column(f"CMMD ({name})", 3), gaussian, SCALE)]
    if embedder.kind == "towers":
        return [_Measure(column(f"CMMD's distance ({name})", 3), gaussian, SCALE)]
    if embedder.kind == "inception":
        names, digits, kernel = ("FID", "KID"), 2, polynomial
    else:
        names = (f"Frechet distance ({name})", f"kernel distance ({name})")
        digits, kernel = 3, cubic
    endless = [_Measure(column(f"{names[0]}, of infinitely many", digits), extrapolated=True)]
    return [
        _Measure(column(names[0], digits)),
        *endless * many,
        _Measure(column(names[1], 4), kernel),
    ]


OWN = Column("of the reference itself", unit="%", digits=0)


def tables(
    stories: Mapping[str, Sequence[Story]],
    reference: Sequence[Story],
    size: int,
    embedders: Sequence[Embedder],
    seed: int = 0,
    others: Mapping[str, Sequence[Story]] | None = None,
    cache: str | Path | None = None,
) -> list[Table]:
    """How far each generator's pictures are from those of the true stories `reference`.

    The first picture of a story is given and counts nowhere. All are squashed to `size` pixels
    first. A row that is mostly pictures of the reference would be near 0, which says nothing: it
    shows the distances between halves of its stories, where those do not depend on n. `others` are
    rows of true stories that no generator is asked for (of the training films, say), of which as
    many pictures are taken as the reference has: the floor for what depends on n.

    Raises ValueError where the reference has no pictures.
    """
    reference_paths = list(dict.fromkeys(_paths(reference)))
    if len(reference_paths) < 2:
        raise ValueError("there are no true pictures to compare with: make a dataset of more films")
    rows = {
        **stories,
        **{
            name: _as_many(some, len(reference_paths), seed)
            for name, some in (others or {}).items()
        },
    }
    own = {name: _own(row, reference_paths) for name, row in rows.items()}
    cells: dict[str, dict[str, Cell]] = {name: {OWN.name: one} for name, one in own.items()}
    columns: list[Column] = []
    for embedder in embedders:
        known = (
            {}
            if embedder.missing
            else embeddings.by_path(
                embedder, [reference_paths, *map(_paths, rows.values())], size, cache
            )
        )
        true = _of(known, reference_paths) if known else np.zeros((0, 1))
        measures = _measures(embedder, len(known) > 0 and enough(true, true))
        columns += [one.column for one in measures]
        for name, row in rows.items():
            cells[name].update(
                {
                    one.column.name: (
                        Figure(None, note="no weights")
                        if embedder.missing
                        else _halves(one, row, known, seed)
                        if (own[name].value or 0) > 0.5
                        else _row(one, row, known, true, seed)
                    )
                    for one in measures
                }
            )
    return [
        Table(
            "pictures",
            "Pictures beside true ones",
            "generator",
            (*columns, OWN),
            cells,
            _text(embedders, len(reference_paths)),
            _about(embedders, size, seed),
        )
    ]


def _paths(row: Sequence[Story]) -> list[str]:
    return [path for one in row for path in one.images[1:]]


def _row(
    measure: _Measure, row: Sequence[Story], known: Mapping[str, Floats], true: Floats, seed: int
) -> Figure:
    row = [one for one in row if len(one.images) > 1]
    if not row:
        return Figure(None, note="no pictures")
    numbers = [number for number, one in enumerate(row) for _ in one.images[1:]]
    return measure.figure(_of(known, _paths(row)), numbers, true, seed)


def _halves(
    measure: _Measure, row: Sequence[Story], known: Mapping[str, Floats], seed: int
) -> Figure:
    """Between halves of the stories, the mean over many ways to halve them.

    Not of what is biased by n: at half the n it would stand beside figures it cannot stand beside.
    """
    if measure.biased:
        return Figure(None, len(_paths(row)), note="pictures of the reference")
    dice, found, count = np.random.default_rng(seed), [], 0
    for _ in range(SPLITS):
        order = dice.permutation(len(row))
        one, other = (set(_paths([row[at] for at in part])) for part in np.array_split(order, 2))
        other -= one  # stories of a film may share pictures
        few = min(len(one), len(other))
        if few < 2:
            return Figure(None, few, note="too few stories to halve")
        some, rest = (_of(known, sorted(paths)) for paths in (one, other))
        if measure.extrapolated and not enough(some, rest):
            return Figure(None, few, note="too few pictures")
        found.append(measure.between(some, rest))
        count = max(count, few)
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(float(np.mean(found)), count, float(low), float(high), "half against half")


def _of(known: Mapping[str, Floats], paths: Sequence[str]) -> Floats:
    return np.stack([known[path] for path in paths])


def _own(row: Sequence[Story], reference: Sequence[str]) -> Figure:
    paths, known = _paths(row), set(reference)
    return Figure(float(np.mean([path in known for path in paths])) if paths else None, len(paths))


def _as_many(stories: Sequence[Story], count: int, seed: int) -> list[Story]:
    """Stories drawn until they have so many pictures after the first, the last one cut short."""
    found: list[Story] = []
    for at in np.random.default_rng(seed).permutation(len(stories)):
        one = stories[at]
        found.append(Story(one.id, one.texts[: count + 1], one.images[: count + 1]))
        count -= len(one.images) - 1
        if count < 1:
            break
    return found


def _text(embedders: Sequence[Embedder], count: int) -> str:
    parts = [
        f"How far the pictures of a generator, as a set, are from the {count} of the true "
        "held-out stories; the first of a story is given and left out. Frechet distances are "
        "too large where pictures are few, so compare only rows of one n; kernel distances "
        "are not, and are around 0 (below it, too) where nothing differs. A row that "
        "shows mostly pictures of the reference, as the true stories do, has the kernel "
        "distances of half of its stories to the other half, which is what true pictures of "
        "other stories reach; a generator that is told what happens in the very same stories "
        "can be nearer. No distance sees the order of a "
        "story or its texts: true pictures in the wrong places are perfect here."
    ]
    if any(one.kind == "towers" for one in embedders):
        parts.append(
            "The sample-trained towers are small, are no CLIP, and a story model that was "
            "trained on their features is at an advantage with them."
        )
    parts += [f"{one.name}: no weights; {one.missing}." for one in embedders if one.missing]
    return "\n\n".join(parts)


def _about(embedders: Sequence[Embedder], size: int, seed: int) -> dict[str, Any]:
    return {
        "pixels": size,
        "seed": seed,
        "interval": "95 %; of kernel distances a bootstrap over stories, of Frechet distances "
        "a jackknife over stories, the reference as it is; half against half: over "
        f"{SPLITS} ways to halve",
        **{one.name: f"weights {one.version}" for one in embedders if one.version},
    }
