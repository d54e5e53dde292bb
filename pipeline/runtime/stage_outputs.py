"""Part files: the result of one stage for one film, kept so that it is made only once.

A part is named by what it depends on, so finding it is all there is to resuming, to incremental
runs and to "change the writer, keep the captions". It is JSON lines: a row a line, `["Keyframe",
{...}]`, and a last line with its name and the digest of those before it, without which the part
does not count.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from pipeline.runtime import storage
from schemas import rows
from schemas.rows import Caption, Character, Keyframe, Reject, Row, Spoken, Story, Video

AnyRow: TypeAlias = Video | Keyframe | Spoken | Caption | Character | Story | Reject


def digest(value: Any) -> str:
    """16 hex digits that stand for a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def name(stage: str, video: str, depends: Any) -> str:
    """The part of `stage` for `video`, given all that it depends on (JSON): "stage/film-digest"."""
    return f"{stage}/{video}-{digest(depends)}"


def path(work: str, part: str) -> str:
    """Where a part is kept."""
    return storage.join(work, *part.split("/")) + ".jsonl"


def save(file: str, content: Sequence[AnyRow]) -> None:
    """Writes a part whole or not at all."""
    lines = b"".join(
        json.dumps([type(row).__name__, dataclasses.asdict(row)], ensure_ascii=False).encode()
        + b"\n"
        for row in content
    )
    storage.write_bytes(file, lines + _end(file, lines) + b"\n")


def _end(file: str, lines: bytes) -> bytes:
    """The last line of a part. With its name in it, no part stands in for another."""
    return json.dumps(["end", storage.basename(file), hashlib.sha256(lines).hexdigest()]).encode()


def load(file: str) -> list[AnyRow]:
    """The rows of a part, equal to those saved.

    Raises OSError where there is none and ValueError where it is damaged.
    """
    data = storage.read_bytes(file)
    body, _, last = data.rstrip(b"\n").rpartition(b"\n")
    lines = body + b"\n" if body else b""
    if last != _end(file, lines):
        raise ValueError(f"{file} is damaged: its last line does not match its content")
    return [
        rows.row(getattr(rows, kind), values)
        for kind, values in map(json.loads, lines.splitlines())
    ]


def seal(file: str) -> str:
    """The digest of a part's rows, as its last line says. Raises OSError where there is none."""
    return str(json.loads(storage.read_bytes(file).rstrip(b"\n").rpartition(b"\n")[2])[2])


def only(kind: type[Row], content: Iterable[AnyRow]) -> list[Row]:
    """The rows of one kind, in their order."""
    return [row for row in content if isinstance(row, kind)]
