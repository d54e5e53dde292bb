"""Agreement of judges: how often their answers are equal, and Cohen's kappa."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.array_types import Floats
from benchmarks.judge.bradley_terry import DRAWS
from benchmarks.results.confidence_intervals import LEVEL
from benchmarks.results.tables import Figure


def cohens_kappa(
    first: Sequence[float] | Floats, second: Sequence[float] | Floats, squared: bool = False
) -> float:
    """Computes Cohen's kappa of two raters of the same items: 1 is full agreement, 0 agreement by
    chance, given how often each gives which answer. With `squared`, a difference of two weighs four
    times as much as one of one, as befits scores. NaN where both give one and the same answer to
    everything.

    Misleading where nearly all answers are equal: chance agreement is high then, and kappa low
    although the two hardly ever differ. So it stands beside the share of equal answers.

    Source: Cohen 1960 (Educational and Psychological Measurement 20) and, weighted, 1968.
    """
    values, codes = np.unique([*first, *second], return_inverse=True)
    mine, theirs = np.split(codes, 2)
    seen = np.zeros((len(values), len(values)))
    np.add.at(seen, (mine, theirs), 1)
    gaps = values[:, None] - values[None, :]
    weights = gaps**2 if squared else (gaps != 0).astype(float)
    chance = float((weights * np.outer(seen.sum(1), seen.sum(0))).sum()) / max(len(mine), 1)
    return 1 - float((weights * seen).sum()) / chance if chance else math.nan


Item = tuple[Hashable, ...]  # what was judged; its first part is the opening


def agreement(
    raters: Sequence[Mapping[Any, float]], squared: bool = False, seed: int = 0
) -> tuple[Figure, Figure]:
    """Computes how often two of the raters give the same answer, and kappa; of more than two the
    means over all pairs of them (Light's kappa: Light 1971, Psychological Bulletin 76).

    A rater is its answers by item. Intervals by the bootstrap over openings (percentiles); n counts
    items that two rated.
    """
    both = [
        [(item[0], rater[item], other[item]) for item in rater if item in other]
        for rater, other in itertools.combinations(raters, 2)
    ]
    both = [some for some in both if some]
    n = len(
        {
            item
            for rater, other in itertools.combinations(raters, 2)
            for item in rater
            if item in other
        }
    )
    if not n:
        nothing = Figure(None, 0, note="nothing that two have judged")
        return nothing, nothing
    openings = sorted({row[0] for some in both for row in some})
    place = {name: at for at, name in enumerate(openings)}
    grouped = [
        (np.array([place[row[0]] for row in some]), np.array([row[1:] for row in some], float))
        for some in both
    ]
    draws = np.random.default_rng(seed).integers(0, len(openings), (DRAWS // 4, len(openings)))

    def figure(measure: Callable[[Floats], float]) -> Figure:
        """Computes a measure with its interval."""

        def mean(cases: NDArray[np.intp]) -> float:
            """Averages the measure over pairs of raters, for openings drawn with replacement."""
            times = np.bincount(cases, minlength=len(openings))
            found = [
                measure(np.repeat(values, times[groups], axis=0)) for groups, values in grouped
            ]
            found = [value for value in found if not math.isnan(value)]
            return sum(found) / len(found) if found else math.nan

        value = mean(np.arange(len(openings)))
        if math.isnan(value):
            return Figure(None, n, note="one and the same answer to everything")
        spread = [value for value in map(mean, draws) if not math.isnan(value)]
        low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Figure(value, n, float(low), float(high))

    def alike(rows: Floats) -> float:
        """Computes the share of equal answers."""
        return float((rows[:, 0] == rows[:, 1]).mean()) if len(rows) else math.nan

    return figure(alike), figure(lambda rows: cohens_kappa(rows[:, 0], rows[:, 1], squared))
