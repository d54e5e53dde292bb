"""What a kind of source is: how to make a small one, and what is to come of it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.testing.films import make_film, moving, scene

Image = NDArray[np.uint8]  # [height, width, 3] RGB

FPS = 24
SHOT = 24  # frames
SEEDS = (1, 2, 3)
ALL = "3 of 3 pictures"
LINES = ("A kite!", "It flies over the hill.", "Let us run after it.")


@functools.cache
def scenes() -> tuple[Image, ...]:
    """Returns the three pictures that most of the films show."""
    return tuple(scene(seed) for seed in SEEDS)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of source, and what comes of it as `run.outcome` says it."""

    name: str
    make: Callable[[Path], Any]  # writes it into an empty folder
    comes: str = ALL
    pictures: Callable[[], Sequence[Image]] = scenes  # that its keyframes are to show
    lines: Sequence[str] = ()  # of dialogue over them, in order
    levels: float = 12.0  # by which a keyframe may differ from its picture, on average
    source: str = ""  # the file in the folder that is given to the pipeline; "" for the folder


@functools.cache
def frames() -> tuple[Image, ...]:
    """Returns the frames of three shots of a second each, through which a small ball rolls."""
    return tuple(
        frame for picture in scenes() for frame in moving(picture, SHOT, size=0.1, step=(0.01, 0))
    )


def film(name: str, drawn: Callable[[], Iterable[Image]] = frames, **options: Any) -> Any:
    """Returns what writes a film of some frames, three shots where none are given."""
    return lambda folder: make_film(folder / name, drawn(), **{"gop": 12} | options)


def each(change: Callable[[Image], Image]) -> Callable[[], list[Image]]:
    """Returns what draws the frames of three shots, each changed."""
    return lambda: [change(frame) for frame in frames()]


def together(*makers: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Returns what makes several things in a folder."""

    def make(folder: Path) -> None:
        for maker in makers:
            maker(folder)

    return make


def text_file(name: str, content: str | bytes) -> Callable[[Path], Any]:
    """Returns what writes a file of some content."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def barred(
    picture: Image, above: int = 0, below: int = 0, left: int = 0, right: int = 0, level: int = 0
) -> Image:
    """Returns a picture between bars, black ones or of another level."""
    sides = above, below, left, right
    return np.asarray(
        cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=[level] * 3), np.uint8
    )


def written(picture: Image, text: str, x: float, y: float, size: float) -> Image:
    """Returns a picture with white, outlined text; x and y of its left end and base line, and the
    size of its letters, are shares of the picture."""
    height, width = picture.shape[:2]
    scale = size * height / 22  # letters of that font have 22 pixels
    at = (round(x * width), round(y * height))
    drawn = picture.copy()
    for color, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(
            drawn,
            text,
            at,
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            color,
            thick * max(1, round(scale)),
            cv2.LINE_AA,
        )
    return drawn
