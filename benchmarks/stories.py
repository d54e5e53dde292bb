"""Stories that are compared: what each begins with, and what a generator made of it.

A story on disk is what `make generate` and others write: a folder with `story.json` (`id`, `texts`,
`images`, names of files beside it). Pictures are named by path and read when a measure needs them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from schemas.layout import IMAGES

Pictures = NDArray[np.uint8]  # RGB, [n, size, size, 3]


@dataclass(frozen=True)
class Story:
    """Texts and the paths of their pictures, one each; number 0 is what the story begins with."""

    id: str  # of the opening that it goes on from
    texts: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Opening:
    """What a generator is given. `following` are the sentences that it has to illustrate; where
    that is empty, it writes its own."""

    id: str
    image: str  # path
    text: str
    length: int  # pictures in the whole story, the first one included
    following: tuple[str, ...] = ()


def of_dataset(dataset: str | Path, split: str = "val") -> list[Story]:
    """The whole stories of one side of a dataset's split, by its JSONL in StoryStream's layout.

    Raises ValueError where there are none.
    """
    path = Path(dataset, IMAGES, f"{split}_stories.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if not lines:
        raise ValueError(f"{path} is missing or empty: make the dataset of more films")
    return [
        Story(
            one["id"],
            tuple(one["captions"]),
            tuple(str(Path(dataset, IMAGES, name)) for name in one["images"]),
        )
        for one in map(json.loads, lines)
    ]


def opening(story: Story, illustrate: bool) -> Opening:
    """What the story begins with; with its other texts to `illustrate`, or to be told freely."""
    return Opening(
        story.id,
        story.images[0],
        story.texts[0],
        len(story.images),
        story.texts[1:] if illustrate else (),
    )


def pictures(paths: Iterable[str], size: int) -> Pictures:
    """Pictures squashed to squares of `size` pixels, decoded as the story model's data are.

    Raises ValueError for one that is missing or does not decode.
    """
    found = []
    for path in paths:
        try:
            with Image.open(path) as opened:
                opened.draft("RGB", (size, size))
                picture = np.asarray(opened.convert("RGB"))
        except OSError as error:
            raise ValueError(f"{path}: {error}; make it again") from error
        found.append(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(found) if found else np.zeros((0, size, size, 3), np.uint8)
