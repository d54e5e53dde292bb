"""Two who differ in little are told apart by their voices; nobody else is taken apart."""

from __future__ import annotations

import numpy as np

from pipeline.cast import look_alikes
from pipeline.cast.look_alikes import Voice

RNG = np.random.default_rng(0)
PIP, MOMO = RNG.normal(0, 1, (2, 40))
SCARF = np.zeros(40)
SCARF[-5] = 2.0  # one of the colours, with which looks end
ALIKE = [0] * 12 + [1] * 6  # groups of figures: all foxes in one, the bears in another


def look(who: np.ndarray) -> list[list[float]]:
    """The look of the only figure of a picture; who is drawn never looks twice the same."""
    return [list(who + RNG.normal(0, 0.3, 40))]


def voices(*names: str) -> list[Voice | None]:
    return [Voice(name, shot) if name else None for shot, name in enumerate(names)]


def separated(foxes: list[np.ndarray], heard: list[Voice | None]) -> list[str]:
    """Who the foxes are said to be."""
    pictures = [look(who) for who in (*foxes, *[MOMO] * 6)]
    numbers, names = look_alikes.separate(
        pictures, [[group] for group in ALIKE], {0: "Pip", 1: "Momo"}, [*heard, *[None] * 6]
    )
    assert [names[found[0]] for found in numbers[12:]] == ["Momo"] * 6
    return [names[found[0]] for found in numbers[:12]]


def test_two_foxes_with_other_scarves_are_two_though_most_of_the_time_they_are_silent():
    foxes = [PIP, PIP + SCARF] * 6
    heard = voices(*["Pip", "Hugo"] * 5, "", "")
    assert separated(foxes, heard) == ["Pip", "Hugo"] * 6


def test_a_fox_who_listens_to_another_stays_one():
    heard = voices(*["Pip", "Hugo"] * 5, "", "")
    assert separated([PIP] * 12, heard) == ["Pip"] * 12


def test_one_voice_from_elsewhere_is_no_doubt():
    heard = voices(*["Pip"] * 11, "Hugo")
    assert separated([PIP] * 11 + [PIP + SCARF], heard) == ["Pip"] * 12


def test_without_voices_nothing_is_known():
    assert separated([PIP, PIP + SCARF] * 6, [None] * 12) == ["Pip"] * 12
