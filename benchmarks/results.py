"""What a benchmark says: tables of figures, each with its number of cases and its interval.

A benchmark returns `Table`s. They become `results.json`, Markdown and the report, and two
`results.json` are compared by them; so a figure is never formatted where it is measured.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Better = Literal["higher", "lower", ""]  # "" where neither is: a count, a size


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
    """What the figures of a column are."""

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
    text: str = ""  # what is measured and when it lies, a paragraph or two of Markdown
    # How it was measured: seed, models with versions, interval. `model` and `run` name what is
    # measured, and may be others the next time; where anything else differs, two results differ in
    # how they were made, and figures are not held against each other (benchmarks.compare).
    about: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[str, ...] = ()  # rows that are figures of a publication, not measured here
    bounds: tuple[str, ...] = ()  # rows that no other competes with: a ceiling, the true stories
    contest: bool = True  # rows compete, so the best of a column is marked; steps of work do not
    pictures: tuple[str, ...] = ()  # files to show below, relative to the report's folder


def number(value: float, column: Column) -> str:
    """A value for people, without its unit; a share as its percentage."""
    if not math.isfinite(value):
        return str(value)
    text = f"{(100 if column.unit == '%' else 1) * value:,.{column.digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text  # -0.00


def interval(cell: Figure, column: Column) -> str:
    """The interval for people, "" for none."""
    if cell.value is None or cell.low is None or cell.high is None:
        return ""
    low, high = number(cell.low, column), number(cell.high, column)
    return f"{low} to {high}" if "-" in low + high else f"{low}-{high}"


def shown(cell: Cell | None, column: Column) -> str:
    """A cell for people: value and interval; "" for none."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if cell.value is None:
        return f"- ({cell.note})" if cell.note else "-"
    text = number(cell.value, column) + (" %" if column.unit == "%" else "")
    between = interval(cell, column)
    return text + (f" ({between})" if between else "") + (f", {cell.note}" if cell.note else "")


def head(column: Column) -> str:
    """A column's name with its unit, and with an arrow to where it is better."""
    unit = f" ({column.unit})" if column.unit and column.unit != "%" else ""
    return column.name + unit + {"higher": " ↑", "lower": " ↓", "": ""}[column.better]


def best(table: Table, column: Column) -> set[str]:
    """The rows with the best value of a column, several where they show the same number.

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
    same = {row for row, value in values.items() if number(value, column) == number(top, column)}
    return same if len(same) < len(values) else set()


def counts(row: Mapping[str, Cell]) -> list[int]:
    """The different numbers of cases of a row's figures."""
    return sorted({cell.n for cell in row.values() if isinstance(cell, Figure) and cell.n})


def said(about: Mapping[str, Any]) -> str:
    """What a table is about, in one line."""
    return "; ".join(f"{name.replace('_', ' ')}: {plain(value)}" for name, value in about.items())


def plain(value: Any) -> str:
    """A value of `about`, whatever is inside it, for people."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(inside)}" for name, inside in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def markdown(table: Table, level: int = 3, text: bool = True) -> str:
    """The table in Markdown, its title as a heading, with or without what it says about itself.

    The number of cases stands in a column of its own where each row has one number, else behind
    each figure. The best of a column is bold.
    """
    one_n = all(len(counts(row)) <= 1 for row in table.cells.values())
    counted = one_n and any(map(counts, table.cells.values()))
    heads = [table.rows, *(["n"] if counted else []), *map(head, table.columns)]
    bold = {one.name: best(table, one) for one in table.columns}
    lines = [f"{'#' * level} {table.title}", ""]
    if text and table.text:
        lines += [table.text.strip(), ""]
    lines += [_line(heads), _line(["---"] * len(heads))]
    for name, row in table.cells.items():
        n = [f"{counts(row)[0]:,}" if counts(row) else ""] if counted else []
        cells = []
        for column in table.columns:
            cell = row.get(column.name)
            found = shown(cell, column)
            if not one_n and isinstance(cell, Figure) and cell.n:
                found += f", n {cell.n:,}"
            cells.append(f"**{_escaped(found)}**" if name in bold[column.name] else _escaped(found))
        label = _escaped(name) + (" (published)" if name in table.published else "")
        lines.append(_line([label, *n, *cells]))
    if table.about:
        lines += ["", _escaped(said(table.about))]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Names and notes may hold what would end a cell, or what HTML would swallow."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def dump(tables: Iterable[Table], about: Mapping[str, Any], path: Path) -> None:
    """Writes results.json. A value that is no number (of a division by zero, say) becomes none with
    a note: JSON has no word for it.

    Raises ValueError for two tables of one name.
    """
    tables = list(tables)
    names = [one.name for one in tables]
    if len(set(names)) < len(names):
        twice = sorted({one for one in names if names.count(one) > 1})
        raise ValueError(f"two tables are called {', '.join(twice)}: name each by itself")
    found = {"about": dict(about), "tables": [dataclasses.asdict(_finite(one)) for one in tables]}
    path.write_text(
        json.dumps(found, indent=1, ensure_ascii=False, default=_bare) + "\n", encoding="utf-8"
    )


def _finite(table: Table) -> Table:
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


def _bare(value: Any) -> Any:
    """Numbers of numpy as Python's, anything else (a path) as its text."""
    return value.item() if hasattr(value, "item") else str(value)


def load(path: Path) -> tuple[list[Table], dict[str, Any]]:
    """The tables of a results.json and what is said about the run.

    Raises ValueError, naming the file, where it is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [_table(one) for one in found["tables"]], dict(found["about"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no results.json that `make bench` wrote: {error}") from error


def _table(values: dict[str, Any]) -> Table:
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
            "columns": tuple(Column(**one) for one in values["columns"]),
        }
    )
