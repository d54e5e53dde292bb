"""Reads and appends the decisions of people about a dataset, and tells which of them stand.

`decisions.jsonl` only grows, so its first bytes are a version of it: a run notes how many there are
when it starts and reads no others, while people go on deciding.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from pipeline.runtime import storage
from schemas import layout
from schemas.decisions import (
    Decision,
    OfFilm,
    OfSeries,
    OfStory,
    SceneBegin,
    Undo,
    parse,
    parse_line,
)

OF_STORY, OF_SERIES = get_args(OfStory), get_args(OfSeries)
OF_FILM = (*OF_STORY, SceneBegin)
NONE = ""  # the version of a file that is not there


class DecisionsError(ValueError):
    """The file of decisions cannot be used; the message has its name and the remedy. Ends a run."""

    exit_code = 2


def path(out: str) -> str:
    """Returns the path of the decisions about the dataset in the folder `out`."""
    return storage.join(out, layout.DECISIONS)


def version(out: str) -> str:
    """Returns the version of the decisions as they are now: "bytes:digest", NONE without any.

    A last line without an end is not counted: it was not written whole.
    """
    try:
        data = storage.read_bytes(path(out))
    except FileNotFoundError:
        return NONE
    size = data.rfind(b"\n") + 1
    return f"{size}:{hashlib.sha256(data[:size]).hexdigest()[:16]}" if size else NONE


@functools.lru_cache(4)
def read(out: str, version: str) -> tuple[Decision, ...]:
    """Reads a version of the decisions, in their order.

    Raises DecisionsError for a line that is no decision, and where the version is gone.
    """
    if version == NONE:
        return ()
    size, _, digest = version.partition(":")
    data = storage.read_bytes(path(out))[: int(size)]
    if hashlib.sha256(data).hexdigest()[:16] != digest:
        raise DecisionsError(
            f"{path(out)} was changed other than at its end, while it was read: start again"
        )
    found: dict[str, Decision] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            decision = parse_line(line)
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            raise DecisionsError(
                f"{path(out)}: line {number} is not a decision: {where}: {fault['msg']}; mend it, "
                "or delete the line"
            ) from None
        found.setdefault(decision.id, decision)  # of two files that were joined
    return tuple(found.values())


def standing(decisions: Iterable[Decision]) -> list[Decision]:
    """Returns the decisions that were not undone, without Undos, in their order."""
    rows = list(decisions)
    undone: set[str] = set()
    for row in reversed(rows):  # an Undo that was undone undoes nothing
        if isinstance(row, Undo) and row.id not in undone:
            undone.add(row.of)
    return [row for row in rows if not isinstance(row, Undo) and row.id not in undone]


@functools.lru_cache(4)
def by_film(out: str, version: str) -> Mapping[str, Sequence[OfFilm]]:
    """Returns the standing decisions about each film's stories and scenes. Raises as `read`
    does."""
    films: dict[str, list[OfFilm]] = defaultdict(list)
    for row in standing(read(out, version)):
        if isinstance(row, OF_FILM):
            films[row.film].append(row)
    return films


def of_stories(rows: Iterable[Decision]) -> list[OfStory]:
    """Returns the decisions that are about stories."""
    return [row for row in rows if isinstance(row, OF_STORY)]


def of_scenes(rows: Iterable[Decision]) -> list[SceneBegin]:
    """Returns the decisions that are about scenes."""
    return [row for row in rows if isinstance(row, SceneBegin)]


@functools.lru_cache(4)
def by_series(out: str, version: str) -> Mapping[str, Sequence[OfSeries]]:
    """Returns the standing decisions about who is who in each series. Raises as `read` does."""
    series: dict[str, list[OfSeries]] = defaultdict(list)
    for row in standing(read(out, version)):
        if isinstance(row, OF_SERIES):
            series[row.series].append(row)
    return series


def append(
    out: str,
    values: Mapping[str, Any],
    by: str,
    check: Callable[[Sequence[Decision], Decision], None],
) -> Decision:
    """Appends a decision and returns it, with the id and the time that it was given.

    `check` gets all earlier decisions and this one, while nobody else can append, and may raise.
    Raises pydantic.ValidationError for values that are no decision, and OSError if the file cannot
    be written.
    """
    row = parse(
        {
            **values,
            "id": secrets.token_hex(8),
            "by": by,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    )
    line = row.model_dump_json().encode() + b"\n"
    with open(path(out), "ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        check(read(out, version(out)), row)
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)  # a line that was not written whole
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return row
