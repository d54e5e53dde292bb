"""Where figures are in a picture, by the sample's truth."""

from __future__ import annotations

import json

import pytest

from benchmarks.cast import truth

FILM = {
    "fps": 24,
    "width": 640,
    "height": 360,
    "shots": [
        {"first": 0, "last": 23, "boxes": {"Pip": ["0 0 100 100", "60 0 160 100"]}},
        {"first": 24, "last": 47, "boxes": {"Momo": ["600 100 760 300"]}},
    ],
}


def test_between_two_boxes_a_figure_is_between_them():
    assert truth.figures(FILM, 0.0) == {"Pip": (0, 0, 100, 100)}
    assert truth.figures(FILM, 3 / 24) == {"Pip": (30, 0, 130, 100)}
    assert truth.figures(FILM, 23 / 24) == {"Pip": (60, 0, 160, 100)}  # the last box that there is


def test_a_figure_counts_where_enough_of_it_is_in_the_frame():
    assert truth.figures(FILM, 1.0) == {"Momo": (600, 100, 640, 300)}  # a quarter
    outside = {**FILM, "shots": [{"first": 0, "last": 9, "boxes": {"Momo": ["610 0 760 300"]}}]}
    assert truth.figures(outside, 0.0) == {}
    assert truth.figures(FILM, 9.0) == {}  # in no shot


def test_overlap():
    assert truth.overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert truth.overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert truth.overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_a_truth_without_boxes_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"no .*S01E01\.truth\.json: give the sample"):
        truth.read(tmp_path, "S01E01")
    (tmp_path / "S01E01.truth.json").write_text(json.dumps({"shots": [{"first": 0}]}))
    with pytest.raises(ValueError, match="says not where figures are: draw the sample again"):
        truth.read(tmp_path, "S01E01")
