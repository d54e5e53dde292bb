"""Describes the cast of a series: what those without a name are called, and who is seen when."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.cast import crops
from pipeline.inference.builtin import colour_names
from schemas.rows import LIKENESS, Appearance, CastMember, Figure


def describe(
    numbers: Sequence[int],
    pictures: Sequence[Sequence[Figure]],
    groups: Sequence[Sequence[int]],
) -> dict[int, str]:
    """Returns a description for each of some groups of figures: "grey figure", "red figure 2".

    `groups` has the number of each figure's group, picture by picture. Groups that come earlier
    have the lower number, so a new episode changes no earlier description.
    """
    looks: dict[int, list[list[float]]] = defaultdict(list)
    for figures, found in zip(pictures, groups, strict=True):
        for figure, number in zip(figures, found, strict=True):
            looks[number].append(figure.look)
    described: dict[int, str] = {}
    seen: Counter[str] = Counter()
    for number in sorted(numbers):
        name = f"{colour(looks[number])} figure"
        seen[name] += 1
        described[number] = name if seen[name] == 1 else f"{name} {seen[name]}"
    return described


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
