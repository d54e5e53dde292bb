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
from pipeline.keyframes.near_duplicates import (
    distance_blocks,
    max_distance,
    pack_hashes,
    perceptual_hash,
)
from schemas import layout


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
    some, rest = pack_hashes(hashes), pack_hashes(hashes if others is None else others)
    furthest = max_distance(OutputConfig().split_likeness)
    found = np.zeros(len(some), bool)
    for start, distances in distance_blocks(some, rest):
        close = distances <= furthest
        if others is None:
            close &= np.arange(len(rest)) < np.arange(start, start + len(close))[:, None]
        found[start : start + len(close)] = close.any(1)
    return found
