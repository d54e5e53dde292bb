"""Reusing the shards that an earlier run has written, so that only changed ones are written again.

`work/shards/<name>.json` is the note of the shard of that name: what it is made of. It is removed
before a shard is put under that name and written after it, so a shard with a note is whole. When
shards before it come or go, a shard gets another number: it is stashed under its digest first, as
the file of its new name may be another shard whose turn has not come yet.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from typing import Any

from pipeline.dataset.file_digests import FileRecord
from pipeline.dataset.reader import locate
from pipeline.dataset.shards import Shard
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.prefetch import prefetch
from schemas.layout import SHARDS

_READS_AT_ONCE = 16


def find(out: str, work: str) -> dict[str, FileRecord]:
    """Finds the whole shards of an earlier run, by the digest of what they are made of."""
    size = {
        storage.basename(path): size
        for path, size in storage.find_in(storage.join(out, SHARDS), "*.tar")
    }
    paths = [path for path, _ in storage.find_in(storage.join(work, SHARDS), "*.json")]
    found = {}
    for path, data in zip(paths, prefetch(storage.read_bytes, paths, _READS_AT_ONCE), strict=True):
        name = storage.basename(path).removesuffix(".json")
        note = _parse_note(data)
        if note and size.get(name) == note["bytes"]:
            found[note["made of"]] = FileRecord(f"{SHARDS}/{name}", note["bytes"], note["sha256"])
    return found


def stash(out: str, work: str, shard: Shard, earlier: FileRecord) -> None:
    """Stashes a shard that is to get another name, until `rename` gives it that."""
    storage.link_or_copy([(locate(out, earlier.path), _stash_path(work, shard))])


def rename(out: str, work: str, shard: Shard, earlier: FileRecord) -> FileRecord:
    """Gives a stashed shard its new name."""
    delete_note(work, shard.path)
    storage.link_or_copy([(_stash_path(work, shard), locate(out, shard.path))], overwrite=True)
    record = dataclasses.replace(earlier, path=shard.path)
    write_note(work, shard, record)
    return record


def delete_note(work: str, path: str) -> None:
    """Deletes the note of a shard, before another one gets its name."""
    storage.remove([_note_path(work, path)])


def write_note(work: str, shard: Shard, record: FileRecord) -> None:
    """Writes the note of a shard, once it has been written."""
    values = {"made of": shard.digest, "bytes": record.bytes, "sha256": record.sha256}
    storage.write_bytes(
        _note_path(work, shard.path),
        json.dumps({**values, "digest": stage_outputs.digest(values)}).encode(),
    )


def clean(out: str, work: str, current: Collection[str]) -> None:
    """Removes all shards but the `current` ones, their notes, and what was stashed."""
    keep = {_note_path(work, path) for path in current} | {locate(out, path) for path in current}
    notes = [path for path, _ in storage.find_in(storage.join(work, SHARDS), "*")]
    shards = [path for path, _ in storage.find_in(storage.join(out, SHARDS), "*")]
    for paths in (notes, shards):  # in this order: there is never a note without its shard
        storage.remove([path for path in paths if path not in keep])


def _stash_path(work: str, shard: Shard) -> str:
    return storage.join(work, SHARDS, f"{shard.digest}.tar")


def _note_path(work: str, path: str) -> str:
    return storage.join(work, SHARDS, f"{storage.basename(path)}.json")


def _parse_note(data: bytes) -> dict[str, Any] | None:
    """The content of a note, None where it is damaged."""
    try:
        values: dict[str, Any] = json.loads(data)
        digest = values.pop("digest")
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    return values if digest == stage_outputs.digest(values) else None
