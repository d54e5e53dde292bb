import sys

import av
import numpy as np
import pytest

from benchmarks.process_tree import watch
from benchmarks.scale import repeat
from pipeline.videos import probe
from schemas.rows import Video
from tests.films import make_film, moving, scene

CHILD = "import time; block = bytearray(80_000_000); time.sleep(1); 'pipeline.worker'"


def test_the_peak_of_each_kind_of_process_is_told_and_what_all_take_together():
    tree = watch([sys.executable, "-c", "import subprocess, sys\n"
                  f"subprocess.run([sys.executable, '-c', {CHILD!r}])"])
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
