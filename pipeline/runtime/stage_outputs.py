"""Stage outputs: the rows that one stage made of one film, a file each, kept between runs.

An output is named by a digest of all that it depends on, so finding it is all there is to resuming,
to incremental runs and to "change the writer, keep the captions". It is JSON lines: a row a line,
`["Keyframe", {...}]`, and a last line with its name and the digest of those before it, without
which the output does not count.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pipeline.runtime import storage
from schemas import layout, rows
from schemas.rows import Caption, Character, Keyframe, Reject, Row, Spoken, Story, Video

AnyRow: TypeAlias = Video | Keyframe | Spoken | Caption | Character | Story | Reject

NO_ANSWER = "no answer"  # reason of a reject for which the next run asks again


@dataclasses.dataclass(frozen=True)
class Film:
    """A film on its way through the stages, with the outputs of those that are done."""

    video: Video
    work: str  # the folder of stage outputs
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)  # stage -> output's name

    def content(self, stage: str) -> list[AnyRow]:
        """All rows of a stage's output."""
        return load(path(self.work, self.outputs[stage]))

    def rows(self, stage: str, kind: type[Row]) -> list[Row]:
        """The rows of one kind of a stage's output."""
        return only(kind, self.content(stage))

    def with_output(self, stage: str, output: str) -> Film:
        """The film with the output of one more stage."""
        return dataclasses.replace(self, outputs={**self.outputs, stage: output})


def digest(value: Any) -> str:
    """Returns 16 hex digits that stand for a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def name(stage: str, video: str, key: Any) -> str:
    """Names the output of a stage for a video by its key (JSON): "stage/video-digest"."""
    return f"{stage}/{video}-{digest(key)}"


def path(work: str, output: str) -> str:
    """Returns the path of an output's file."""
    return storage.join(work, *output.split("/")) + ".jsonl"


def pictures(work: str, output: str) -> str:
    """Returns the folder of the pictures that belong to the output of the keyframes stage."""
    return storage.join(work, layout.PICTURES, output.rpartition("/")[2])


def save(file: str, content: Sequence[AnyRow]) -> None:
    """Writes an output whole or not at all."""
    lines = b"".join(
        json.dumps([type(row).__name__, dataclasses.asdict(row)], ensure_ascii=False).encode()
        + b"\n"
        for row in content
    )
    storage.write_bytes(file, lines + _end(file, lines) + b"\n")


def _end(file: str, lines: bytes) -> bytes:
    """The last line of an output. With its name in it, no output stands in for another."""
    return json.dumps(["end", storage.basename(file), hashlib.sha256(lines).hexdigest()]).encode()


def load(file: str) -> list[AnyRow]:
    """Reads the rows of an output, equal to those saved.

    Raises OSError where there is none and ValueError where it is damaged.
    """
    return [
        rows.row(getattr(rows, kind), values)
        for kind, values in map(json.loads, _lines(file).splitlines())
    ]


def _lines(file: str) -> bytes:
    """The lines of an output but for the last, which is checked."""
    data = storage.read_bytes(file)
    body, _, last = data.rstrip(b"\n").rpartition(b"\n")
    lines = body + b"\n" if body else b""
    if last != _end(file, lines):
        raise ValueError(f"{file} is damaged: its last line does not match its content")
    return lines


def rows_digest(file: str, kinds: Iterable[type[AnyRow]]) -> str:
    """Returns 64 hex digits that stand for the rows of some kinds in an output, in their order.

    Raises as `load` does.
    """
    starts = tuple(f'["{kind.__name__}", '.encode() for kind in kinds)
    wanted = (line for line in _lines(file).splitlines(True) if line.startswith(starts))
    return hashlib.sha256(b"".join(wanted)).hexdigest()


def only(kind: type[Row], content: Iterable[AnyRow]) -> list[Row]:
    """Returns the rows of one kind, in their order."""
    return [row for row in content if isinstance(row, kind)]
