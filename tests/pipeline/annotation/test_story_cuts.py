"""Where stories end: after 30 keyframes, or with a scene."""

from __future__ import annotations

import itertools

import pytest

from pipeline.annotation.story_cuts import at_scenes, by_length


def scenes(*lengths: int) -> list[bool]:
    """Which keyframes begin a scene, of scenes of so many keyframes."""
    return [at == 0 for length in lengths for at in range(length)]


def lengths(ends: list[int]) -> list[int]:
    return [end - start for start, end in itertools.pairwise([0, *ends])]


def test_by_length_every_30_end_a_story():
    assert by_length(70) == [30, 60, 70]
    assert by_length(60) == [30, 60]
    assert by_length(7) == [7]
    assert by_length(0) == []


def test_stories_end_where_scenes_end():
    assert lengths(at_scenes(scenes(12, 14, 11, 16), 10)) == [26, 27]
    assert lengths(at_scenes(scenes(22, 21, 15), 10)) == [22, 21, 15]


def test_short_scenes_are_put_together():
    assert lengths(at_scenes(scenes(*[5] * 8), 10)) == [20, 20]


def test_a_scene_that_is_longer_than_a_story_is_cut_into_equal_ones():
    assert lengths(at_scenes(scenes(50), 10)) == [25, 25]
    assert lengths(at_scenes(scenes(12, 50, 12), 10)) == [12, 25, 25, 12]


def test_rather_a_cut_within_a_scene_than_keyframes_left_out():
    assert lengths(at_scenes(scenes(30, 4), 10)) == [17, 17]


@pytest.mark.parametrize("count", [1, 9, 35])
def test_what_cannot_be_a_story_is_the_last_part(count):
    """Of 35 keyframes and stories of 20 and more there is one story."""
    found = lengths(at_scenes(scenes(*[5] * (count // 5), *[1] * (count % 5)), 20))
    assert sum(found) == count
    assert [length >= 20 for length in found] == [True] * (count // 20) + [False]


def test_every_keyframe_is_in_one_part_of_30_at_most():
    for count in range(80):
        for shortest in (1, 10, 30):
            found = lengths(at_scenes(scenes(*[7] * (count // 7), *[1] * (count % 7)), shortest))
            assert sum(found) == count
            assert all(0 < length <= 30 for length in found)
            assert all(length >= shortest for length in found[:-1])
