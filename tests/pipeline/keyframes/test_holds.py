from fractions import Fraction

import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.keyframes.extract import extract_keyframes
from pipeline.keyframes.frame_stats import scan_film
from pipeline.keyframes.holds import repeated, shown_for
from pipeline.testing.films import drawing, make_film, scene
from schemas.rows import Video
from tests.pipeline.keyframes.figures import frame_stats

SCENES = [scene(seed) for seed in range(8)]
DRAWINGS = [drawing(seed, 180, 320) for seed in range(8)]


def keyframes(film, folder):
    """Times of the keyframes, and the reasons of the rejects."""
    video = Video("film", film, "series", "Film")
    found, rejects = extract_keyframes(video, scan_film(film), KeyframesConfig(), str(folder))
    return [keyframe.time for keyframe in found], [reject.reason for reject in rejects]


def test_a_held_frame_stands_for_several():
    stats = frame_stats(3)
    stats = frame_stats(3, times=np.array([0.0, 0.1, 2.1]), diff=np.float32([0, 30, 40]))
    assert [shown_for(stats, index) for index in range(3)] == pytest.approx([0.1, 2.0, 0.1])
    every, index = repeated(stats)
    assert index.tolist() == [0, 1, 1, 1, 1, 1, 2]
    assert every.times.tolist() == pytest.approx([0, 0.1, 0.5, 0.9, 1.3, 1.7, 2.1])
    assert every.diff.tolist() == [0, 30, 0, 0, 0, 0, 40]


@pytest.mark.parametrize("fps", [Fraction(1, 3), 1, 2], ids=["1-3", "1", "2"])
@pytest.mark.parametrize("bframes", [0, 2])
def test_a_slideshow_gives_each_of_its_pictures(fps, bframes, tmp_path):
    film = make_film(tmp_path / "a.mp4", DRAWINGS, fps=fps, bframes=bframes)
    times, rejects = keyframes(film, tmp_path / "out")
    assert times == pytest.approx([i / fps for i in range(8)], abs=1e-3)
    assert rejects == []


def test_a_picture_that_comes_back_is_a_duplicate_and_no_flash(tmp_path):
    pictures = [SCENES[0], SCENES[1], SCENES[0], SCENES[2]]
    times, rejects = keyframes(make_film(tmp_path / "a.mp4", pictures, fps=1), tmp_path / "out")
    assert times == [0, 1, 3]
    assert rejects == ["duplicate"]


def test_a_film_without_its_duplicate_frames_gives_each_of_its_shots(tmp_path):
    """Still pictures of 2 s each have two frames, then there is a second at 24 frames."""
    pts = [t for i in range(8) for t in (2 * i, 2 * i + 1 / 24)]
    pictures = [picture for picture in SCENES for _ in range(2)]
    moving = [np.roll(SCENES[7], 2 * i, axis=1) for i in range(24)]
    film = make_film(
        tmp_path / "a.mkv", pictures + moving, pts=pts + [16 + i / 24 for i in range(24)]
    )
    times, rejects = keyframes(film, tmp_path / "out")
    assert [int(time // 2) for time in times] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert rejects in ([], ["duplicate"])
