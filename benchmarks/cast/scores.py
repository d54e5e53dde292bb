"""Scores who is in the pictures: boxes, clusters, names, and texts that name who is there."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.cast import truth
from pipeline.dataset import reader
from schemas import layout
from schemas.rows import Appearance, Keyframe, Story

RIGHT_BOX = 0.5  # overlap from which a box is right
_SAME_FIGURE = 0.3  # overlap from which a box is of a figure at all


@dataclass
class Counts:
    """What was counted in one dataset."""

    figures: int = 0  # true ones, in all pictures
    boxes_right: int = 0  # of them, with a box that overlaps by RIGHT_BOX
    named_right: int = 0  # of them, those in whose picture their name is given
    names_given: int = 0  # names, not descriptions, given to pictures
    found: Counter[tuple[str, str]] = field(default_factory=Counter)  # (given, true) of a box
    switches: int = 0  # times that a figure is called otherwise than in its picture before
    films: int = 0
    panels: int = 0  # of stories, with somebody in them
    panels_naming_one: int = 0  # whose text names somebody who is there
    panels_naming_all: int = 0  # whose text names everybody who is there
    panels_naming_others: int = 0  # whose text tells of somebody who is not there

    @property
    def purity(self) -> float:
        """Share of figures with a box that are in a cluster with mostly the same character."""
        return _largest(self.found, 0)

    @property
    def completeness(self) -> float:
        """Share of figures with a box that are in their character's largest cluster."""
        return _largest(self.found, 1)


def _largest(found: Mapping[tuple[str, str], int], by: int) -> float:
    groups: dict[str, list[int]] = defaultdict(list)
    for pair, count in found.items():
        groups[pair[by]].append(count)
    return sum(map(max, groups.values())) / max(1, sum(found.values()))


def count(dataset: str, sample: str) -> Counts:
    """Counts over a dataset. Raises ValueError where it was not made from this sample."""
    counts = Counts()
    by_keyframe: dict[str, list[Appearance]] = defaultdict(list)
    for row in reader.read_rows(dataset, layout.APPEARANCES, Appearance):
        by_keyframe[row.keyframe].append(row)
    keyframes: dict[str, list[Keyframe]] = defaultdict(list)
    for keyframe in reader.read_rows(dataset, layout.KEYFRAMES, Keyframe):
        keyframes[keyframe.video].append(keyframe)
    present: dict[str, set[str]] = {}
    names: set[str] = set()
    for video, of_film in sorted(keyframes.items()):
        counts.films += 1
        film = truth.read(sample, video)
        names.update(name for shot in film["shots"] for name in shot["characters"])
        before: dict[str, str] = {}
        for keyframe in sorted(of_film, key=lambda row: row.time):
            figures = truth.figures(film, keyframe.time)
            present[keyframe.image] = set(figures)
            _count_picture(figures, by_keyframe[keyframe.id], before, counts)
    for story in reader.read_rows(dataset, layout.STORIES, Story):
        _count_texts(story, present, names, counts)
    return counts


def _count_picture(
    figures: Mapping[str, truth.Box],
    appearances: Sequence[Appearance],
    before: dict[str, str],
    counts: Counts,
) -> None:
    given = {row.character for row in appearances if row.decided != "likeness"}
    counts.figures += len(figures)
    counts.names_given += len(given)
    counts.named_right += len(given & set(figures))
    boxes = [(row, _corners(row)) for row in appearances]
    for box in figures.values():
        best = max((truth.overlap(box, other) for _, other in boxes), default=0.0)
        counts.boxes_right += best >= RIGHT_BOX
    for row, box in boxes:
        best, name = max(
            ((truth.overlap(box, other), name) for name, other in figures.items()),
            default=(0.0, ""),
        )
        if best >= _SAME_FIGURE:
            counts.found[row.character, name] += 1
            counts.switches += before.get(name, row.character) != row.character
            before[name] = row.character


def _corners(row: Appearance) -> truth.Box:
    x, y, width, height = row.box
    return float(x), float(y), float(x + width), float(y + height)


def _count_texts(
    story: Story, present: Mapping[str, set[str]], names: set[str], counts: Counts
) -> None:
    for image, text in zip(story.images, story.captions, strict=True):
        here = present[image]
        if not here:
            continue
        said = {name for name in names if re.search(rf"\b{re.escape(name)}\b", text)}
        told = re.sub(r'"[^"]*"', "", text)
        counts.panels += 1
        counts.panels_naming_one += bool(said & here)
        counts.panels_naming_all += here <= said
        counts.panels_naming_others += any(
            re.search(rf"\b{re.escape(name)}\b", told) for name in names - here
        )
