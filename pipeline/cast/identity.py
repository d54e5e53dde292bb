"""Groups the figures of a series by who they are.

Figures come picture by picture, film by film, in order, and each joins the group whose mean look is
most like its own, or begins a group. So the work grows with figures times groups, not with pairs of
figures. Two figures in one picture are never one character: they join different groups, the better
match first. Groups that turn out alike are joined in the end, if they were not seen together.

That is done twice. The first time strictly: a character comes in many groups, but hardly any group
has two characters. How figures differ within those groups (a turned head, the light of the evening)
is then known, and the second time counts little (Fisher's discriminant: looks are whitened by the
scatter within groups). When it is known which groups are characters, all figures are compared with
them once more (`settle`): over many films some group always has figures of two characters, and what
tells them apart is best known when most of their figures are.

Looks are compared by how they differ from the mean of the series. A film with one hero has nothing
to differ from: where nobody of another colour recurs, nor is seen with anybody, looks keep a part
of their mean.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.cast import features

Vector = NDArray[np.float64]
Number = TypeVar("Number", int, float)

# Cosines from which a figure joins a group, and from which two groups are joined.
_STRICT, _FINAL = (0.55, 0.6), (0.55, 0.5)
_STRICTER, _FEW, _MANY = 0.1, 300, 6000  # more for many figures than for few: a hundred films
# And from which a figure is a character that has a name, or a description only (what a film without
# dialogue shows is less sure), or still is, if it was; by how much more than the one that it was it
# must be like another to be that one.
_KNOWN, _DESCRIBED, _STAYS, _MARGIN = 0.3, 0.35, 0.1, 0.05
_ROUNDS = 3
_GONE = -2.0  # less than any cosine: of a group that has joined another
_COLOUR = 2.0  # by how much colours count more than other features
_SHRINK = 0.5  # of the scatter within groups towards that of all features alike
_RECURS, _MEETS = 0.04, 2  # share of pictures of who recurs; pictures of two of them together
_OTHER_COLOUR = 35.0  # difference in CIE Lab's a or b of two who are not one
_KEPT = 0.25  # of the mean of looks, where there is one
_TOGETHER = 0.1  # share of the smaller group's pictures that two of one character may share


@dataclasses.dataclass
class Group:
    """Figures that are taken for one character."""

    sum: Vector  # of the unit vectors of their looks
    pictures: int = 0
    together: Counter[int] = dataclasses.field(default_factory=Counter)  # group -> pictures


def group(pictures: Sequence[Sequence[Sequence[float]]]) -> tuple[list[list[int]], list[Group]]:
    """Groups figures by their looks, which are given picture by picture.

    Returns the number of each figure's group, in the order of the looks, and the groups.
    """
    sizes = [len(picture) for picture in pictures]
    if not any(sizes):
        return [[] for _ in pictures], []
    numbers, groups = _twice(standardised(pictures), sizes)
    by_picture = _by_picture(numbers.tolist(), sizes)
    if _one_hero(pictures, by_picture):
        numbers, groups = _twice(standardised(pictures, _KEPT), sizes)
        by_picture = _by_picture(numbers.tolist(), sizes)
    return by_picture, groups


def _twice(looks: Vector, sizes: Sequence[int]) -> tuple[NDArray[np.int64], list[Group]]:
    """Groups standardised looks strictly, and by what is known then."""
    rough, _ = _grouped(_units(looks), sizes, *_strict(len(looks)))
    whitened = looks @ whitening(looks, rough)
    return _grouped(_units(whitened), sizes, *_FINAL)


def _one_hero(
    pictures: Sequence[Sequence[Sequence[float]]], numbers: Sequence[Sequence[int]]
) -> bool:
    """Returns whether the groups that recur are one character: they have like colours, and no two
    of them are ever in one picture."""
    least = max(2.0, _RECURS * sum(map(bool, numbers)))
    count = Counter(number for found in numbers for number in set(found))
    colours: dict[int, list[Sequence[float]]] = {
        number: [] for number, seen in count.items() if seen >= least
    }
    meetings = 0
    for looks, found in zip(pictures, numbers, strict=True):
        meetings += len(colours.keys() & set(found)) > 1
        for look, number in zip(looks, found, strict=True):
            if number in colours:
                colours[number].append(look[-2:])  # CIE Lab's a and b
    means = np.array([np.mean(of_group, axis=0) for of_group in colours.values()])
    return meetings < _MEETS and (
        len(means) < 2 or float(np.ptp(means, axis=0).max()) < _OTHER_COLOUR
    )


def _strict(count: int) -> tuple[float, float]:
    """Returns the cosines of the first, strict grouping of so many figures.

    The more figures there are, the likelier it is that one between two characters joins them, and
    the more is known of each character by groups that are smaller.
    """
    more = min(1.0, max(0.0, math.log(count / _FEW) / math.log(_MANY / _FEW)))
    return _STRICT[0] + _STRICTER * more, _STRICT[1] + _STRICTER * more


def settle(
    pictures: Sequence[Sequence[Sequence[float]]],
    numbers: Sequence[Sequence[int]],
    named: Mapping[int, str],
    described: Mapping[int, str] = MappingProxyType({}),
) -> list[list[int]]:
    """Returns the number of each figure's group anew, now that it is known which are characters.

    `named` has their names by the numbers of groups, `described` the descriptions of others. Every
    figure is compared with all of them, in looks that are whitened by how they vary within
    characters: one that was taken for somebody else (whose group is of two) moves, and one of no
    character's group (a head that looks away, half a figure) is the character that it is most
    like, if it is like it at all. One that is like nobody any more has a negative number of its
    own. No two figures in a picture are one character. That is done again with what was learned,
    until nothing moves.
    """
    flat = np.array([number for found in numbers for number in found])
    characters = {**described, **named}
    names = sorted(set(characters.values()))
    if not names:
        return [list(found) for found in numbers]
    looks = standardised(pictures, _KEPT if _one_hero(pictures, numbers) else 0.0)
    place = {name: at for at, name in enumerate(names)}
    who = np.array([place.get(characters.get(int(number), ""), -1) for number in flat])
    sizes = [len(found) for found in numbers]
    known = set(named.values())
    least = np.array([_KNOWN if name in known else _DESCRIBED for name in names])
    for _ in range(_ROUNDS):
        moved = _nearest(looks, np.where(who >= 0, who, len(names) + flat), who, least, sizes)
        settled = np.array_equal(moved, who)
        who = moved
        if settled:
            break
    first = {name: number for number, name in sorted(characters.items(), reverse=True)}
    anew = []
    for figure, (number, now) in enumerate(zip(flat.tolist(), who.tolist(), strict=True)):
        if now < 0:
            anew.append(-1 - figure if number in characters else number)
        else:
            stays = characters.get(number) == names[now]
            anew.append(number if stays else first[names[now]])
    return _by_picture(anew, sizes)


def likeness(
    pictures: Sequence[Sequence[Sequence[float]]], names: Sequence[Sequence[str | None]]
) -> list[list[float]]:
    """Returns how like the mean of its character each figure is (cosine), 0 for nobody's.

    `names` has who each figure is, picture by picture, None for nobody.
    """
    flat = [name for of_picture in names for name in of_picture]
    if not flat:
        return [[] for _ in pictures]
    known = {name: number for number, name in enumerate(dict.fromkeys(filter(None, flat)))}
    who = np.array([known.get(name or "", len(known) + at) for at, name in enumerate(flat)])
    looks = standardised(pictures)
    units = _units(looks @ whitening(looks, who))
    means = np.zeros((int(who.max()) + 1, looks.shape[1]))
    np.add.at(means, who, units)
    alike = np.where(who < len(known), (units * _units(means)[who]).sum(axis=1), 0.0)
    return _by_picture(np.round(alike, 4).tolist(), [len(found) for found in names])


def _nearest(
    looks: Vector,
    groups: NDArray[np.int64],
    who: NDArray[np.int64],
    joins: Vector,
    sizes: list[int],
) -> NDArray[np.int64]:
    """Returns which character each figure is, -1 for none, when they are `who` now.

    `joins` has the least likeness to each character with which a figure becomes that one.
    """
    units = _units(looks @ whitening(looks, groups))
    means = np.zeros((len(joins), looks.shape[1]))
    np.add.at(means, who[who >= 0], units[who >= 0])
    alike = np.round(units @ _units(means).T, 6)
    figures = np.flatnonzero(who >= 0)
    least = np.tile(joins, (len(who), 1))
    least[figures, who[figures]] = _STAYS
    alike[figures, who[figures]] += _MARGIN
    moved, start = np.full(len(who), -1), 0
    for size in sizes:
        part = slice(start, start + size)
        for figure, character in _matched(alike[part], least[part]):
            moved[start + figure] = character
        start += size
    return moved


def standardised(pictures: Sequence[Sequence[Sequence[float]]], kept: float = 0.0) -> Vector:
    """Returns looks, [figures, features], with variance 1 and `kept` of their mean.

    Colours have more. Shares of colours have it in the mean, as many a colour hardly occurs.
    """
    looks = np.array([look for picture in pictures for look in picture], np.float64)
    apart = looks - (1 - kept) * looks.mean(axis=0)
    spread = np.maximum(looks.std(axis=0), 1e-6)
    if looks.shape[1] > features.COLOURS:
        shades = slice(-features.COLOURS, features.SHADES - features.COLOURS)
        spread[shades] = np.sqrt(np.mean(spread[shades] ** 2))
        spread[-features.COLOURS :] /= _COLOUR
    standardised: Vector = apart / spread
    return standardised


def _units(looks: Vector) -> Vector:
    units: Vector = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    return units


def _by_picture(numbers: Sequence[Number], sizes: Sequence[int]) -> list[list[Number]]:
    ends = [0, *np.cumsum(sizes).tolist()]
    return [list(numbers[start:end]) for start, end in itertools.pairwise(ends)]


def whitening(looks: Vector, numbers: NDArray[np.int64]) -> Vector:
    """Returns the matrix after which looks scatter alike in all directions within groups."""
    _, groups = np.unique(numbers, return_inverse=True)
    sizes = np.bincount(groups)
    means = np.zeros((len(sizes), looks.shape[1]))
    np.add.at(means, groups, looks)
    apart = looks - (means / sizes[:, None])[groups]
    scatter = apart.T @ apart / max(1, len(looks) - len(sizes))
    level = float(np.trace(scatter)) / len(scatter) or 1.0
    scatter = (1 - _SHRINK) * scatter + _SHRINK * level * np.eye(len(scatter))
    values, vectors = np.linalg.eigh(scatter)
    whitening: Vector = (vectors / np.sqrt(values)) @ vectors.T
    return whitening


def _grouped(
    looks: Vector, sizes: Sequence[int], joins: float, same: float
) -> tuple[NDArray[np.int64], list[Group]]:
    """Groups unit vectors, the figures of pictures of these sizes."""
    numbers = _joined(looks, sizes, joins)
    groups = _counted(looks, numbers, sizes)
    into = _merged(groups, same)
    _, numbers = np.unique(into[numbers], return_inverse=True)
    return numbers, _counted(looks, numbers, sizes)


def _joined(looks: Vector, sizes: Sequence[int], joins: float) -> NDArray[np.int64]:
    """Adds the figures of each picture to groups; returns the number of each figure's."""
    numbers = np.full(len(looks), -1)
    sums, means = np.zeros((64, looks.shape[1])), np.zeros((64, looks.shape[1]))
    count = start = 0
    for size in sizes:
        part = slice(start, start + size)
        found = numbers[part]
        for figure, number in _matched(np.round(looks[part] @ means[:count].T, 6), joins):
            found[figure] = number
        alone = found < 0
        found[alone] = np.arange(count, count + np.count_nonzero(alone))
        count += int(np.count_nonzero(alone))
        while count > len(sums):
            sums, means = (np.concatenate([array, np.zeros_like(array)]) for array in (sums, means))
        sums[found] += looks[part]  # no group has two figures of a picture
        means[found] = _units(sums[found])
        start += size
    return numbers


