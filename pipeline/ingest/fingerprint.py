"""Fingerprints of films and of models' files: digests that tell contents apart without reading all
of them."""

from __future__ import annotations

import hashlib
import os

from pipeline.runtime import storage

_ENDS = 1 << 20  # bytes of a file's start and of its end that its fingerprint covers
_BLOCK = 1 << 16  # bytes of each of the blocks between them
_BLOCKS = 14


def fingerprint(uri: str) -> str:
    """Returns a hex digest that tells one film's content from another without reading all of it.

    SHA-256 over the size in bytes, the first and last MiB and 14 blocks of 64 KiB evenly spaced
    between them; over everything where the file is no larger than that. Raises OSError.
    """
    digest = hashlib.sha256()
    with storage.reading(uri) as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        digest.update(str(size).encode())
        for start, length in _covered(size):
            file.seek(start)
            digest.update(file.read(length))
    return digest.hexdigest()


def _covered(size: int) -> list[tuple[int, int]]:
    """Returns start and length of each part of a file that its fingerprint covers."""
    if size <= 2 * _ENDS + _BLOCKS * _BLOCK:
        return [(0, size)]
    step = (size - 2 * _ENDS) / (_BLOCKS + 1)
    middle = [(round(_ENDS + step * (i + 1)) - _BLOCK // 2, _BLOCK) for i in range(_BLOCKS)]
    return [(0, _ENDS), *middle, (size - _ENDS, _ENDS)]


def model_fingerprint(path: str) -> str:
    """Returns a hex digest of a model's files on this machine, by their names and fingerprints; ""
    for what is not a file or folder here, such as the id of a model on a hub."""
    if not os.path.exists(path):
        return ""
    files = (
        [path]
        if os.path.isfile(path)
        else sorted(
            os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
        )
    )
    lines = [f"{os.path.relpath(file, path)} {fingerprint(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
