"""Stories that are compared, their openings, and their pictures.

A story on disk is what `make generate` and others write: a folder with `story.json` (`id`, `texts`,
`images`, names of files beside it). Pictures are named by path and read when a measure needs them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.array_types import Pictures
from model.data import to_square
from pipeline.dataset import reader
from schemas import layout


@dataclass(frozen=True)
class Story:
    """Texts and the paths of their pictures, one each; number 0 is the opening."""

    id: str  # of the opening that it goes on from
    texts: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Opening:
    """What a generator is given. `following` are the sentences to illustrate; where that is empty,
    it writes its own."""

    id: str
    image: str  # path
    text: str
    length: int  # pictures in the whole story, the first one included
    following: tuple[str, ...] = ()


def read_stories(dataset: str | Path, split: str = "val") -> list[Story]:
    """Reads the whole stories of one side of a dataset's split, by its JSONL in StoryStream's
    layout.

    Raises ValueError where there are none.
    """
    return [
        Story(
            values["id"],
            tuple(values["captions"]),
            tuple(str(Path(dataset, layout.IMAGES, name)) for name in values["images"]),
        )
        for values in read_jsonl(dataset, layout.stories_jsonl_path(split))
    ]


def read_jsonl(dataset: str | Path, name: str) -> list[dict[str, Any]]:
    """Reads a JSONL file of stories or chunks of a dataset.

    Raises ValueError where it is missing or empty.
    """
    found = reader.has_file(str(dataset), name)
    lines = reader.read_file(str(dataset), name).splitlines() if found else []
    if not lines:
        raise ValueError(
            f"{reader.locate(str(dataset), name)} is missing or empty: make the dataset of more "
            "films"
        )
    return [json.loads(line) for line in lines]


def make_opening(story: Story, illustrate: bool) -> Opening:
    """Returns the opening of a story; with its other texts to `illustrate`, or to be told
    freely."""
    return Opening(
        story.id,
        story.images[0],
        story.texts[0],
        len(story.images),
        story.texts[1:] if illustrate else (),
    )


def read_pictures(paths: Iterable[str], size: int) -> Pictures:
    """Reads pictures as squares of `size` pixels, decoded as the story model's data are.

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
        found.append(to_square(picture, size))
    return np.stack(found) if found else np.zeros((0, size, size, 3), np.uint8)
