import cv2
import numpy as np
import pytest

from pipeline.keyframes import near_duplicates
from pipeline.keyframes.near_duplicates import (
    distance_blocks,
    distances,
    hash_words,
    max_distance,
    most_similar,
    pack_hashes,
    perceptual_hash,
    similarity,
)
from pipeline.runtime.images import decode_luma, encode_jpeg
from pipeline.testing.films import scene
from tests.pipeline.rows import flipped, phash


def gray(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def test_an_image_is_similar_after_compression_and_scaling_and_others_are_not():
    image, other = gray(scene(1)), gray(scene(2))
    compressed = decode_luma(encode_jpeg(image), "image.jpg")
    assert len(perceptual_hash(image)) == 64
    assert similarity(perceptual_hash(image), perceptual_hash(compressed)) > 0.97
    larger = cv2.resize(image, (640, 360))
    assert similarity(perceptual_hash(image), perceptual_hash(larger)) > 0.95
    assert 0.3 < similarity(perceptual_hash(image), perceptual_hash(other)) < 0.7


def test_similarity_is_the_share_of_equal_bits():
    assert similarity(phash("a"), phash("a")) == 1
    assert similarity(phash("a"), flipped(phash("a"), 64)) == 0.75
    assert similarity("0" * 64, "f" * 64) == 0


def test_the_most_similar_of_several_near_duplicates_come_first():
    others = [phash("b"), flipped(phash("a"), 20), phash("a"), flipped(phash("a"), 10)]
    assert most_similar(phash("a"), others, 0.9, 8) == [2, 3, 1]
    assert most_similar(phash("a"), others, 0.95, 8) == [2, 3]
    assert most_similar(phash("a"), others, 0.9, 1) == [2]
    assert most_similar(phash("c"), others, 0.9, 8) == most_similar(phash("c"), [], 0.9, 8) == []


@pytest.mark.parametrize("bits", [0, 14, 15, 40])
def test_as_far_apart_as_allowed_is_as_similar_as_asked_for(bits):
    near = similarity(phash("a"), flipped(phash("a"), bits)) >= 0.945
    assert (bits <= max_distance(0.945)) == near == (bits < 15)


def test_packed_hashes_have_the_distances_of_their_digits():
    hashes = [phash(f"image {number}") for number in range(7)]
    words = pack_hashes(hashes)
    assert words.dtype == np.uint64 and words.shape == (7, 4)
    assert np.array_equal(words, hash_words(b"".join(map(bytes.fromhex, hashes))))
    expected = [[round(256 * (1 - similarity(a, b))) for b in hashes] for a in hashes]
    assert distances(words[:, None], words).tolist() == expected
    assert distances(words, words[2]).tolist() == expected[2]
    assert pack_hashes([]).shape == (0, 4)


def test_blocks_together_are_all_distances(monkeypatch):
    words = pack_hashes(phash(f"image {number}") for number in range(7))
    others = words[:5]
    monkeypatch.setattr(near_duplicates, "_BLOCK", 12)  # two rows of five at once
    blocks = list(distance_blocks(words, others))
    assert [start for start, _ in blocks] == [0, 2, 4, 6]
    assert np.array_equal(
        np.concatenate([block for _, block in blocks]), distances(words[:, None], others)
    )
    assert [block.shape for _, block in distance_blocks(words, others[:0])] == [(7, 0)]
    assert list(distance_blocks(words[:0], others)) == []
