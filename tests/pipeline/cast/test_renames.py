"""Renamed characters have their new names in dialogue, whoever speaks."""

from pipeline.cast import renames
from pipeline.cast.characters_file import Entry
from pipeline.cast.decided import entries
from schemas.rows import Renamed
from tests.pipeline import rows
from tests.pipeline.cast import sequences


def dialogue(entries: list[Entry], *lines: str) -> list[str]:
    (keyframe,) = renames.apply(
        [rows.keyframe("forest", 4.0, dialogue=list(lines))], renames.find("Forest Tales", entries)
    )
    return keyframe.dialogue


def test_who_speaks_and_who_is_spoken_of_have_the_new_name():
    oscar = Entry(name="Oscar", same_as=["Otto", "grey figure", "forest_keyframe_0-0-4-160"])

    assert dialogue(
        [oscar],
        "Otto: Whoo said that?",
        "OTTO: WHO, OTTO?",
        "Pip: Otto, wait! Otto's here.",
        "Otto!",
    ) == [
        "Oscar: Whoo said that?",
        "Oscar: WHO, OSCAR?",
        "Pip: Oscar, wait! Oscar's here.",
        "Oscar!",
    ]


def test_a_name_within_a_word_and_a_description_stay():
    oscar = Entry(name="Oscar", same_as=["Otto", "grey figure"])

    assert dialogue([oscar], "Pip: The grotto! Ottoman! A grey figure.") == [
        "Pip: The grotto! Ottoman! A grey figure."
    ]


def test_figures_taken_for_somebody_else_change_nothing_of_who_speaks():
    swapped = [Entry(name="Pip", same_as=["Momo"]), Entry(name="Momo", same_as=["Pip"])]

    assert renames.find("Forest Tales", swapped) == []
    assert dialogue(swapped, "Pip: Momo!") == ["Pip: Momo!"]


def test_a_nickname_is_renamed_where_it_speaks_and_stays_in_what_is_said():
    ahab = Entry(name="Ahab", called=["The Captain"])

    assert renames.find("Sea", [ahab]) == [Renamed("Sea", "The Captain", "Ahab", True)]
    assert dialogue([ahab], "The Captain: Land!", "Ishmael: Aye, The Captain!") == [
        "Ahab: Land!",
        "Ishmael: Aye, The Captain!",
    ]


def test_all_who_were_merged_have_the_later_name():
    merged = sequences.of_series(sequences.decisions(["Hugo > Otto", "Otto > Owl"]))

    assert dialogue(entries([], merged), "Otto: Who said that?", "Hugo: Rosa! Otto!") == [
        "Owl: Who said that?",
        "Owl: Rosa! Owl!",
    ]


def test_who_is_no_character_still_speaks():
    left_out = sequences.of_series(sequences.decisions(["-Otto"]))

    assert dialogue(entries([], left_out), "Otto: Who said that?") == ["Otto: Who said that?"]
