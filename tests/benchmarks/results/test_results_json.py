"""results.json is read as it was written."""

import dataclasses
import json
import math

import numpy as np
import pytest

from benchmarks.results import results_json
from benchmarks.results.tables import Figure
from tests.benchmarks.results.example import example_table


def test_what_is_dumped_is_loaded_again(tmp_path):
    path = tmp_path / "results.json"
    pictured = example_table(pictures=("a.svg",))
    results_json.write_results(
        [pictured, example_table(name="other")], {"seed": 1, "dataset": tmp_path}, path
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
    results_json.write_results([example_table(cells=cells)], {}, path)
    json.loads(path.read_text("utf-8"), parse_constant=lambda name: pytest.fail(name))
    [loaded], _ = results_json.read_results(path)
    assert loaded.cells["a"]["score"] == Figure(0.5, 3, pytest.approx(0.4), pytest.approx(0.6))
    assert loaded.cells["b"] == {
        "score": Figure(None, 3, note="came out as nan"),
        "share": Figure(1.0, 3),
    }


def test_two_tables_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two tables are called board"):
        results_json.write_results(
            [example_table(), example_table()], {}, tmp_path / "results.json"
        )


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
    with pytest.raises(ValueError, match=r"results\.json is not a results\.json of"):
        results_json.read_results(path)
