"""Near-duplicates by perceptual hashes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.datasets import near_duplicates
from pipeline.keyframes import near_duplicates as pipeline_near_duplicates
from pipeline.keyframes.near_duplicates import similarity


def test_near_duplicates_are_those_of_comparing_each_pair():
    dice = np.random.default_rng(0)
    bits = dice.integers(0, 2, (40, 256)).astype(np.uint8)
    for number in range(20, 40):  # copies of the first with up to 19 bits turned
        bits[number] = bits[number - 20]
        bits[number, dice.permutation(256)[: number - 20]] ^= 1
    hashes = [np.packbits(row).tobytes().hex() for row in bits]
    before = [
        any(similarity(own, other) >= 0.945 for other in hashes[:at])
        for at, own in enumerate(hashes)
    ]
    assert near_duplicates.find_near_duplicates(hashes).tolist() == before
    assert sum(before) == 15  # 0 to 14 bits
    beside = [any(similarity(own, other) >= 0.945 for other in hashes[:20]) for own in hashes[20:]]
    assert near_duplicates.find_near_duplicates(hashes[20:], hashes[:20]).tolist() == beside


def test_in_blocks(monkeypatch):
    dice = np.random.default_rng(1)
    some = [dice.bytes(32).hex() for _ in range(6)]
    hashes = some + some[::-1]
    monkeypatch.setattr(pipeline_near_duplicates, "_BLOCK", 30)  # two rows at once
    assert near_duplicates.find_near_duplicates(hashes).tolist() == [False] * 6 + [True] * 6


def test_a_picture_that_does_not_decode(published_layout):
    image = published_layout / "000258" / "1.png"
    image.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"1\.png.*make or fetch it again"):
        near_duplicates.read_picture_info(published_layout, [str(image)])
