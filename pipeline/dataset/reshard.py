"""Writing the shards of a dataset again from what is published, and the manifest that names them.

Whoever has the tables and the pictures can make the shards: the same tables and pictures give the
same tars. Where pictures have other bytes than their rows say, the table of keyframes, the shards
and the manifest are written anew, so that the folder is consistent again.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any, TypeAlias

import cv2

from pipeline.config import OutputConfig
from pipeline.dataset import shards
from pipeline.dataset.file_digests import FileRecord, file_record
from pipeline.dataset.manifest import read_json, write_manifest
from pipeline.dataset.reader import (
    has_file,
    is_inside,
    locate,
    read_batches,
    read_films,
    read_matching,
    read_table,
)
from pipeline.dataset.shards import Shard, StorySummary
from pipeline.dataset.tables import writing_table
from pipeline.runtime import storage
from pipeline.runtime.prefetch import prefetch
from schemas import layout
from schemas.rows import Keyframe, Story, row

# Path -> bytes and sha256, of the pictures that have others than their rows say.
Changed: TypeAlias = Mapping[str, tuple[int, str]]

_LIBRARIES = ("av", "numpy", "webdataset")  # what decides the bytes of pictures, beside OpenCV


def write_complete(out: str, missing: Collection[str]) -> tuple[int, int]:
    """Writes the shards that need none of the `missing` pictures.

    Returns how many these are, and how many there are to be. The manifest stays as it is.
    """
    records = list(_write_shards(out, read_json(out), {}, missing))
    return sum(record is not None for record in records), len(records)


def write_all(out: str, changed: Changed) -> bool:
    """Writes all shards, every picture being there; tells whether all is as the manifest says.

    Where it is not, or pictures are `changed`, their rows, then the card and the manifest are
    written anew. Shards that earlier calls have made of other pictures, or were stopped at, are
    removed. Raises ValueError where the path of a shard leads out of the folder.
    """
    content = read_json(out)
    before = {file["path"]: FileRecord(**file) for file in content["files"]}
    written = {record.path: record for record in _write_shards(out, content, changed, ()) if record}
    if changed:
        _update_keyframes(out, changed)
    after = {
        path: record for path, record in before.items() if not path.startswith(f"{layout.SHARDS}/")
    }
    keyframes = layout.table_path(layout.KEYFRAMES)
    after |= written | {keyframes: file_record(out, keyframes)}
    crops = [path for path in before if path.startswith(f"{layout.CHARACTERS}/")]
    after |= {path: file_record(out, path) for path in crops if has_file(out, path)}
    if after != before:
        content["rebuilt"] = {
            "opencv": cv2.__version__,
            **{name: metadata.version(name) for name in _LIBRARIES},
        }
        write_manifest(out, content, after.values())
    current = {locate(out, path) for path in written}
    found = [path for path, _ in storage.find_in(locate(out, layout.SHARDS), "*")]
    storage.remove([path for path in found if path not in current])
    return after == before


def _write_shards(
    out: str, content: Mapping[str, Any], changed: Changed, missing: Collection[str]
) -> Iterator[FileRecord | None]:
    """Writes the shards, several at once; yields None for one that needs a `missing` picture."""
    recorded = {file["path"]: FileRecord(**file) for file in content["files"]}
    splits = {film["id"]: film["split"] for film in content["videos"]}
    sources = {film["id"]: film for film in content["videos"]}
    planned = shards.plan(
        _summaries(out, changed, sources), splits, OutputConfig(**content["config"]["output"])
    )
    for shard in planned:
        if not is_inside(shard.path):  # the names of the splits are whatever the manifest says
            raise ValueError(
                f"{shard.path} is no place for a shard of a dataset; do not trust its dataset.json"
            )

    def write(shard: Shard) -> FileRecord | None:
        stories = _read_stories(out, [story for _, story in shard.stories])
        if any(image in missing for story in stories for image in story.images):
            return None
        if (
            has_file(out, shard.path)
            and file_record(out, shard.path) == recorded.get(shard.path)
            and not any(image in changed for story in stories for image in story.images)
        ):
            return recorded[shard.path]
        films = sorted({film for film, _ in shard.stories})
        sha256 = _picture_digests(out, films, changed)
        return shards.write(out, shard.path, stories, sha256, sources)

    yield from prefetch(write, planned, os.cpu_count() or 1)


def _summaries(
    out: str, changed: Changed, sources: Mapping[str, Mapping[str, str]]
) -> Iterator[StorySummary]:
    """Sums up the stories for the plan of the shards."""
    for _, stories, keyframes in read_films(out):
        pictures = {
            image: changed.get(image, (keyframe.bytes, keyframe.sha256))
            for image, keyframe in keyframes.items()
        }
        for story in stories:
            yield shards.summarize(story, pictures, sources[story.video])


def _read_stories(out: str, ids: Sequence[str]) -> list[Story]:
    by_id = {story.id: story for story in read_matching(out, layout.STORIES, Story, "id", ids)}
    return [by_id[name] for name in ids]


def _picture_digests(out: str, films: Sequence[str], changed: Changed) -> dict[str, str]:
    """Returns the sha256 of each picture of some films, by path."""
    columns = ["video", "image", "sha256"]
    found = read_table(out, layout.KEYFRAMES, columns, where=("video", films))
    rows = zip(found["image"].to_pylist(), found["sha256"].to_pylist(), strict=True)
    return {image: changed.get(image, (0, sha256))[1] for image, sha256 in rows}


def _update_keyframes(out: str, changed: Changed) -> None:
    """Writes the table of keyframes with the bytes and digests of the changed pictures."""

    def updated(keyframe: Keyframe) -> Keyframe:
        if keyframe.image not in changed:
            return keyframe
        size, sha256 = changed[keyframe.image]
        return dataclasses.replace(keyframe, bytes=size, sha256=sha256)

    with (
        storage.writing(locate(out, layout.table_path(layout.KEYFRAMES))) as file,
        writing_table(file, Keyframe) as table,
    ):
        for batch in read_batches(out, layout.KEYFRAMES):
            table.write([updated(row(Keyframe, values)) for values in batch.to_pylist()])
