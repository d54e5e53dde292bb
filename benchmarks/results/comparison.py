"""Compares two results: which figures moved by more than their intervals allow, and which got
worse.

A figure has moved where its old and its new interval are disjoint. That is strict for what the same
seed reproduces to the digit, and right for what varies, such as times: without a change, 95 %
intervals are disjoint in one figure of two hundred. The least and the most of a few rounds are no
such interval: two times three rounds are disjoint in one of ten. So figures of fewer than
FEW_ROUNDS also have to differ by more than a share of TOLERANCE.

Seconds and megabytes of one machine say nothing about another, so their columns have no better side
(`tables.Column`) and only ratios can get worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.results import results_json
from benchmarks.results.tables import (
    OF_ROUNDS,
    Cell,
    Column,
    Figure,
    Table,
    column_heading,
    format_cell,
    format_interval,
    format_number,
    format_value,
)

# What became of a figure, the gravest first.
Verdict = Literal[
    "worse", "better", "moved", "changed, no interval", "gone", "new", "not compared", "same"
]
VERDICTS: tuple[Verdict, ...] = (
    "worse",
    "better",
    "moved",
    "changed, no interval",
    "gone",
    "new",
    "not compared",
    "same",
)
FEW_ROUNDS = 5  # two times five rounds are disjoint once in 126 times without a change
TOLERANCE = 0.25

# Parts of `Table.about` that may be others: what was measured, and where. The rest is how.
_MAY_DIFFER = {"model", "run", "machine", "versions"}


@dataclass(frozen=True)
class Change:
    """What became of one figure, or of a whole row or table, where `column` or `row` is empty."""

    verdict: Verdict
    table: str
    row: str = ""
    column: str = ""
    old: str = ""
    new: str = ""


def compare_results(old: Path, new: Path | Sequence[Table]) -> tuple[str, bool]:
    """Returns what changed between two results, as text, and whether any figure got worse.

    Raises ValueError for a file that is not a results.json.
    """
    before, was = results_json.read_results(old)
    after, now = results_json.read_results(new) if isinstance(new, Path) else (list(new), {})
    found = compare_tables(before, after)
    remarks = (
        [f"{name}: {difference}" for name, difference in _differences(was, now).items()]
        if now
        else []
    )
    remarks += [
        f"{table.title}: measured otherwise ({'; '.join(how)}), so not compared"
        for table, how in _measured_differently(before, after)
    ]
    return _text(found, remarks), any(change.verdict == "worse" for change in found)


def compare_tables(old: Sequence[Table], new: Sequence[Table]) -> list[Change]:
    """Returns what became of every figure of either, the gravest first and then in the order of the
    tables."""
    before, after = ({table.name: table for table in tables} for tables in (old, new))
    apart = {table.name for table, _ in _measured_differently(old, new)}
    found: list[Change] = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            found.append(Change("gone", before[name].title))
        elif name not in before:
            found.append(Change("new", after[name].title))
        else:
            found += _compare_table(before[name], after[name], name not in apart)
    return sorted(found, key=lambda change: VERDICTS.index(change.verdict))


def _measured_differently(
    old: Sequence[Table], new: Sequence[Table]
) -> Iterator[tuple[Table, list[str]]]:
    """Yields tables of both that were measured in different ways, with the differences."""
    before = {table.name: table for table in old}
    for table in new:
        if table.name in before:
            how = [
                f"{name} {difference}"
                for name, difference in _differences(before[table.name].about, table.about).items()
                if name not in _MAY_DIFFER
            ]
            if how:
                yield table, how


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    pairs = {
        name: tuple(format_value(about.get(name)) for about in (old, new))
        for name in dict.fromkeys([*old, *new])
    }
    return {
        name: f"{before} -> {after}" for name, (before, after) in pairs.items() if before != after
    }


def _compare_table(old: Table, new: Table, alike: bool) -> Iterator[Change]:
    columns = {column_heading(column): column for table in (old, new) for column in table.columns}
    for row in dict.fromkeys([*old.cells, *new.cells]):
        if row not in new.cells or row not in old.cells:
            yield Change("new" if row in new.cells else "gone", new.title, row)
            continue
        for head, column in columns.items():
            pair = [_cell(table, row, head) for table in (old, new)]
            before, after = map(_measured_figure, pair)
            verdict = _verdict(
                before,
                after,
                column,
                alike,
                row in new.published,
                new.about.get("interval") == OF_ROUNDS,
            )
            if verdict:
                yield Change(
                    verdict, new.title, row, head, *(_format_cell(cell, column) for cell in pair)
                )


def _cell(table: Table, row: str, head: str) -> Cell | None:
    """Finds a cell by its column's whole heading: where the unit differs, so does the column."""
    names = [column.name for column in table.columns if column_heading(column) == head]
    return table.cells[row].get(names[0]) if names else None


def _measured_figure(cell: Cell | None) -> Figure | None:
    return cell if isinstance(cell, Figure) and cell.value is not None else None


def _format_cell(cell: Cell | None, column: Column) -> str:
    n = f", n {cell.n:,}" if isinstance(cell, Figure) and cell.n else ""
    return format_cell(cell, column) + n


def _verdict(
    old: Figure | None,
    new: Figure | None,
    column: Column,
    alike: bool,
    published: bool,
    rounds: bool,
) -> Verdict | None:
    """Returns what became of a figure; None where neither result has it."""
    if old is None or new is None:
        return ("new" if new else None) if old is None else "gone"
    assert old.value is not None and new.value is not None
    if not alike:
        return "not compared"
    if published or not format_interval(old, column) or not format_interval(new, column):
        same = format_number(old.value, column) == format_number(new.value, column)
        return "same" if same else "changed, no interval"
    near = (
        rounds
        and min(old.n, new.n) < FEW_ROUNDS
        and max(old.value, new.value) <= (1 + TOLERANCE) * min(old.value, new.value)
    )
    if near or not _are_disjoint(old, new):
        return "same"
    if not column.better:
        return "moved"
    return "better" if (new.value > old.value) == (column.better == "higher") else "worse"


def _are_disjoint(figure: Figure, other: Figure) -> bool:
    """Tells whether two intervals have nothing in common."""
    assert figure.low is not None and figure.high is not None
    assert other.low is not None and other.high is not None
    return figure.high < other.low or other.high < figure.low


def _text(found: Sequence[Change], remarks: Sequence[str]) -> str:
    """Formats a table of all that is not the same, what is not comparable, and the totals."""
    listed = [change for change in found if change.verdict not in ("same", "not compared")]
    lines: list[tuple[str, ...]] = [
        (change.verdict, change.table, change.row, change.column, change.old, change.new)
        for change in listed
    ]
    parts = []
    if lines:
        lines.insert(0, ("", "table", "row", "figure", "old", "new"))
        wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
        parts.append(
            "\n".join(
                "  ".join(
                    cell.ljust(width) for cell, width in zip(line, wide, strict=True)
                ).rstrip()
                for line in lines
            )
        )
    if remarks:
        parts.append("\n".join(remarks))
    tally = Counter(change.verdict for change in found)
    parts.append(
        f"{len(found):,} figure{'s' * (len(found) != 1)}: "
        + ", ".join(f"{tally[verdict]:,} {verdict}" for verdict in VERDICTS if tally[verdict])
        if found
        else "no figures to compare"
    )
    return "\n\n".join(parts)
