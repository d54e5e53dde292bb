"""The finished dataset: its tables, its JSONL in the published layout, its manifest.

Part files go in, one film at a time, so memory does not grow with the dataset. A dataset counts as
published only when `dataset.json` names every file of it with its digest, so that is written last.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib import metadata
from typing import Any

import cv2
import pyarrow.parquet as pq

from pipeline import card, characters, parts, prompts, storage
from pipeline.config import DatasetConfig
from pipeline.shards import FileRecord
from pipeline.stages import Film, probed, told
from schemas.rows import Caption, Character, Keyframe, Reject, Story, arrow_schema, to_table
from schemas.storystream import IMAGES, chunk_records, story_record

DROPPED = "dropped_stories"  # the table of those that a gate dropped
# What decides the bytes of pictures and texts, beside the configuration.
_LIBRARIES = ("av", "numpy", "rapidocr-onnxruntime", "onnxruntime", "torch",
              "transformers", "pyarrow", "webdataset", "apache-beam")


def content(film: Film) -> dict[type, list[Any]]:
    """A film's rows by kind: its keyframes as selected, and the rejects of every stage."""
    rejects = [reject for stage in sorted(film.parts) for reject in film.rows(stage, Reject)]
    return {Keyframe: film.rows("selection", Keyframe), Caption: film.rows("captions", Caption),
            Story: told(film)[0], Reject: rejects}


def publish(out: str, films: Sequence[Film], split: dict[str, str], shards: Sequence[FileRecord],
            found_rejects: Sequence[Reject], config: DatasetConfig) -> dict[str, Any]:
    """Writes the tables, the JSONL, the card and, last, the manifest, which it returns.

    `films` and `shards` come in any order; `found_rejects` are those made before any film was
    opened. Files of an earlier dataset in the same folder that this one does not name are removed.
    """
    films = sorted(films, key=lambda film: film.video.id)
    summary = _write_tables(out, films, split, found_rejects)
    cast = _characters(films)
    names = ["keyframes.parquet", "captions.parquet", "stories.parquet", "rejects.parquet",
             f"{DROPPED}.parquet",
             *summary.pop("jsonl"),
             *(f"{characters.FOLDER}/{storage.basename(characters.path(out, series))}"
               for series in sorted(cast))]
    records = [_record(out, name) for name in names] + list(shards)
    manifest = {
        "name": config.output.name,
        "version": parts.digest(sorted((record.path, record.sha256) for record in records)),
        "created_by": f"storystream {metadata.version('storystream')}",
        "config": config.published(),
        "config_digest": parts.digest(config.published()),
        "models": {role: config.published()[role] for role in ("captioner", "writer")},
        "prompts": {name: prompts.identity(name, config.prompts) for name in prompts.NAMES},
        "versions": {"opencv": cv2.__version__,
                     **{name: metadata.version(name) for name in _LIBRARIES}},
        **summary,
        "characters": [dataclasses.asdict(one) for series in sorted(cast) for one in cast[series]],
        "files": [],
    }
    storage.write_bytes(storage.join(out, "README.md"), card.card(manifest).encode())
    records.append(_record(out, "README.md"))
    manifest["files"] = [dataclasses.asdict(record)
                         for record in sorted(records, key=lambda record: record.path)]
    storage.write_bytes(storage.join(out, "dataset.json"), _json(manifest))
    _sweep(out, films, {record.path for record in records})
    return manifest


def _characters(films: Sequence[Film]) -> dict[str, list[Character]]:
    """Who is who, of each series that has anybody."""
    found = {film.video.series: film.rows("characters", Character) for film in films}
    return {series: rows for series, rows in found.items() if rows}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _record(out: str, name: str) -> FileRecord:
    data = storage.read_bytes(storage.join(out, *name.split("/")))
    return FileRecord(name, len(data), hashlib.sha256(data).hexdigest())


def _write_tables(out: str, films: Sequence[Film], split: dict[str, str],
                  found_rejects: Sequence[Reject]) -> dict[str, Any]:
    """Streams every film into the tables and the JSONL; returns the manifest's summary of them."""
    counts: Counter[str] = Counter(videos=len(films))
    sides: dict[str, Counter[str]] = {}
    videos = []
    with ExitStack() as stack:
        tables = {kind: _table(stack, out, name, kind) for name, kind in (
            ("keyframes", Keyframe), ("captions", Caption), ("stories", Story),
            ("rejects", Reject))}
        dropped = _table(stack, out, DROPPED, Story)
        lines = _Lines(stack, out)

        def add(kind: Any, rows: Sequence[Any]) -> None:
            if rows:
                tables[kind].write_table(to_table(rows, kind))
            counts[kind.__name__] += len(rows)

        add(Reject, found_rejects)
        for film in films:
            video, rows, side = probed(film), content(film), split.get(film.video.id, "")
            rows[Story] = [dataclasses.replace(story, split=side) for story in rows[Story]]
            for kind in rows:
                add(kind, rows[kind])
            if worse := told(film)[1]:
                dropped.write_table(to_table(worse, Story))
            stories = rows[Story]
            chunks = sum(lines.write(story) for story in stories)
            counts["chunks"] += chunks
            if stories:
                sides.setdefault(side, Counter()).update(
                    videos=1, stories=len(stories), chunks=chunks)
            videos.append({**dataclasses.asdict(video), "keyframes": len(rows[Keyframe]),
                           "stories": len(stories), "split": side})
    return {
        "counts": {"videos": counts["videos"], "keyframes": counts["Keyframe"],
                   "stories": counts["Story"], "chunks": counts["chunks"],
                   "rejects": counts["Reject"]},
        "splits": {side: dict(sides[side]) for side in sorted(sides)},
        "videos": videos,
        "jsonl": sorted(lines.files),
    }


def _table(stack: ExitStack, out: str, name: str, kind: Any) -> pq.ParquetWriter:
    file = stack.enter_context(storage.writing(storage.join(out, f"{name}.parquet")))
    return stack.enter_context(pq.ParquetWriter(file, arrow_schema(kind), compression="zstd"))


class _Lines:
    """The JSONL files, each opened when its first line comes, so that none is empty."""

    def __init__(self, stack: ExitStack, out: str) -> None:
        self.stack, self.out = stack, out
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
            self.files[name] = self.stack.enter_context(
                storage.writing(storage.join(self.out, *name.split("/"))))
        self.files[name].write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _pictures(films: Iterable[Film]) -> Iterator[str]:
    for film in films:
        rows = content(film)
        yield from (keyframe.image for keyframe in rows[Keyframe])
        yield from (reject.image for reject in rows[Reject] if reject.image)


def _sweep(out: str, films: Sequence[Film], named: set[str]) -> None:
    """Removes what an earlier run left in the folders that the dataset owns."""
    keep = {storage.join(out, *name.split("/")) for name in (*named, *_pictures(films))}
    there = [path for folder in (IMAGES, "rejected", "shards")
             for path, _ in storage.find_in(storage.join(out, folder), "**")]
    drafts = [path for path, _ in storage.find_in(storage.join(out, characters.FOLDER), "*.yaml")
              if characters.untouched(storage.read_bytes(path).decode())]
    storage.remove([path for path in (*there, *drafts) if path not in keep])
