"""Features of pictures, computed once and cached in a folder.

The cache's key depends on the network, the pictures' bytes and their size, so whatever changes is
computed anew.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.array_types import Floats
from benchmarks.metrics.encoders import BATCH, ImageEncoder
from benchmarks.stories import read_pictures

VERSION = 1  # of the cache; to be raised when preprocessing changes


def picture_features(
    embedder: ImageEncoder, paths: Sequence[str], size: int, cache: str | Path | None = None
) -> Floats:
    """Returns features of pictures, at least one, squashed to squares of `size` pixels: float32 [n,
    width].

    Raises ValueError for a picture that is missing or does not decode.
    """
    if cache is None:
        return _embed(embedder, paths, size)
    known = Path(cache, f"{_key(embedder, paths, size)}.npy")
    try:
        found = np.load(known, allow_pickle=False)
        if len(found) == len(paths):
            return found
    except (OSError, ValueError, EOFError):  # not there, or damaged: made again
        pass
    found = _embed(embedder, paths, size)
    known.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=known.parent, suffix=".part", delete=False) as file:
        np.save(file, found)
    os.replace(file.name, known)
    return found


def features_by_path(
    embedder: ImageEncoder,
    rows: Iterable[Sequence[str]],
    size: int,
    cache: str | Path | None = None,
) -> dict[str, Floats]:
    """Returns the features [width] of all pictures in all rows by path, each picture encoded once.

    Each row is cached on its own, without what rows before it have: one that changes costs no
    other.
    """
    known: dict[str, Floats] = {}
    for row in rows:
        if new := [path for path in dict.fromkeys(row) if path not in known]:
            known.update(zip(new, picture_features(embedder, new, size, cache), strict=True))
    return known


def _embed(embedder: ImageEncoder, paths: Sequence[str], size: int) -> Floats:
    return np.concatenate(
        [
            embedder.embed(read_pictures(paths[at : at + BATCH], size))
            for at in range(0, len(paths), BATCH)
        ]
    )


def _key(embedder: ImageEncoder, paths: Sequence[str], size: int) -> str:
    said = hashlib.sha256(repr((VERSION, embedder.name, embedder.version, size)).encode())
    for path in paths:
        try:
            said.update(hashlib.sha256(Path(path).read_bytes()).digest())
        except OSError as error:
            raise ValueError(f"{path}: {error}; make it again") from error
    return said.hexdigest()[:32]
