"""The benchmark of the checks: tales that are good, and corruptions that are not."""

from __future__ import annotations

import random

import pytest

from benchmarks.story_checks import run
from benchmarks.story_checks.corruptions import KINDS, corrupt
from benchmarks.story_checks.tales import Tale, read_tales

TALES = read_tales()


def tale(style: str) -> Tale:
    return next(tale for tale in TALES if tale.style == style)


def test_fifteen_tales_in_as_many_languages_are_held_out():
    assert len(TALES) >= 80
    assert len({tale.language for tale in TALES}) >= 30
    held_out = [tale for tale in TALES if tale.held_out]
    assert len(held_out) == len({tale.language for tale in held_out}) == 15
    assert {tale.film for tale in held_out}.isdisjoint(
        tale.film for tale in TALES if not tale.held_out
    )


def test_every_tale_has_a_text_for_each_picture():
    assert all(len(tale.texts) == len(tale.frames) for tale in TALES)
    assert all(all(text.strip() for text in tale.texts) for tale in TALES)


@pytest.mark.parametrize("style", ["pronouns", "noir, first person", "German", "Russian"])
@pytest.mark.parametrize("size", run.SIZES)
def test_good_windows_pass(style, size):
    good = tale(style)
    for start in run.windows(len(good.texts), size):
        assert run.fault(good, start, good.texts[start : start + size]) == ""


@pytest.mark.parametrize(
    ("kind", "style", "says"),
    [
        ("shuffled", "pronouns", "not about their pictures"),
        ("shifted by one", "German", "not about their pictures"),
        ("swapped names", "dialogue", "have each other's names"),
        ("a stranger", "French, dashes", "nobody is called"),
        ("an invented companion", "picture book, past", "which no picture shows"),
        ("another place", "Russian", "which no picture shows"),
        ("refusal", "German", "refusal"),
    ],
)
def test_corrupted_windows_do_not(kind, style, says):
    good = tale(style)
    bad = corrupt(kind, good, 0, 10, TALES, random.Random(4))
    assert bad is not None and bad != good.texts[:10]
    assert says in run.fault(good, 0, bad)


def test_each_kind_changes_a_window():
    good = tale("picture book, past")
    for kind in KINDS:
        bad = corrupt(kind, good, 0, 10, TALES, random.Random(1))
        assert bad is not None and len(bad) == 10 and bad != good.texts[:10], kind


def test_windows_cover_a_tale_and_end_with_it():
    assert run.windows(12, 10) == [0, 2]
    assert run.windows(8, 10) == [0]
    assert run.windows(8, 3) == [0, 3, 5]
