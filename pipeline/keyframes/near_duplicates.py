"""Near-duplicates: the perceptual hash of an image, and Hamming distance and similarity of hashes.

A hash has 256 bits. Tables have it as 64 hex digits; many are compared as arrays of four 64-bit
words each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

HASH_BITS = 256

_SIDE = 16  # 16 x 16 = 256 bits
_BLOCK = 1 << 22  # pairs of hashes compared at once: some 50 MB


def perceptual_hash(luma: NDArray[np.uint8]) -> str:
    """Returns 256 bits as 64 hex digits: which low frequencies are above their median.

    The DCT hash of C. Zauner, "Implementation and benchmarking of perceptual image hash
    functions" (2010), with 16 x 16 coefficients. luma: [height, width].
    """
    small = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_SIDE, :_SIDE]
    bits = (low > np.median(low)).flatten()
    return np.packbits(bits).tobytes().hex()


def similarity(phash: str, other: str) -> float:
    """Returns the share of equal bits of two hashes in hex digits.

    It is 1 for the same image and about 0.5 for unrelated ones.
    """
    return 1 - (int(phash, 16) ^ int(other, 16)).bit_count() / HASH_BITS


def most_similar(phash: str, others: Sequence[str], min_similarity: float, most: int) -> list[int]:
    """Returns the indices of the hashes that are at least so similar, the most similar first.

    Of equally similar ones the first; at most `most` of them.
    """
    if not others:
        return []
    distance = distances(pack_hashes(others), pack_hashes([phash]))
    near = np.flatnonzero(distance <= max_distance(min_similarity))
    return near[np.argsort(distance[near], kind="stable")][:most].tolist()


def pack_hashes(hashes: Iterable[str]) -> NDArray[np.uint64]:
    """Packs hashes in hex digits into an array of words: uint64 [n, 4]."""
    return hash_words(bytes.fromhex("".join(hashes)))


def hash_words(data: bytes) -> NDArray[np.uint64]:
    """Views n hashes of 32 bytes each, one after the other, as an array of words: uint64 [n, 4]."""
    return np.frombuffer(data, np.uint64).reshape(-1, HASH_BITS // 64)


def max_distance(min_similarity: float) -> int:
    """Returns the most bits in which two hashes differ that are at least so similar."""
    return int((1 - min_similarity) * HASH_BITS)


def distances(words: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Returns Hamming distances of hashes: uint16, of the shape that [..., 4] words broadcast to.

    `distances(words, words[0])` compares one with all, `distances(words[:, None], others)` all with
    all; for many use `distance_blocks`.
    """
    total = np.bitwise_count(words[..., 0] ^ others[..., 0]).astype(np.uint16)
    for column in range(1, HASH_BITS // 64):
        total += np.bitwise_count(words[..., column] ^ others[..., column])
    return total


def distance_blocks(
    words: NDArray[np.uint64], others: NDArray[np.uint64]
) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Compares each of n hashes with each of m others, in blocks of rows, so that memory is flat.

    Yields the index of a block's first hash and its distances: uint16 [rows, m].
    """
    rows = max(1, _BLOCK // max(len(others), 1))
    for start in range(0, len(words), rows):
        yield start, distances(words[start : start + rows, None], others)
