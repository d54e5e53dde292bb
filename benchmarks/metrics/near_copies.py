"""Finds near copies by perceptual hashes: repeated panels and memorised training pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.array_types import Flags, Pictures
from pipeline.dataset import reader
from pipeline.runtime.images import perceptual_hash
from schemas import layout

Hashes = NDArray[np.uint64]  # [n, 4]: 256 bits each
# Share of equal hash bits; true panels of a story have up to 0.68, blurred copies 0.91.
COPY_SIMILARITY = 0.85


def picture_hashes(seen: Pictures) -> Hashes:
    """Computes perceptual hashes of pictures [n, size, size, 3]."""
    return _parse_hashes(
        perceptual_hash(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) for picture in seen
    )


def _parse_hashes(hexadecimal: Iterable[str]) -> Hashes:
    return np.frombuffer(b"".join(map(bytes.fromhex, hexadecimal)), np.uint64).reshape(-1, 4)


def find_near_copies(some: Hashes, others: Hashes) -> Flags:
    """Finds which of n and m pictures are near copies, [n, m].

    A blur, noise, a tint or JPEG leave a copy detectable; a shift or crop by 2 % does not. Source:
    the DCT hash of C. Zauner (2010), as in the pipeline.
    """
    apart = (
        np.stack([np.bitwise_count(others ^ bits).sum(1, dtype=np.int64) for bits in some])
        if len(some)
        else np.zeros((0, len(others)), np.int64)
    )
    return 1 - apart / 256 >= COPY_SIMILARITY


def read_training_hashes(dataset: str | Path) -> Hashes:
    """Reads the hashes of the keyframes of the training films.

    Raises ValueError for a folder that is not a finished dataset.
    """
    splits = reader.read_splits(str(dataset))
    rows = reader.read_table(str(dataset), layout.KEYFRAMES, ["video", "phash"]).to_pylist()
    return _parse_hashes(row["phash"] for row in rows if splits.get(row["video"]) == layout.TRAIN)
