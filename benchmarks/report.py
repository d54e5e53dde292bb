"""The report of the benchmarks: all tables on one page, and all stories side by side to look at.

    report.html         the tables, to sort by any column
    results.json        the same for programs, and for `benchmarks.compare`
    results.md          the same in Markdown
    stories/NNN.html    an opening, and what each generator made of it: a line for each picture
    stories/pictures/   the pictures of these, small, named by what is in them

Pages need nothing from the network and take their look from the dataset's report. Names and texts
are a stranger's: the templates escape them, and Markdown is read without HTML in it. The same
results give the same bytes: nothing comes from the clock.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup
from PIL import Image, ImageOps

from benchmarks import results
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.stories import Story

WIDTH, QUALITY = 192, 85  # of the pictures of stories; smaller ones stay as small as they are

Values = dict[str, Any]  # what a template reads


def write(
    folder: Path,
    tables: Sequence[Table],
    stories: Mapping[str, Sequence[Story]],
    about: Mapping[str, Any],
) -> None:
    """Writes all of it, over an earlier report; results.json first, so that no page costs it.

    `stories` are those of each generator; `about` says what was measured: dataset, run, versions,
    seed, machine. A table's row that is called like a generator leads to its stories. Raises
    ValueError for two tables of one name, or a picture that is missing or does not decode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results.dump(tables, about, folder / "results.json")
    (folder / "results.md").write_text(_markdown(tables, about), encoding="utf-8")
    environment = _environment()
    openings = _openings(stories)
    used = {f"{at:03d}.html" for at in range(1, len(openings) + 1)}
    pictures = _pictures(folder / "stories", stories)
    cards = []
    for number, opening in enumerate(openings, 1):
        page = _side_by_side(opening, stories, pictures)
        cards.append(
            {
                "page": f"stories/{number:03d}.html",
                "text": page["panels"][0]["text"],
                "picture": next((one for one in page["panels"][0]["pictures"] if one), None),
            }
        )
        (folder / "stories" / f"{number:03d}.html").write_text(
            environment.get_template("stories.html.j2").render(
                page, number=number, count=len(openings)
            ),
            encoding="utf-8",
        )
    if (folder / "stories").is_dir():  # of an earlier report
        used |= {one["file"] for one in pictures.values()}
        for old in [
            *(folder / "stories").glob("[0-9][0-9][0-9]*.html"),
            *(folder / "stories/pictures").glob("*.jpg"),
        ]:
            if old.relative_to(folder / "stories").as_posix() not in used:
                old.unlink()
    names = list(stories) if openings else []
    (folder / "report.html").write_text(
        environment.get_template("report.html.j2").render(
            tables=[_table(one, names, folder) for one in tables],
            numbers=_numbers(tables, stories),
            about=_facts(about),
            cards=cards,
        ),
        encoding="utf-8",
    )


def _markdown(tables: Sequence[Table], about: Mapping[str, Any]) -> str:
    parts = ["# Benchmarks"]
    if about:
        parts.append(
            "\n".join(
                f"- {name.replace('_', ' ')}: {results.plain(value)}"
                for name, value in about.items()
            )
        )
    for one in tables:
        parts += [
            results.markdown(one, 2),
            *(f"![{one.title}]({quote(path)})" for path in one.pictures),
        ]
    return "\n\n".join(parts) + "\n"


# ------------------------------------------------------------------------------ tables


