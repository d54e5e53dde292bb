"""Groups the figures of a series by who they are.

Figures come picture by picture, film by film, in order, and each joins the group whose mean look is
most like its own, or begins a group. So the work grows with figures times groups, not with pairs of
figures. Two figures in one picture are never one character: they join different groups, the better
match first. Groups that turn out alike are joined in the end, if they were not seen together.

That is done twice. The first time strictly: a character comes in many groups, but hardly any group
has two characters. How figures differ within those groups (a turned head, the light of the evening)
is then known, and the second time counts little (Fisher's discriminant: looks are whitened by the
scatter within groups). When it is known which groups are characters, what is left over is compared
with them once more (`complete`).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

# Cosines from which a figure joins a group, and from which two groups are joined.
_STRICT, _FINAL = (0.55, 0.6), (0.45, 0.45)
_KNOWN = 0.25  # and from which a figure that is in nobody's group is a character that is known
_SHRINK = 0.5  # of the scatter within groups towards that of all features alike
_TOGETHER = 0.1  # share of the smaller group's pictures that two of one character may share


@dataclasses.dataclass
class Group:
    """Figures that are taken for one character."""

    sum: Vector  # of the unit vectors of their looks
    pictures: int = 0
    together: Counter[int] = dataclasses.field(default_factory=Counter)  # group -> pictures

    @property
    def mean(self) -> Vector:
        """The unit vector of the group's mean look."""
        unit: Vector = self.sum / max(float(np.linalg.norm(self.sum)), 1e-12)
        return unit


def group(pictures: Sequence[Sequence[Sequence[float]]]) -> tuple[list[list[int]], list[Group]]:
    """Groups figures by their looks, which are given picture by picture.

    Returns the number of each figure's group, in the order of the looks, and the groups.
    """
    looks = _standardised(pictures)
    if not len(looks):
        return [[] for _ in pictures], []
    rough, _ = _grouped(_by_picture(_units(looks), pictures), *_STRICT)
    whitened = looks @ _whitening(looks, [number for found in rough for number in found])
    return _grouped(_by_picture(_units(whitened), pictures), *_FINAL)


def complete(
    pictures: Sequence[Sequence[Sequence[float]]],
    numbers: Sequence[Sequence[int]],
    characters: Mapping[int, str],
) -> list[list[int]]:
    """Returns the number of each figure's group anew, now that it is known which are characters.

    A figure of a group that is none (a head that looks away, half a figure) is the character that
    it is most like, if it is like it at all and that character is not in the picture already.
    `characters` has their names by the numbers of groups.
    """
    flat = [number for found in numbers for number in found]
    groups: dict[str, list[int]] = {}
    for number, name in sorted(characters.items()):
        groups.setdefault(name, []).append(number)
    if not groups:
        return [list(found) for found in numbers]
    looks = _standardised(pictures)
    units = _units(looks @ _whitening(looks, flat))
    means = [units[np.isin(flat, of_name)].mean(axis=0) for of_name in groups.values()]
    alike = np.round(units @ _units(np.stack(means)).T, 6)
    names, completed, first = list(groups), [], 0
    for found in numbers:
        completed.append(list(found))
        present = {characters[number] for number in found if number in characters}
        pairs = sorted(
            (-alike[first + figure, at], figure, at)
            for figure, number in enumerate(found)
            if number not in characters
            for at in range(len(names))
        )
        for negative, figure, at in pairs:
            if -negative < _KNOWN:
                break
            if completed[-1][figure] == found[figure] and names[at] not in present:
                completed[-1][figure] = groups[names[at]][0]
                present.add(names[at])
        first += len(found)
    return completed


def _standardised(pictures: Sequence[Sequence[Sequence[float]]]) -> Vector:
    looks = np.array([look for picture in pictures for look in picture], np.float64)
    if not len(looks):
        return looks
    standardised: Vector = (looks - looks.mean(axis=0)) / np.maximum(looks.std(axis=0), 1e-6)
    return standardised


def _units(looks: Vector) -> Vector:
    units: Vector = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    return units


