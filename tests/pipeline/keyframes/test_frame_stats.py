from pathlib import Path

import numpy as np
import pytest

from pipeline.keyframes.frame_stats import scan_film
from pipeline.testing.films import make_film, moving, scene, still


def test_times_are_presentation_times_also_at_a_variable_frame_rate(tmp_path):
    pts = [0.0, 0.1, 0.15, 0.5, 0.51, 0.9, 1.4, 1.5]
    film = make_film(tmp_path / "a.mkv", moving(scene(1), 8), pts=pts)
    assert scan_film(film).times == pytest.approx(pts, abs=0.0011)


def test_a_film_that_starts_late_is_timed_from_its_first_frame(tmp_path):
    film = make_film(
        tmp_path / "a.mkv", moving(scene(1), 8), pts=[2 + i / 10 for i in range(8)], audio=True
    )
    assert scan_film(film).times == pytest.approx([i / 10 for i in range(8)], abs=0.0011)


def test_frames_that_are_skipped_are_counted(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 48), bframes=2, gop=12)
    stats = scan_film(film)
    assert len(stats.times) < 48
    assert len(stats.times) + stats.skipped.sum() + 47 - round(stats.times[-1] * 24) == 48
    whole = np.diff(stats.times) * 24
    assert (stats.skipped[1:] + 1) == pytest.approx(whole, abs=0.01)


def test_more_threads_measure_the_same(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 48), bframes=2)
    stats, same = scan_film(film), scan_film(film, threads=2)
    assert np.array_equal(stats.times, same.times)
    assert np.array_equal(stats.thumbs, same.thumbs)
    assert np.array_equal(stats.sharp, same.sharp)


def test_a_film_without_a_frame_is_refused(tmp_path):
    film = make_film(tmp_path / "a.mp4", still(scene(1), 3))
    content = bytearray(Path(film).read_bytes())
    start = content.index(b"mdat") + 4
    content[start : start + 4000] = bytes(4000)
    (tmp_path / "b.mp4").write_bytes(content)
    with pytest.raises(ValueError, match="no frame"):
        scan_film(str(tmp_path / "b.mp4"))
