"""Bradley-Terry ratings of generators from pairwise preferences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.array_types import Floats
from benchmarks.results.confidence_intervals import LEVEL
from benchmarks.results.tables import Figure

DRAWS = 1000
POINTS = 400 / math.log(10)  # of a rating: 400 points are odds of ten to one, as in chess


def bradley_terry(wins: Floats, tolerance: float = 1e-8, most: int = 10_000) -> Floats:
    """Fits strengths by the Bradley-Terry model: the odds that i is preferred to j are e^(s_i -
    s_j).

    `wins` is [..., n, n], how often row was preferred to column (half a win of each for a tie).
    Returns [..., n] natural logarithms, their mean 0. All must be linked by comparisons, and nobody
    may have won or lost all, else there is no finite answer: add part of a tie to each pair.

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


def rate_generators(wins: Floats, seed: int = 0) -> list[Figure]:
    """Computes ratings in points, their mean 0, with 95 % intervals by the bootstrap over openings
    (percentiles). `wins` is [openings, n, n]; n of a figure counts openings.

    One tie is added to every pair that was compared. It keeps those that never win finite, and
    pulls all ratings towards 0: by much where there are few openings. A generator that was compared
    with none, or only with few that are not linked to the others, has no rating.
    """
    played = wins + np.swapaxes(wins, -1, -2)
    linked = _largest_linked_group(played.sum(0) > 0)
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
    for at, generator in enumerate(linked):
        openings = int((played[:, generator].sum(-1) > 0).sum())
        figures[generator] = Figure(float(values[at]), openings, float(low[at]), float(high[at]))
    return figures


def _largest_linked_group(linked: NDArray[np.bool_]) -> list[int]:
    """Finds the largest group that comparisons link."""
    reach = linked | np.eye(len(linked), dtype=bool)
    for _ in range(len(linked)):
        reach = reach @ reach
    return [int(generator) for generator in np.flatnonzero(reach[reach.sum(1).argmax()])]
