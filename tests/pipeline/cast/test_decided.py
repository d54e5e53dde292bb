from collections import Counter

import pytest

from pipeline.cast.characters_file import Entry
from pipeline.cast.decided import entries
from schemas.decisions import parse
from tests.pipeline.cast import sequences


def row(what, **values):
    base = {"id": "0" * 16, "by": "Ann", "at": "2026-11-29T12:00:00Z", "series": "S"}
    return parse({**base, "what": what, **values})


def told(*decisions, given=()):
    return {entry.name: (entry.same_as, entry.ignore) for entry in entries(list(given), decisions)}


def test_a_name_for_somebody_without_one():
    named = row("rename", character="grey figure", name="Otto")
    assert told(named) == {"Otto": (["grey figure"], False)}
    again = row("rename", character="Otto", name="Bruno")
    assert told(named, again) == {"Bruno": (["grey figure"], False)}


def test_the_name_of_another_makes_one_of_both():
    merged = row("rename", character="grey figure", name="Pip")
    assert told(merged) == {"Pip": (["grey figure"], False)}
    pip = Entry(name="Pip", look="small", same_as=["yellow figure"])
    assert told(merged, given=[pip]) == {"Pip": (["yellow figure", "grey figure"], False)}
    away = row("rename", character="Pip", name="Momo")
    (momo,) = entries([pip], [away])  # so are figures that are called Pip without the file
    assert (momo.name, momo.same_as, momo.was) == ("Momo", ["yellow figure"], ["Pip"])
    assert pip.same_as == ["yellow figure"]  # the file's own entries stay


def test_what_is_no_character():
    assert told(row("ignore", character="lamp")) == {"lamp": (["lamp"], True)}


def test_a_picture_of_somebody_else():
    split = row("split", keyframe="f_keyframe_0-0-1-0", box=[1, 2, 3, 4], name="Zuzu")
    other = row("split", keyframe="f_keyframe_0-0-1-0", box=[1, 2, 3, 4], name="Momo")
    item = "f_keyframe_0-0-1-0#xywh=1,2,3,4"
    assert told(split) == {"Zuzu": ([item], False)}
    assert told(split, other) == {"Zuzu": ([], False), "Momo": ([item], False)}


@pytest.mark.parametrize("what", sequences.SEQUENCES)
def test_decisions_in_any_order(what):
    steps, expected = sequences.SEQUENCES[what]
    names, faults = sequences.seen(sequences.decisions(steps))
    pictures = Counter(filter(None, names))
    assert ", ".join(f"{name} {pictures[name]}" for name in sorted(pictures)) == expected
    assert faults == []


def test_forms_of_a_name_that_a_file_gives_go_with_a_new_name():
    pip = Entry(name="Pip", called=["the small one"], names=["Пип"])
    (momo,) = entries([pip], [row("rename", character="Pip", name="Momo")])
    assert (momo.called, momo.names) == (["the small one"], ["Пип"])
