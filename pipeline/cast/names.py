"""Finds the names of groups of figures: who speaks in the shots in which who is seen.

Who speaks is mostly seen. So groups and names that come in the same shots more often than chance
would have it belong together (log-likelihood ratio, Dunning 1993), the clearest pair first. What a
named group explains is then no evidence for another group: a shot in which Pip speaks and is seen
says nothing of the others in it. A character may come in several groups, unless two of them are
seen in one picture. Without evidence no name is given: a wrong one spoils a story, a missing one
does not.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from pipeline.cast.identity import Group

_CLEAR = 6.0  # log-likelihood ratio of a pair that is no accident: one in seventy
_LEAST = 1.0  # shots' worth of evidence for a name
_SHARE = 0.5  # of a group's shots with speech that nothing else explains, which must be its name's


@dataclasses.dataclass(frozen=True)
class Shot:
    """A shot: the groups that are seen in it, and the names of those who speak."""

    groups: frozenset[int]
    speakers: frozenset[str]


def find(shots: Sequence[Shot], groups: Sequence[Group]) -> dict[int, str]:
    """Returns the names of groups that have one, by the groups' numbers."""
    heard = [shot for shot in shots if shot.speakers and shot.groups]
    names = _clearest(heard, groups)
    while True:
        best: tuple[float, int, str] | None = None
        for (number, name), (evidence, share) in _evidence(heard, names).items():
            if evidence < _LEAST or share < _SHARE or not _free(number, name, names, groups):
                continue
            found = (round(evidence * share, 6), -number, name)
            if best is None or found > best:
                best = found
        if best is None:
            return names
        names[-best[1]] = best[2]


def _clearest(shots: Sequence[Shot], groups: Sequence[Group]) -> dict[int, str]:
    """Returns the names of groups that come with them clearly more often than by chance."""
    seen = Counter(number for shot in shots for number in shot.groups)
    heard = Counter(name for shot in shots for name in shot.speakers)
    both = Counter(
        (number, name) for shot in shots for number in shot.groups for name in shot.speakers
    )
    pairs = sorted(
        (-_clear(count, seen[number], heard[name], len(shots)), number, name)
        for (number, name), count in both.items()
    )
    names: dict[int, str] = {}
    for negative, number, name in pairs:
        if -negative >= _CLEAR and number not in names and _free(number, name, names, groups):
            names[number] = name
    return names


def _clear(both: int, first: int, second: int, shots: int) -> float:
    """Returns the log-likelihood ratio of two things that come together in `both` of all shots,
    0 where that is no more than by chance."""
    if both * shots <= first * second:
        return 0.0
    cells = (
        (both, first, second),
        (first - both, first, shots - second),
        (second - both, shots - first, second),
        (shots - first - second + both, shots - first, shots - second),
    )
    return round(
        2 * sum(n * math.log(n * shots / (row * column)) for n, row, column in cells if n), 6
    )


def _evidence(
    shots: Sequence[Shot], names: dict[int, str]
) -> dict[tuple[int, str], tuple[float, float]]:
    """Returns for groups without a name and names how many shots speak for them, and their share.

    A shot counts in parts where several groups may be its speaker.
    """
    evidence: dict[tuple[int, str], float] = defaultdict(float)
    of_group: Counter[int] = Counter()
    for shot in shots:
        named = {names[number] for number in shot.groups if number in names}
        open_groups = sorted(number for number in shot.groups if number not in names)
        speakers = sorted(shot.speakers - named)
        for number in open_groups:
            if speakers:
                of_group[number] += 1
            for name in speakers:
                evidence[number, name] += 1 / len(open_groups)
    return {
        (number, name): (weight, weight / of_group[number])
        for (number, name), weight in evidence.items()
    }


def _free(number: int, name: str, names: dict[int, str], groups: Sequence[Group]) -> bool:
    """Returns whether a group may be another look of those that have the name."""
    return all(
        groups[number].together[other] <= 0.1 * min(groups[number].pictures, groups[other].pictures)
        for other, known in names.items()
        if known == name
    )
