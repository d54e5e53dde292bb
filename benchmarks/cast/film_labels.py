"""Scores who is in the pictures of Big Buck Bunny, whose keyframes were labelled by eye.

Nobody in that film has a name, so each character that a dataset tells apart is named after whom its
boxes mostly show. `big_buck_bunny.tsv` has the labels and says how they were read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import NamedTuple

from pipeline.dataset import reader
from schemas import layout
from schemas.rows import Appearance, Keyframe

FILM = "big_buck_bunny"
LABELS = f"{FILM}.tsv"

_NEAR = 0.2  # seconds from a labelled frame to a keyframe that has its label


class Point(NamedTuple):
    """Somebody in a frame."""

    name: str
    sure: bool  # False: right with it and right without
    x: float  # shares of the picture
    y: float


@dataclass
class Counts:
    """What was counted in the film."""

    pictures: int = 0  # that are labelled
    boxes: int = 0  # of characters, in them
    present: Counter[str] = field(default_factory=Counter)  # by who is there: pictures
    found: Counter[tuple[str, str]] = field(default_factory=Counter)  # (given, shown) of boxes
    named: Counter[str] = field(default_factory=Counter)  # by name: pictures where it is right
    named_wrong: Counter[str] = field(default_factory=Counter)  # where nobody of that name is

    @property
    def named_after(self) -> dict[str, str]:
        """Whom each given character mostly shows."""
        return {
            given: max(
                (count, name) for (other, name), count in self.found.items() if other == given
            )[1]
            for given in {given for given, _ in self.found}
        }

    @property
    def purity(self) -> float:
        """Share of boxes with somebody in them whose character mostly shows that one."""
        after = self.named_after
        right = sum(count for (given, name), count in self.found.items() if after[given] == name)
        return right / max(1, self.found.total())


def read_labels() -> dict[float, list[Point]]:
    """Reads the labels: who is in which frame, by the frame's time in seconds."""
    labels = {}
    text = resources.files(__package__).joinpath(LABELS).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            time, _, points = line.partition("\t")
            labels[float(time)] = [_point(part) for part in points.split(";") if part.strip()]
    return labels


def _point(text: str) -> Point:
    name, x, y = text.split()
    return Point(name.rstrip("?"), not name.endswith("?"), int(x) / 100, int(y) / 100)


def has_film(dataset: str) -> bool:
    """Returns whether a dataset has the labelled film."""
    return FILM in reader.read_splits(dataset)


def count(dataset: str, labels: Mapping[float, Sequence[Point]]) -> Counts:
    """Counts over the labelled keyframes of the film in a dataset."""
    counts = Counts()
    seen: dict[str, list[Appearance]] = defaultdict(list)
    for row in reader.read_rows(dataset, layout.APPEARANCES, Appearance):
        if row.video == FILM:
            seen[row.keyframe].append(row)
    keyframes = [
        row for row in reader.read_rows(dataset, layout.KEYFRAMES, Keyframe) if row.video == FILM
    ]
    labelled = [
        (keyframe, points)
        for keyframe in keyframes
        if (points := _nearest(keyframe.time, labels)) is not None
    ]
    for keyframe, points in labelled:
        counts.pictures += 1
        counts.present.update(point.name for point in points if point.sure)
        for row in seen[keyframe.id]:
            counts.boxes += 1
            if shown := _shown(row, keyframe, points):
                counts.found[row.character, shown] += 1
    after = counts.named_after
    for keyframe, points in labelled:
        there = {point.name for point in points}
        sure = {point.name for point in points if point.sure}
        given = {after[row.character] for row in seen[keyframe.id] if row.character in after}
        counts.named.update(given & sure)
        counts.named_wrong.update(given - there)
    return counts


def _nearest(time: float, labels: Mapping[float, Sequence[Point]]) -> Sequence[Point] | None:
    times = sorted(labels)
    at = bisect_left(times, time)
    near = [other for other in times[max(0, at - 1) : at + 1] if abs(other - time) <= _NEAR]
    return labels[min(near, key=lambda other: abs(other - time))] if near else None


def _shown(row: Appearance, keyframe: Keyframe, points: Sequence[Point]) -> str:
    """Returns whom a box shows, "" for nobody."""
    x, y, width, height = row.box
    inside = [
        (
            abs(point.x * keyframe.width - x - width / 2) / width
            + abs(point.y * keyframe.height - y - height / 2) / height,
            point.name,
        )
        for point in points
        if x <= point.x * keyframe.width <= x + width
        and y <= point.y * keyframe.height <= y + height
    ]
    return min(inside)[1] if inside else ""