def _by_picture(looks: Vector, pictures: Sequence[Sequence[object]]) -> list[Vector]:
    ends = np.cumsum([len(picture) for picture in pictures])
    return np.split(looks, ends[:-1])


def _whitening(looks: Vector, numbers: Sequence[int]) -> Vector:
    """Returns the matrix after which looks scatter alike in all directions within groups."""
    of = np.array(numbers)
    scatter = np.zeros((looks.shape[1],) * 2)
    for number in range(max(numbers) + 1):
        members = looks[of == number]
        apart = members - members.mean(axis=0)
        scatter += apart.T @ apart
    scatter /= max(1, len(looks) - len(set(numbers)))
    level = float(np.trace(scatter)) / len(scatter) or 1.0
    scatter = (1 - _SHRINK) * scatter + _SHRINK * level * np.eye(len(scatter))
    values, vectors = np.linalg.eigh(scatter)
    whitening: Vector = (vectors / np.sqrt(values)) @ vectors.T
    return whitening


def _grouped(
    pictures: Sequence[Vector], joins: float, same: float
) -> tuple[list[list[int]], list[Group]]:
    groups: list[Group] = []
    numbers = [_join(looks, groups, joins) for looks in pictures]
    into = _merged(groups, same)
    kept = sorted(set(into.values()))
    place = {number: at for at, number in enumerate(kept)}
    merged = [[place[into[number]] for number in found] for found in numbers]
    return merged, _counted(merged, [groups[number] for number in kept])


def _join(looks: Vector, groups: list[Group], joins: float) -> list[int]:
    """Adds the figures of a picture to groups and returns their numbers."""
    numbers = [-1] * len(looks)
    pairs = sorted(
        (
            (-round(float(look @ known.mean), 6), figure, number)
            for figure, look in enumerate(looks)
            for number, known in enumerate(groups)
        ),
    )
    taken: set[int] = set()
    for negative, figure, number in pairs:
        if -negative < joins:
            break
        if numbers[figure] < 0 and number not in taken:
            numbers[figure] = number
            taken.add(number)
    for figure, look in enumerate(looks):
        if numbers[figure] < 0:
            numbers[figure] = len(groups)
            groups.append(Group(np.zeros(len(look))))
    for figure, look in zip(numbers, looks, strict=True):
        groups[figure].sum = groups[figure].sum + look
        groups[figure].pictures += 1
        for other in numbers:
            if other != figure:
                groups[figure].together[other] += 1
    return numbers


def _merged(groups: list[Group], same: float) -> dict[int, int]:
    """Joins groups that look alike, the most alike first; returns the group each is now in."""
    into = {number: number for number in range(len(groups))}
    while True:
        alive = [number for number in into if into[number] == number]
        if len(alive) < 2:
            return into
        means = np.stack([groups[number].mean for number in alive])
        alike = np.round(np.triu(means @ means.T, 1), 6)
        for flat in np.argsort(-alike, axis=None, kind="stable"):
            first, second = (alive[at] for at in divmod(int(flat), len(alive)))
            if alike.flat[flat] < same:
                return into
            if may_be_one(groups[first], groups[second], second):
                _absorb(groups, into, first, second)
                break
        else:
            return into


def may_be_one(first: Group, second: Group, number: int) -> bool:
    """Returns whether two groups are seen together so seldom that they may be one character."""
    return first.together[number] <= _TOGETHER * min(first.pictures, second.pictures)


def _absorb(groups: list[Group], into: dict[int, int], first: int, second: int) -> None:
    groups[first].sum = groups[first].sum + groups[second].sum
    groups[first].pictures += groups[second].pictures
    groups[first].together.update(groups[second].together)
    for known in groups:
        if known.together[second]:
            known.together[first] += known.together.pop(second)
    for number, now in into.items():
        if now == second:
            into[number] = first


def _counted(numbers: Sequence[Sequence[int]], groups: list[Group]) -> list[Group]:
    """Returns the groups with their pictures and companions counted anew."""
    counted = [Group(known.sum) for known in groups]
    for found in numbers:
        for number in sorted(set(found)):
            counted[number].pictures += 1
            counted[number].together.update(other for other in set(found) if other != number)
    return counted
