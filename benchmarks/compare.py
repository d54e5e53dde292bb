"""Two results side by side: which figures moved by more than their intervals allow, and which of
those got worse.

A figure has moved where its old and its new interval have nothing in common. That is strict for
what the same seed repeats to the digit, and right for what chance draws anew, such as times: where
nothing changed, intervals of 95 % lie apart in one figure of two hundred. The least and the most of
a few rounds are no such interval: two times three rounds lie apart in one of ten. So figures of
fewer than `ROUNDS` also have to differ by more than `SLACK` of them.

Seconds and megabytes of a machine say nothing about another one, so their columns have no better
side (`results.Column`) and only ratios can get worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks import results
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.speed.rounds import INTERVAL

# What became of a figure, the gravest first.
Fate = Literal[
    "worse", "better", "moved", "changed, no interval", "gone", "new", "not compared", "same"
]
FATES: tuple[Fate, ...] = (
    "worse",
    "better",
    "moved",
    "changed, no interval",
    "gone",
    "new",
    "not compared",
    "same",
)

ROUNDS = 5  # so many and as many lie apart once in 126 times where nothing changed
SLACK = 0.25

# Parts of `Table.about` that may be others: what was measured, and where. The rest is how.
_MAY_DIFFER = {"model", "run", "machine", "versions"}


@dataclass(frozen=True)
class Change:
    """What became of one figure, or of a whole row or table, where `column` or `row` is empty."""

    fate: Fate
    table: str
    row: str = ""
    column: str = ""
    old: str = ""
    new: str = ""


def compare(old: Path, new: Path | Sequence[Table]) -> tuple[str, bool]:
    """What changed between two results, as text, and whether any figure got worse.

    Raises ValueError for a file that is no results.json.
    """
    before, was = results.load(old)
    after, now = results.load(new) if isinstance(new, Path) else (list(new), {})
    found = changes(before, after)
    remarks = [f"{name}: {one}" for name, one in _differences(was, now).items()] if now else []
    remarks += [
        f"{table.title}: measured otherwise ({'; '.join(how)}), so not compared"
        for table, how in _otherwise(before, after)
    ]
    return _text(found, remarks), any(one.fate == "worse" for one in found)


def changes(old: Sequence[Table], new: Sequence[Table]) -> list[Change]:
    """What became of every figure of either, the gravest first and then as the tables stand."""
    before, after = ({one.name: one for one in tables} for tables in (old, new))
    apart = {table.name for table, _ in _otherwise(old, new)}
    found: list[Change] = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            found.append(Change("gone", before[name].title))
        elif name not in before:
            found.append(Change("new", after[name].title))
        else:
            found += _of_table(before[name], after[name], name not in apart)
    return sorted(found, key=lambda one: FATES.index(one.fate))


def _otherwise(old: Sequence[Table], new: Sequence[Table]) -> Iterator[tuple[Table, list[str]]]:
    """Tables of both that were measured in different ways, with the differences."""
    before = {one.name: one for one in old}
    for table in new:
        if table.name in before:
            how = [
                f"{name} {one}"
                for name, one in _differences(before[table.name].about, table.about).items()
                if name not in _MAY_DIFFER
            ]
            if how:
                yield table, how


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    pairs = {
        name: tuple(results.plain(about.get(name)) for about in (old, new))
        for name in dict.fromkeys([*old, *new])
    }
    return {name: f"{one} -> {other}" for name, (one, other) in pairs.items() if one != other}


def _of_table(old: Table, new: Table, alike: bool) -> Iterator[Change]:
    columns = {results.head(one): one for table in (old, new) for one in table.columns}
    for row in dict.fromkeys([*old.cells, *new.cells]):
        if row not in new.cells or row not in old.cells:
            yield Change("new" if row in new.cells else "gone", new.title, row)
            continue
        for head, column in columns.items():
            pair = [_cell(table, row, head) for table in (old, new)]
            fate = _fate(
                *map(_measured, pair),
                column,
                alike,
                row in new.published,
                new.about.get("interval") == INTERVAL,
            )
            if fate:
                yield Change(fate, new.title, row, head, *(_shown(one, column) for one in pair))


def _cell(table: Table, row: str, head: str) -> Cell | None:
    """A cell by its column's whole head: where the unit is another, so is the column."""
    names = [one.name for one in table.columns if results.head(one) == head]
    return table.cells[row].get(names[0]) if names else None


def _measured(cell: Cell | None) -> Figure | None:
    return cell if isinstance(cell, Figure) and cell.value is not None else None


def _shown(cell: Cell | None, column: Column) -> str:
    n = f", n {cell.n:,}" if isinstance(cell, Figure) and cell.n else ""
    return results.shown(cell, column) + n


def _fate(
    old: Figure | None,
    new: Figure | None,
    column: Column,
    alike: bool,
    published: bool,
    rounds: bool,
) -> Fate | None:
    """What became of a figure; None where there is none in either result."""
    if old is None or new is None:
        return ("new" if new else None) if old is None else "gone"
    assert old.value is not None and new.value is not None
    if not alike:
        return "not compared"
    if published or not results.interval(old, column) or not results.interval(new, column):
        same = results.number(old.value, column) == results.number(new.value, column)
        return "same" if same else "changed, no interval"
    near = (
        rounds
        and min(old.n, new.n) < ROUNDS
        and max(old.value, new.value) <= (1 + SLACK) * min(old.value, new.value)
    )
    if near or not _apart(old, new):
        return "same"
    if not column.better:
        return "moved"
    return "better" if (new.value > old.value) == (column.better == "higher") else "worse"


def _apart(one: Figure, other: Figure) -> bool:
    """Whether two intervals have nothing in common."""
    assert None not in (one.low, one.high, other.low, other.high)
    return one.high < other.low or other.high < one.low


def _text(found: Sequence[Change], remarks: Sequence[str]) -> str:
    """A table of all that is not the same, what is not like with like, and the sum of it."""
    listed = [one for one in found if one.fate not in ("same", "not compared")]
    lines = [(one.fate, one.table, one.row, one.column, one.old, one.new) for one in listed]
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
    tally = Counter(one.fate for one in found)
    parts.append(
        f"{len(found):,} figure{'s' * (len(found) != 1)}: "
        + ", ".join(f"{tally[fate]:,} {fate}" for fate in FATES if tally[fate])
        if found
        else "no figures to compare"
    )
    return "\n\n".join(parts)
