"""Formats tables of results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results.tables import (
    Figure,
    Table,
    best_rows,
    case_counts,
    column_heading,
    format_cell,
    format_metadata,
)


def table_to_markdown(table: Table, level: int = 3, text: bool = True) -> str:
    """Formats the table in Markdown, its title as a heading, with or without its text.

    The number of cases stands in a column of its own where each row has one number, else behind
    each figure. The best of a column is bold.
    """
    one_n = all(len(case_counts(row)) <= 1 for row in table.cells.values())
    counted = one_n and any(map(case_counts, table.cells.values()))
    heads = [table.rows, *(["n"] if counted else []), *map(column_heading, table.columns)]
    bold = {column.name: best_rows(table, column) for column in table.columns}
    lines = [f"{'#' * level} {table.title}", ""]
    if text and table.text:
        lines += [table.text.strip(), ""]
    lines += [_row(heads), _row(["---"] * len(heads))]
    for name, row in table.cells.items():
        n = [f"{case_counts(row)[0]:,}" if case_counts(row) else ""] if counted else []
        cells = []
        for column in table.columns:
            cell = row.get(column.name)
            found = format_cell(cell, column)
            if not one_n and isinstance(cell, Figure) and cell.n:
                found += f", n {cell.n:,}"
            cells.append(f"**{_escape(found)}**" if name in bold[column.name] else _escape(found))
        label = _escape(name) + (" (published)" if name in table.published else "")
        lines.append(_row([label, *n, *cells]))
    if table.about:
        lines += ["", _escape(format_metadata(table.about))]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """Escapes what would end a cell, or what HTML would swallow, in names and notes."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")