def _matched(alike: Vector, least: Vector | float) -> list[tuple[int, int]]:
    """Returns pairs of a row and a column, each at most once, the most alike first, that are at
    least so much alike."""
    rows, columns = np.nonzero(alike >= least)
    order = np.lexsort((columns, rows, -alike[rows, columns]))
    pairs: dict[int, int] = {}
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in pairs and column not in pairs.values():
            pairs[row] = column
    return list(pairs.items())


def _counted(looks: Vector, numbers: NDArray[np.int64], sizes: Sequence[int]) -> list[Group]:
    """Returns the groups with their pictures and companions."""
    sums = np.zeros((int(numbers.max(initial=-1)) + 1, looks.shape[1]))
    np.add.at(sums, numbers, looks)
    groups = [Group(row) for row in sums]
    for found in _by_picture(numbers.tolist(), sizes):
        together = sorted(set(found))
        for number in together:
            groups[number].pictures += 1
            groups[number].together.update(other for other in together if other != number)
    return groups


def counted(
    pictures: Sequence[Sequence[Sequence[float]]], numbers: Sequence[Sequence[int]]
) -> list[Group]:
    """Returns the groups of figures by their numbers, with their pictures and companions."""
    flat = np.array([number for found in numbers for number in found])
    return _counted(_units(standardised(pictures)), flat, [len(found) for found in numbers])


