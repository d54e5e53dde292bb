"""Tables of the speed of keyframes."""

import pytest

from benchmarks.speed import keyframes
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
