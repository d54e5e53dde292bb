"""Writes the report of the benchmarks: all tables on one page, and all stories side by side.

    report.html         the tables, to sort by any column
    results.json        the same for programs, and for `results.comparison`
    results.md          the same in Markdown
    stories/NNN.html    an opening, and each generator's story: a line for each picture
    stories/pictures/   thumbnails of their pictures, named by their content

Pages need nothing from the network and share the style of the dataset's report. Names and texts are
untrusted: the templates escape them, and Markdown is read without HTML in it. The same results give
the same bytes: nothing depends on the clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from benchmarks.results import markdown, results_json
from benchmarks.results.story_pages import (
    TemplateValues,
    list_openings,
    story_page,
    write_thumbnails,
)
from benchmarks.results.tables import (
    Cell,
    Column,
    Figure,
    Table,
    best_rows,
    case_counts,
    format_interval,
    format_metadata,
    format_number,
    format_value,
)
from benchmarks.stories import Story


def write_report(
    folder: Path,
    tables: Sequence[Table],
    stories: Mapping[str, Sequence[Story]],
    about: Mapping[str, Any],
) -> None:
    """Writes the report, over an earlier one; results.json first, so that an error in a page does
    not lose it.

    `stories` are those of each generator; `about` says what was measured: dataset, run, versions,
    seed, machine. A table's row that has the name of a generator links to its stories. Raises
    ValueError for two tables of one name, or a picture that is missing or does not decode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results_json.write_results(tables, about, folder / "results.json")
    (folder / "results.md").write_text(_report_markdown(tables, about), encoding="utf-8")
    environment = _environment()
    openings = list_openings(stories)
    used = {f"{at:03d}.html" for at in range(1, len(openings) + 1)}
    pictures = write_thumbnails(folder / "stories", stories)
    cards = []
    for number, opening in enumerate(openings, 1):
        page = story_page(opening, stories, pictures)
        cards.append(
            {
                "page": f"stories/{number:03d}.html",
                "text": page["panels"][0]["text"],
                "picture": next(
                    (picture for picture in page["panels"][0]["pictures"] if picture), None
                ),
            }
        )
        (folder / "stories" / f"{number:03d}.html").write_text(
            environment.get_template("stories.html.j2").render(
                page, number=number, count=len(openings)
            ),
            encoding="utf-8",
        )
    if (folder / "stories").is_dir():  # of an earlier report
        used |= {picture["file"] for picture in pictures.values()}
        for old in [
            *(folder / "stories").glob("[0-9][0-9][0-9]*.html"),
            *(folder / "stories/pictures").glob("*.jpg"),
        ]:
            if old.relative_to(folder / "stories").as_posix() not in used:
                old.unlink()
    names = list(stories) if openings else []
    (folder / "report.html").write_text(
        environment.get_template("report.html.j2").render(
            tables=[_table(table, names, folder) for table in tables],
            numbers=_headline_numbers(tables, stories),
            about=_metadata_lines(about),
            cards=cards,
        ),
        encoding="utf-8",
    )


def _report_markdown(tables: Sequence[Table], about: Mapping[str, Any]) -> str:
    parts = ["# Benchmarks"]
    if about:
        parts.append(
            "\n".join(
                f"- {name.replace('_', ' ')}: {format_value(value)}"
                for name, value in about.items()
            )
        )
    for table in tables:
        parts += [
            markdown.table_to_markdown(table, 2),
            *(f"![{table.title}]({quote(path)})" for path in table.pictures),
        ]
    return "\n\n".join(parts) + "\n"


