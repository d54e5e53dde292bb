"""The finished dataset: its tables, its JSONL in the published layout, its manifest.

Part files go in, one film at a time, so memory does not grow with the dataset. A dataset counts as
published only when `dataset.json` names every file of it with its digest: so it is written last,
and one that is there is withdrawn before the first file is replaced that it names.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from importlib import metadata
from typing import Any, NamedTuple

import cv2
import pyarrow.parquet as pq

from pipeline import model_specs
from pipeline.annotation import characters, prompts
from pipeline.config import DatasetConfig
from pipeline.dataset import dataset_card
from pipeline.dataset.file_digests import FileRecord, recorded
from pipeline.dataset.film_rows import probed_video, scored_stories
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.prefetch import prefetch
from pipeline.runtime.stage_outputs import Film
from schemas.rows import (
    Caption,
    Character,
    Keyframe,
    Reject,
    Story,
    Video,
    arrow_schema,
    to_table,
)
from schemas.storystream import IMAGES, chunk_records, story_record

DROPPED = "dropped_stories"  # the table of those that a gate dropped
PICTURES = (IMAGES, "rejected")  # the folders that have a folder of pictures for each film
# What decides the bytes of pictures and texts, beside the configuration.
_LIBRARIES = (
    "av",
    "numpy",
    "rapidocr-onnxruntime",
    "onnxruntime",
    "pyarrow",
    "webdataset",
    "apache-beam",
)
_OF_MODELS = ("torch", "transformers")  # where a model is loaded here; else they may be missing


def withdraw(out: str) -> None:
    """Takes the manifest away, as what it names is about to change."""
    storage.remove([storage.join(out, "dataset.json")])


def publish(
    out: str,
    films: Sequence[Film],
    split: Mapping[str, str],
    shards: Sequence[FileRecord],
    found_rejects: Sequence[Reject],
    config: DatasetConfig,
) -> dict[str, Any]:
    """Writes the tables, the JSONL, the card and, last, the manifest, which it returns.

    `films` and `shards` come in any order; `found_rejects` are those made before any film was
    opened. What an earlier dataset in the same folder has left of pictures, lines and characters
    is removed; its shards are not looked at.
    """
    films = sorted(films, key=lambda film: film.video.id)
    records = list(shards)
    told = _write_tables(out, films, split, found_rejects, records)
    casts = [
        f"{characters.FOLDER}/{storage.basename(characters.path(out, series))}"
        for series in sorted(told.cast)
    ]
    records += prefetch(functools.partial(_record, out), casts, 16)
    manifest = {
        "name": config.output.name,
        "version": stage_outputs.digest(sorted((record.path, record.sha256) for record in records)),
        "created_by": f"storystream {metadata.version('storystream')}",
        "config": config.published(),
        "config_digest": stage_outputs.digest(config.published()),
        "models": {role: config.published()[role] for role in ("captioner", "writer")},
        "prompts": {name: prompts.identity(name, config.prompts) for name in prompts.NAMES},
        "versions": _versions(config),
        **told.summary,
        "characters": [
            dataclasses.asdict(one) for series in sorted(told.cast) for one in told.cast[series]
        ],
        "files": [],
    }
    storage.write_bytes(storage.join(out, "README.md"), dataset_card.card(manifest).encode())
    records.append(_record(out, "README.md"))
    manifest["files"] = [
        dataclasses.asdict(record) for record in sorted(records, key=lambda record: record.path)
    ]
    storage.write_bytes(storage.join(out, "dataset.json"), _json(manifest))
    storage.remove(
        [
            *told.strays,
            *_strays_of_all(
                out, {film.video.id for film in films}, {record.path for record in records}
            ),
        ]
    )
    return manifest


def _versions(config: DatasetConfig) -> dict[str, str]:
    loaded = config.quality.clip or any(
        model_specs.parse(spec).kind != "openai" for spec in (config.captioner, config.writer)
    )
    return {
        "opencv": cv2.__version__,
        **{name: metadata.version(name) for name in (*_LIBRARIES, *(_OF_MODELS if loaded else ()))},
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _record(out: str, name: str) -> FileRecord:
    data = storage.read_bytes(storage.join(out, *name.split("/")))
    return FileRecord(name, len(data), hashlib.sha256(data).hexdigest())


class _Content(NamedTuple):
    """What is published of a film."""

    video: Video
    rows: dict[type, list[Any]]  # by kind: keyframes as selected, the rejects of every stage
    dropped: list[Story]
    cast: list[Character]
    strays: list[str]  # pictures of an earlier dataset that are in its folders


def _content(out: str, film: Film) -> _Content:
    stories, dropped = scored_stories(film)
    rows: dict[type, list[Any]] = {
        Keyframe: film.rows("selection", Keyframe),
        Caption: film.rows("captions", Caption),
        Story: stories,
        Reject: [reject for stage in sorted(film.outputs) for reject in film.rows(stage, Reject)],
    }
    images = {row.image for kind in (Keyframe, Reject) for row in rows[kind] if row.image}
    keep = {storage.join(out, *image.split("/")) for image in images}
    strays = [path for path in _pictures(out, film.video.id) if path not in keep]
    return _Content(probed_video(film), rows, dropped, film.rows("characters", Character), strays)


def _pictures(out: str, video: str) -> list[str]:
    """All that is in a film's folders of pictures."""
    return [
        path
        for folder in PICTURES
        for path, _ in storage.find_in(storage.join(out, folder, video), "**")
    ]


