"""The table of shot detection."""

import json

import pytest

from benchmarks.metrics import shot_detection


def test_shots_are_summed_over_films_and_spread_between_them(monkeypatch, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.truth.json").write_text(
            json.dumps({"fps": 24, "cuts": [{"frame": 10}, {"frame": 50}], "gradual": []})
        )
    films = [str(tmp_path / f"{name}.mp4") for name in ("a", "b")]
    monkeypatch.setattr(shot_detection, "_our_transitions", lambda film, fps: ([10, 50], []))
    monkeypatch.setattr(
        shot_detection,
        "_their_transitions",
        lambda film, gradual: ([10], []) if film == films[0] else ([10, 50], []),
    )
    table = shot_detection.shot_table(films)
    theirs = table.cells["scenedetect detect-content, cuts"]
    assert [theirs[head].value for head in ("true", "found", "right")] == [4, 3, 3]
    assert theirs["F1"].value == pytest.approx(6 / 7)
    assert (theirs["F1"].low, theirs["F1"].high) == pytest.approx((2 / 3, 1))
    assert table.cells["ours, cuts"]["F1"].value == 1
