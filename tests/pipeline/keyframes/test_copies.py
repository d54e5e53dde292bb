import dataclasses

import numpy as np

from pipeline.keyframes.copies import Pictures, find_copies
from pipeline.keyframes.near_duplicates import pack_hashes
from tests.pipeline.rows import flipped, phash

EVERY = 4.0  # seconds


def film(name, scenes, *, speed=1.0, pixels=640 * 360, differing=40, late=0.0):
    """A film with a keyframe per scene, which differ in so many bits from those of other films."""
    duration = EVERY * len(scenes) * speed
    times = np.array([EVERY * (i + 0.5) * speed + late * (i % 3) for i in range(len(scenes))])
    words = pack_hashes(flipped(phash(scene), differing) for scene in scenes)
    return Pictures(name, pixels, duration, 10**6, times, words, min(120.0, duration / 4))


EPISODE = [f"scene {number}" for number in range(60)]


def test_the_same_film_in_another_encoding_is_a_copy_of_the_one_with_the_largest_picture():
    films = [
        film("small", EPISODE, pixels=320 * 180, differing=60, late=0.5),
        film("large", EPISODE, pixels=1280 * 720, differing=0),
        film("television", EPISODE, speed=24 / 25, late=0.3),
    ]
    assert find_copies(films) == {"small": "large", "television": "large"}


def test_a_cut_version_is_a_copy_of_the_whole_film_although_its_picture_is_larger():
    cut = EPISODE[:20] + EPISODE[32:]
    films = [film("cut", cut, pixels=1920 * 1080), film("whole", EPISODE)]
    assert find_copies(films) == {"cut": "whole"}


def test_episodes_with_the_same_intro_and_outro_and_a_few_of_the_same_shots_are_no_copies():
    ends = [f"intro {number}" for number in range(8)]
    films = [
        film(name, ends + [f"{name} {number}" for number in range(40)] + ["home"] * 4 + ends)
        for name in "abc"
    ]
    assert find_copies(films) == {}


def test_episodes_whose_pictures_are_all_alike_are_no_copies():
    """A puppet before the same curtain."""
    rng = np.random.default_rng(0)
    films = [film(name, ["curtain"] * 60) for name in "ab"]
    noise = [
        rng.integers(0, 256, (60, 32), np.uint8)
        & rng.integers(0, 256, (60, 32), np.uint8)
        & rng.integers(0, 256, (60, 32), np.uint8)
        for _ in films
    ]
    films = [
        dataclasses.replace(each, words=each.words ^ bits.view(np.uint64))
        for each, bits in zip(films, noise, strict=True)
    ]
    assert find_copies(films) == {}


def test_films_with_a_few_pictures_are_copies_if_all_are_the_same_and_none_if_there_are_fewer():
    few = [f"scene {number}" for number in range(4)]
    assert find_copies([film("a", few), film("b", few, pixels=9)]) == {"b": "a"}
    assert find_copies([film("a", few), film("b", [*few[:3], "other"])]) == {}
    assert find_copies([film("a", few[:3]), film("b", few[:3])]) == {}
    assert find_copies([film("a", [])]) == {}
