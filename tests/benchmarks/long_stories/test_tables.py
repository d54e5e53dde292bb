"""Tables of long stories."""

import numpy as np
import torch

from benchmarks.long_stories import cost, tables
from benchmarks.long_stories.prediction import Predictions
from benchmarks.results.tables import Figure, format_cell


def _cells(table, row):
    return [format_cell(table.cells[row][column.name], column) for column in table.columns]


def test_tables_have_a_line_a_policy_and_a_column_a_length():
    words = np.full((4, 30), 10.0)
    some, other = (
        Predictions(words * nats, words, words / 20, torch.zeros(1)) for nats in (0.5, 0.4)
    )
    beside, itself, cosine = tables.prediction_tables({"dense": some}, other, [10, 15], {}, "x.png")
    assert [column.name for column in beside.columns] == ["10 pictures", "15 pictures"]
    assert _cells(beside, "dense") == ["1.11 (1.11-1.11)"] * 2
    assert _cells(itself, "dense") == ["1.65"] * 2
    assert _cells(cosine, "dense") == ["0.500 (0.500-0.500)"] * 2
    assert [figure.n for figure in beside.cells["dense"].values()] == [
        4,
        20,
    ]  # the 10th is the first

    figures = {
        "main": Figure(0.3, 40, 0.18, 0.45),
        "place": Figure(0.75, 40, 0.6, 0.86),
        "frechet": Figure(1.25, 40),
    }
    painted = {("dense", 10): figures}
    character, place, frechet = tables.painted_tables(painted, [10], {})
    assert _cells(character, "dense") == ["30 % (18-45)"]
    assert _cells(place, "dense") == ["75 % (60-86)"]
    assert _cells(frechet, "dense") == ["1.250"]


def test_costs_are_beside_the_windows_in_the_same_round():
    spent = {
        (name, length): [
            cost.Cost(seconds * length * (1 + more), 300, 5.0) for more in (0.0, 0.2, 0.1)
        ]
        for name, seconds in (("dense", 0.02), ("window", 0.01))
        for length in (10, 20)
    }
    ratio, seconds, cached, memory = tables.cost_tables(spent, [10, 20], {})
    assert _cells(ratio, "dense") == ["2.00 (2.00-2.00)"] * 2
    assert "50% is what the length beyond 10 adds" in ratio.text
    assert _cells(seconds, "dense") == ["0.220 (0.200-0.240)", "0.440 (0.400-0.480)"]
    assert _cells(cached, "window") == ["300"] * 2 and _cells(memory, "window") == ["5.0"] * 2
    endless = tables.unlimited_cost_table(spent, {})
    assert _cells(endless, "window") == [
        "0.110 (0.100-0.120), 5.0 MB",
        "0.220 (0.200-0.240), 5.0 MB",
    ]
