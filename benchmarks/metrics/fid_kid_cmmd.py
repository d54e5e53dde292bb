"""FID, KID and CMMD: Frechet and kernel distances between two samples of picture features.

`frechet_distance` compares means and covariances, `squared_mmd` averages of a kernel over pairs.
None of them considers single pictures, their texts or the order of a story.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.array_types import Floats
from benchmarks.results import confidence_intervals
from benchmarks.results.tables import Figure

Kernel = Callable[[Floats, Floats], Floats]  # [n, width] and [m, width] to [n, m]
FOLDS = 20  # stories are left out one at a time, or in so many parts
SIZES = 10  # of the sub-samples that are extrapolated from
SIGMA, SCALE = 10.0, 1000.0  # CMMD's
BLOCK = 1024


def frechet_distance(some: Floats, others: Floats) -> float:
    """Computes the Frechet distance of two samples of features [n, width] and [m, width], as
    Gaussians.

    With Inception's features it is FID (Heusel et al. 2017, arXiv 1706.08500). It is biased
    upwards, the more the fewer pictures there are: compare only equal numbers. Features are not
    Gaussian, and it sees no more than mean and covariance.
    """
    first, second = (np.asarray(values, np.float64) for values in (some, others))
    centred = [values - values.mean(0) for values in (first, second)]
    scale = np.sqrt((len(first) - 1) * (len(second) - 1))
    # The trace of the root of the product of covariances, without the covariances
    roots: list[Any] = [
        np.linalg.qr(values, mode="r") if len(values) > values.shape[1] else values
        for values in centred
    ]
    product = roots[0] @ roots[1].T
    joint = np.linalg.svd(product, compute_uv=False).sum() / scale
    spread = sum((values**2).sum() / (len(values) - 1) for values in centred)
    return float(((first.mean(0) - second.mean(0)) ** 2).sum() + spread - 2 * joint)


def enough_for_infinity(some: Floats, others: Floats) -> bool:
    """Tells whether `frechet_infinity` can be trusted: two pictures per feature.

    With fewer, the bias is not yet proportional to 1/n.
    """
    return min(len(some), len(others)) >= 2 * some.shape[1]


def frechet_infinity(some: Floats, others: Floats, seed: int = 0) -> float:
    """Computes the Frechet distance without its bias: the distances of sub-samples, extrapolated
    over 1/n to 0.

    Sub-samples of both are taken, half to all of the smaller one, so that the bias of the reference
    is removed too. Raises ValueError where there are too few pictures (see `enough_for_infinity`).

    Source: FID infinity, Chong and Forsyth 2020 (arXiv 1911.07023), which takes sub-samples of the
    generated pictures alone.
    """
    if not enough_for_infinity(some, others):
        raise ValueError(
            f"{min(len(some), len(others))} pictures are too few to extrapolate from: "
            f"{some.shape[1]} features need {2 * some.shape[1]}"
        )
    count = min(len(some), len(others))
    dice = np.random.default_rng(seed)
    sizes = np.linspace(count / 2, count, SIZES).astype(int)
    found = [
        frechet_distance(
            some[dice.permutation(len(some))[:size]], others[dice.permutation(len(others))[:size]]
        )
        for size in sizes
    ]
    return float(np.polyfit(1 / sizes, found, 1)[1])


def polynomial_kernel(some: Floats, others: Floats) -> Floats:
    """Computes KID's kernel: the third power of (x.y / width + 1)."""
    return (some @ others.T / some.shape[1] + 1) ** 3


def cubic_kernel(some: Floats, others: Floats) -> Floats:
    """Computes the third power of (x.y + 1): KID's kernel for features of length 1, whose products
    a division by the width would make so small that only their means counted."""
    return (some @ others.T + 1) ** 3


def gaussian_kernel(some: Floats, others: Floats) -> Floats:
    """Computes CMMD's kernel: exp(-|x - y|^2 / (2 * 10^2)).

    Between features of length 1 it is almost linear, so the distance is almost that of the means.
    """
    squares = (some**2).sum(1)[:, None] + (others**2).sum(1) - 2 * some @ others.T
    return np.exp(-squares / (2 * SIGMA**2))


