"""Groups of figures get the names of those who speak while they are seen."""

from __future__ import annotations

from collections import Counter

from pipeline.cast import names
from pipeline.cast.identity import Group
from pipeline.cast.names import Shot


def shot(groups: str, speakers: str = "") -> Shot:
    return Shot(frozenset(map(int, groups.split())), frozenset(speakers.split()))


def groups_of(shots: list[Shot]) -> list[Group]:
    """The groups as the shots show them, each shot one picture."""
    groups = [Group(None) for _ in range(1 + max(max(shot.groups) for shot in shots))]
    for seen in shots:
        for number in seen.groups:
            groups[number].pictures += 1
            groups[number].together += Counter(seen.groups - {number})
    return groups


def test_who_speaks_is_who_is_seen():
    shots = [shot("0", "Pip"), shot("1", "Momo"), shot("0 1", "Pip"), shot("1 0", "Momo")] * 4
    assert names.find(shots, groups_of(shots)) == {0: "Pip", 1: "Momo"}


def test_who_is_always_there_is_not_everybody_who_speaks():
    shots = [shot("0 1", "Pip Momo"), shot("0", "Pip"), shot("0 2", "Pip Otto"), shot("1", "Momo")]
    assert names.find(shots * 3, groups_of(shots * 3)) == {0: "Pip", 1: "Momo", 2: "Otto"}


def test_one_character_in_two_groups_has_its_name_twice():
    """At night Pip looks otherwise, and is never seen with himself."""
    shots = [*[shot("0", "Pip")] * 6, *[shot("1", "Momo")] * 6, *[shot("2", "Pip")] * 2]
    assert names.find(shots, groups_of(shots)) == {0: "Pip", 1: "Momo", 2: "Pip"}


def test_what_is_seen_with_a_speaker_gets_no_name_for_that():
    """A tree stands by where Pip speaks: Pip explains the line."""
    shots = [*[shot("0", "Pip")] * 6, *[shot("1", "Momo")] * 6, *[shot("0 2", "Pip")] * 2]
    assert names.find(shots, groups_of(shots)) == {0: "Pip", 1: "Momo"}


def test_without_speakers_there_are_no_names():
    shots = [shot("0"), shot("1"), shot("0 1")]
    assert names.find(shots, groups_of(shots)) == {}
