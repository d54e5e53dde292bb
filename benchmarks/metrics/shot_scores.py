"""Scores shot detection as TRECVID's shot boundary task does.

A detected cut is right when it is the nearest to a true one and at most a few frames away, one to
one; a detected gradual transition is right when its middle lies inside a true one that no other
took. Source: A. Smeaton, P. Over, A. Doherty, "Video shot boundary detection: Seven years of
TRECVid activity" (2010).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

CUT_TOLERANCE = 2  # frames


@dataclasses.dataclass(frozen=True)
class ShotScore:
    """Counts of one kind of transition."""

    true: int
    found: int
    right: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there is nothing to find and nothing was
        found."""
        return 2 * self.right / (self.true + self.found) if self.true + self.found else 1.0

    def __add__(self, other: ShotScore) -> ShotScore:
        return ShotScore(self.true + other.true, self.found + other.found, self.right + other.right)


def score_cuts(
    true: Sequence[int], found: Sequence[int], tolerance: int = CUT_TOLERANCE
) -> ShotScore:
    """Scores the first frames of shots that begin with a hard cut."""
    pairs = sorted(
        (abs(cut - other), i, j)
        for i, cut in enumerate(true)
        for j, other in enumerate(found)
        if abs(cut - other) <= tolerance
    )
    taken_true: set[int] = set()
    taken_found: set[int] = set()
    for _, i, j in pairs:
        if i not in taken_true and j not in taken_found:
            taken_true.add(i)
            taken_found.add(j)
    return ShotScore(len(true), len(found), len(taken_true))


def score_gradual(
    true: Sequence[tuple[int, int]], found: Sequence[float], tolerance: int = CUT_TOLERANCE
) -> ShotScore:
    """Scores fades and dissolves: true first and last frames, the middles of those found."""
    taken: set[int] = set()
    for middle in found:
        for i, (first, last) in enumerate(true):
            if i not in taken and first - tolerance <= middle <= last + tolerance:
                taken.add(i)
                break
    return ShotScore(len(true), len(found), len(taken))
