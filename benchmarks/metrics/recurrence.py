"""Consistency by recurrence gap: whether what comes back looks as it did when it was last seen.

A recurrence is a name (a character or a place) in a picture that an earlier picture of the story
had too; its gap is the number of pictures since the last one. Two values per recurrence:

    similarity    of the picture and the one where the name was last seen
    margin        that, minus the mean similarity of the story's pairs of pictures equally far apart
                  (the same column of gaps) of which only one shows the name

Raw similarity falls with the gap in true stories too, as scenes change, and is highest for one
picture repeated. The margin compares pairs that are equally far apart, so what all pictures of a
time share cancels: a repeated picture and noise have about 0 at every gap.

Names and similarities are given, so this measures any stories with any encoder: true labels or a
detector's, chunks of 10 pictures or long stories.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.array_types import Flags, Floats
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Figure

GAPS = (1, 2, 5, 10, 20, 50)  # a column is from one of these to before the next
NEW = "never before"

# The names in each picture of a story: who is there, or the one place. None where unknown.
Shown = Sequence[Collection[str] | None]


@dataclass(frozen=True)
class Recurrence:
    """A name that comes back: in picture `at`, last seen in picture `last`."""

    name: str
    last: int
    at: int

    @property
    def gap(self) -> int:
        """The number of pictures since the name was last seen: 1 for the picture before."""
        return self.at - self.last


def gap_name(gap: int) -> str:
    """Returns the name of the column that a gap belongs to."""
    if not gap:
        return NEW
    at = max(number for number, least in enumerate(GAPS) if least <= gap)
    if at == len(GAPS) - 1:
        return f"{GAPS[at]} or more"
    return f"{GAPS[at]}" if GAPS[at + 1] == GAPS[at] + 1 else f"{GAPS[at]} to {GAPS[at + 1] - 1}"


COLUMNS = tuple(map(gap_name, GAPS))


def find_recurrences(shown: Shown) -> list[Recurrence]:
    """Finds every name of every picture that an earlier picture of the story has, by picture."""
    last: dict[str, int] = {}
    found = []
    for at, names in enumerate(shown):
        for name in sorted(set(names or ())):
            if name in last:
                found.append(Recurrence(name, last[name], at))
            last[name] = at
    return found


def similarities(
    shown: Shown, alike: Floats, compared: Flags | None = None
) -> dict[Recurrence, tuple[float, float]]:
    """Computes similarity and margin of each recurrence in a story of n pictures.

    `alike` [n, n] is the similarity of each two pictures, symmetric. `compared` [n, n], symmetric,
    are the pairs that may be used, all of them where it is None: without near copies, say, or, for
    characters, only pairs at different places. A recurrence of another pair is left out. The
    margin is nan where the story has no pair to compare with.
    """
    n = len(shown)
    if alike.shape != (n, n):
        raise ValueError(f"{n} pictures need similarities {n, n}, not {alike.shape}")
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    column = np.searchsorted(GAPS, distance, side="right")
    known = np.array([names is not None for names in shown], bool)
    usable = np.logical_and.outer(known, known) & (distance > 0)
    if compared is not None:
        usable &= compared
    found = {}
    for recurrence in find_recurrences(shown):
        pair = recurrence.at, recurrence.last
        if not usable[pair]:
            continue
        here = np.array([recurrence.name in (names or ()) for names in shown], bool)
        other = usable & (here[:, None] ^ here[None, :]) & (column == column[pair])
        similarity = float(alike[pair])
        margin = similarity - float(alike[other].mean()) if other.any() else math.nan
        found[recurrence] = similarity, margin
    return found


def figures_by_gap(
    stories: Mapping[str, Mapping[Recurrence, tuple[float, float]]], seed: int = 0
) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """Averages what `similarities` returns for each story, by its id, in the columns of gaps.

    Returns the figures of similarities and of margins by column, with intervals over stories; a
    column without a recurrence has a figure that says so.
    """
    tables = []
    for which in (0, 1):
        kept: dict[str, tuple[list[float], list[str]]] = {name: ([], []) for name in COLUMNS}
        for story, found in stories.items():
            for recurrence, values in found.items():
                if math.isfinite(values[which]):
                    column = kept[gap_name(recurrence.gap)]
                    column[0].append(values[which])
                    column[1].append(story)
        tables.append({name: bootstrap_mean(*column, seed) for name, column in kept.items()})
    return tables[0], tables[1]
