from pathlib import Path

import pytest

from benchmarks.speed import scaling_exponents
from benchmarks.speed.process_tree import Tree
from benchmarks.speed.scaling_exponents import Series
from pipeline.ingest.probe import probe
from pipeline.testing.films import make_film, moving, scene
from schemas.rows import Video


def test_the_exponent_of_known_growth():
    sizes = (1, 2, 4, 8)
    for power in (0, 0.5, 1, 2):
        costs = {size: [3 * size**power, 7 * size**power] for size in sizes}
        assert scaling_exponents.scaling_exponents(costs) == pytest.approx([power, power], abs=1e-9)
    # One round that is linear, and one that is not.
    assert scaling_exponents.scaling_exponents({1: [1, 1], 10: [10, 100]}) == pytest.approx([1, 2])


def test_what_starts_a_process_is_taken_off(monkeypatch):
    monkeypatch.setattr(
        scaling_exponents, "watch", lambda command: Tree(0, float(command[0]), {}, {}, 0)
    )
    commands = {size: lambda n, size=size: [str(3 + n + 2 * size)] for size in (1, 2)}
    starts = dict.fromkeys(commands, lambda n: [str(3 + n)])
    assert scaling_exponents._series("films", "films", commands, starts, 2).costs == {
        1: [2, 2],
        2: [4, 4],
    }


def test_a_film_is_copied_and_made_longer(monkeypatch, tmp_path):
    make_film(tmp_path / "film.mp4", moving(scene(1), 24))
    seen = {}
    monkeypatch.setattr(
        scaling_exponents,
        "_series",
        lambda name, what, commands, starts, rounds: seen.update(
            {size: command(0) for size, command in commands.items()}
        ),
    )
    scaling_exponents._number_of_films(str(tmp_path / "film.mp4"), (1, 3), str(tmp_path), 1)
    for count in (1, 3):
        films = seen[count][seen[count].index("--videos") + 1]
        assert len(list(Path(films).iterdir())) == count
    scaling_exponents._length_of_film(str(tmp_path / "film.mp4"), (1, 3), str(tmp_path), 1)
    lengths = [probe(Video("film", seen[count][3], "", "")).duration for count in (1, 3)]
    assert lengths[1] == pytest.approx(3 * lengths[0], rel=0.05)


def test_the_table_and_the_picture(tmp_path):
    found = [
        Series("number of films", "films", "CPU s", {1: [1.0, 1.2], 4: [4.0, 4.8]}),
        Series("length of a film", "times as long", "CPU s", {1: [1.0, 1.0], 2: [2.0, 4.0]}),
        Series("length of a story, kept", "pictures", "s", {10: [0.1] * 2, 100: [0.1] * 2}),
        Series("length of a story, again", "pictures", "s", {10: [0.1] * 2, 100: [10.0] * 2}),
    ]
    table = scaling_exponents._table(found, "film.mp4", "scaling-exponents.png")
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
    assert table.pictures == ("scaling-exponents.png",)
    scaling_exponents._plot(found, tmp_path / "scaling-exponents.png")
    assert (tmp_path / "scaling-exponents.png").read_bytes().startswith(b"\x89PNG")


def test_one_size_says_nothing_about_growth(tmp_path):
    with pytest.raises(ValueError, match="two sizes at least"):
        scaling_exponents.run(tmp_path, "", films=(2,))
