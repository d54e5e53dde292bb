"""Describes the cast of a series: what those without a name are called, and who is seen when."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.cast import crops, features
from pipeline.inference.builtin import colour_names
from schemas.rows import LIKENESS, Appearance, CastMember, Figure

# Share of a second colour that is told, and by how much it must be more than that of others.
_SEEN, _OTHERWISE = 0.1, 1.5
_LARGER = 1.5  # times as high as another, to be large
_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def describe(
    numbers: Sequence[int],
    pictures: Sequence[Sequence[Figure]],
    groups: Sequence[Sequence[int]],
) -> dict[int, str]:
    """Returns a description for each of some groups of figures: "grey figure", "grey-pink figure".

    `groups` has the number of each figure's group, picture by picture. Who has the colour of
    another is told by a second colour, or by size, or else counted: "second grey figure". Groups
    that come earlier have the plainer description, so a new episode changes no earlier one.
    """
    figures: dict[int, list[Figure]] = defaultdict(list)
    for of_picture, found in zip(pictures, groups, strict=True):
        for figure, number in zip(of_picture, found, strict=True):
            figures[number].append(figure)
    described: dict[int, str] = {}
    alike: dict[str, list[int]] = defaultdict(list)  # groups of a colour
    for number in sorted(numbers):
        main = colour([figure.look for figure in figures[number]])
        others = [figures[other] for other in alike[main]]
        alike[main].append(number)
        ways = (f"{way} figure" for way in _ways(main, figures[number], others))
        described[number] = next(way for way in ways if way not in described.values())
    return described


def _ways(
    main: str, figures: Sequence[Figure], others: Sequence[Sequence[Figure]]
) -> Iterator[str]:
    """Returns how figures may be told from others of their main colour, the plainest way first."""
    if not others:
        yield main
    shares = _shares(figures)
    most = np.max([_shares(group) for group in others], axis=0) if others else shares
    for second in np.argsort(-(shares - most), kind="stable").tolist():
        name = colour_names.NAMES[second]
        told = shares[second] >= max(_SEEN, _OTHERWISE * most[second])
        if told and name == colour_names.family(name) != main:
            yield f"{main}-{name}"
    high = _height(figures)
    if all(high > _LARGER * _height(group) for group in others):
        yield f"large {main}"
    if all(high * _LARGER < _height(group) for group in others):
        yield f"small {main}"
    for word in _ORDINALS[len(others) - 1 :]:
        yield f"{word} {main}"
    for count in itertools.count(len(_ORDINALS) + 2):
        yield f"{count}th {main}"


def _shares(figures: Sequence[Figure]) -> NDArray[np.float64]:
    """Returns the mean share of each named colour in figures."""
    looks = np.array([figure.look for figure in figures])
    shares: NDArray[np.float64] = (
        looks[:, -features.COLOURS : features.SHADES - features.COLOURS] ** 2
    ).mean(axis=0)
    return shares


def _height(figures: Sequence[Figure]) -> float:
    return float(np.median([figure.box[3] - figure.box[1] for figure in figures]))


def colour(looks: Sequence[Sequence[float]]) -> str:
    """Returns the name of the mean colour of looks, whose last values are CIE Lab."""
    lab = np.median(np.array(looks)[:, -3:], axis=0).astype(np.float32)
    return colour_names.NAMES[int(colour_names.named(lab[None, None])[0, 0])]


def members(
    series: str,
    appearances: Sequence[Appearance],
    colours: Mapping[str, str],
    best_views: Mapping[str, Sequence[str]],
) -> list[CastMember]:
    """Returns the cast of a series, those seen most first.

    `best_views` has the keyframes of each one's reference pictures.
    """
    pictures: dict[str, list[Appearance]] = defaultdict(list)
    together: dict[str, Counter[str]] = defaultdict(Counter)
    by_keyframe: dict[str, list[str]] = defaultdict(list)
    for row in appearances:
        pictures[row.character].append(row)
        by_keyframe[row.keyframe].append(row.character)
    for present in by_keyframe.values():
        for name in set(present):
            together[name].update(other for other in set(present) if other != name)
    cast = []
    for name, rows in pictures.items():
        costars = sorted(together[name].items(), key=lambda entry: (-entry[1], entry[0]))
        cast.append(
            CastMember(
                series,
                name,
                any(row.decided != LIKENESS for row in rows),
                colours[name],
                len({row.keyframe for row in rows}),
                list(dict.fromkeys(row.video for row in rows)),
                rows[0].keyframe,
                rows[-1].keyframe,
                [other for other, _ in costars],
                [count for _, count in costars],
                [crops.path(series, name, keyframe) for keyframe in best_views[name]],
            )
        )
    return sorted(cast, key=lambda member: (-member.pictures, member.name))
