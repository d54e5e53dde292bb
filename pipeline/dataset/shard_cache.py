"""Shards that an earlier run has written, so that only those that changed are written again.

`work/shards/<name>.json` says of the shard of that name what it is made of. It is removed before a
shard is put under that name and written after it, so where there is one the shard is whole. When
shards before it come or go, a shard gets another number: it is put aside first, as what it is made
of, since the file of its new name may be another shard whose turn has not come yet.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from typing import Any

from pipeline.dataset.file_digests import FileRecord
from pipeline.dataset.shards import Shard
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.prefetch import prefetch

_FOLDER = "shards"


def find(out: str, work: str) -> dict[str, FileRecord]:
    """The shards that are there, by the digest of what they are made of."""
    size = {
        storage.basename(path): size
        for path, size in storage.find_in(storage.join(out, _FOLDER), "*.tar")
    }
    paths = [path for path, _ in storage.find_in(storage.join(work, _FOLDER), "*.json")]
    found = {}
    for path, data in zip(paths, prefetch(storage.read_bytes, paths, 16), strict=True):
        name = storage.basename(path).removesuffix(".json")
        record = _parsed(data)
        if record and size.get(name) == record["bytes"]:
            found[record["made of"]] = FileRecord(
                f"{_FOLDER}/{name}", record["bytes"], record["sha256"]
            )
    return found


def put_aside(out: str, work: str, shard: Shard, kept: FileRecord) -> None:
    """Keeps a shard that gets another name, until it has got it."""
    storage.link_or_copy([(storage.join(out, *kept.path.split("/")), _aside(work, shard))])


def rename(out: str, work: str, shard: Shard, kept: FileRecord) -> FileRecord:
    """Gives a shard that was put aside its new name."""
    forget(work, shard.path)
    storage.link_or_copy(
        [(_aside(work, shard), storage.join(out, *shard.path.split("/")))], overwrite=True
    )
    record = dataclasses.replace(kept, path=shard.path)
    save(work, shard, record)
    return record


def forget(work: str, path: str) -> None:
    """Removes what is said of a shard, before another gets its name."""
    storage.remove([_about(work, path)])


def save(work: str, shard: Shard, record: FileRecord) -> None:
    """Says of a shard that it has been written."""
    values = {"made of": shard.digest, "bytes": record.bytes, "sha256": record.sha256}
    storage.write_bytes(
        _about(work, shard.path),
        json.dumps({**values, "digest": stage_outputs.digest(values)}).encode(),
    )


def sweep(out: str, work: str, named: Collection[str]) -> None:
    """Removes all shards but those named, and what is said of them or was put aside."""
    there = [path for path, _ in storage.find_in(storage.join(out, _FOLDER), "*")]
    keep = {_about(work, path) for path in named} | {
        storage.join(out, *path.split("/")) for path in named
    }
    said = [path for path, _ in storage.find_in(storage.join(work, _FOLDER), "*")]
    for paths in (said, there):  # in this order: what is said of a shard is never without it
        storage.remove([path for path in paths if path not in keep])


def _aside(work: str, shard: Shard) -> str:
    return storage.join(work, _FOLDER, f"{shard.digest}.tar")


def _about(work: str, path: str) -> str:
    return storage.join(work, _FOLDER, f"{storage.basename(path)}.json")


def _parsed(data: bytes) -> dict[str, Any] | None:
    """What a file says of a shard, None where it is damaged."""
    try:
        values: dict[str, Any] = json.loads(data)
        digest = values.pop("digest")
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    return values if digest == stage_outputs.digest(values) else None
