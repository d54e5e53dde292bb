"""Figures with like looks are one character, unless they are in one picture."""

from __future__ import annotations

import numpy as np

from pipeline.cast import identity

RNG = np.random.default_rng(0)
PIP, MOMO, OTTO = RNG.normal(0, 1, (3, 40))


def looks(*who: np.ndarray) -> list[list[float]]:
    """Looks of a picture: each as it is drawn there, never twice the same."""
    return [list(one + RNG.normal(0, 0.3, 40)) for one in who]


def test_each_character_is_a_group():
    pictures = [looks(PIP), looks(MOMO), looks(PIP, MOMO), looks(OTTO), looks(MOMO, PIP)] * 3
    numbers, groups = identity.group(pictures)
    pip, momo, otto = numbers[0][0], numbers[1][0], numbers[3][0]
    assert numbers == [[pip], [momo], [pip, momo], [otto], [momo, pip]] * 3
    assert [group.pictures for group in groups] == [9, 9, 3]
    assert groups[pip].together == {momo: 6}


def test_two_in_one_picture_are_two_however_alike():
    pictures = [looks(PIP, PIP), looks(MOMO)] * 4
    numbers, _ = identity.group(pictures)
    assert all(len(set(found)) == len(found) for found in numbers)


def test_who_comes_later_does_not_change_who_was_there():
    first = [looks(PIP), looks(MOMO), looks(PIP, MOMO)] * 4
    numbers, _ = identity.group(first)
    more, _ = identity.group([*first, *([looks(OTTO), looks(PIP)] * 3)])
    assert more[: len(first)] == numbers


def test_nobody_is_no_group():
    assert identity.group([[], []]) == ([[], []], [])


def test_who_is_left_over_is_the_character_that_it_is_most_like():
    """Pip half hidden is a group of its own, until it is known that Pip is a character."""
    pictures = [looks(PIP), looks(MOMO), looks(PIP, MOMO)] * 4 + [looks(0.7 * PIP + 0.4 * OTTO)]
    numbers, _ = identity.group(pictures)
    pip, momo = numbers[0][0], numbers[1][0]
    alone = max(pip, momo) + 1
    apart = [*numbers[:-1], [alone]]
    completed = identity.settle(pictures, apart, {pip: "Pip", momo: "Momo"})
    assert completed == [*numbers[:-1], [pip]]
    assert identity.settle(pictures, apart, {}) == apart


def test_who_was_taken_for_somebody_else_moves():
    """Some of Momo's figures are in Pip's group, as when two groups were joined too early."""
    pictures = [looks(PIP), looks(MOMO), looks(PIP, MOMO)] * 6
    numbers, _ = identity.group(pictures)
    pip, momo = numbers[0][0], numbers[1][0]
    mixed = [*numbers[:13], [pip], *numbers[14:16], [pip], *numbers[17:]]
    assert mixed != numbers
    assert identity.settle(pictures, mixed, {pip: "Pip", momo: "Momo"}) == numbers


def test_who_can_be_nobody_that_is_known_has_a_number_of_its_own():
    """Two figures like Pip in one picture: the other one is not Pip, and not like Momo."""
    pictures = [looks(PIP), looks(MOMO), looks(PIP, MOMO)] * 6 + [looks(PIP, 0.8 * PIP)]
    numbers, _ = identity.group(pictures)
    pip, momo = numbers[0][0], numbers[1][0]
    twice = [*numbers[:-1], [pip, pip]]
    first, second = identity.settle(pictures, twice, {pip: "Pip", momo: "Momo"})[-1]
    assert max(first, second) == pip and min(first, second) < 0


def test_a_character_of_several_groups_keeps_them():
    pictures = [looks(PIP), looks(MOMO), looks(PIP, MOMO)] * 4
    numbers, _ = identity.group(pictures)
    pip, momo = numbers[0][0], numbers[1][0]
    winter = max(pip, momo) + 1
    apart = [*numbers[:9], [winter], *numbers[10:]]
    assert identity.settle(pictures, apart, {pip: "Pip", momo: "Momo", winter: "Pip"}) == apart


def test_who_is_in_the_picture_already_is_not_in_it_twice():
    pictures = [looks(PIP), looks(MOMO)] * 4 + [looks(PIP, 0.9 * PIP)]
    numbers, _ = identity.group(pictures)
    pip, momo = numbers[0][0], numbers[1][0]
    completed = identity.settle(pictures, numbers, {pip: "Pip", momo: "Momo"})
    assert completed[-1].count(pip) == 1


def test_a_film_with_one_hero_has_one_character():
    """Looks of real figures have much in common: all of them are figures."""
    pictures = [[list(2 + PIP + RNG.normal(0, 0.3, 40))] for _ in range(20)]
    numbers, groups = identity.group(pictures)
    assert max(group.pictures for group in groups) >= 18
    hero = max(range(len(groups)), key=lambda number: groups[number].pictures)
    settled = identity.settle(pictures, numbers, {}, {hero: "orange figure"})
    assert sum(found == [hero] for found in settled) >= 18


def test_two_heroes_who_never_meet_are_two():
    pictures = [[list(2 + who + RNG.normal(0, 0.3, 40))] for who in (PIP, MOMO) * 10]
    numbers, _ = identity.group(pictures)
    assert {number for (number,) in numbers[::2]}.isdisjoint(number for (number,) in numbers[1::2])


def test_a_box_of_two_is_least_like_the_character_that_it_is_taken_for():
    pictures = [looks(PIP), looks(MOMO)] * 4 + [looks((PIP + MOMO) / 2)]
    alike = identity.likeness(pictures, [["Pip"], ["Momo"]] * 4 + [["Pip"]])
    assert [min(alike)] == alike[-1:]


def test_nobody_is_like_nobody():
    assert identity.likeness([looks(PIP), []], [[None], []]) == [[0.0], []]
