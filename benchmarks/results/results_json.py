"""Writes and reads results.json, the results of a run of the benchmarks for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results.tables import Cell, Column, Figure, Table


def write_results(tables: Iterable[Table], about: Mapping[str, Any], path: Path) -> None:
    """Writes results.json. A value that is not finite (of a division by zero, say) becomes none
    with a note: JSON cannot express it.

    Raises ValueError for two tables of one name.
    """
    tables = list(tables)
    names = [table.name for table in tables]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"two tables are called {', '.join(twice)}: name each by itself")
    found = {
        "about": dict(about),
        "tables": [dataclasses.asdict(_without_infinities(table)) for table in tables],
    }
    path.write_text(
        json.dumps(found, indent=1, ensure_ascii=False, default=_to_json) + "\n", encoding="utf-8"
    )


def _without_infinities(table: Table) -> Table:
    def one(cell: Cell) -> Cell:
        if isinstance(cell, str) or cell.value is None:
            return cell
        if not math.isfinite(cell.value):
            return Figure(None, cell.n, note=cell.note or f"came out as {cell.value}")
        ends = (cell.low, cell.high)
        if all(end is None or math.isfinite(end) for end in ends):
            return cell
        return dataclasses.replace(cell, low=None, high=None)

    return dataclasses.replace(
        table,
        cells={
            row: {column: one(cell) for column, cell in cells.items()}
            for row, cells in table.cells.items()
        },
    )


def _to_json(value: Any) -> Any:
    """Converts numbers of numpy to Python's, anything else (a path) to its text."""
    return value.item() if hasattr(value, "item") else str(value)


def read_results(path: Path) -> tuple[list[Table], dict[str, Any]]:
    """Reads the tables of a results.json and what is said about the run.

    Raises ValueError, naming the file, where it is not one.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [_read_table(values) for values in found["tables"]], dict(found["about"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a results.json of `make bench`: {error}") from error


def _read_table(values: dict[str, Any]) -> Table:
    cells = {
        row: {
            column: cell if isinstance(cell, str) else Figure(**cell)
            for column, cell in columns.items()
        }
        for row, columns in values["cells"].items()
    }
    lists = {name: tuple(values.get(name, ())) for name in ("published", "bounds", "pictures")}
    return Table(
        **{
            **values,
            **lists,
            "cells": cells,
            "columns": tuple(Column(**column) for column in values["columns"]),
        }
    )
