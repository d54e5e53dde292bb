import dataclasses

import pytest

from benchmarks.results import comparison, results_json
from benchmarks.results.tables import OF_ROUNDS, Column, Figure, Table

COLUMNS = (
    Column("score", "higher", digits=2),
    Column("distance", "lower", digits=2),
    Column("time", "", "s", 2),
)


def table(name="board", about=None, columns=COLUMNS, published=(), **cells):
    return Table(
        name,
        name.capitalize(),
        "generator",
        columns,
        {"ours": cells},
        about=about or {"seed": 0},
        published=published,
    )


def near(value, half=0.05, n=40):
    return Figure(value, n, value - half, value + half)


def fates(old, new):
    return {
        (change.row, change.column.split()[0]) if change.column else change.row: change.verdict
        for change in comparison.compare_tables(
            *([given] if isinstance(given, Table) else given for given in (old, new))
        )
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (near(0.5), near(0.5), "same"),
        (near(0.5), near(0.58), "same"),  # the intervals share 0.53 to 0.55
        (near(0.5), near(0.62), "better"),
        (near(0.5), near(0.38), "worse"),
        (near(0.5, 0.2), near(0.4, 0.01), "same"),  # the old one was not sure
        (near(0.5, 0.01), near(0.4, 0.2), "same"),  # the new one is not
        (near(0.5), Figure(0.2, 40), "changed, no interval"),
        (Figure(0.501), Figure(0.502), "same"),  # both are shown as 0.50
        (Figure(0.5), Figure(0.2), "changed, no interval"),
        (near(0.5), Figure(None, note="no weights"), "gone"),
        (Figure(None), near(0.5), "new"),
    ],
)
def test_a_figure_moves_where_the_intervals_have_nothing_in_common(old, new, expected):
    assert fates(table(score=old), table(score=new)) == {("ours", "score"): expected}


@pytest.mark.parametrize(
    ("count", "new", "expected"),
    [(3, 1.2, "same"), (3, 1.5, "worse"), (3, 0.7, "better"), (5, 1.2, "worse")],
)
def test_few_rounds_have_to_differ_clearly(count, new, expected):
    old, now = (
        table(about={"interval": OF_ROUNDS}, distance=near(value, half=0.01, n=count))
        for value in (1.0, new)
    )
    assert fates(old, now) == {("ours", "distance"): expected}


def test_worse_is_where_the_column_says(tmp_path):
    path = tmp_path / "old.json"
    results_json.write_results(
        [table(score=near(0.5), distance=near(2.0), time=near(3.0))], {}, path
    )
    text, regressed = comparison.compare_results(
        path, [table(score=near(0.5), distance=near(2.5), time=near(9.0))]
    )
    assert regressed
    assert [line.split() for line in text.splitlines()] == [
        ["table", "row", "figure", "old", "new"],
        [
            "worse",
            "Board",
            "ours",
            "distance",
            "↓",
            "2.00",
            "(1.95-2.05),",
            "n",
            "40",
            "2.50",
            "(2.45-2.55),",
            "n",
            "40",
        ],
        [
            "moved",
            "Board",
            "ours",
            "time",
            "(s)",
            "3.00",
            "(2.95-3.05),",
            "n",
            "40",
            "9.00",
            "(8.95-9.05),",
            "n",
            "40",
        ],
        [],
        ["3", "figures:", "1", "worse,", "1", "moved,", "1", "same"],
    ]
    text, regressed = comparison.compare_results(
        path, [table(score=near(0.9), distance=near(1.5), time=near(9.0))]
    )
    assert not regressed and "2 better, 1 moved" in text


def test_a_result_does_not_differ_from_itself(tmp_path):
    path = tmp_path / "old.json"
    results_json.write_results([table(score=near(0.5), time=Figure(1.0, 3))], {"seed": 0}, path)
    assert comparison.compare_results(path, path) == ("2 figures: 2 same", False)
    results_json.write_results([], {}, path)
    assert comparison.compare_results(path, path) == ("no figures to compare", False)


def test_what_is_measured_otherwise_is_said_and_not_compared(tmp_path):
    path = tmp_path / "old.json"
    how = {"models": "ViT 1.0", "seed": 0, "run": "a1", "machine": "2 cores"}
    results_json.write_results([table(about=how, score=near(0.5))], {"dataset": "a"}, path)
    text, regressed = comparison.compare_results(
        path, [table(about={**how, "models": "ViT 2.0", "seed": 1}, score=near(0.1))]
    )
    assert not regressed
    assert text.splitlines() == [
        "Board: measured otherwise (models ViT 1.0 -> ViT 2.0; seed 0 -> 1), so not compared",
        "",
        "1 figure: 1 not compared",
    ]
    # Another run is what one compares, on whatever machine.
    other = table(about={**how, "run": "b2", "machine": "4 cores"}, score=near(0.1))
    assert comparison.compare_results(path, [other])[1]
    new = tmp_path / "new.json"
    results_json.write_results([other], {"dataset": "b"}, new)
    assert "dataset: a -> b" in comparison.compare_results(path, new)[0].splitlines()


def test_what_came_and_went_is_said():
    old = [table(score=near(0.5), distance=near(1.0)), table("gone", score=near(0.5))]
    new = [
        dataclasses.replace(
            table(),
            cells={"ours": {"score": near(0.5), "time": near(1.0)}, "theirs": {"score": near(0.9)}},
        ),
        table("fresh", score=near(0.5)),
    ]
    found = [
        (change.verdict, change.table, change.row, change.column)
        for change in comparison.compare_tables(old, new)
    ]
    assert found == [
        ("gone", "Board", "ours", "distance ↓"),
        ("gone", "Gone", "", ""),
        ("new", "Board", "ours", "time (s)"),
        ("new", "Board", "theirs", ""),
        ("new", "Fresh", "", ""),
        ("same", "Board", "ours", "score ↑"),
    ]


def test_a_figure_in_another_unit_is_another_figure():
    milliseconds = (Column("time", "", "ms", 2),)
    found = comparison.compare_tables(
        [table(time=near(1.0))], [table(columns=milliseconds, time=near(1000.0))]
    )
    assert {(change.column, change.verdict) for change in found} == {
        ("time (s)", "gone"),
        ("time (ms)", "new"),
    }


def test_published_figures_cannot_get_worse():
    old, new = (table(published=("ours",), score=near(value)) for value in (0.9, 0.1))
    assert fates(old, new) == {("ours", "score"): "changed, no interval"}


def test_a_file_that_is_no_result_is_named(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    with pytest.raises(ValueError, match=r"old\.json is not a results\.json"):
        comparison.compare_results(tmp_path / "old.json", [])
