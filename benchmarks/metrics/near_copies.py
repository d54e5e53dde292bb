"""Finds near copies by perceptual hashes: repeated panels and memorised training pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.array_types import Flags, Pictures
from pipeline.dataset import reader
from pipeline.keyframes.near_duplicates import (
    HASH_BITS,
    distance_blocks,
    pack_hashes,
    perceptual_hash,
)
from schemas import layout

Hashes = NDArray[np.uint64]  # [n, 4]: 256 bits each
# Share of equal hash bits; true panels of a story have up to 0.68, blurred copies 0.91.
COPY_SIMILARITY = 0.85


def picture_hashes(seen: Pictures) -> Hashes:
    """Computes perceptual hashes of pictures [n, size, size, 3]."""
    return pack_hashes(
        perceptual_hash(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) for picture in seen
    )


def find_near_copies(some: Hashes, others: Hashes) -> Flags:
    """Finds which of n and m pictures are near copies, [n, m].

    A blur, noise, a tint or JPEG leave a copy detectable; a shift or crop by 2 % does not. Source:
    the DCT hash of C. Zauner (2010), as in the pipeline.
    """
    copies = np.zeros((len(some), len(others)), bool)
    for start, distances in distance_blocks(some, others):
        copies[start : start + len(distances)] = 1 - distances / HASH_BITS >= COPY_SIMILARITY
    return copies


def read_training_hashes(dataset: str | Path) -> Hashes:
    """Reads the hashes of the keyframes of the training films.

    Raises ValueError for a folder that is not a finished dataset.
    """
    splits = reader.read_splits(str(dataset))
    rows = reader.read_table(str(dataset), layout.KEYFRAMES, ["video", "phash"]).to_pylist()
    return pack_hashes(row["phash"] for row in rows if splits.get(row["video"]) == layout.TRAIN)
