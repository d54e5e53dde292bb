"""Scores scenes and places: boundaries between neighbouring keyframes, and clusters of scenes."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.dataset import reader
from schemas import layout
from schemas.rows import Keyframe, Scene

Where = tuple[str, str]  # place and time of day


@dataclass
class Counts:
    """What was counted in one dataset. A boundary is counted once, before its later keyframe."""

    true: int = 0
    found: int = 0
    right: int = 0
    shots: int = 0  # boundaries of shots, the naive answer; every true one is among them
    places: Counter[tuple[str, Where]] = field(default_factory=Counter)  # of scenes

    @property
    def purity(self) -> float:
        """Share of scenes at a place that is mostly where they are."""
        return _largest((place, count) for (place, _), count in self.places.items())

    @property
    def completeness(self) -> float:
        """Share of scenes that are at the place which most of those from there are at."""
        return _largest((where, count) for (_, where), count in self.places.items())


def _largest(counts: Iterable[tuple[object, int]]) -> float:
    groups: dict[object, list[int]] = defaultdict(list)
    for group, count in counts:
        groups[group].append(count)
    return sum(map(max, groups.values())) / max(1, sum(map(sum, groups.values())))


def count(dataset: str, sample: str) -> Counts:
    """Counts over a dataset. Raises ValueError where it was not made from this sample."""
    keyframes = {row.id: row for row in reader.read_rows(dataset, layout.KEYFRAMES, Keyframe)}
    scenes: dict[str, list[Scene]] = defaultdict(list)
    for scene in reader.read_rows(dataset, layout.SCENES, Scene):
        scenes[scene.video].append(scene)
    counts = Counts()
    for video, of_film in sorted(scenes.items()):
        shots = _shots(sample, video)
        before: Keyframe | None = None
        for scene in of_film:
            there = [_where(shots, keyframes[name].time) for name in scene.keyframes]
            counts.places[scene.place, Counter(there).most_common(1)[0][0]] += 1
            for name, where in zip(scene.keyframes, there, strict=True):
                keyframe = keyframes[name]
                if before is not None:
                    true = where != _where(shots, before.time)
                    found = name == scene.keyframes[0]
                    counts.true += true
                    counts.found += found
                    counts.right += true and found
                    counts.shots += keyframe.shot != before.shot
                before = keyframe
    return counts


def _shots(sample: str, video: str) -> list[tuple[float, Where]]:
    """Returns the begin of each shot of a film of the sample, in seconds, and where it is."""
    path = Path(sample, f"{video}.truth.json")
    if not path.exists():
        raise ValueError(f"no {path}: give the sample that the dataset was made from")
    return [
        (shot["start"], (shot["place"], shot["time_of_day"]))
        for shot in json.loads(path.read_text(encoding="utf-8"))["shots"]
    ]


def _where(shots: Sequence[tuple[float, Where]], time: float) -> Where:
    return [where for start, where in shots if start <= time + 0.02][-1]
