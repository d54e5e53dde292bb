"""Finds tables that are missing, unreadable, or have other columns than this version writes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pyarrow as pa

from pipeline.dataset.reader import schema_fault
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import RUN, Problem
from schemas import layout


def check_table_schemas(index: Index, bad_files: set[str]) -> Generator[Problem, None, bool]:
    """Checks the columns of the tables; returns whether their rows can be checked."""
    named = {file.path for file in index.manifest.files}
    usable = True
    for table, kind in layout.TABLES.items():
        path = layout.table_path(table)
        if path not in named:
            problem: Problem | None = Problem(
                "missing file", path, f"{layout.MANIFEST} does not name it", RUN
            )
        elif path in bad_files:
            usable = False
            continue  # has been reported
        else:
            problem = _schema_problem(index.out, table, kind)
        if problem:
            usable = False
            yield problem
    if not usable:
        yield Problem(
            "not checked",
            "rows, pictures, shards",
            "they need all the tables, each with its columns",
            "repair the tables and verify again",
        )
    return usable


def _schema_problem(out: str, table: str, kind: Any) -> Problem | None:
    path = layout.table_path(table)
    try:
        fault = schema_fault(out, table, kind)
    except pa.ArrowException as error:
        return Problem("unreadable file", path, str(error).splitlines()[0], RUN)
    return Problem("schema", path, fault, RUN) if fault else None
