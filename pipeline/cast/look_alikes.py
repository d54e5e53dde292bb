"""Tells apart two characters whose figures were taken for one, by who speaks while they are seen.

Two foxes who differ in their scarves are one group: whatever else differs, as pose, light and size
do, differs more. But where one figure is seen alone while one name is heard, it mostly is that one.
If a group that is called Pip speaks as Hugo too, in more than one shot, then a linear discriminant
between the colours of who is seen with either voice says whether there are two: it must tell the
voices of shots that it did not learn from (leave one out, Fisher's exact test). A listener, or who
is seen while another speaks elsewhere, looks like the rest of the group: nothing can be told of it,
and the group stays whole.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.cast import features, identity

_INTRUSIONS = 2  # shots in which a group of one name has another's voice, for a doubt
_SHOTS = 4  # with either voice, to learn from
_ACCIDENT = 0.005  # probability that voices are told so well by accident


@dataclasses.dataclass(frozen=True)
class Voice:
    """Who speaks, alone, in a shot where one figure is seen."""

    name: str
    shot: int


@dataclasses.dataclass(frozen=True)
class _Seed:
    figure: int
    group: int
    voice: Voice


def separate(
    pictures: Sequence[Sequence[Sequence[float]]],
    numbers: Sequence[Sequence[int]],
    named: Mapping[int, str],
    voices: Sequence[Voice | None],
) -> tuple[list[list[int]], dict[int, str]]:
    """Returns the number of each figure's group and the names of groups, where look-alikes are two.

    `pictures` has the looks of figures, picture by picture, `numbers` their groups and `voices` the
    voice of pictures that have one figure and one voice.
    """
    sizes = [len(found) for found in numbers]
    flat = np.array([number for found in numbers for number in found], np.int64)
    ends = np.cumsum([0, *sizes])
    names = dict(named)
    heard = [
        (int(ends[at]), voice)
        for at, voice in enumerate(voices)
        if voice is not None and sizes[at] == 1
    ]
    for pair in _doubts(_seeds(heard, flat), names):
        looks = identity.standardised(pictures)[:, -features.COLOURS :]
        _separate(looks, flat, names, _seeds(heard, flat), pair)
    return [flat[start:end].tolist() for start, end in itertools.pairwise(ends)], names


def _seeds(heard: Sequence[tuple[int, Voice]], numbers: NDArray[np.int64]) -> list[_Seed]:
    return [_Seed(figure, int(numbers[figure]), voice) for figure, voice in heard]


def _doubts(seeds: Sequence[_Seed], names: Mapping[int, str]) -> list[tuple[str, str]]:
    """Returns names of groups with those who speak in their place, the most frequent first."""
    shots: dict[tuple[str, str], set[int]] = defaultdict(set)
    for seed in seeds:
        name = names.get(seed.group, seed.voice.name)
        if name != seed.voice.name:
            shots[name, seed.voice.name].add(seed.voice.shot)
    often = [(-len(found), pair) for pair, found in shots.items() if len(found) >= _INTRUSIONS]
    return [pair for _, pair in sorted(often)]


def _separate(
    looks: NDArray[np.float64],
    numbers: NDArray[np.int64],
    names: dict[int, str],
    seeds: Sequence[_Seed],
    pair: tuple[str, str],
) -> None:
    """Gives the figures of two characters, who may be in each other's groups, groups of their own,
    if their voices can be told by their looks."""
    voices: dict[int, set[str]] = defaultdict(set)
    for seed in seeds:
        voices[seed.group].add(seed.voice.name)
    theirs = {number for number, name in names.items() if name in pair}
    theirs |= {group for group, heard in voices.items() if group not in names and heard <= {*pair}}
    figures = np.isin(numbers, list(theirs))
    whitened = looks @ identity.whitening(looks[~figures], numbers[~figures])
    known = [seed for seed in seeds if seed.group in theirs and seed.voice.name in pair]
    rows = whitened[[seed.figure for seed in known]]
    second = np.array([seed.voice.name == pair[1] for seed in known])
    shots = np.array([seed.voice.shot for seed in known])
    if min(len(set(shots[second])), len(set(shots[~second]))) < _SHOTS:
        return
    told = np.zeros((2, 2), int)  # by voice and by what is told of it
    for shot in sorted(set(shots)):
        for voice in (False, True):
            here = (shots == shot) & (second == voice)
            if here.any():
                weights, middle = _line(rows[shots != shot], second[shots != shot])
                told[int(voice), int(rows[here].mean(axis=0) @ weights > middle)] += 1
    if _accident(told) > _ACCIDENT:
        return
    weights, middle = _line(rows, second)
    is_second = figures & (whitened @ weights > middle)
    for name, of_name in zip(pair, (figures & ~is_second, is_second), strict=True):
        if of_name.any():
            own = [number for number, known_as in names.items() if known_as == name]
            number = min(own, default=max(int(numbers.max()), *names) + 1)
            numbers[of_name], names[number] = number, name


def _line(
    rows: NDArray[np.float64], second: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Returns the weights of features, and the sum of them from which one is the second."""
    means = rows[~second].mean(axis=0), rows[second].mean(axis=0)
    weights = means[1] - means[0]
    return weights, float((means[0] + means[1]) @ weights) / 2


def _accident(told: NDArray[np.int_]) -> float:
    """Returns the probability of a table as good as this one, were nothing told (Fisher 1922)."""
    (right, wrong), (wrong_too, right_too) = told.tolist()
    first, both = right + wrong, right + wrong_too
    every = first + wrong_too + right_too
    ways = sum(
        math.comb(both, found) * math.comb(every - both, first - found)
        for found in range(right, min(first, both) + 1)
    )
    return ways / math.comb(every, first)
