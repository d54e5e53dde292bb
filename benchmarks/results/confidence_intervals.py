"""Computes confidence intervals by the bootstrap: of means, and of any statistic of a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.array_types import Floats
from benchmarks.results.tables import Figure

DRAWS, LEVEL = 2000, 0.95


def bootstrap_mean(
    values: Sequence[float] | Floats, groups: Sequence[str] | NDArray[np.str_], seed: int = 0
) -> Figure:
    """Computes the mean, with a 95 % interval by the bootstrap over whole groups (stories,
    usually), whose members are drawn together. n counts values.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile intervals.
    """
    if not len(values):
        return Figure(None, 0, note="nothing to measure")
    names = sorted(set(groups))
    place = {name: at for at, name in enumerate(names)}
    rows = np.array([place[group] for group in groups])
    sums = np.bincount(rows, np.asarray(values, float), len(names))
    sizes = np.bincount(rows, minlength=len(names))
    drawn = np.random.default_rng(seed).integers(0, len(names), (DRAWS, len(names)))
    found = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(float(np.mean(values)), len(values), float(low), float(high))


def bootstrap_statistic(
    measure: Callable[[NDArray[np.intp]], float], count: int, seed: int = 0, draws: int = 200
) -> Figure:
    """Computes `measure` of the cases 0..count-1, with a 95 % interval by drawing cases with
    replacement.

    `measure` is given the indices of the cases, some of them several times. Percentile intervals,
    moved so that they lie around the value: a distance between samples is larger where cases are
    drawn twice, and its plain percentiles may not even contain it ("basic" bootstrap, Davison and
    Hinkley 1997, 5.2).
    """
    value = measure(np.arange(count))
    dice = np.random.default_rng(seed)
    found = [measure(dice.integers(0, count, count)) for _ in range(draws)]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(float(value), count, float(2 * value - high), float(2 * value - low))
