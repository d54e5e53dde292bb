"""Shards to batches: every sample once an epoch, whoever decodes it; nothing lost in silence."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import webdataset
from PIL import Image

from model import data

# Three workers are a test of order here, not of speed.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


def jpeg(width: int = 64, height: int = 36, shade: int = 0) -> bytes:
    """A smooth picture: red grows to the right, green downwards, blue is the shade."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([red, green, np.full_like(red, shade)], axis=-1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


def write(path: Path, keys: list[str], pictures: list[bytes], captions: list[str]) -> str:
    """A shard as `make dataset` writes it, of samples that differ in their keys alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path), encoder=False) as tar:
        for key in keys:
            tar.write(
                {
                    "__key__": key,
                    "json": json.dumps({"captions": captions}).encode(),
                    **{f"{at:02d}.jpg": picture for at, picture in enumerate(pictures)},
                }
            )
    return str(path)


def many(folder: Path, shards: int, samples: int = 23) -> list[str]:
    """As many samples, k00, k01, ..., in shards of unequal sizes."""
    cuts = sorted({0, samples, *(samples * at * at // shards**2 for at in range(1, shards))})
    keys = [f"k{at:02d}" for at in range(samples)]
    return [
        write(folder / f"shards/train-{at:05d}-of-{shards:05d}.tar", keys[begin:end], [], [])
        for at, (begin, end) in enumerate(itertools.pairwise(cuts))
    ]


def key(raw: dict) -> str:
    return raw["__key__"]


def told(raw: dict) -> tuple[str, int]:
    return raw["__key__"], raw["__number__"]


def take(count: int, *given, **options) -> list:
    return list(itertools.islice(data.loader(*given, **options), count))


def fail(raw: dict) -> str:
    raise AssertionError(f"{raw['__key__']} was read")


# Which sample is given when


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize(("workers", "world"), [(0, 1), (0, 3), (1, 2), (2, 1), (3, 2)])
def test_every_epoch_gives_each_sample_once(tmp_path, shards, workers, world):
    paths = many(tmp_path, shards)  # 23 samples: no batch and no number of streams divides them
    streams = [
        take(8, paths, key, list, batch=4, seed=1, workers=workers, rank=rank, world=world)
        for rank in range(world)
    ]
    line = [key for step in zip(*streams, strict=True) for batch in step for key in batch]
    assert len(line) == 8 * 4 * world
    for begin in range(0, len(line) - 22, 23):
        assert Counter(line[begin : begin + 23]) == Counter(f"k{at:02d}" for at in range(23))


def test_more_streams_than_samples_and_batches_of_several_epochs(tmp_path):
    paths = many(tmp_path, 1, samples=2)
    streams = [take(1, paths, key, list, batch=5, seed=1, rank=rank, world=4) for rank in range(4)]
    line = [key for (batch,) in streams for key in batch]
    assert [set(line[at : at + 2]) for at in range(0, 20, 2)] == [{"k00", "k01"}] * 10


def test_epochs_and_seeds_differ_and_the_same_seed_does_not(tmp_path):
    paths = many(tmp_path, 2)
    first, second = take(2, paths, key, list, batch=23, seed=7)
    assert first != second
    assert sorted(first) == sorted(second)
    assert take(2, paths, key, list, batch=23, seed=7) == [first, second]
    assert take(1, paths, key, list, batch=23, seed=8) != [first]


def test_shards_are_mixed(tmp_path):
    paths = many(tmp_path, 2)  # the first holds k00 to k04
    ((first,),) = [take(1, paths, key, list, batch=23, seed=7)]
    assert sorted(first[:5]) != [f"k{at:02d}" for at in range(5)]


def test_without_shuffling_the_order_is_that_of_the_shards(tmp_path):
    first, second = take(2, many(tmp_path, 5), key, list, batch=23, seed=7, shuffle=False)
    assert first == second == [f"k{at:02d}" for at in range(23)]


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("start", [0, 1, 2, 5, 11])  # 11: in the fourth epoch
def test_a_stream_goes_on_where_it_was_left(tmp_path, start, workers):
    paths = many(tmp_path, 2)
    whole = take(15, paths, told, list, batch=4, seed=3, rank=1, world=2)
    rest = take(
        15 - start,
        paths,
        told,
        list,
        batch=4,
        seed=3,
        rank=1,
        world=2,
        start=start,
        workers=workers,
    )
    assert rest == whole[start:]


def test_what_is_skipped_and_what_others_give_is_not_read(tmp_path):
    read: list[int] = []

    def note(raw):
        read.append(raw["__number__"])

    take(2, many(tmp_path, 2), note, list, batch=3, seed=3, rank=1, world=2, start=100)
    assert read == [*range(201 * 3, 202 * 3), *range(203 * 3, 204 * 3)]


def test_a_batch_is_what_collate_makes_of_the_items(tmp_path):
    (batch,) = take(
        1,
        many(tmp_path, 1),
        lambda raw: np.float32(raw["__number__"]),
        np.stack,
        batch=3,
        seed=0,
        workers=1,
    )
    assert isinstance(batch, np.ndarray)  # not made a tensor by anyone
    np.testing.assert_array_equal(batch, np.array([0, 1, 2], np.float32))


def test_once_gives_each_sample_once_in_order(tmp_path):
    assert list(data.once(many(tmp_path, 5), told)) == [(f"k{at:02d}", at) for at in range(23)]


def test_what_is_no_sample_of_a_tar_is_passed_over(tmp_path):
    path = tmp_path / "train-00000-of-00001.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("README", "a.json", "folder", "a.00.jpg", "b.json"):
            tar.addfile(tarfile.TarInfo(name))
    assert [sorted(raw) for raw in data.once([str(path)], dict)] == [
        ["00.jpg", "__key__", "__number__", "__url__", "json"],
        ["__key__", "__number__", "__url__", "json"],
    ]


def test_only_the_raw_sample_asked_for_is_read(tmp_path):
    path = write(tmp_path / "train-00000-of-00001.tar", ["one", "two"], [jpeg()], ["A dog."])
    first, second = data.once([path], dict)
    assert first == {
        "__key__": "one",
        "__url__": path,
        "__number__": 0,
        "00.jpg": jpeg(),
        "json": b'{"captions": ["A dog."]}',
    }
    assert (second["__key__"], second["00.jpg"]) == ("two", jpeg())


# What a raw sample holds


def sample(pictures: list[bytes], captions: list[str]) -> dict:
    return {
        "__key__": "tom_chunk_0",
        "__url__": "train-3.tar",
        "json": json.dumps({"captions": captions}).encode(),
        **{f"{at:02d}.jpg": picture for at, picture in enumerate(pictures)},
    }


@pytest.mark.parametrize(
    ("aspect", "shown"),
    [
        # 64 x 36 pixels: a cell is 16 x 9, the left column is half a figure, the lowest row none
        ("squashed", [[0.5, 0, 0, 1], [0.5, 0, 0, 1], [0.5, 0, 0, 1], [0, 0, 0, 0]]),
        # The middle is 36 x 36, from 14 to 50: only its right edge is in the second figure
        ("own", [[0, 0, 0, 2 / 9]] * 3 + [[0, 0, 0, 0]]),
    ],
)
def test_figures_are_the_shares_of_cells_in_boxes(aspect, shown):
    raw = sample([jpeg(), jpeg(), jpeg()], ["A dog.", "A cat and a dog.", "Rain."])
    boxes = [[[0, 0, 8, 27], [48, 0, 16, 27]], [[-4, -4, 80, 80]], []]
    raw["json"] = json.dumps(json.loads(raw["json"]) | {"boxes": boxes}).encode()
    two, whole, none = data.figures(raw, 4, aspect)
    np.testing.assert_allclose(two, shown, atol=1e-6)
    assert (whole == 1).all() and (none == 0).all()


def test_without_boxes_there_are_no_figures_and_boxes_of_other_pictures_are_an_error():
    raw = sample([jpeg()], ["A dog."])
    assert data.figures(raw, 4).tolist() == np.zeros((1, 4, 4)).tolist()
    raw["json"] = b'{"captions": ["A dog."], "boxes": [[], []]}'
    with pytest.raises(data.DataError, match="boxes of 2 pictures"):
        data.figures(raw, 4)


def test_texts_are_the_captions_in_their_order():
    assert data.texts(sample([], ["A cat sits.", "Ünd dann?"])) == ["A cat sits.", "Ünd dann?"]


@pytest.mark.parametrize("size", [16, 18, 40, 36, 100])
def test_pictures_are_those_that_pillow_shows(size):
    shades = (0, 128, 255)
    found = data.pictures(sample([jpeg(shade=shade) for shade in shades], ["A."] * 3), size)
    assert found.dtype == np.uint8
    assert found.shape == (3, size, size, 3)
    for squashed, shade in zip(found, shades, strict=True):
        whole = Image.open(io.BytesIO(jpeg(shade=shade)))
        expected = np.asarray(whole.resize((size, size), Image.Resampling.BILINEAR), np.int16)
        assert np.abs(squashed - expected).mean() < 2.5  # of 255, on a ramp over all of them


@pytest.mark.parametrize(
    ("size", "decoded"),
    [
        (45, (45, 80)),
        (46, (90, 160)),
        (90, (90, 160)),
        (91, (180, 320)),
        (128, (180, 320)),
        (180, (180, 320)),
        (181, (360, 640)),
        (448, (360, 640)),
    ],
)
def test_a_picture_is_decoded_no_larger_than_needed(size, decoded, monkeypatch):
    shapes = []
    resize = cv2.resize
    monkeypatch.setattr(
        cv2,
        "resize",
        lambda picture, *given, **options: (
            shapes.append(picture.shape[:2]),
            resize(picture, *given, **options),
        )[1],
    )
    assert data.pictures(sample([jpeg(640, 360)], ["A."]), size).shape == (1, size, size, 3)
    assert shapes[0] == decoded


@pytest.mark.parametrize("size", [46, 100, 200])
def test_opencv_decodes_to_the_bytes_that_pillow_does(size):
    encoded = jpeg(640, 360)
    with Image.open(io.BytesIO(encoded)) as image:
        image.draft("RGB", (size, size))
        expected = data.to_square(np.asarray(image), size)
    found = data.pictures(sample([encoded], ["A."]), size)[0]
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def test_a_jpeg_with_bytes_after_its_end_and_a_png_are_pictures_too():
    plain = data.pictures(sample([jpeg()], ["A."]), 16)
    assert (data.pictures(sample([jpeg() + b"more"], ["A."]), 16) == plain).all()
    png = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 0, 0)).save(png, "PNG")
    found = data.pictures(sample([png.getvalue()], ["A."]), 16)
    assert (found == np.array([200, 0, 0])).all()


def test_an_enlarged_picture_has_no_stairs():
    """A picture of smooth waves, made small and enlarged again, is near itself."""
    y, x = np.mgrid[:256, :256] / 256
    waves = 128 + 60 * np.sin(20 * x + 8 * y) + 60 * np.cos(17 * y)
    picture = np.repeat(waves.round().astype(np.uint8)[..., None], 3, axis=2)
    small = cv2.resize(picture, (96, 128), interpolation=cv2.INTER_AREA)
    error = data.to_square(small, 256).astype(float) - picture
    stairs = cv2.resize(small, (256, 256), interpolation=cv2.INTER_AREA).astype(float) - picture
    assert np.mean(error**2) < np.mean(stairs**2) / 10


def test_a_side_that_gets_shorter_is_averaged():
    stripes = np.zeros((8, 16, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (data.to_square(stripes, 8) == 100).all()


def test_in_its_own_aspect_a_picture_is_cut_to_its_middle():
    picture = np.zeros((36, 64, 3), np.uint8)
    picture[:, 14:50] = 200  # its middle square
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    raw = sample([file.getvalue()], ["A."])
    assert (data.pictures(raw, 36, aspect="own") == 200).all()
    assert not (data.pictures(raw, 36) == 200).all()
    assert (data.middle(picture.swapaxes(0, 1)) == 200).all()


def test_a_grey_picture_is_rgb_too():
    file = io.BytesIO()
    Image.new("L", (32, 32), 77).save(file, "JPEG")
    assert (data.pictures(sample([file.getvalue()], ["A."]), 16) == 77).all()


# What is not as it should be


def test_a_folder_without_shards_names_itself_and_the_remedy(tmp_path):
    for wanted in ("nowhere", "empty"):
        (tmp_path / "empty/shards").mkdir(parents=True, exist_ok=True)
        with pytest.raises(data.DataError, match=rf"{wanted}/shards: `make dataset OUT=") as got:
            data.shards(str(tmp_path / wanted), "train")
        assert str(tmp_path) in str(got.value)


def test_shards_are_those_of_one_side_sorted(tmp_path):
    train = many(tmp_path, 3)
    write(tmp_path / "shards/val-00000-of-00001.tar", ["a"], [], [])
    assert data.shards(str(tmp_path), "train") == train
    assert data.shards(str(tmp_path), "val") == [str(tmp_path / "shards/val-00000-of-00001.tar")]


def test_a_missing_shard_is_an_error(tmp_path):
    Path(many(tmp_path, 3)[1]).unlink()
    with pytest.raises(data.DataError, match="not one whole set of train shards"):
        data.shards(str(tmp_path), "train")


def damaged(path: Path, kind: str) -> None:
    with tarfile.open(path) as tar:
        member = tar.getmembers()[5]
    whole = path.read_bytes()
    cut = {
        "in a member": member.offset_data + 100,
        "behind a header": member.offset_data,
        "in a header": member.offset + 100,
        "before a header": member.offset,
        "everything": 0,
    }
    if kind == "a header overwritten":
        path.write_bytes(whole[: member.offset] + b"x" * 512 + whole[member.offset + 512 :])
    else:
        path.write_bytes(whole[: cut[kind]])


@pytest.mark.parametrize(
    "kind",
    [
        "in a member",
        "behind a header",
        "in a header",
        "before a header",
        "everything",
        "a header overwritten",
    ],
)
def test_a_shard_that_ends_too_early_is_an_error_before_the_first_batch(tmp_path, kind):
    path = tmp_path / "train-00000-of-00001.tar"
    write(path, ["a", "b", "c"], [jpeg()] * 2, ["A."] * 2)
    damaged(path, kind)
    with pytest.raises(data.DataError, match=rf"{path} is damaged or .*make dataset"):
        data.loader([str(path)], fail, list, batch=1, seed=0)
    with pytest.raises(data.DataError, match=rf"{path} is damaged"):
        list(data.once([str(path)], fail))


def test_a_shard_without_samples_and_no_shard_are_errors(tmp_path):
    path = write(tmp_path / "train-00000-of-00001.tar", [], [], [])
    with pytest.raises(data.DataError, match=f"{path} holds no samples"):
        data.loader([path], key, list, batch=1, seed=0)
    with pytest.raises(data.DataError, match="one shard at least"):
        data.loader([], key, list, batch=1, seed=0)


@pytest.mark.parametrize("broken", [b"no picture", b"", jpeg()[:400]])
def test_a_picture_that_does_not_decode_is_named(broken):
    with pytest.raises(data.DataError, match=r"train-3\.tar: tom_chunk_0.01.jpg does not decode"):
        data.pictures(sample([jpeg(), broken], ["A.", "B."]), 16)


def test_pictures_and_captions_of_unequal_number_are_an_error():
    with pytest.raises(data.DataError, match=r"train-3\.tar: tom_chunk_0: 1 pictures for 2"):
        data.pictures(sample([jpeg()], ["A.", "B."]), 16)


@pytest.mark.parametrize("text", [b"{}", b"[]", b"not json"])
def test_a_sample_without_captions_is_an_error(text):
    with pytest.raises(data.DataError, match=r"train-3\.tar: tom_chunk_0: no captions"):
        data.texts({**sample([], []), "json": text})


def test_an_error_in_a_worker_names_the_sample(tmp_path):
    path = write(tmp_path / "train-00000-of-00001.tar", ["a"], [b"no picture"], ["A."])
    with pytest.raises(data.DataError, match=rf"{path}: a.00.jpg does not decode"):
        take(1, [path], lambda raw: data.pictures(raw, 16), list, batch=1, seed=0, workers=1)