def _headline_numbers(
    tables: Sequence[Table], stories: Mapping[str, Sequence[Story]]
) -> list[tuple[str, int]]:
    """Returns the large figures at the head of the page."""
    measured = [
        cell
        for table in tables
        for row, cells in table.cells.items()
        if row not in table.published
        for cell in cells.values()
        if isinstance(cell, Figure) and cell.value is not None
    ]
    sure = sum(cell.low is not None for cell in measured)
    counts = [
        ("table", len(tables)),
        ("figure measured", len(measured)),
        ("of them with an interval", sure),
        ("generator", len(stories)),
        ("opening", len(list_openings(stories))),
    ]
    many = {
        "table": "tables",
        "figure measured": "figures measured",
        "generator": "generators",
        "opening": "openings",
    }
    return [
        (many.get(name, name) if count != 1 else name, count) for name, count in counts if count
    ]


def _metadata_lines(about: Mapping[str, Any]) -> list[TemplateValues]:
    """Returns what was measured: a line each, or a row of chips where there are several of one."""
    return [
        {
            "name": name.replace("_", " "),
            "chips": [f"{key} {format_value(inner)}" for key, inner in value.items()]
            if isinstance(value, Mapping)
            else [],
            "value": format_value(value),
        }
        for name, value in about.items()
    ]


def _table(table: Table, generators: Sequence[str], folder: Path) -> TemplateValues:
    missing = [path for path in table.pictures if not (folder / path).is_file()]
    if missing:
        raise ValueError(f"{folder / missing[0]}, a picture of the table {table.name}, is missing")
    one_n = all(len(case_counts(row)) <= 1 for row in table.cells.values())
    best = {column.name: best_rows(table, column) for column in table.columns}

    def line(name: str) -> TemplateValues:
        """Returns a row as its template needs it."""
        row = table.cells[name]
        n = case_counts(row)
        return {
            "name": name,
            "link": f"stories/001.html#mark={generators.index(name) + 1}"
            if name in generators
            else "",
            "bound": name in table.bounds,
            "n": n[0] if n and one_n else None,
            "cells": [
                _cell(row.get(column.name), column, name in best[column.name], not one_n)
                for column in table.columns
            ],
        }

    groups = {
        "measured": [line(name) for name in table.cells if name not in table.published],
        "published": [line(name) for name in table.cells if name in table.published],
    }
    words = [
        all(isinstance(row.get(column.name, ""), str) for row in table.cells.values())
        for column in table.columns
    ]
    return {
        "name": table.name,
        "title": table.title,
        "rows": table.rows,
        "text": Markup(MarkdownIt("commonmark", {"html": False}).render(table.text)),
        "about": format_metadata(table.about),
        "heads": [
            {
                "name": column.name,
                "unit": column.unit if column.unit != "%" else "",
                "better": column.better,
                "number": not of_words,
            }
            for column, of_words in zip(table.columns, words, strict=True)
        ],
        "counted": one_n and any(map(case_counts, table.cells.values())),
        "groups": {name: rows for name, rows in groups.items() if rows},
        "pictures": [
            {"url": quote(path), "drawn": path.endswith(".svg")} for path in table.pictures
        ],
    }


def _cell(cell: Cell | None, column: Column, best: bool, counted: bool) -> TemplateValues:
    """Returns what a cell shows, and what it is sorted by: a number, a text, or nothing."""
    bare = {"tight": [], "note": "", "sort": "", "best": best}
    if not isinstance(cell, Figure):
        return bare | {"text": cell or "", "sort": cell or ""}
    if cell.value is None:
        return bare | {"text": "–", "note": cell.note}
    n = f"n {cell.n:,}" if counted and cell.n else ""
    return bare | {
        "text": format_number(cell.value, column) + (" %" if column.unit == "%" else ""),
        "tight": [text for text in (format_interval(cell, column), n) if text],
        "note": cell.note,
        "sort": float(cell.value) if math.isfinite(cell.value) else "",
    }


def _environment() -> jinja2.Environment:
    """Returns the environment with our templates, and as "pipeline/..." those of the dataset's
    report."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader("benchmarks.results"),
                jinja2.PrefixLoader({"pipeline": jinja2.PackageLoader("pipeline.dataset")}),
            ]
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment
