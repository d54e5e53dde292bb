"""Finds near-duplicate pictures of a dataset by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import OutputConfig
from pipeline.dataset import reader
from pipeline.runtime.images import perceptual_hash
from schemas import layout

_BLOCK = 2**22  # pairs of hashes that are compared at once: some 70 MB


@dataclass(frozen=True)
class PictureInfo:
    """Size and hash of a picture."""

    width: int  # pixels
    height: int
    hash: str  # perceptual, 256 bits in hex


def read_picture_info(folder: str | Path, images: Sequence[str]) -> dict[str, PictureInfo]:
    """Returns size and hash of the pictures that exist, by path: from the dataset's table of
    keyframes where it has one, else by decoding them."""
    known = {}
    if reader.has_file(str(folder), layout.table_path(layout.KEYFRAMES)):
        columns = ["image", "width", "height", "phash"]
        known = {
            str(Path(folder, row["image"])): PictureInfo(row["width"], row["height"], row["phash"])
            for row in reader.read_table(str(folder), layout.KEYFRAMES, columns).to_pylist()
        }
    found = {}
    for image in images:
        if image in known:
            found[image] = known[image]
        elif Path(image).exists():
            try:
                with Image.open(image) as opened:
                    size, luma = opened.size, np.asarray(opened.convert("L"))
            except OSError as error:
                raise ValueError(f"{image}: {error}; make or fetch it again") from error
            found[image] = PictureInfo(*size, perceptual_hash(luma))
    return found


def find_near_duplicates(
    hashes: Sequence[str], others: Sequence[str] | None = None
) -> NDArray[np.bool_]:
    """Finds pictures that look the same as one of the others, or without others, as one before them
    in the list: bool [pictures].

    Two look the same where a share of `split_likeness` of the bits of their hashes are equal: 242
    of 256 by default, the threshold that keeps a picture out of both sides of the split. A still
    scene with a mouth that moves may be found too. All pairs are compared: a minute or two for
    100,000 pictures.
    """
    bits = OutputConfig().split_likeness
    some, rest = _hash_words(hashes), _hash_words(hashes if others is None else others)
    furthest = int((1 - bits) * 256)
    found = np.zeros(len(some), bool)
    rows = max(1, _BLOCK // max(len(rest), 1))
    for start in range(0, len(some), rows):
        part = some[start : start + rows]
        apart = np.zeros((len(part), len(rest)), np.uint16)
        for column in range(some.shape[1]):
            apart += np.bitwise_count(part[:, None, column] ^ rest[None, :, column])
        close = apart <= furthest
        if others is None:
            close &= np.arange(len(rest)) < np.arange(start, start + len(part))[:, None]
        found[start : start + rows] = close.any(1)
    return found


def _hash_words(hashes: Sequence[str]) -> NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, 4)
