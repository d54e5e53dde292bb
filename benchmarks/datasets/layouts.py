"""Reads the stories of a dataset folder, in our layout or in that of the published StoryStream.

The latter is JSONL with `id, images, captions, orders` a line, and a folder of images. Images may
be missing, all or some of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stories import Story
from schemas.layout import IMAGES

_CHUNKS = re.compile(r"_\d+$")  # train_10, by StoryStream's chunk_data.py
_HELD_OUT = frozenset(("val", "valid", "validation", "test"))


@dataclass(frozen=True)
class StoriesBySplit:
    """The stories of a dataset by split; "" where file names do not tell the split."""

    stories: dict[str, list[Story]]

    def all(self) -> list[Story]:
        """Returns the stories of all splits."""
        return [story for side in self.stories.values() for story in side]


def read_dataset(folder: str | Path) -> StoriesBySplit:
    """Reads the whole stories of a dataset folder from the JSONL files in it or in folders within
    it.

    The split is in a file's name (`train_stories.jsonl`, `val.jsonl`). Files of chunks are left out
    where there are others, as they hold the same pictures. Stories of two files may share an id, as
    the published ones do: they are told apart by their file. Raises ValueError for a folder without
    stories and for a line that is not a story.
    """
    files = sorted(Path(folder, IMAGES).glob("*_stories.jsonl"))
    if not files:  # not ours
        files = sorted(Path(folder).rglob("*.jsonl"))
        files = [file for file in files if not _CHUNKS.search(file.stem)] or files
    stories: dict[str, list[Story]] = {}
    for file in files:
        parts = set(re.split(r"[^a-z]+", file.stem.lower()))
        side = "val" if parts & _HELD_OUT else "train" if "train" in parts else ""
        stories.setdefault(side, []).extend(_read_lines(file, Path(folder)))
    if not any(stories.values()):
        raise ValueError(
            f"{folder} has no stories: a dataset has JSONL files with id, images and "
            "captions, in it or in folders within it"
        )
    return StoriesBySplit(stories)


def _read_lines(file: Path, folder: Path) -> Iterator[Story]:
    root = None
    for number, line in enumerate(file.read_bytes().splitlines()):
        try:
            values = json.loads(line)
            name, images, texts = values["id"], _paths(values["images"]), list(values["captions"])
            if len(images) != len(texts):
                raise ValueError(f"{len(images)} images and {len(texts)} captions")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{file}, line {number + 1}: {error!r}; a line is JSON with id, "
                "images and as many captions"
            ) from error
        if images:
            root = root or _image_root(file, folder, images[0])
            yield Story(
                f"{file.relative_to(folder)}:{number}:{name}",
                tuple(texts),
                tuple(str(root / image) for image in images),
            )


def _paths(images: Sequence[str]) -> list[str]:
    """Returns paths with slashes: some published lines have backslashes."""
    return [image.replace("\\", "/") for image in images]


def _image_root(file: Path, folder: Path, image: str) -> Path:
    """Finds the folder that image paths are relative to: beside the file, above it, or in
    `images`."""
    places = [file.parent, folder, file.parent / IMAGES, folder / IMAGES]
    return next((place for place in places if (place / image).exists()), file.parent)
