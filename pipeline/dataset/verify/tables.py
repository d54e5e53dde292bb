"""The tables: their columns and their rows."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.publish import DROPPED
from pipeline.dataset.reader import open_file
from pipeline.dataset.verify.known import Known
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.rows import Caption, Keyframe, Reject, Story, arrow_schema, row

_TABLES: dict[str, Any] = {
    "keyframes": Keyframe,
    "captions": Caption,
    "stories": Story,
    "rejects": Reject,
    DROPPED: Story,
}


def check_schemas(known: Known, bad: set[str]) -> Generator[Problem, None, bool]:
    """The columns of the tables; returns whether the rows can be looked at."""
    named = {file.path for file in known.manifest.files}
    usable = True
    for table, kind in _TABLES.items():
        name = f"{table}.parquet"
        if name not in named:
            yield Problem("missing file", name, "dataset.json does not name it", RUN)
            usable = usable and table == DROPPED  # older versions made none
        elif name in bad:
            usable = False
        else:
            problem = _schema_problem(known.out, name, kind)
            if problem:
                usable = False
                yield problem
    if not usable:
        yield Problem(
            "not looked at",
            "rows, pictures, shards",
            "they need all the tables, each with its columns",
            "mend the tables and verify again",
        )
    return usable


def _schema_problem(out: str, name: str, kind: Any) -> Problem | None:
    try:
        with open_file(out, name) as file:
            found, wanted = pq.ParquetFile(file).schema_arrow, arrow_schema(kind)
    except pa.ArrowException as error:
        return Problem("unreadable file", name, str(error).splitlines()[0], RUN)
    if found.equals(wanted):
        return None
    differ = [
        column
        for column in dict.fromkeys([*wanted.names, *found.names])
        if column not in found.names
        or column not in wanted.names
        or not found.field(column).equals(wanted.field(column))
    ] or ["their order"]
    return Problem(
        "schema", name, f"its columns are not those of this version: {', '.join(differ)}", RUN
    )


def batches(known: Known, table: str) -> Iterator[list[Any]]:
    """The rows of a table, some at a time; none where there is no table."""
    name = f"{table}.parquet"
    if name in {file.path for file in known.manifest.files}:
        with open_file(known.out, name) as file:
            for batch in pq.ParquetFile(file).iter_batches(1024):
                yield [row(_TABLES[table], values) for values in batch.to_pylist()]


def rows(known: Known, table: str) -> Iterator[Any]:
    for batch in batches(known, table):
        yield from batch
