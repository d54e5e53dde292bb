"""Labels of Big Buck Bunny, and what is counted by them."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from benchmarks.cast import film_labels
from benchmarks.cast.film_labels import FILM, Point
from benchmarks.cast.tables import film_table
from schemas.rows import LIKENESS, Appearance, Keyframe, to_table
from tests.pipeline import rows

BUNNY, FRANK = Point("Bunny", True, 0.25, 0.5), Point("Frank", True, 0.75, 0.5)
LEFT, RIGHT = [0, 0, 320, 360], [320, 0, 320, 360]
LABELS = {0.0: [BUNNY], 4.0: [BUNNY, FRANK], 8.0: [FRANK], 12.0: []}
KEYFRAMES = [rows.keyframe(FILM, time, width=640, height=360) for time in (0.1, 4.0, 8.0, 12.0)]


def seen(at: int, character: str, box: list[int]) -> Appearance:
    return Appearance(KEYFRAMES[at].id, FILM, "", character, box, 1.0, LIKENESS)


def counted(tmp_path, appearances, labels=LABELS):
    pq.write_table(to_table(KEYFRAMES, Keyframe), tmp_path / "keyframes.parquet")
    pq.write_table(to_table(appearances, Appearance), tmp_path / "appearances.parquet")
    return film_labels.count(str(tmp_path), labels)


RIGHT_ONES = [
    seen(0, "grey figure", LEFT),
    seen(1, "grey figure", LEFT),
    seen(1, "brown figure", RIGHT),
    seen(2, "brown figure", RIGHT),
]


def test_characters_are_named_after_whom_they_show(tmp_path):
    counts = counted(tmp_path, RIGHT_ONES)
    assert counts.named_after == {"grey figure": "Bunny", "brown figure": "Frank"}
    assert counts.pictures == 4 and counts.purity == 1
    assert counts.present == {"Bunny": 2, "Frank": 2} == counts.named
    assert not counts.named_wrong


def test_a_box_of_another_costs_purity_and_precision(tmp_path):
    counts = counted(tmp_path, [*RIGHT_ONES[:3], seen(2, "grey figure", RIGHT)])
    assert counts.purity == pytest.approx(3 / 4)
    assert counts.named_wrong == {"Bunny": 1} and counts.named["Frank"] == 1


def test_a_box_with_nobody_in_it_is_a_wrong_name_and_no_impurity(tmp_path):
    counts = counted(tmp_path, [*RIGHT_ONES, seen(3, "grey figure", LEFT)])
    assert counts.purity == 1 and counts.named_wrong == {"Bunny": 1}


def test_who_is_hardly_seen_is_right_either_way(tmp_path):
    labels = {**LABELS, 12.0: [BUNNY._replace(sure=False)]}
    with_it = counted(tmp_path, [*RIGHT_ONES, seen(3, "grey figure", LEFT)], labels)
    without = counted(tmp_path, RIGHT_ONES, labels)
    for counts in (with_it, without):
        assert counts.present["Bunny"] == 2 and not counts.named_wrong


def test_pictures_without_a_label_near_are_left_out(tmp_path):
    counts = counted(tmp_path, RIGHT_ONES, {0.0: [BUNNY]})
    assert counts.pictures == 1 and counts.boxes == 1


def test_labels_name_the_five_in_the_film_s_order():
    labels = film_labels.read_labels()
    assert {point.name for points in labels.values() for point in points} == {
        *("Bunny", "Frank", "Rinky", "Gimera", "butterfly")
    }
    assert list(labels) == sorted(labels) and len(labels) > 150
    assert all(0 <= point.x <= 1 and 0 <= point.y <= 1 for row in labels.values() for point in row)


def test_the_table_has_each_and_all_together(tmp_path):
    cells = film_table(counted(tmp_path, RIGHT_ONES)).cells
    assert list(cells) == ["Bunny", "Frank", "together"]
    assert cells["together"]["recall"].value == 1 and cells["together"]["recall"].n == 4
