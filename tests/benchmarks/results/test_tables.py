"""Cells are formatted with their intervals; the best competes."""

import math

import pytest

from benchmarks.results import tables
from benchmarks.results.tables import Figure
from tests.benchmarks.results.example import SCORE, SECONDS, SHARE, example_table


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


def test_best_is_among_those_that_compete_and_differ():
    assert tables.best_rows(example_table(), SCORE) == {"ours"}  # not the ceiling, nor the paper's
    assert tables.best_rows(example_table(), SHARE) == {"ours"}
    assert tables.best_rows(example_table(), SECONDS) == set()  # neither side is better
    assert tables.best_rows(example_table(contest=False), SCORE) == set()
    assert tables.best_rows(example_table(bounds=()), SCORE) == {"truth"}
    same = {
        name: {"score": Figure(value)}
        for name, value in {"a": 0.501, "b": 0.499, "c": 0.1, "d": math.nan}.items()
    }
    assert tables.best_rows(example_table(cells=same), SCORE) == {
        "a",
        "b",
    }  # both are shown as 0.50
    assert tables.best_rows(example_table(cells={"a": same["a"], "b": same["b"]}), SCORE) == set()
