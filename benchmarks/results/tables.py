"""Tables of results: figures, each with its number of cases and its interval, and their formatting.

A benchmark returns `Table`s. They become `results.json`, Markdown and the report, and two
`results.json` are compared by them; so a figure is never formatted where it is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Better = Literal["higher", "lower", ""]  # "" where neither is: a count, a size
OF_ROUNDS = "least and most of the rounds"  # the interval, in `Table.about`, of what was timed


@dataclass(frozen=True)
class Figure:
    """One number. `value` is None where it could not be measured; `note` then says why."""

    value: float | None
    n: int = 0  # cases it is made of: pictures, stories, answers, rounds
    low: float | None = None  # the interval that `Table.about` describes, 95 % unless it says else
    high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """Describes the figures of a column."""

    name: str
    better: Better = ""
    unit: str = ""  # "%" (the value is a share, 0..1), "s", "MB", ...
    digits: int = 3


Cell = Figure | str


@dataclass(frozen=True)
class Table:
    """Figures by row and column. Everything in it is plain data."""

    name: str  # of the benchmark and the table: "consistency", "judge-pairs"
    title: str
    rows: str  # what a row is: "generator", "dataset", "policy"
    columns: tuple[Column, ...]
    cells: Mapping[str, Mapping[str, Cell]]  # by row, then column; a column may be missing
    text: str = ""  # what is measured and its failure modes, a paragraph or two of Markdown
    # How it was measured: seed, models with versions, interval. `model` and `run` name what is
    # measured, and may be others the next time; where anything else differs, two results differ in
    # how they were made, and figures are not compared (results.comparison).
    about: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[str, ...] = ()  # rows that are figures of a publication, not measured here
    bounds: tuple[str, ...] = ()  # rows that do not compete: an upper bound, the true stories
    contest: bool = True  # rows compete, so the best of a column is marked; steps of work do not
    pictures: tuple[str, ...] = ()  # files to show below, relative to the report's folder


def format_number(value: float, column: Column) -> str:
    """Formats a value without its unit; a share as its percentage."""
    if not math.isfinite(value):
        return str(value)
    text = f"{(100 if column.unit == '%' else 1) * value:,.{column.digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text  # -0.00


def format_interval(cell: Figure, column: Column) -> str:
    """Formats the interval, "" for none."""
    if cell.value is None or cell.low is None or cell.high is None:
        return ""
    low, high = format_number(cell.low, column), format_number(cell.high, column)
    return f"{low} to {high}" if "-" in low + high else f"{low}-{high}"


def format_cell(cell: Cell | None, column: Column) -> str:
    """Formats a cell: value and interval; "" for none."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if cell.value is None:
        return f"- ({cell.note})" if cell.note else "-"
    text = format_number(cell.value, column) + (" %" if column.unit == "%" else "")
    between = format_interval(cell, column)
    return text + (f" ({between})" if between else "") + (f", {cell.note}" if cell.note else "")


def column_heading(column: Column) -> str:
    """Returns a column's name with its unit, and an arrow to where it is better."""
    unit = f" ({column.unit})" if column.unit and column.unit != "%" else ""
    return column.name + unit + {"higher": " ↑", "lower": " ↓", "": ""}[column.better]


def best_rows(table: Table, column: Column) -> set[str]:
    """Returns the rows with the best value of a column, several where they show the same number.

    Published rows and bounds do not compete. Of fewer than two that differ, none is best.
    """
    values = {
        row: cell.value
        for row, cells in table.cells.items()
        if row not in (*table.published, *table.bounds)
        and isinstance(cell := cells.get(column.name), Figure)
        and cell.value is not None
        and math.isfinite(cell.value)
    }
    if not table.contest or not column.better or not values:
        return set()
    top = (max if column.better == "higher" else min)(values.values())
    same = {
        row
        for row, value in values.items()
        if format_number(value, column) == format_number(top, column)
    }
    return same if len(same) < len(values) else set()


def case_counts(row: Mapping[str, Cell]) -> list[int]:
    """Returns the different numbers of cases of a row's figures."""
    return sorted({cell.n for cell in row.values() if isinstance(cell, Figure) and cell.n})


def format_metadata(about: Mapping[str, Any]) -> str:
    """Formats a table's metadata in one line."""
    return "; ".join(
        f"{name.replace('_', ' ')}: {format_value(value)}" for name, value in about.items()
    )


def format_value(value: Any) -> str:
    """Formats a value of `about`, nested or not."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {format_value(inside)}" for name, inside in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(format_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
