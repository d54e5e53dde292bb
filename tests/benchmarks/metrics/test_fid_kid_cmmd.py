import cv2
import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from benchmarks.metrics import fid_kid_cmmd, image_distribution
from benchmarks.metrics.encoders import ImageEncoder
from benchmarks.results.tables import Figure
from benchmarks.stories import Story


@pytest.fixture
def dice():
    return np.random.default_rng(0)


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


# Tables ------------------------------------------------------------------------------------------

MEAN = ImageEncoder(
    "EfficientNet-Lite0",
    "imagenet",
    "abc",
    lambda seen: _unit(
        np.float32(seen).reshape(len(seen), -1, 3)[:, ::5].reshape(len(seen), -1) - 128
    ),
)


def _unit(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def story(folder, name, dice, hue, noise=0.0):
    """Four pictures around a colour; the first one is white."""
    images = []
    for at in range(5):
        seen = np.clip(
            np.array(hue) + dice.normal(0, 20, 3) + dice.normal(0, 20, (16, 16, 3)) * (1 + noise),
            0,
            255,
        ).astype(np.uint8)
        path = folder / f"{name}-{at}.png"
        cv2.imwrite(str(path), seen if at else np.full_like(seen, 255))
        images.append(str(path))
    return Story(name, ("",) * 5, tuple(images))


@pytest.fixture
def held_out(tmp_path, dice):
    return [story(tmp_path, f"val{at}", dice, (60, 90 + 3 * at, 200)) for at in range(8)]


def table(*arguments, **more):
    [found] = image_distribution.tables(*arguments, **more)
    return found


def test_tables_put_true_pictures_first_and_noise_last(tmp_path, dice, held_out):
    others = [story(tmp_path, f"train{at}", dice, (60, 90 + 3 * at, 200)) for at in range(12)]
    noisy = [story(tmp_path, f"noise{at}", dice, (60, 90 + 3 * at, 200), 4) for at in range(8)]
    blue = [story(tmp_path, f"blue{at}", dice, (200, 90, 60)) for at in range(8)]
    found = table(
        {"ground truth": held_out, "noisy": noisy, "blue": blue},
        held_out,
        16,
        [MEAN],
        others={"other true pictures": others},
    )

    frechet, kernel = (f"{name} distance (EfficientNet-Lite0)" for name in ("Frechet", "kernel"))
    assert [column.name for column in found.columns] == [
        frechet,
        kernel,
        "share of reference pictures",
    ]
    truth = found.cells["ground truth"]
    assert truth[frechet] == Figure(None, 32, note="pictures of the reference")
    assert truth[kernel].note == "half against half" and truth[kernel].n == 16
    assert truth[image_distribution.REFERENCE_SHARE.name].value == 1
    floor = found.cells["other true pictures"]
    assert floor[frechet].n == 32 and floor[image_distribution.REFERENCE_SHARE.name].value == 0
    for name in ("noisy", "blue"):
        assert found.cells[name][frechet].low > floor[frechet].high
        assert found.cells[name][kernel].low > max(truth[kernel].high, floor[kernel].high)
    assert found.about["EfficientNet-Lite0"] == "weights abc"


def test_pictures_of_the_reference_win_nothing(tmp_path, dice, held_out):
    turned = [
        Story(story.id, story.texts, (story.images[0], *two.images[1:]))
        for story, two in zip(held_out, held_out[1:] + held_out[:1], strict=True)
    ]
    partly = [*held_out[:3], *(story(tmp_path, f"new{at}", dice, (60, 90, 200)) for at in range(5))]
    cells = table(
        {"ground truth": held_out, "turned": turned, "partly": partly}, held_out, 16, [MEAN]
    ).cells
    frechet, kernel = (f"{name} distance (EfficientNet-Lite0)" for name in ("Frechet", "kernel"))
    assert cells["turned"][image_distribution.REFERENCE_SHARE.name].value == 1
    assert cells["turned"][frechet].value is None
    assert cells["turned"][kernel].value == pytest.approx(
        cells["ground truth"][kernel].value, abs=0.05
    )
    assert cells["partly"][image_distribution.REFERENCE_SHARE.name].value == 3 / 8
    assert cells["partly"][frechet].value > 0


def test_measures_are_named_by_what_they_look_with(held_out):
    def named(name, kind, missing=""):
        return ImageEncoder(name, kind, "1", MEAN.embed, missing)

    found = table(
        {"some": held_out[:2]},
        held_out,
        16,
        [
            named("ViT-B-32 some", "clip"),
            named("sample-trained encoders", "sample-trained"),
            named("Inception", "inception", "put it there"),
        ],
    )
    names = [column.name for column in found.columns]
    assert names == [
        "CMMD (ViT-B-32 some)",
        "CMMD's distance (sample-trained encoders)",
        "FID",
        "KID",
        image_distribution.REFERENCE_SHARE.name,
    ]
    assert found.cells["some"]["FID"] == Figure(None, note="no weights")
    assert "Inception: no weights; put it there" in found.text and "not a CLIP" in found.text


def test_enough_pictures_give_one_more_column(tmp_path, dice, held_out):
    small = ImageEncoder(
        "Inception", "inception", "1", lambda seen: np.float32(seen).mean((1, 2))
    )  # 3 features
    new = [story(tmp_path, f"new{at}", dice, (60, 90, 200)) for at in range(8)]
    found = table({"new": new, "ground truth": held_out}, held_out, 16, [small])
    assert [column.name for column in found.columns][:3] == ["FID", "FID, extrapolated", "KID"]
    assert found.cells["ground truth"]["FID, extrapolated"].note == "half against half"
    assert found.cells["new"]["FID, extrapolated"].n == 32


def test_nothing_to_compare(held_out):
    with pytest.raises(ValueError, match="no true pictures to compare with"):
        image_distribution.tables({}, [], 16, [MEAN])
    short = [Story(story.id, story.texts[:1], story.images[:1]) for story in held_out]
    row = table({"short": [], "one": short[:1]}, held_out, 16, [MEAN]).cells
    assert row["short"][image_distribution.REFERENCE_SHARE.name].value is None
    assert all(cell.value is None for cell in row["one"].values())
