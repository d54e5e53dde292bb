"""The table of distances of pictures."""

import cv2
import numpy as np
import pytest

from benchmarks.metrics import image_distribution
from benchmarks.metrics.encoders import ImageEncoder
from benchmarks.results.tables import Figure
from benchmarks.stories import Story

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
