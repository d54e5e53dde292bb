"""Frechet and kernel distances, beside closed forms and torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from benchmarks.metrics import fid_kid_cmmd


def test_frechet_distance_of_known_samples(dice):
    some = dice.normal(size=(400, 5)).astype(np.float32)
    other = (dice.normal(size=(300, 5)) @ dice.normal(size=(5, 5)) + 1).astype(np.float32)
    covariances = [np.cov(values, rowvar=False) for values in (some, other)]
    wanted = (
        np.square(some.mean(0) - other.mean(0)).sum()
        + np.trace(sum(covariances))
        - 2 * np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real).sum()
    )

    assert fid_kid_cmmd.frechet_distance(some, some) == pytest.approx(0, abs=1e-5)
    assert fid_kid_cmmd.frechet_distance(some, some + 2) == pytest.approx(5 * 4, rel=1e-5)
    assert fid_kid_cmmd.frechet_distance(some, 3 * some - 2 * some.mean(0)) == pytest.approx(
        4 * some.var(0, ddof=1).sum(), rel=1e-4
    )
    assert fid_kid_cmmd.frechet_distance(some, other) == pytest.approx(wanted, rel=1e-5)
    few, more = dice.normal(size=(4, 9)), dice.normal(size=(20, 9))  # fewer than features
    covariances = [np.cov(values, rowvar=False) for values in (few, more)]
    wanted = (
        np.square(few.mean(0) - more.mean(0)).sum()
        + np.trace(sum(covariances))
        - 2 * np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]) + 0j).real.sum()
    )
    assert fid_kid_cmmd.frechet_distance(few, more) == pytest.approx(wanted, abs=1e-5)


def test_gaussians_have_the_distance_of_the_closed_form(dice):
    deviations, others, shift = np.array([1.0, 2.0, 0.5]), np.array([2.0, 1.0, 0.5]), 0.7
    wanted = 3 * shift**2 + ((deviations - others) ** 2).sum()
    some, other = (dice.normal(size=(50_000, 3)) * scale for scale in (deviations, others))
    assert fid_kid_cmmd.frechet_distance(some, other + shift) == pytest.approx(wanted, rel=0.02)


def test_few_pictures_raise_the_distance_and_extrapolation_takes_that_away(dice):
    width, count, shift = 24, 96, 0.2
    plain, endless = [], []
    for seed in range(40):
        some, other = dice.normal(size=(2, count, width))
        plain.append(fid_kid_cmmd.frechet_distance(some, other + shift))
        endless.append(fid_kid_cmmd.frechet_infinity(some, other + shift, seed))
    wanted = width * shift**2
    assert np.mean(plain) > 3 * wanted
    assert np.mean(endless) == pytest.approx(wanted, abs=0.3 * (np.mean(plain) - wanted))
    with pytest.raises(ValueError, match=r"47 pictures are too few .* 24 features need 48"):
        fid_kid_cmmd.frechet_infinity(some[:47], other)


class Projected(torch.nn.Module):
    """Stands in for Inception: uint8 [n, 3, 8, 8] to 6 features."""

    num_features = 6

    def __init__(self):
        super().__init__()
        values = torch.randn(192, 6, generator=torch.Generator().manual_seed(3)).double() / 200
        self.register_buffer("weights", values)

    def forward(self, seen):
        return torch.tanh(seen.double().flatten(1) @ self.weights)


def test_torchmetrics_says_the_same(dice):
    network = Projected()
    true, made = (
        torch.from_numpy(dice.integers(0, high, (40, 3, 8, 8), np.uint8)) for high in (256, 200)
    )
    fid = FrechetInceptionDistance(feature=network).set_dtype(torch.float64)
    kid = KernelInceptionDistance(feature=network, subsets=1, subset_size=40)
    for metric in (fid, kid):
        metric.update(true, real=True)
        metric.update(made, real=False)
    some, other = network(made).numpy(), network(true).numpy()

    assert fid_kid_cmmd.frechet_distance(some, other) == pytest.approx(
        float(fid.compute()), rel=1e-6
    )
    assert fid_kid_cmmd.squared_mmd(some, other, fid_kid_cmmd.polynomial_kernel) == pytest.approx(
        float(kid.compute()[0]), rel=1e-5
    )


def test_kernel_distance_is_unbiased_and_below_zero_half_of_the_time(dice):
    found = np.array(
        [
            fid_kid_cmmd.squared_mmd(*dice.normal(size=(2, 12, 4)), fid_kid_cmmd.polynomial_kernel)
            for _ in range(400)
        ]
    )
    assert abs(found.mean()) < 3 * found.std() / 20
    assert 0.3 < (found < 0).mean() < 0.8
    biased = np.array(
        [
            fid_kid_cmmd.squared_mmd(
                *dice.normal(size=(2, 12, 4)), fid_kid_cmmd.polynomial_kernel, False
            )
            for _ in range(100)
        ]
    )
    assert (biased >= 0).all()


def test_cmmd_is_what_a_double_loop_says(dice):
    some, other = (
        values / np.linalg.norm(values, axis=1, keepdims=True)
        for values in (dice.normal(size=(7, 5)), dice.normal(size=(9, 5)) + 1)
    )

    def mean(one, two, apart):
        found = [
            np.exp(-np.sum((a - b) ** 2) / 200)
            for i, a in enumerate(one)
            for j, b in enumerate(two)
            if not apart or i != j
        ]
        return np.mean(found)

    for unbiased in (True, False):
        wanted = (
            mean(some, some, unbiased) + mean(other, other, unbiased) - 2 * mean(some, other, False)
        )
        assert fid_kid_cmmd.squared_mmd(
            some, other, fid_kid_cmmd.gaussian_kernel, unbiased
        ) == pytest.approx(wanted, abs=1e-12)
    assert fid_kid_cmmd.squared_mmd(
        some, some, fid_kid_cmmd.gaussian_kernel, False
    ) == pytest.approx(0, abs=1e-12)


def test_large_samples_go_block_by_block(dice, monkeypatch):
    some, other = dice.normal(size=(50, 4)), dice.normal(size=(30, 4))
    whole = fid_kid_cmmd.squared_mmd(some, other, fid_kid_cmmd.cubic_kernel)
    monkeypatch.setattr(fid_kid_cmmd, "BLOCK", 7)
    assert fid_kid_cmmd.squared_mmd(some, other, fid_kid_cmmd.cubic_kernel) == pytest.approx(whole)


def test_intervals_hold_the_truth_though_pictures_of_a_story_are_alike(dice):
    """Stories have a mean of their own; between infinitely many the kernel distance is known."""

    def linear(one, two):
        return one @ two.T

    def drawn(stories, shift):
        means = dice.normal(size=(stories, 1, 3)) + shift
        return (means + dice.normal(size=(stories, 6, 3))).reshape(-1, 3)

    numbers, held = np.repeat(np.arange(20), 6), 0
    others = drawn(1500, 0)[::6]
    for seed in range(60):
        some = drawn(20, 1)
        found = fid_kid_cmmd.mmd_figure(some, numbers, others, linear, seed)
        assert found.value == pytest.approx(fid_kid_cmmd.squared_mmd(some, others, linear))
        assert found.n == 120 and found.low < found.value < found.high
        held += found.low < 3 < found.high
    assert held >= 48


def test_interval_of_the_frechet_distance_is_as_wide_as_it_varies(dice):
    others = dice.normal(size=(300, 4))
    numbers = np.repeat(np.arange(15), 5)
    found = [
        fid_kid_cmmd.frechet_figure(dice.normal(size=(75, 4)) + 1, numbers, others)
        for _ in range(60)
    ]
    widths = [(figure.high - figure.low) / (2 * 1.96) for figure in found]
    assert np.mean(widths) == pytest.approx(np.std([figure.value for figure in found]), rel=0.3)
    assert all(figure.low < figure.value < figure.high for figure in found)
    assert fid_kid_cmmd.frechet_figure(others, np.zeros(300, int), others).low is None
