import sys

import av
import numpy as np
import pytest

from benchmarks.speed.process_tree import Tree, watch
from benchmarks.speed.scale import _of_film, _of_films, repeat
from pipeline.ingest.probe import probe
from pipeline.testing.films import make_film, moving, scene
from schemas.rows import Video

CHILD = "import time; block = bytearray(80_000_000); time.sleep(1); 'pipeline.graph.worker'"


def test_the_peak_of_each_kind_of_process_is_told_and_what_all_take_together():
    tree = watch(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {CHILD!r}])",
        ]
    )
    assert tree.number == {"driver": 1, "worker": 1}
    assert 80 < tree.peak["worker"] < 200 and tree.peak["driver"] < 60
    assert tree.together > 80 and tree.wall >= 1 and tree.cpu > 0


def test_a_command_that_fails_is_no_measurement():
    with pytest.raises(RuntimeError, match="ended with 3:\nwhy"):
        watch([sys.executable, "-c", "print('why'); raise SystemExit(3)"])


def test_a_repeated_film_lasts_as_long_as_asked_and_shows_the_same_again(tmp_path):
    film = tmp_path / "film.mp4"
    make_film(film, moving(scene(1), 24))
    length = probe(Video("film", str(film), "", "")).duration
    seconds = repeat(str(film), 3.5 * length, str(tmp_path / "long.mp4"))
    assert seconds == pytest.approx(4 * length, abs=0.05)
    with av.open(str(film)) as short, av.open(str(tmp_path / "long.mp4")) as long:
        once = [frame.to_ndarray(format="gray") for frame in short.decode(video=0)]
        again = [frame.to_ndarray(format="gray") for frame in long.decode(video=0)]
    assert len(again) == 4 * len(once)
    for at, picture in enumerate(again):
        assert np.array_equal(picture, once[at % len(once)])


def test_many_films_stand_beside_the_fewest():
    trees = {
        number: Tree(
            20.0 * number,
            30.0 * number,
            {"driver": 300.0, "worker": size},
            {"driver": 1, "worker": 2},
            900.0,
        )
        for number, size in ((10, 220.0), (1, 200.0))
    }
    table = _of_films(trees, {1: 25, 10: 250})
    assert table.cells["10"]["worker, peak, relative to the fewest"].value == pytest.approx(1.1)
    assert (
        table.cells["10"]["CPU per film"].value == 30 and table.cells["1"]["keyframes"].value == 25
    )
    assert "CPU a film, relative to the fewest" not in table.cells["1"]
    assert "decoder, peak" not in table.cells["10"]
    names = {column.name for column in table.columns}
    assert all(set(row) <= names for row in table.cells.values())


def test_a_long_film_stands_beside_the_limit():
    table = _of_film(
        Tree(60, 55, {"driver": 350.0, "decoder": 70.0}, {"driver": 1, "decoder": 2}, 500.0), 5400
    )
    assert table.cells["driver"]["relative to 700 MB"].value == 0.5
    assert table.cells["all together"]["number"].value == 3
    assert "1.50 h" in table.title