def _numbers(
    tables: Sequence[Table], stories: Mapping[str, Sequence[Story]]
) -> list[tuple[str, int]]:
    """What stands in large figures at the head of the page."""
    measured = [
        cell
        for one in tables
        for row, cells in one.cells.items()
        if row not in one.published
        for cell in cells.values()
        if isinstance(cell, Figure) and cell.value is not None
    ]
    sure = sum(cell.low is not None for cell in measured)
    counts = [
        ("table", len(tables)),
        ("figure measured", len(measured)),
        ("of them with an interval", sure),
        ("generator", len(stories)),
        ("opening", len(_openings(stories))),
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


def _facts(about: Mapping[str, Any]) -> list[Values]:
    """What was measured: a line each, or a row of chips where there are several of one."""
    return [
        {
            "name": name.replace("_", " "),
            "chips": [f"{key} {results.plain(one)}" for key, one in value.items()]
            if isinstance(value, Mapping)
            else [],
            "value": results.plain(value),
        }
        for name, value in about.items()
    ]


def _table(table: Table, generators: Sequence[str], folder: Path) -> Values:
    missing = [one for one in table.pictures if not (folder / one).is_file()]
    if missing:
        raise ValueError(f"{folder / missing[0]}, a picture of the table {table.name}, is missing")
    one_n = all(len(results.counts(row)) <= 1 for row in table.cells.values())
    best = {one.name: results.best(table, one) for one in table.columns}

    def line(name: str) -> Values:
        row = table.cells[name]
        n = results.counts(row)
        return {
            "name": name,
            "link": f"stories/001.html#mark={generators.index(name) + 1}"
            if name in generators
            else "",
            "bound": name in table.bounds,
            "n": n[0] if n and one_n else None,
            "cells": [
                _cell(row.get(one.name), one, name in best[one.name], not one_n)
                for one in table.columns
            ],
        }

    groups = {
        "measured": [line(name) for name in table.cells if name not in table.published],
        "published": [line(name) for name in table.cells if name in table.published],
    }
    words = [
        all(isinstance(row.get(one.name, ""), str) for row in table.cells.values())
        for one in table.columns
    ]
    return {
        "name": table.name,
        "title": table.title,
        "rows": table.rows,
        "text": Markup(MarkdownIt("commonmark", {"html": False}).render(table.text)),
        "about": results.said(table.about),
        "heads": [
            {
                "name": one.name,
                "unit": one.unit if one.unit != "%" else "",
                "better": one.better,
                "number": not of_words,
            }
            for one, of_words in zip(table.columns, words, strict=True)
        ],
        "counted": one_n and any(map(results.counts, table.cells.values())),
        "groups": {name: rows for name, rows in groups.items() if rows},
        "pictures": [{"url": quote(one), "drawn": one.endswith(".svg")} for one in table.pictures],
    }


def _cell(cell: Cell | None, column: Column, best: bool, counted: bool) -> Values:
    """What a cell shows, and what it is sorted by: a number, a text, or nothing."""
    bare = {"tight": [], "note": "", "sort": "", "best": best}
    if not isinstance(cell, Figure):
        return bare | {"text": cell or "", "sort": cell or ""}
    if cell.value is None:
        return bare | {"text": "–", "note": cell.note}
    n = f"n {cell.n:,}" if counted and cell.n else ""
    return bare | {
        "text": results.number(cell.value, column) + (" %" if column.unit == "%" else ""),
        "tight": [one for one in (results.interval(cell, column), n) if one],
        "note": cell.note,
        "sort": float(cell.value) if math.isfinite(cell.value) else "",
    }


# ------------------------------------------------------------------------------ stories


def _openings(stories: Mapping[str, Sequence[Story]]) -> list[str]:
    """The openings of all generators, in the order of the first one that has them."""
    return list(dict.fromkeys(one.id for told in stories.values() for one in told))


def _pictures(folder: Path, stories: Mapping[str, Sequence[Story]]) -> dict[str, Values]:
    """A small copy of each picture in `folder`, with its size, by the path of the picture."""
    found: dict[str, Values] = {}
    for path in dict.fromkeys(
        path for told in stories.values() for one in told for path in one.images
    ):
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        try:
            found[path] = _small(Path(path), folder)
        except OSError as error:
            raise ValueError(f"{path}: {error}; make it again") from error
    return found


def _small(path: Path, folder: Path) -> Values:
    data = hashlib.sha256(path.read_bytes()).hexdigest()[:20]
    file = f"pictures/{data}-{WIDTH}.jpg"  # the same picture of two generators is one file
    if not (folder / file).exists():
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * WIDTH, 2 * WIDTH))
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        picture.thumbnail((WIDTH, 4 * WIDTH), Image.Resampling.LANCZOS)
        fresh = folder / f"{file}.new"
        picture.save(fresh, "JPEG", quality=QUALITY)
        fresh.replace(folder / file)
    with Image.open(folder / file) as small:
        return {"file": file, "width": small.width, "height": small.height}


def _side_by_side(
    opening: str, stories: Mapping[str, Sequence[Story]], pictures: Mapping[str, Values]
) -> Values:
    """An opening's page: for each panel a picture of each generator. A text that all of them share
    is said once."""
    told = [next((one for one in of if one.id == opening), None) for of in stories.values()]
    panels = []
    for at in range(max(len(one.images) for one in told if one)):
        here = [one if one and at < len(one.images) else None for one in told]
        texts = [one.texts[at] if one and at < len(one.texts) else "" for one in here]
        shared = {text for one, text in zip(here, texts, strict=True) if one}
        panels.append(
            {
                "text": texts[next(i for i, one in enumerate(here) if one)]
                if len(shared) == 1
                else "",
                "texts": texts if len(shared) > 1 else [""] * len(texts),
                "pictures": [pictures[one.images[at]] if one else None for one in here],
            }
        )
    return {"opening": opening, "generators": list(stories), "panels": panels}


def _environment() -> jinja2.Environment:
    """Our templates, and as "pipeline/..." those whose style they go on from."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader("benchmarks"),
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
