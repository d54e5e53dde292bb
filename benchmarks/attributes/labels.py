"""Reads labels of keyframes: who is there, where and doing what, by the ground truth of the sample.

The sample has for every shot who is in it and where (`<video>.truth.json`); `read_labels` joins
that to the keyframes of a dataset made from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import stories
from benchmarks.array_types import Pictures
from pipeline.dataset import reader
from pipeline.sample.actions import ACTIONS
from pipeline.sample.figures import CAST
from pipeline.sample.places import PLACES
from schemas import layout

CHARACTERS = tuple(CAST)
PLACE_NAMES = tuple(PLACES)
ACTION_NAMES = tuple(ACTIONS)
COUNTS = (1, 2, 3)  # the last one or more
CLASSES: Mapping[str, Sequence[Any]] = {
    "main": CHARACTERS,
    "place": PLACE_NAMES,
    "action": ACTION_NAMES,
    "count": COUNTS,
}


@dataclass(frozen=True)
class Labels:
    """The labels of a keyframe."""

    image: str  # path in the dataset's folder
    video: str
    shot: int  # number in the truth's list
    split: str  # train or val
    place: str
    characters: tuple[str, ...]  # the main one first, never empty
    scale: str  # wide, medium or close-up
    action: str = ACTION_NAMES[0]  # of the main character

    @property
    def main(self) -> str:
        """The main character."""
        return self.characters[0]

    @property
    def count(self) -> int:
        """The number of characters, one of COUNTS."""
        return min(len(self.characters), COUNTS[-1])


def read_labels(dataset: str | Path, sample: str | Path) -> dict[str, Labels]:
    """Reads the labels of keyframes that show somebody, by path, in order of film and time.

    Keyframes of films that gave no story are left out: they are in no split. Raises ValueError
    where the dataset was not made from this sample.
    """
    splits = reader.read_splits(str(dataset))
    shots = {video: _read_shots(sample, video) for video, split in splits.items() if split}
    found = {}
    keyframes = reader.read_table(str(dataset), layout.KEYFRAMES, ["video", "time", "image"])
    for row in sorted(keyframes.to_pylist(), key=lambda row: (row["video"], row["time"])):
        video, time = row["video"], row["time"]
        if video not in shots:
            continue
        number = next(
            (i for i, shot in enumerate(shots[video]) if shot["start"] <= time < shot["end"]), None
        )
        if number is None:
            raise ValueError(
                f"{sample} has no shot of {video} at {time} s, where {dataset} has a "
                "keyframe: give the sample that the dataset was made from"
            )
        shot = shots[video][number]
        if shot["characters"]:
            found[row["image"]] = Labels(
                row["image"],
                video,
                number,
                splits[video],
                shot["place"],
                tuple(shot["characters"]),
                shot["scale"],
                shot["action"],
            )
    return found


def _read_shots(sample: str | Path, video: str) -> list[dict[str, Any]]:
    path = Path(sample, f"{video}.truth.json")
    if not path.exists():
        raise ValueError(f"no {path}: give the sample that the dataset was made from")
    shots: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["shots"]
    return shots


def read_keyframes(dataset: str | Path, images: Iterable[str], size: int) -> Pictures:
    """Reads keyframes as squares of `size` pixels, decoded as the story model's data are.

    Raises ValueError for one that is missing or does not decode.
    """
    return stories.read_pictures((str(Path(dataset, image)) for image in images), size)
