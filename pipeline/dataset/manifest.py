"""The manifest, `dataset.json`: what a dataset says of itself, written and read.

A dataset is finished only when `dataset.json` names every file of it with its digest: so it is
written last, and deleted before the first file is replaced that it names.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.dataset import dataset_card
from pipeline.dataset.file_digests import FileRecord, file_record
from pipeline.runtime import stage_outputs, storage
from schemas import layout


class File(BaseModel):
    """A file of the dataset as the manifest names it."""

    path: str
    bytes: int
    sha256: str


class Film(BaseModel):
    """What the manifest says of a film, as far as it is checked here."""

    id: str
    keyframes: int
    stories: int
    split: str
    license: str = ""
    attribution: str = ""


class _Output(BaseModel):
    split_likeness: float


class _Config(BaseModel):
    output: _Output


class Manifest(BaseModel):
    """The part of `dataset.json` that the dataset is verified by."""

    version: str
    config: _Config
    counts: dict[str, int]
    splits: dict[str, dict[str, int]]
    videos: list[Film]
    files: list[File]


def read_manifest(out: str) -> Manifest:
    """Reads `dataset.json` and checks its shape.

    Raises ValueError, naming the remedy, where `out` is not a finished dataset.
    """
    path = storage.join(out, layout.MANIFEST)
    try:
        return Manifest.model_validate_json(storage.read_bytes(path))
    except OSError as error:
        raise ValueError(
            f"{out} is no finished dataset: {path} cannot be read; was the run that "
            f"makes it stopped, or only a part copied? ({error})"
        ) from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(
            f"{out} is no dataset: {path}: {where or 'all of it'}: {fault['msg']}; copy it again, "
            "or run the pipeline again"
        ) from None


def read_json(out: str) -> dict[str, Any]:
    """Reads all of `dataset.json`, unchecked.

    Raises OSError where there is none and ValueError where it is not JSON.
    """
    content: dict[str, Any] = json.loads(storage.read_bytes(storage.join(out, layout.MANIFEST)))
    return content


def write_manifest(
    out: str, content: dict[str, Any], records: Iterable[FileRecord], repo: str = ""
) -> None:
    """Writes the dataset card, that of a repository on a hub where one is named, and, last,
    `dataset.json`.

    `content` is all that the manifest says but the version and the files, which are added to it
    here. `records` are those of every other file of the dataset.
    """
    files = {record.path: record for record in records if record.path != layout.CARD}
    content["version"] = dataset_version(files.values())
    content["files"] = [dataclasses.asdict(files[path]) for path in sorted(files)]
    storage.write_bytes(storage.join(out, layout.CARD), dataset_card.card(content, repo).encode())
    write_json(out, content, [*files.values(), file_record(out, layout.CARD)])


def write_json(out: str, content: dict[str, Any], records: Iterable[FileRecord]) -> None:
    """Adds the version and the files to `content`, and writes it as `dataset.json`."""
    files = sorted(records, key=lambda record: record.path)
    content["version"] = dataset_version(files)
    content["files"] = [dataclasses.asdict(file) for file in files]
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    storage.write_bytes(storage.join(out, layout.MANIFEST), text.encode() + b"\n")


def dataset_version(files: Iterable[File | FileRecord]) -> str:
    """Returns the digest of a dataset's files, without that of the card, which names it."""
    return stage_outputs.digest(
        sorted((file.path, file.sha256) for file in files if file.path != layout.CARD)
    )


def delete_manifest(out: str) -> None:
    """Deletes `dataset.json`, as what it names is about to change."""
    storage.remove([storage.join(out, layout.MANIFEST)])
