"""Reference pictures show a character alone, whole, large and in focus, from all over a series."""

from __future__ import annotations

import pytest

from pipeline.cast import views
from schemas.rows import Figure
from tests.pipeline import rows

KEYFRAME = rows.keyframe("film", 1.0, sharpness=100.0)
WELL = [0.3, 0.1, 0.6, 0.9]  # a box in the middle of the picture


def figure(box: list[float]) -> Figure:
    return Figure(KEYFRAME.id, "film", box, 0.2, 1.0, [0.0])


def quality(box: list[float], *others: list[float], likeness: float = 0.8, sharpness: float = 100):
    return views.quality(figure(box), [*map(figure, others)], KEYFRAME, likeness, sharpness)


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param(quality(WELL, likeness=0.3), id="unlike the others: maybe two in one box"),
        pytest.param(quality(WELL, [0.5, 0.5, 0.9, 0.9]), id="another figure in the box"),
        pytest.param(quality(WELL, [0.6, 0.1, 0.9, 0.9]), id="half of an outline that was cut"),
        pytest.param(quality([0.0, 0.1, 0.3, 0.9]), id="cut off at the side"),
        pytest.param(quality([0.3, 0.2, 0.6, 1.0]), id="cut off below"),
        pytest.param(quality([0.4, 0.4, 0.5, 0.6]), id="small"),
        pytest.param(quality(WELL, sharpness=1000.0), id="out of focus"),
    ],
)
def test_what_makes_a_view_worse(worse):
    assert 0 < worse < quality(WELL)


def test_somebody_far_away_takes_nothing_from_a_view():
    assert quality(WELL, [0.7, 0.1, 0.9, 0.9]) == quality(WELL)


def test_a_speck_or_a_figure_unlike_its_character_shows_nobody():
    assert quality([0.5, 0.5, 0.51, 0.9]) == 0
    assert quality(WELL, likeness=-0.2) == 0


def test_the_best_views_are_of_different_shots_and_all_over_the_film():
    qualities = {f"k{at:02}": 0.9 if at % 5 == 0 else 0.6 for at in range(50)}
    shots = {f"k{at:02}": ("film", at // 10) for at in range(50)}
    assert views.best(qualities, shots) == ["k00", "k10", "k20", "k30", "k40"]


def test_a_bad_view_is_left_out():
    shots = {name: ("film", at) for at, name in enumerate("abc")}
    assert views.best({"a": 0.9, "b": 0.2, "c": 0.8}, shots) == ["a", "c"]


def test_who_is_never_seen_well_has_a_picture_all_the_same():
    assert views.best({"a": 0.0, "b": 0.0}, {"a": ("film", 0), "b": ("film", 0)}) == ["a"]
