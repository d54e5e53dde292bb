import json

import pytest

from benchmarks.metrics import shot_detection
from benchmarks.speed import keyframes, pipeline
from benchmarks.speed.process_cost import Cost
from benchmarks.speed.process_tree import Tree


def test_keyframes_stand_beside_both_peers(monkeypatch):
    costs = {
        keyframes._DECODED: [Cost(2, 1, 90), Cost(4, 2, 90)],
        keyframes._SCENEDETECT: [Cost(4, 4, 150), Cost(16, 9, 150)],
        keyframes._OURS: [Cost(1, 1, 120), Cost(2, 2, 130)],
    }
    commands = {}
    monkeypatch.setattr(
        keyframes,
        "compare_costs",
        lambda tools, rounds: (
            commands.update({name: tool(0) for name, tool in tools.items()}) or costs
        ),
    )
    table = keyframes.one_film_table("/films/a.mp4", "/place", 2)
    ours = table.cells[keyframes._OURS]
    assert ours["CPU relative to decoding"].value == 0.5
    assert (ours["CPU relative to scenedetect"].low, ours["CPU relative to scenedetect"].high) == (
        0.125,
        0.25,
    )
    assert ours["CPU"].value == 1.5 and ours["peak"].value == 125
    assert "CPU relative to scenedetect" not in table.cells[keyframes._SCENEDETECT]
    assert all("/films/a.mp4" in command for command in commands.values())


def test_films_together_stand_beside_films_one_by_one(monkeypatch, tmp_path):
    film = tmp_path / "film.mp4"
    film.touch()
    seen = []

    def watched(command):
        films = command[command.index("--videos") + 1]
        seen.append((films, command[command.index("--out") + 1]))
        cpu, wall = (6, 3) if films.endswith("films") else (5, 4)
        return Tree(wall, cpu, {}, {}, 400)

    monkeypatch.setattr(keyframes, "watch", watched)
    monkeypatch.setattr(keyframes, "busy_cores", lambda seconds: 2.5)
    table = keyframes.keyframe_stage_table(str(film), str(tmp_path), 2, 2)
    assert len(set(seen)) == len(seen) == 2 * (2 + 1)  # nothing is done already
    together = table.cells["together"]
    assert together["CPU relative to one by one"].value == 0.6
    assert together["wall relative to one by one"].value == pytest.approx(3 / 8)
    assert together["share of busy loops"].value == pytest.approx(2 / 2.5)
    assert table.cells["one by one"]["wall"].value == 8


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


def test_a_folder_without_films_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds no \*\.mp4"):
        pipeline.run(drawn=str(tmp_path))