def squared_mmd(some: Floats, others: Floats, kernel: Kernel, unbiased: bool = True) -> float:
    """Computes the squared maximum mean discrepancy of features [n, width] and [m, width] (Gretton
    et al. 2012).

    Unbiased (no picture is paired with itself), so that it is negative about as often as positive
    where both come from one distribution, whatever n. KID with `polynomial_kernel` on Inception's
    features (Binkowski et al. 2018, arXiv 1801.01401; of all pictures at once, not of subsets),
    CMMD with `gaussian_kernel` on CLIP's, times 1000 (Jayasumana et al. 2024, arXiv 2401.09603).
    CMMD's released code is not `unbiased`, which adds about (1 - the mean of k)/n for each sample.
    """
    first, second = (np.asarray(values, np.float64) for values in (some, others))
    return (
        _kernel_mean(first, first, kernel, unbiased)
        + _kernel_mean(second, second, kernel, unbiased)
        - 2 * _kernel_mean(first, second, kernel, False)
    )


def _kernel_mean(some: Floats, others: Floats, kernel: Kernel, apart: bool) -> float:
    """Averages the kernel over all pairs; if `apart`, without pairs of equal index."""
    total = sum(
        _kernel_block(some, others, kernel, slice(at, at + BLOCK), apart).sum()
        for at in range(0, len(some), BLOCK)
    )
    return float(total / (len(some) * (len(others) - apart)))


def _kernel_block(some: Floats, others: Floats, kernel: Kernel, rows: slice, apart: bool) -> Floats:
    found = kernel(some[rows], others)
    if apart:
        found[np.arange(len(found)), np.arange(rows.start, rows.start + len(found))] = 0
    return found


def mmd_figure(
    some: Floats, stories: Sequence[int], others: Floats, kernel: Kernel, seed: int = 0
) -> Figure:
    """Computes `squared_mmd` with a 95 % interval by a bootstrap over stories; `others` stay as
    they are.

    `stories` has the index of each row's story, 0, 0, .., 1, 1, ... A story that is drawn twice is
    not compared with itself more than once, or it would look as if stories repeated each other.
    """
    first, second = (np.asarray(values, np.float64) for values in (some, others))
    sizes = np.bincount(stories)
    if len(sizes) < 2:
        return Figure(squared_mmd(first, second, kernel), len(first))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    among = np.zeros((len(sizes), len(sizes)))
    across = np.zeros(len(sizes))
    for story, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        rows = slice(start, start + size)
        among[story] = np.add.reduceat(
            _kernel_block(first, first, kernel, rows, True).sum(0), starts
        )
        across[story] = kernel(first[rows], second).mean(1).sum()
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    rest = _kernel_mean(second, second, kernel, True)

    def measure(drawn: NDArray[np.intp]) -> float:
        """Computes the distance for stories drawn with replacement."""
        times = np.bincount(drawn, minlength=len(sizes))
        weights = np.outer(times, times)
        np.fill_diagonal(weights, times)
        return float(
            (weights * among).sum() / max((weights * pairs).sum(), 1)
            + rest
            - 2 * times @ across / (times @ sizes)
        )

    figure = confidence_intervals.bootstrap_statistic(measure, len(sizes), seed, 1000)
    return dataclasses.replace(figure, n=len(first))


def frechet_figure(some: Floats, stories: Sequence[int], others: Floats) -> Figure:
    """Computes `frechet_distance` with a 95 % interval by a jackknife over stories (normal).

    Not by a bootstrap: a picture that is drawn twice adds no information, and fewer pictures have a
    larger distance.
    """
    value, parts = frechet_distance(some, others), np.asarray(stories) % FOLDS
    count = int(parts.max()) + 1
    if count < 2:
        return Figure(value, len(some))
    found = [frechet_distance(some[parts != part], others) for part in range(count)]
    half = 1.96 * np.sqrt((count - 1) * np.var(found))
    return Figure(value, len(some), float(value - half), float(value + half))
