"""What is made of preferences and scores: a sign test, ratings of many, agreement of judges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Figure
from benchmarks.statistics import LEVEL

DRAWS = 1000
POINTS = 400 / math.log(10)  # of a rating: 400 points are odds of ten to one, as in chess

Floats = NDArray[np.float64]


def sign_test(wins: int, losses: int) -> float:
    """The chance that a fair coin is as uneven as that, two-sided and exact. Ties are left out.

    Source: Conover, Practical Nonparametric Statistics (1999), 3.4.
    """
    both = wins + losses
    tail = sum(math.comb(both, count) for count in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / 2**both)


def bradley_terry(wins: Floats, tolerance: float = 1e-8, most: int = 10_000) -> Floats:
    """Strengths by Bradley and Terry's model: the odds that i is preferred to j are e^(s_i - s_j).

    `wins` is [..., n, n], how often row was preferred to column (halves of a tie to each). Returns
    [..., n] natural logarithms, their mean 0. All must be linked by comparisons, and nobody may
    have won or lost all, else there is no finite answer: give each pair a part of a tie.

    Source: Hunter, MM algorithms for generalized Bradley-Terry models (2004), Annals of Statistics
    32(1); stops where no strength moves by more than `tolerance`.
    """
    games = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(-1)
    strengths = np.zeros(won.shape)
    for _ in range(most):
        power = np.exp(strengths)
        shared = games / (power[..., :, None] + power[..., None, :])
        new = np.log(won / shared.sum(-1))
        new -= new.mean(-1, keepdims=True)
        moved = np.abs(new - strengths).max(initial=0.0)
        strengths = new
        if moved < tolerance:
            break
    return strengths


def rate(wins: Floats, seed: int = 0) -> list[Figure]:
    """Ratings in points, the mean of all 0, with 95 % intervals by the bootstrap over openings
    (percentiles). `wins` is [openings, n, n]; n of a figure counts openings.

    One tie is added to every pair that was compared at all. It keeps those that never win finite,
    and draws all a little together: by much where there are few openings. Who was compared with
    nobody, or only apart from most others, has no rating.
    """
    played = wins + np.swapaxes(wins, -1, -2)
    linked = _largest(played.sum(0) > 0)
    figures = [Figure(None, 0, note="compared with none of the others")] * wins.shape[1]
    if len(linked) < 2:
        return figures
    inside = wins[:, linked][:, :, linked]
    ties = ((inside + np.swapaxes(inside, -1, -2)).sum(0) > 0) / 2
    drawn = np.random.default_rng(seed).multinomial(
        len(wins), np.full(len(wins), 1 / len(wins)), DRAWS
    )
    values = POINTS * bradley_terry(inside.sum(0) + ties)
    spread = POINTS * bradley_terry(np.einsum("do,oij->dij", drawn, inside) + ties)
    low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    for at, one in enumerate(linked):
        openings = int((played[:, one].sum(-1) > 0).sum())
        figures[one] = Figure(float(values[at]), openings, float(low[at]), float(high[at]))
    return figures


def _largest(linked: NDArray[np.bool_]) -> list[int]:
    """The largest group that comparisons link."""
    reach = linked | np.eye(len(linked), dtype=bool)
    for _ in range(len(linked)):
        reach = reach @ reach
    return [int(one) for one in np.flatnonzero(reach[reach.sum(1).argmax()])]


def kappa(first: Sequence[float], second: Sequence[float], squared: bool = False) -> float:
    """Cohen's kappa of two that judged the same things: 1 full agreement, 0 what chance would give
    by how often each says what, below that less. With `squared`, being off by two weighs four times
    as much as by one, as befits scores. NaN where both say one and the same thing of everything.

    It lies where nearly all answers are alike: then chance agrees too, and kappa is low though the
    two hardly ever differ. So it stands beside how often they agree.

    Source: Cohen 1960 (Educational and Psychological Measurement 20) and, weighted, 1968.
    """
    values, codes = np.unique([*first, *second], return_inverse=True)
    one, other = np.split(codes, 2)
    seen = np.zeros((len(values), len(values)))
    np.add.at(seen, (one, other), 1)
    gaps = values[:, None] - values[None, :]
    weights = gaps**2 if squared else (gaps != 0).astype(float)
    chance = float((weights * np.outer(seen.sum(1), seen.sum(0))).sum()) / max(len(one), 1)
    return 1 - float((weights * seen).sum()) / chance if chance else math.nan


Item = tuple[Hashable, ...]  # what was judged; its first part is the opening


def agreement(
    raters: Sequence[Mapping[Any, float]], squared: bool = False, seed: int = 0
) -> tuple[Figure, Figure]:
    """How often two of the raters say the same, and kappa, of more than two the means over all
    pairs of them (Light's kappa: Light 1971, Psychological Bulletin 76). A rater is what it said by
    item. Intervals by the bootstrap over openings (percentiles); n counts items that two judged.
    """
    both = [
        [(item[0], one[item], other[item]) for item in one if item in other]
        for one, other in itertools.combinations(raters, 2)
    ]
    both = [some for some in both if some]
    n = len(
        {item for one, other in itertools.combinations(raters, 2) for item in one if item in other}
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
        def mean(cases: NDArray[np.intp]) -> float:
            times = np.bincount(cases, minlength=len(openings))
            found = [
                measure(np.repeat(values, times[groups], axis=0)) for groups, values in grouped
            ]
            found = [one for one in found if not math.isnan(one)]
            return sum(found) / len(found) if found else math.nan

        value = mean(np.arange(len(openings)))
        if math.isnan(value):
            return Figure(None, n, note="one and the same answer to everything")
        spread = [one for one in map(mean, draws) if not math.isnan(one)]
        low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Figure(value, n, float(low), float(high))

    def alike(rows: Floats) -> float:
        return float((rows[:, 0] == rows[:, 1]).mean()) if len(rows) else math.nan

    return figure(alike), figure(lambda rows: kappa(rows[:, 0], rows[:, 1], squared))