def _merged(groups: list[Group], same: float) -> NDArray[np.int64]:
    """Joins groups that look alike, the most alike first; returns the group each is now in.

    A pair that was seen together too often stays apart, until others have joined one of the two.
    """
    into = np.arange(len(groups))
    means = _units(np.stack([known.sum for known in groups]))
    alike = np.round(means @ means.T, 6)
    np.fill_diagonal(alike, -1)
    best = alike.argmax(axis=1)
    most = alike[np.arange(len(groups)), best]
    while len(groups) > 1:
        first = int(most.argmax())
        if most[first] < same:
            break
        first, second = sorted((first, int(best[first])))
        if may_be_one(groups[first], groups[second], second):
            _absorb(groups, first, second)
            into[into == second] = first
            means[first] = _units(groups[first].sum[None])[0]
            anew = np.round(means @ means[first], 6)
            anew[alike[first] == _GONE] = _GONE
            anew[[first, second]] = -1, _GONE
            alike[first], alike[:, first] = anew, anew
            alike[second], alike[:, second] = _GONE, _GONE
            most[second] = _GONE
            better = (anew > most) & (anew > _GONE)
            best[better], most[better] = first, anew[better]
            looked_for = (best == second) | (best == first)
        else:
            alike[first, second] = alike[second, first] = -1
            looked_for = np.zeros(len(groups), bool)
            looked_for[second] = True
        looked_for[first] = True
        for row in np.flatnonzero(looked_for & (most > _GONE)):
            best[row] = alike[row].argmax()
            most[row] = alike[row, best[row]]
    return into


def may_be_one(first: Group, second: Group, number: int) -> bool:
    """Returns whether two groups are seen together so seldom that they may be one character."""
    return first.together[number] <= _TOGETHER * min(first.pictures, second.pictures)


def _absorb(groups: list[Group], first: int, second: int) -> None:
    groups[first].sum = groups[first].sum + groups[second].sum
    groups[first].pictures += groups[second].pictures
    groups[first].together.update(groups[second].together)
    for other in groups[second].together:
        companions = groups[other].together
        if companions[second]:
            companions[first] += companions.pop(second)
    groups[first].together.pop(first, None)
