from pathlib import Path

import pytest

from benchmarks.speed import growth
from benchmarks.speed.growth import Series
from benchmarks.speed.process_tree import Tree
from pipeline.ingest.probe import probe
from schemas.rows import Video
from tests.films import make_film, moving, scene


def test_the_exponent_of_known_growth():
    sizes = (1, 2, 4, 8)
    for power in (0, 0.5, 1, 2):
        costs = {size: [3 * size**power, 7 * size**power] for size in sizes}
        assert growth.exponent(costs) == pytest.approx([power, power], abs=1e-9)
    # One round that is linear, and one that is not.
    assert growth.exponent({1: [1, 1], 10: [10, 100]}) == pytest.approx([1, 2])


def test_what_starts_a_process_is_taken_off(monkeypatch):
    monkeypatch.setattr(growth, "watch", lambda command: Tree(0, float(command[0]), {}, {}, 0))
    commands = {size: lambda n, size=size: [str(3 + n + 2 * size)] for size in (1, 2)}
    starts = dict.fromkeys(commands, lambda n: [str(3 + n)])
    assert growth._series("films", "films", commands, starts, 2).costs == {1: [2, 2], 2: [4, 4]}


def test_a_film_is_copied_and_made_longer(monkeypatch, tmp_path):
    make_film(tmp_path / "film.mp4", moving(scene(1), 24))
    seen = {}
    monkeypatch.setattr(
        growth,
        "_series",
        lambda name, what, commands, starts, rounds: seen.update(
            {size: command(0) for size, command in commands.items()}
        ),
    )
    growth._many(str(tmp_path / "film.mp4"), (1, 3), str(tmp_path), 1)
    for count in (1, 3):
        films = seen[count][seen[count].index("--videos") + 1]
        assert len(list(Path(films).iterdir())) == count
    growth._long(str(tmp_path / "film.mp4"), (1, 3), str(tmp_path), 1)
    lengths = [probe(Video("film", seen[one][3], "", "")).duration for one in (1, 3)]
    assert lengths[1] == pytest.approx(3 * lengths[0], rel=0.05)


def test_the_table_and_the_picture(tmp_path):
    found = [
        Series("number of films", "films", "CPU s", {1: [1.0, 1.2], 4: [4.0, 4.8]}),
        Series("length of a film", "times as long", "CPU s", {1: [1.0, 1.0], 2: [2.0, 4.0]}),
        Series("length of a story, kept", "pictures", "s", {10: [0.1] * 2, 100: [0.1] * 2}),
        Series("length of a story, again", "pictures", "s", {10: [0.1] * 2, 100: [10.0] * 2}),
    ]
    table = growth._table(found, "film.mp4", "growth.png")
    assert {
        name: (row["exponent"].low, row["exponent"].high, row["first"].value)
        for name, row in table.cells.items()
    } == {
        "number of films": pytest.approx((1, 1, 1.1)),
        "length of a film": pytest.approx((1, 2, 1)),
        "length of a story, kept": pytest.approx((0, 0, 0.1), abs=1e-9),
        "length of a story, again": pytest.approx((2, 2, 0.1)),
    }
    assert table.cells["number of films"]["sizes"] == "1, 4 films"
    assert table.pictures == ("growth.png",)
    growth._plot(found, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_one_size_says_nothing_about_growth(tmp_path):
    with pytest.raises(ValueError, match="two sizes at least"):
        growth.run(tmp_path, "", films=(2,))
