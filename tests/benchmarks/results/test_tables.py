import dataclasses
import json
import math

import numpy as np
import pytest

from benchmarks.results import markdown, results_json, tables
from benchmarks.results.tables import Column, Figure, Table

SCORE = Column("score", "higher", digits=2)
SHARE = Column("share", "lower", "%", 1)
SECONDS = Column("time", "", "s", 1)


def table(**changes):
    return dataclasses.replace(
        Table(
            "board",
            "Leaderboard",
            "generator",
            (SCORE, SHARE, SECONDS, Column("verdict")),
            {
                "truth": {"score": Figure(0.9, 40, 0.85, 0.95), "verdict": "fine"},
                "ours": {
                    "score": Figure(0.5, 40, 0.42, 0.58),
                    "share": Figure(0.125, 40, 0.1, 0.15),
                    "time": Figure(1234.56, 40),
                },
                "theirs": {"score": Figure(0.4, 40, 0.3, 0.5), "share": Figure(0.25, 40)},
                "paper": {"score": Figure(0.99)},
            },
            text="What it says.",
            about={"seed": 0, "models": {"clip": "ViT 1.0", "lm": ["a", "b"]}},
            published=("paper",),
            bounds=("truth",),
        ),
        **changes,
    )


@pytest.mark.parametrize(
    ("cell", "column", "expected"),
    [
        (None, SCORE, ""),
        ("a text", SCORE, "a text"),
        (Figure(None), SCORE, "-"),
        (Figure(None, note="no weights"), SCORE, "- (no weights)"),
        (Figure(0.5), SCORE, "0.50"),
        (Figure(0.5, 3, 0.4, 0.6), SCORE, "0.50 (0.40-0.60)"),
        (Figure(0.1, 3, -0.2, 0.4), SCORE, "0.10 (-0.20 to 0.40)"),
        (Figure(-0.001, 3, -0.004, 0.004), SCORE, "0.00 (0.00-0.00)"),
        (Figure(0.125, 3, 0.1, 0.15, note="of them"), SHARE, "12.5 % (10.0-15.0), of them"),
        (Figure(1234.56), SECONDS, "1,234.6"),
        (Figure(math.inf), SCORE, "inf"),
    ],
)
def test_a_cell_is_shown_with_its_interval_in_its_unit(cell, column, expected):
    assert tables.format_cell(cell, column) == expected


def test_markdown_is_a_table_with_n_and_the_best_in_bold():
    assert markdown.table_to_markdown(table()).splitlines() == [
        "### Leaderboard",
        "",
        "What it says.",
        "",
        "| generator | n | score ↑ | share ↓ | time (s) | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
        "| truth | 40 | 0.90 (0.85-0.95) |  |  | fine |",
        "| ours | 40 | **0.50 (0.42-0.58)** | **12.5 % (10.0-15.0)** | 1,234.6 |  |",
        "| theirs | 40 | 0.40 (0.30-0.50) | 25.0 % |  |  |",
        "| paper (published) |  | 0.99 |  |  |  |",
        "",
        "seed: 0; models: clip ViT 1.0, lm a, b",
    ]


def test_n_stands_behind_each_figure_where_a_row_has_several():
    lines = markdown.table_to_markdown(
        Table(
            "a",
            "A",
            "row",
            (SCORE, SECONDS),
            {"x": {"score": Figure(0.5, 3), "time": Figure(1, 4)}},
        ),
        2,
        text=False,
    ).splitlines()
    assert lines == [
        "## A",
        "",
        "| row | score ↑ | time (s) |",
        "| --- | --- | --- |",
        "| x | 0.50, n 3 | 1.0, n 4 |",
    ]


def test_what_names_hold_cannot_break_a_markdown_table():
    text = markdown.table_to_markdown(
        Table(
            "a",
            "A",
            "row",
            (SCORE,),
            {"<unk> a|b": {"score": Figure(None, note="line\nline | <b>")}},
        )
    )
    assert text.splitlines()[-1] == "| &lt;unk> a\\|b | - (line line \\| &lt;b>) |"


def test_best_is_among_those_that_compete_and_differ():
    assert tables.best_rows(table(), SCORE) == {"ours"}  # not the ceiling, nor the paper's
    assert tables.best_rows(table(), SHARE) == {"ours"}
    assert tables.best_rows(table(), SECONDS) == set()  # neither side is better
    assert tables.best_rows(table(contest=False), SCORE) == set()
    assert tables.best_rows(table(bounds=()), SCORE) == {"truth"}
    same = {
        name: {"score": Figure(value)}
        for name, value in {"a": 0.501, "b": 0.499, "c": 0.1, "d": math.nan}.items()
    }
    assert tables.best_rows(table(cells=same), SCORE) == {"a", "b"}  # both are shown as 0.50
    assert tables.best_rows(table(cells={"a": same["a"], "b": same["b"]}), SCORE) == set()


def test_what_is_dumped_is_loaded_again(tmp_path):
    path = tmp_path / "results.json"
    pictured = table(pictures=("a.svg",))
    results_json.write_results(
        [pictured, table(name="other")], {"seed": 1, "dataset": tmp_path}, path
    )
    loaded, about = results_json.read_results(path)
    assert loaded[0] == dataclasses.replace(pictured, about={**pictured.about})
    assert loaded[1].name == "other"
    assert about == {"seed": 1, "dataset": str(tmp_path)}


def test_numbers_of_numpy_and_what_is_no_number_are_written_as_json(tmp_path):
    path = tmp_path / "results.json"
    cells = {
        "a": {"score": Figure(np.float32(0.5), np.int64(3), np.float64(0.4), np.float64(0.6))},
        "b": {"score": Figure(math.nan, 3), "share": Figure(1.0, 3, 0.5, math.inf)},
    }
    results_json.write_results([table(cells=cells)], {}, path)
    json.loads(path.read_text("utf-8"), parse_constant=lambda name: pytest.fail(name))
    [loaded], _ = results_json.read_results(path)
    assert loaded.cells["a"]["score"] == Figure(0.5, 3, pytest.approx(0.4), pytest.approx(0.6))
    assert loaded.cells["b"] == {
        "score": Figure(None, 3, note="came out as nan"),
        "share": Figure(1.0, 3),
    }


def test_two_tables_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two tables are called board"):
        results_json.write_results([table(), table()], {}, tmp_path / "results.json")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "{}",
        '{"tables": [1], "about": {}}',
        '{"tables": [{"cells": []}], "about": 1}',
        '{"about": {}, "tables": [{"cells": {"a": {"b": {"wrong": 1}}}, "columns": []}]}',
        b"\xff",
    ],
)
def test_a_file_that_is_no_result_is_named(tmp_path, content):
    path = tmp_path / "results.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"results\.json is no results\.json that"):
        results_json.read_results(path)
