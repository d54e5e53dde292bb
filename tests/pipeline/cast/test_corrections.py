"""What a user says of who is who goes before what was found."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pipeline.cast.characters_file import Entry
from pipeline.cast.corrections import correct
from schemas.rows import GIVEN, LIKENESS, SPEECH, Figure
from tests.pipeline import rows

# Five pictures, two shots: Pip with a lamp, Pip, Pip; Momo with Pip, Momo.
KEYFRAMES = [
    dataclasses.replace(rows.keyframe("film", float(at)), shot=int(at > 2)) for at in range(5)
]
PIP, LAMP, MOMO = 0, 1, 2
GROUPS = [[PIP, LAMP], [PIP], [PIP], [MOMO, PIP], [MOMO]]
LEFT, RIGHT = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]
PICTURES = [
    [Figure(keyframe.id, "film", box, 0.1, 1.0, []) for box in (LEFT, RIGHT)[: len(found)]]
    for keyframe, found in zip(KEYFRAMES, GROUPS, strict=True)
]
IDS = [keyframe.id for keyframe in KEYFRAMES]
WIDTH, HEIGHT = KEYFRAMES[0].width, KEYFRAMES[0].height
ON_THE_RIGHT = f"#xywh={WIDTH // 2},0,{WIDTH // 2},{HEIGHT}"


def corrected(*entries: Entry) -> tuple[list[list[str]], list[str]]:
    """Who is seen, "" for nobody, and the faults."""
    seen, faults = correct(
        entries,
        KEYFRAMES,
        PICTURES,
        GROUPS,
        {PIP: "Pip"},
        {LAMP: "yellow figure", MOMO: "red figure"},
    )
    return [[given.name if given else "" for given in found] for found in seen], faults


def test_without_a_file_all_is_as_it_was_found():
    seen, faults = corrected()
    assert seen == [
        ["Pip", "yellow figure"],
        ["Pip"],
        ["Pip"],
        ["red figure", "Pip"],
        ["red figure"],
    ]
    assert faults == []


def test_a_description_gets_a_name_and_a_lamp_none():
    seen, faults = corrected(
        Entry(name="Momo", same_as=["red figure"]),
        Entry(name="yellow figure", ignore=True),
    )
    assert seen == [["Pip", ""], ["Pip"], ["Pip"], ["Momo", "Pip"], ["Momo"]]
    assert faults == []


def test_names_may_be_exchanged():
    seen, _ = corrected(
        Entry(name="Pip", same_as=["red figure"]), Entry(name="Momo", same_as=["Pip"])
    )
    assert seen[3] == ["Pip", "Momo"]


def test_who_speaks_by_another_name_has_the_name_of_the_entry():
    seen, _ = corrected(
        Entry(name="Philipp", called=["pip"]), Entry(name="M", called=["red figure"])
    )
    assert seen[3] == ["red figure", "Philipp"]  # descriptions are moved by same_as alone


def test_a_picture_moves_its_figure_and_those_of_its_shot():
    seen, faults = corrected(Entry(name="Otto", same_as=[IDS[1]]))
    assert seen == [
        ["Otto", "yellow figure"],
        ["Otto"],
        ["Otto"],
        ["red figure", "Pip"],
        ["red figure"],
    ]
    assert faults == []


def test_where_two_are_seen_a_box_says_who_is_meant():
    seen, _ = corrected(Entry(name="Otto", same_as=[IDS[3] + ON_THE_RIGHT]))
    assert seen[2:] == [["Pip"], ["red figure", "Otto"], ["red figure"]]


def test_a_picture_in_which_somebody_is_not_seen():
    seen, faults = corrected(Entry(name="Pip", not_same_as=[IDS[3]]))
    assert seen == [["Pip", "yellow figure"], ["Pip"], ["Pip"], ["red figure", ""], ["red figure"]]
    assert faults == []  # the other figure there is not called Pip, so it is clear who is meant


def test_of_two_pictures_of_a_shot_each_has_its_own():
    seen, _ = corrected(Entry(name="Otto", same_as=[IDS[1]]), Entry(name="Tilda", same_as=[IDS[2]]))
    assert [found[0] for found in seen[1:3]] == ["Otto", "Tilda"]


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ("gray figure", "nobody is called 'gray figure' without the file; .*Pip, red figure, yell"),
        (IDS[0], f"which figure. There are {IDS[0]}#xywh=0,0,.*: name one of them"),
        (f"{IDS[0]}#xywh=0,0,1,1", "which figure"),
        ("film_keyframe_0-0-9-000", "is no keyframe now"),
    ],
)
def test_what_is_not_there_is_told_and_changes_nothing(item, fault):
    seen, (told,) = corrected(Entry(name="Otto", same_as=[item]))
    assert seen == corrected()[0]
    assert re.search(f"^Otto: .*{fault}", told)


def test_pictures_of_a_film_that_is_not_there_are_no_fault():
    assert corrected(Entry(name="Otto", same_as=["other_keyframe_0-0-9-000"])) == corrected()


def test_how_it_was_decided():
    seen, _ = correct(
        [Entry(name="Momo", same_as=["red figure"])],
        KEYFRAMES,
        PICTURES,
        GROUPS,
        {PIP: "Pip"},
        {LAMP: "yellow figure", MOMO: "red figure"},
    )
    assert [given.decided for given in seen[0]] == [SPEECH, LIKENESS]
    assert [given.decided for given in seen[3]] == [GIVEN, SPEECH]