class _Told(NamedTuple):
    """What is left of all films once their rows are in the tables."""

    summary: dict[str, Any]  # of the manifest
    cast: dict[str, list[Character]]  # of each series that has anybody
    strays: list[str]


def _write_tables(
    out: str,
    films: Sequence[Film],
    split: Mapping[str, str],
    found_rejects: Sequence[Reject],
    records: list[FileRecord],
) -> _Told:
    """Streams every film into the tables and the JSONL, and adds their records."""
    counts: Counter[str] = Counter(videos=len(films))
    sides: dict[str, Counter[str]] = {}
    videos, cast, strays = [], {}, []
    with ExitStack() as stack:
        tables = {
            kind: _table(stack, out, name, kind, records)
            for name, kind in (
                ("keyframes", Keyframe),
                ("captions", Caption),
                ("stories", Story),
                ("rejects", Reject),
            )
        }
        dropped = _table(stack, out, DROPPED, Story, records)
        lines = _Lines(stack, out, records)

        def add(kind: Any, rows: Sequence[Any]) -> None:
            if rows:
                tables[kind].write_table(to_table(rows, kind))
            counts[kind.__name__] += len(rows)

        add(Reject, found_rejects)
        for film in prefetch(functools.partial(_content, out), films):
            side = split.get(film.video.id, "")
            stories = [dataclasses.replace(story, split=side) for story in film.rows[Story]]
            for kind, rows in film.rows.items():
                add(kind, stories if kind is Story else rows)
            if film.dropped:
                dropped.write_table(to_table(film.dropped, Story))
            chunks = sum(lines.write(story) for story in stories)
            counts["chunks"] += chunks
            if stories:
                sides.setdefault(side, Counter()).update(
                    videos=1, stories=len(stories), chunks=chunks
                )
            videos.append(
                {
                    **dataclasses.asdict(film.video),
                    "keyframes": len(film.rows[Keyframe]),
                    "stories": len(stories),
                    "split": side,
                }
            )
            if film.cast:
                cast[film.video.series] = film.cast
            strays += film.strays
    return _Told(
        {
            "counts": {
                "videos": counts["videos"],
                "keyframes": counts["Keyframe"],
                "stories": counts["Story"],
                "chunks": counts["chunks"],
                "rejects": counts["Reject"],
            },
            "splits": {side: dict(sides[side]) for side in sorted(sides)},
            "videos": videos,
        },
        cast,
        strays,
    )


def _table(
    stack: ExitStack, out: str, name: str, kind: Any, records: list[FileRecord]
) -> pq.ParquetWriter:
    file = stack.enter_context(recorded(out, f"{name}.parquet", records))
    return stack.enter_context(pq.ParquetWriter(file, arrow_schema(kind), compression="zstd"))


class _Lines:
    """The JSONL files, each opened when its first line comes, so that none is empty."""

    def __init__(self, stack: ExitStack, out: str, records: list[FileRecord]) -> None:
        self.stack, self.out, self.records = stack, out, records
        self.files: dict[str, Any] = {}

    def write(self, story: Story) -> int:
        """Writes a story and its chunks; returns the number of chunks."""
        self._line(f"{IMAGES}/{story.split}_stories.jsonl", story_record(story))
        chunks = chunk_records(story)
        for chunk in chunks:
            self._line(f"{IMAGES}/{story.split}_chunks.jsonl", chunk)
        return len(chunks)

    def _line(self, name: str, record: dict[str, Any]) -> None:
        if name not in self.files:
            self.files[name] = self.stack.enter_context(recorded(self.out, name, self.records))
        self.files[name].write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _strays_of_all(out: str, films: Collection[str], named: Collection[str]) -> list[str]:
    """What an earlier dataset has left beside the films of this one: pictures of films that are
    gone, lines, characters that nobody has edited, and what killed writers have left."""
    gone = {
        video
        for folder in PICTURES
        for video in storage.folders(storage.join(out, folder))
        if video not in films
    }
    keep = {storage.join(out, *name.split("/")) for name in named}
    lines, drafts = (
        [
            path
            for path, _ in storage.find_in(storage.join(out, folder), pattern)
            if path not in keep
        ]
        for folder, pattern in ((IMAGES, "*"), (characters.FOLDER, "*.yaml"))
    )
    untouched = [path for path in drafts if characters.untouched(storage.read_bytes(path).decode())]
    return [
        *(path for video in sorted(gone) for path in _pictures(out, video)),
        *lines,
        *untouched,
        *storage.temporary_files(out),
    ]
