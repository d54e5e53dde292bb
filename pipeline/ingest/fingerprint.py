"""Fingerprints of films and of models' files: digests that tell contents apart without reading all
of them."""

from __future__ import annotations

import hashlib
import os

from pipeline.runtime import storage

_WHOLE = 16 << 20  # bytes of the largest file that its fingerprint covers in full; of larger ones
_ENDS = 1 << 20  # bytes of the start and of the end, and between them
_BLOCKS = 254  # blocks, as downloads lack pieces anywhere
_BLOCK = 1 << 12  # bytes of each: what a disk reads at once


def fingerprint(uri: str) -> str:
    """Returns a hex digest that tells one film's content from another without reading all of it.

    SHA-256 over the size in bytes, the first and last MiB and 254 blocks of 4 KiB evenly spaced
    between them, so that two files of a size differ wherever more than 1/255 of it in a piece does;
    over everything where the file has no more than 16 MiB. Raises OSError.
    """
    size = storage.size(uri)
    digest = hashlib.sha256(str(size).encode())
    for part in storage.read_ranges(uri, _covered(size)):
        digest.update(part)
    return digest.hexdigest()


def _covered(size: int) -> list[tuple[int, int]]:
    """Returns start and length of each part of a file that its fingerprint covers."""
    if size <= _WHOLE:
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
