"""The shards of a dataset made again from what is published, and the manifest that names them.

Whoever has the tables and the pictures can make the shards: the same tables and pictures give the
same tars. Where pictures have other bytes, the table of keyframes, the shards and the manifest are
written anew, so that the folder holds together again.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import cv2
import pyarrow.parquet as pq

from pipeline.config import OutputConfig
from pipeline.dataset import dataset_card, shards
from pipeline.dataset.file_digests import FileRecord
from pipeline.dataset.reader import inside, locate, open_file, read_rows
from pipeline.dataset.shards import Shard, Told
from pipeline.dataset.verify.files import digest
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.prefetch import prefetch
from schemas.rows import Keyframe, Story, arrow_schema, from_table, row, to_table

Bytes = Mapping[str, tuple[int, str]]  # bytes and sha256 of pictures that have others than their
# rows say, by path

_KEYFRAMES = "keyframes.parquet"
_LIBRARIES = ("av", "numpy", "webdataset")  # what decides the bytes of pictures, beside OpenCV


def some(out: str, lacking: Collection[str]) -> tuple[int, int]:
    """Makes the shards none of whose pictures is `lacking`; returns how many these are, and how
    many there are to be."""
    records = list(_shards(out, _manifest(out), {}, lacking))
    return sum(record is not None for record in records), len(records)


def all_of_them(out: str, differ: Bytes) -> bool:
    """Makes the shards, all pictures being there; returns whether they are as the manifest says.

    Where they are not, or pictures `differ` from their rows, these rows and the manifest are
    written anew, then the manifest. Shards that earlier calls have made of other pictures and
    those that they were stopped at are removed. Raises ValueError where a shard belongs elsewhere.
    """
    manifest = _manifest(out)
    before = {file["path"]: FileRecord(**file) for file in manifest["files"]}
    made = {record.path: record for record in _shards(out, manifest, differ, ()) if record}
    if differ:
        _write_keyframes(out, differ)
    after = {path: record for path, record in before.items() if not path.startswith("shards/")}
    after |= made | {_KEYFRAMES: _record(out, _KEYFRAMES)}
    if after != before:
        _write_manifest(out, manifest, after)
    keep = {locate(out, path) for path in made}
    there = [path for path, _ in storage.find_in(locate(out, "shards"), "*")]
    storage.remove([path for path in there if path not in keep])
    return after == before


def _write_manifest(out: str, manifest: dict[str, Any], files: Mapping[str, FileRecord]) -> None:
    """The card and the manifest, with the version that the files have here."""
    named = {path: record for path, record in files.items() if path != "README.md"}
    manifest["version"] = stage_outputs.digest(
        sorted((path, one.sha256) for path, one in named.items())
    )
    manifest["rebuilt"] = {
        "opencv": cv2.__version__,
        **{name: metadata.version(name) for name in _LIBRARIES},
    }
    storage.write_bytes(locate(out, "README.md"), dataset_card.card(manifest).encode())
    named["README.md"] = _record(out, "README.md")
    manifest["files"] = [dataclasses.asdict(named[path]) for path in sorted(named)]
    storage.write_bytes(
        locate(out, "dataset.json"),
        json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n",
    )


def _manifest(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(storage.read_bytes(locate(out, "dataset.json")))
    return found


def _record(out: str, name: str) -> FileRecord:
    return FileRecord(name, *digest(out, name))


def _shards(
    out: str, manifest: Mapping[str, Any], differ: Bytes, lacking: Collection[str]
) -> Iterator[FileRecord | None]:
    """Makes the shards, several at once; None stands for one with a picture that is `lacking`."""
    named = {file["path"]: FileRecord(**file) for file in manifest["files"]}
    side = {film["id"]: film["split"] for film in manifest["videos"]}
    planned = shards.plan(_told(out, differ), side, OutputConfig(**manifest["config"]["output"]))
    for shard in planned:
        if not inside(shard.path):  # the sides of the split are what whoever made it calls them
            raise ValueError(
                f"{shard.path} is no place for a shard of a dataset; do not trust its dataset.json"
            )

    def made(shard: Shard) -> FileRecord | None:
        stories = _stories(out, [story for _, story in shard.stories])
        if any(image in lacking for story in stories for image in story.images):
            return None
        if (
            storage.exists(locate(out, shard.path))
            and (_record(out, shard.path) == named.get(shard.path))
            and not any(image in differ for story in stories for image in story.images)
        ):
            return named[shard.path]
        return shards.write(
            out,
            shard.path,
            stories,
            _digests(out, sorted({film for film, _ in shard.stories}), differ),
        )

    yield from prefetch(made, planned, os.cpu_count() or 1)


def _told(out: str, differ: Bytes) -> Iterator[Told]:
    """The stories, as the plan of the shards takes them."""
    keyframes = itertools.groupby(read_rows(out, "keyframes", Keyframe), lambda one: one.video)
    stories = itertools.groupby(read_rows(out, "stories", Story), lambda one: one.video)
    for video, told in stories:  # both tables have the films in the same order
        rows = next((group for film, group in keyframes if film == video), iter(()))
        pictures = {one.image: differ.get(one.image, (one.bytes, one.sha256)) for one in rows}
        for story in told:
            yield shards.told(story, pictures)


def _stories(out: str, names: Sequence[str]) -> list[Story]:
    with open_file(out, "stories.parquet") as file:
        found = pq.read_table(file, filters=[("id", "in", names)])
    by_name = {story.id: story for story in from_table(found, Story)}
    return [by_name[name] for name in names]


def _digests(out: str, films: Sequence[str], differ: Bytes) -> dict[str, str]:
    """The sha256 of each picture of some films, by path."""
    with open_file(out, _KEYFRAMES) as file:
        found = pq.read_table(file, columns=["image", "sha256"], filters=[("video", "in", films)])
    rows = zip(found["image"].to_pylist(), found["sha256"].to_pylist(), strict=True)
    return {image: differ.get(image, (0, sha256))[1] for image, sha256 in rows}


def _write_keyframes(out: str, differ: Bytes) -> None:
    """The table of keyframes with the bytes that their pictures have here."""
    with (
        open_file(out, _KEYFRAMES) as file,
        storage.writing(locate(out, _KEYFRAMES)) as new,
        pq.ParquetWriter(new, arrow_schema(Keyframe), compression="zstd") as table,
    ):
        for batch in pq.ParquetFile(file).iter_batches(1024):
            rows = [row(Keyframe, values) for values in batch.to_pylist()]
            table.write_table(
                to_table(
                    [
                        dataclasses.replace(
                            one, bytes=differ[one.image][0], sha256=differ[one.image][1]
                        )
                        if one.image in differ
                        else one
                        for one in rows
                    ],
                    Keyframe,
                )
            )
