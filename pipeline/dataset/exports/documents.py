"""Reads what every export writes: stories with their keyframes, films and pictures.

A picture is handed on only if it is the one that the tables name, and who holds the rights in each
film goes with the export.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.dataset.manifest import read_json
from pipeline.dataset.reader import read_file, read_films
from pipeline.runtime import progress, storage
from schemas.rows import Keyframe, Story

SOURCES = "sources.csv"  # film, title, licence and attribution of each film that was exported
_RIGHTS = ("title", "language", "license", "attribution")


@dataclass(frozen=True)
class Document:
    """A story with the keyframe of each of its images, and what is known of its film."""

    story: Story
    keyframes: list[Keyframe]
    film: Mapping[str, str]  # title, language, license, attribution


def read_documents(out: str, split: str) -> Iterator[Document]:
    """Yields the stories of one side of the split, "train" or "val", by film and number.

    Raises ValueError where keyframes.parquet does not know an image.
    """
    films = rights_of_films(out)
    for film, stories, keyframes in read_films(out):
        for story in stories:
            if story.split != split:
                continue
            if unknown := set(story.images) - keyframes.keys():
                raise ValueError(
                    f"{story.id}: keyframes.parquet does not know {min(unknown)}: "
                    f"`python -m pipeline verify {out}` says more"
                )
            progress.doing("export", story.id)
            yield Document(story, [keyframes[image] for image in story.images], films[film])
            progress.advance("export")


def rights_of_films(out: str) -> dict[str, dict[str, str]]:
    """Returns title, language, licence and attribution of each film."""
    return {film["id"]: {name: film[name] for name in _RIGHTS} for film in _films(out)}


def story_pictures(out: str) -> tuple[int, int, int]:
    """Returns how many stories and pictures an export is of, and the bytes of the pictures."""
    stories = pictures = size = 0
    for _, of_film, keyframes in read_films(out):
        rows = [
            keyframes[image] for story in of_film for image in story.images if image in keyframes
        ]
        stories += len(of_film)
        pictures += len(rows)
        size += sum(row.bytes for row in rows)
    return stories, pictures, size


def _films(out: str) -> list[dict[str, Any]]:
    films: list[dict[str, Any]] = read_json(out)["videos"]
    return films


def read_picture(out: str, keyframe: Keyframe) -> bytes:
    """Reads the JPEG file of a keyframe. Raises ValueError where it is not the one in the table,
    and OSError where it is missing."""
    data = read_file(out, keyframe.image)
    if hashlib.sha256(data).hexdigest() != keyframe.sha256:
        raise ValueError(
            f"{keyframe.image} is not the picture that keyframes.parquet names: "
            f"`python -m pipeline verify {out}` says more"
        )
    return data


def copy_picture(out: str, keyframe: Keyframe, folder: str) -> str:
    """Copies a keyframe's JPEG file into an export, under the name that it has in the dataset;
    returns that name. A file that is there is not written again."""
    path = storage.join(folder, *keyframe.image.split("/"))
    if not storage.exists(path):
        storage.write_bytes(path, read_picture(out, keyframe))
    return keyframe.image


def require_empty(folder: str) -> None:
    """Raises ValueError where a folder has files in it."""
    if storage.find_in(folder, "**"):
        raise ValueError(f"{folder} is not empty: name a new folder, or empty it")


def write_sources(out: str, folder: str) -> None:
    """Writes the licence and attribution of each film that has stories beside an export."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["film", *_RIGHTS])
    for film in _films(out):
        if film["stories"]:
            table.writerow([film["id"], *(film[name] for name in _RIGHTS)])
    storage.write_bytes(storage.join(folder, SOURCES), text.getvalue().encode())


def json_line(value: Mapping[str, Any]) -> bytes:
    """Returns a value as one line of a JSONL file."""
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
