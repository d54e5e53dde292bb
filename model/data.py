"""Reads shards as batches: the WebDataset tars of `make dataset`, shuffled anew in each epoch.

One pass over the headers of a tar finds where each sample begins; from then on a sample is one read
of a range of bytes. So the order of an epoch is a permutation of all samples of all shards, drawn
from the seed and the epoch's number. The epochs make up one endless sequence, which is cut into
batches, and these go to the processes in turn:

    step 0, process 0 | step 0, process 1 | step 1, process 0 | step 1, process 1 | ...

What a process gets at a step thus depends on nothing but the seed, the batch size and the number of
processes. Worker processes only change who decodes it, and a run is resumed by asking for the next
step: nothing before it is read. No sample is left out, padded or repeated in an epoch, however many
shards, workers and processes there are: where the samples of an epoch do not fill the last batch,
the next epoch begins inside of it.

`texts` and `pictures` decode a raw sample: a dict of bytes by file ending (`json`, `00.jpg`, ...)
with `__key__`, `__url__` (the shard) and `__number__`, its index in the endless sequence, which
seeds random choices about a sample.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
import json
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from webdataset import filters, tariterators

from schemas.layout import SHARDS, shard_path

Raw = dict[str, Any]
Place = tuple[str, int, int]  # of a sample: its shard, first byte and the byte after its last one

# The flags of OpenCV's scales that say grey are the scales alone, to which RGB can be added
_RGB_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_AT_SCALE = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_AGAIN = (
    "remove it and run the command that made it again: `make dataset`, or `make train` for "
    "features and predictions"
)


class DataError(ValueError):
    """Data that cannot be trained on; the message names the file and says what to do."""


def shards(dataset: str, split: str) -> list[str]:
    """Returns the paths of the shards of a split ("train", "val") of a dataset, sorted.

    Raises DataError where there are none, or where their names say that some are missing.
    """
    folder = Path(dataset, SHARDS)
    found = sorted(path.name for path in folder.glob(f"{split}-*.tar"))
    if not found:
        raise DataError(f"no {split}-*.tar in {folder}: `make dataset OUT={dataset}` writes them")
    whole = [shard_path(split, number, len(found)) for number in range(len(found))]
    if [f"{SHARDS}/{name}" for name in found] != whole:
        raise DataError(
            f"{folder} holds {', '.join(found[:3])}{', ...' if found[3:] else ''}, which is not "
            f"one whole set of {split} shards: `make dataset OUT={dataset}` writes it again"
        )
    return [str(folder / name) for name in found]


def texts(raw: Raw) -> list[str]:
    """Reads the captions of a sample, one per picture. Raises DataError where it holds none."""
    try:
        return json.loads(raw["json"])["captions"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{_name(raw)}: no captions in its json ({error!r})") from error


def pictures(
    raw: Raw, size: int, some: Sequence[int] | None = None, aspect: str = "squashed"
) -> np.ndarray:
    """Decodes the pictures of a sample, or `some` by number: uint8 RGB [n, size, size, 3], each
    resized to a square, or in its "own" aspect the middle of it.

    A JPEG is decoded by `_decoded` at a scale that is not below `size`, and resized from there by
    `to_square`. Raises DataError for a picture that does not decode and
    where there are not as many pictures as captions.
    """
    names = _picture_names(raw)
    if some is not None:
        names = [names[number] for number in some]
    out = np.empty((len(names), size, size, 3), np.uint8)
    for square, name in zip(out, names, strict=True):
        try:
            picture = _decoded(raw[name], size)
            if aspect == "own":
                picture = middle(picture)
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{_name(raw)}.{name} does not decode: {error}") from error
        square[:] = to_square(picture, size)
    return out


def _picture_names(raw: Raw) -> list[str]:
    """Returns the names of a sample's pictures, in order. Raises DataError where there are not as
    many as captions."""
    names = sorted(name for name in raw if name.endswith(".jpg"))
    if len(names) != len(texts(raw)):
        raise DataError(f"{_name(raw)}: {len(names)} pictures for {len(texts(raw))} captions")
    return names


def figures(raw: Raw, size: int, aspect: str = "squashed") -> np.ndarray:
    """Computes the share of each cell of the squares of `pictures` that shows a character, by the
    boxes of the sample: float32 [n, size, size], 0 everywhere in pictures without boxes.

    Raises DataError where there are not as many pictures or lists of boxes as captions.
    """
    names = _picture_names(raw)
    boxes = json.loads(raw["json"]).get("boxes") or [[]] * len(names)
    if len(boxes) != len(names):
        raise DataError(f"{_name(raw)}: boxes of {len(boxes)} pictures, and {len(names)} pictures")
    out = np.zeros((len(names), size, size), np.float32)
    for square, of_picture, name in zip(out, boxes, names, strict=True):
        if not of_picture:
            continue
        with Image.open(io.BytesIO(raw[name])) as image:
            width, height = image.size
        shown = np.zeros((height, width), np.float32)
        for left, top, wide, high in of_picture:
            shown[max(top, 0) : top + high, max(left, 0) : left + wide] = 1
        if aspect == "own":
            shown = middle(shown)
        square[:] = cv2.resize(shown, (size, size), interpolation=cv2.INTER_AREA)
    return out


def middle(picture: np.ndarray) -> np.ndarray:
    """Returns the largest square in the middle of a picture, [H, W, ...]."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _decoded(encoded: bytes, size: int) -> np.ndarray:
    """Decodes a picture to uint8 RGB [H, W, 3], a JPEG at the smallest of its scales (1, 1/2, 1/4,
    1/8) that is not below `size`.

    OpenCV takes a fifth less time than Pillow does. But it fills what is missing of a picture with
    grey. Raises OSError and ValueError where a picture is damaged or ends too early.
    """
    with Image.open(io.BytesIO(encoded)) as image:
        if image.format != "JPEG":
            return np.asarray(image.convert("RGB"))
        smallest = min(image.size)
    if b"\xff\xd9" not in encoded[-1024:]:  # the marker of the end, perhaps not the last bytes
        raise ValueError("the file ends too early")
    scale = next((scale for scale in (8, 4, 2) if -(-smallest // scale) >= size), 1)
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), _AT_SCALE[scale] | _RGB_AS_STORED)
    if picture is None:
        raise ValueError("OpenCV cannot read it")
    return picture


def to_square(picture: np.ndarray, size: int) -> np.ndarray:
    """Resizes a picture, uint8 [H, W, 3], to [size, size, 3]: each side that gets shorter by
    averaging areas, each that gets longer by cubic interpolation.

    Averaging areas is the nearest neighbour where a picture is enlarged: stairs.
    """
    height, width = picture.shape[:2]
    smaller = (min(width, size), min(height, size))
    if smaller != (width, height):
        picture = cv2.resize(picture, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (size, size):
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    return picture


def once(shards: Iterable[str], read: Callable[[Raw], Any]) -> Iterator[Any]:
    """Yields each sample of the shards once, in order, as `read` decodes it."""
    number = itertools.count()
    for shard in shards:
        for begin, end in _bounds(shard):
            yield read(_raw(shard, begin, end, next(number)))


def places(shards: Iterable[str]) -> list[Place]:
    """Returns where the samples of the shards are, in order. Raises DataError."""
    return [(shard, begin, end) for shard in shards for begin, end in _bounds(shard)]


def some(places: Sequence[Place], at_most: int) -> list[tuple[int, Place]]:
    """Draws at most so many samples, the same ones each time; returns them in order, numbered."""
    drawn = np.random.default_rng(0).permutation(len(places))[:at_most]
    return [(number, places[number]) for number in sorted(drawn.tolist())]


def at(place: Place, number: int) -> Raw:
    """Reads the sample at a place, which gets this `__number__`."""
    return _raw(*place, number)


def loader(
    shards: Sequence[str],
    read: Callable[[Raw], Any],
    collate: Callable[[list[Any]], Any],
    *,
    batch: int,
    seed: int,
    workers: int = 0,
    rank: int = 0,
    world: int = 1,
    start: int = 0,
    shuffle: bool = True,
) -> DataLoader:
    """Returns the endless batches of a process, `rank` of `world`, from step `start` on.

    `read` decodes a raw sample and `collate` makes a batch of `batch` of them, both in one of
    `workers` processes, or in this process where there are none. The batches are already split over
    the training processes: they are not for accelerate's `prepare`. Reads the headers of all shards
    before it returns. Raises DataError for a shard that is damaged, ends too early or is empty.
    """
    samples = places(shards)
    if not samples:
        raise DataError("a loader needs one shard at least")
    batches = _Batches(samples, read, collate, batch, seed, rank, world, shuffle)
    return DataLoader(
        batches,
        sampler=range(start, sys.maxsize),
        batch_size=None,
        collate_fn=filters.identity,
        num_workers=workers,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
    )


@dataclasses.dataclass(frozen=True)
class _Batches(Dataset):
    """The batches of a process, by the number of the step."""

    samples: list[Place]
    read: Callable[[Raw], Any]
    collate: Callable[[list[Any]], Any]
    batch: int
    seed: int
    rank: int
    world: int
    shuffle: bool

    def __getitem__(self, step: int) -> Any:
        first = (step * self.world + self.rank) * self.batch
        return self.collate(
            [self.read(self._sample(number)) for number in range(first, first + self.batch)]
        )

    def _sample(self, number: int) -> Raw:
        epoch, at = divmod(number, len(self.samples))
        if self.shuffle:
            at = _permutation(self.seed, epoch, len(self.samples))[at]
        return _raw(*self.samples[at], number)


@functools.lru_cache(maxsize=2)  # a batch may lie in two epochs
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _bounds(shard: str) -> list[tuple[int, int]]:
    """Returns the offsets of the first byte of each sample of a tar and of the byte after it.

    Only headers are read. tarfile takes any header that it cannot read for the end of the archive,
    so the end has to be verified: else half a shard would pass for a whole one.
    """
    begins: list[int] = []
    last = None
    try:
        with open(shard, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                key, _ = tariterators.base_plus_ext(member.name)
                if key not in (None, last):  # None: a folder or the like, nothing of a sample
                    begins.append(member.offset)
                    last = key
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"no header and no end of archive at byte {tar.offset}")
    except tarfile.TarError as error:
        raise DataError(f"{shard} is damaged or ends too early ({error}): {_AGAIN}") from error
    if not begins:
        raise DataError(f"{shard} holds no samples: {_AGAIN}")
    return list(itertools.pairwise([*begins, tar.offset]))


def _raw(shard: str, begin: int, end: int, number: int) -> Raw:
    with open(shard, "rb") as file:
        file.seek(begin)
        stream = io.BytesIO(file.read(end - begin))
    files = tariterators.tar_file_expander([{"url": shard, "stream": stream}])
    (raw,) = tariterators.group_by_keys(files)
    return {**raw, "__number__": number}


def _name(raw: Raw) -> str:
    return f"{raw['__url__']}: {raw['__key__']}"


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)  # a process for each core, not a pool of threads for each process
