"""Reads and writes stage outputs: the rows that one stage makes of one film, in a file each.

An output is named by a digest of everything it depends on. Resuming, incremental runs and "change
the writer, keep the captions" all amount to finding the file of that name. It is JSON lines: a row
per line, `["Keyframe", {...}]`, and a last line with the file's name and the digest of the lines
before it, without which the output is damaged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pipeline.runtime import storage
from schemas import layout, rows
from schemas.rows import (
    Appearance,
    Caption,
    CastMember,
    Character,
    Figure,
    Keyframe,
    Place,
    Reference,
    Reject,
    Renamed,
    Row,
    Scene,
    Spoken,
    Story,
    Video,
)

AnyRow: TypeAlias = (
    Video
    | Keyframe
    | Spoken
    | Figure
    | Appearance
    | CastMember
    | Reference
    | Renamed
    | Scene
    | Place
    | Caption
    | Character
    | Story
    | Reject
)

# Reasons of rejects that make the next run ask the model again.
NO_ANSWER = "no answer"
UNREADABLE, BAD_NARRATIVE = "unreadable answer", "bad narrative"  # failed check and repair

# Reason of a reject for an error that a stage does not expect: of a film, which is tried again.
FAILED = "failed"

REFUSED = "refused"  # reason of a reject: the model or a filter did not want to answer


@dataclasses.dataclass(frozen=True)
class Film:
    """A film with the outputs of the stages that are done."""

    video: Video
    work: str  # the folder of stage outputs
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)  # stage -> output's name

    def content(self, stage: str) -> list[AnyRow]:
        """Returns all rows of a stage's output."""
        return load(path(self.work, self.outputs[stage]))

    def rows(self, stage: str, kind: type[Row]) -> list[Row]:
        """Returns the rows of one kind in a stage's output."""
        return only(kind, self.content(stage))

    def with_output(self, stage: str, output: str) -> Film:
        """Returns the film with the output of one more stage."""
        return dataclasses.replace(self, outputs={**self.outputs, stage: output})


def digest(value: Any) -> str:
    """Returns the first 16 hex digits of the SHA-256 of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def name(stage: str, video: str, key: Any) -> str:
    """Names the output of a stage for a video by its key (JSON): "stage/video-digest"."""
    return f"{stage}/{video}-{digest(key)}"


def path(work: str, output: str) -> str:
    """Returns the path of an output's file."""
    return storage.join(work, *output.split("/")) + ".jsonl"


def images_folder(work: str, output: str) -> str:
    """Returns the folder of the images that belong to an output of the keyframes stage."""
    return storage.join(work, layout.PICTURES, output.rpartition("/")[2])


def save(file: str, content: Sequence[AnyRow]) -> None:
    """Writes an output atomically. Raises CannotWrite if it cannot be written."""
    lines = b"".join(
        json.dumps([type(row).__name__, dataclasses.asdict(row)], ensure_ascii=False).encode()
        + b"\n"
        for row in content
    )
    storage.write_bytes(file, lines + _end(file, lines) + b"\n")


def _end(file: str, lines: bytes) -> bytes:
    """Returns the last line of an output. It has the file's name, so that an output that was
    copied over another is recognised as damaged."""
    return json.dumps(["end", storage.basename(file), hashlib.sha256(lines).hexdigest()]).encode()


def load(file: str) -> list[AnyRow]:
    """Reads the rows of an output, equal to those saved.

    Raises OSError if there is no such file and ValueError if it is damaged.
    """
    return [
        rows.row(getattr(rows, kind), values)
        for kind, values in map(json.loads, _lines(file).splitlines())
    ]


def _lines(file: str) -> bytes:
    """Returns the lines of an output but the last, against which it checks them."""
    data = storage.read_bytes(file)
    body, _, last = data.rstrip(b"\n").rpartition(b"\n")
    lines = body + b"\n" if body else b""
    if last != _end(file, lines):
        raise ValueError(f"{file} is damaged: its last line does not match its content")
    return lines


def rows_digest(file: str, kinds: Iterable[type[AnyRow]]) -> str:
    """Returns the SHA-256, in hex, of the rows of some kinds in an output, in their order.

    Raises as `load` does.
    """

    starts = tuple(f'["{kind.__name__}", '.encode() for kind in kinds)
    wanted = (line for line in _lines(file).splitlines(True) if line.startswith(starts))
    return hashlib.sha256(b"".join(wanted)).hexdigest()


def only(kind: type[Row], content: Iterable[AnyRow]) -> list[Row]:
    """Returns the rows of one kind, in their order."""
    return [row for row in content if isinstance(row, kind)]
