import cv2
import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.keyframes.extract import extract_keyframes
from pipeline.keyframes.frame_stats import scan_film
from pipeline.testing.films import make_film, moving, scene, still
from schemas.rows import Video

SHAPES = {  # rows above, below, columns left, right, of 180 x 320
    "letterbox": (30, 30, 0, 0),
    "wide letterbox": (45, 45, 0, 0),
    "pillarbox": (0, 0, 40, 40),
    "windowbox": (24, 24, 40, 40),
    "uneven": (20, 34, 0, 0),
}


def boxed(picture, bars, black=0):
    above, below, left, right = bars
    frame = np.full_like(picture, black)
    height, width = picture.shape[:2]
    size = width - left - right, height - above - below
    frame[above : height - below, left : width - right] = cv2.resize(
        picture, size, interpolation=cv2.INTER_AREA
    )
    return frame


def pale(seed):
    """A scene that differs little from others."""
    return np.clip(scene(seed) * 0.35 + 90, 0, 255).astype(np.uint8)


def keyframes(film, folder):
    video = Video("film", film, "series", "Film")
    return extract_keyframes(video, scan_film(film), KeyframesConfig(), str(folder))


def test_letterbox_bars_are_found_and_dark_scenes_have_none(tmp_path):
    boxed = scene(1)
    boxed[:20] = boxed[-22:] = 0
    dark = scene(2) // 12
    film = make_film(tmp_path / "a.mp4", still(boxed, 24) + still(dark, 24), gop=6)
    above, below, left, right = scan_film(film).bars
    assert abs(above - 20) <= 1 and abs(below - 22) <= 1
    assert (left, right) == (0, 0)
    plain = make_film(tmp_path / "b.mp4", still(scene(3), 12) + still(dark, 24), gop=6)
    assert scan_film(plain).bars == (0, 0, 0, 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_shots_are_found_inside_of_bars_of_any_shape(shape, tmp_path):
    """Measured on the whole frame, the cuts between these scenes are too small."""
    frames = [
        boxed(frame, SHAPES[shape])
        for seed in range(4)
        for frame in moving(pale(seed), 36, color=(90, 90, 90))
    ]
    film = make_film(tmp_path / "a.mp4", frames, gop=500, options={"x264-params": "scenecut=0"})
    found, rejects = keyframes(film, tmp_path / "out")
    assert [keyframe.shot for keyframe in found] == [0, 1, 2, 3]
    assert rejects == []
    above, below, left, right = SHAPES[shape]
    for keyframe in found:
        assert keyframe.crop == pytest.approx(
            [left, above, 320 - left - right, 180 - above - below], abs=2
        )


def test_what_is_measured_inside_of_bars_is_what_a_film_without_them_has(tmp_path):
    bars = SHAPES["windowbox"]
    pictures = [frame for seed in range(3) for frame in moving(scene(seed, 132, 240), 36)]
    film = make_film(tmp_path / "a.mp4", [pad(picture, bars) for picture in pictures], gop=36)
    same = make_film(tmp_path / "b.mp4", pictures, gop=36)
    inside, whole = scan_film(film), scan_film(same)
    assert np.abs(inside.mean - whole.mean).max() < 2
    assert np.abs(inside.std - whole.std).max() < 2
    assert np.abs(inside.diff - whole.diff).max() < 3
    assert np.abs(inside.thumbs.astype(int) - whole.thumbs).mean() < 8


def pad(picture, bars, level=0):
    return cv2.copyMakeBorder(picture, *bars, cv2.BORDER_CONSTANT, value=[level] * 3)


@pytest.mark.parametrize("level", [90, 128, 255])
@pytest.mark.parametrize("shape", ["letterbox", "pillarbox", "windowbox"])
def test_grey_and_white_bars_are_bars_as_well(tmp_path, shape, level):
    bars = SHAPES[shape]
    size = 180 - bars[0] - bars[1], 320 - bars[2] - bars[3]
    pictures = [frame for seed in range(3) for frame in moving(scene(seed, *size), 24)]
    frames = [pad(picture, bars, level) for picture in pictures]
    inside = scan_film(make_film(tmp_path / "a.mp4", frames, gop=24))
    whole = scan_film(make_film(tmp_path / "b.mp4", pictures, gop=24))
    assert inside.bars == pytest.approx(bars, abs=1)
    assert np.abs(inside.mean - whole.mean).max() < 3
    assert np.abs(inside.diff - whole.diff).max() < 3


def test_a_plain_ground_that_shows_more_and_less_of_itself_is_no_bar(tmp_path):
    """As of drawings on paper: it ends where the drawing begins, elsewhere in each."""
    frames = [
        frame
        for number, bars in enumerate([(50, 50, 90, 90), (10, 10, 20, 20), (30, 60, 100, 10)])
        for frame in still(boxed(scene(number), bars, 255), 24)
    ]
    film = make_film(tmp_path / "a.mp4", frames, gop=24)
    assert scan_film(film).bars == (0, 0, 0, 0)


def test_an_empty_frame_with_bars_is_empty(tmp_path):
    """The edges of its bars look sharp, and bars and grey together have contrast."""
    grey = np.full_like(scene(0), 110)
    frames = [
        boxed(frame, SHAPES["letterbox"])
        for seed in range(2)
        for frame in moving(scene(seed), 30) + still(grey, 30)
    ]
    found, rejects = keyframes(make_film(tmp_path / "a.mp4", frames), tmp_path / "out")
    assert len(found) == 2
    assert {reject.reason for reject in rejects} == {"flat"}


def test_bars_are_found_where_the_only_random_access_point_is_dark(tmp_path):
    dark = still(boxed(scene(0) // 12, SHAPES["letterbox"]), 24)
    frames = dark + [
        boxed(frame, SHAPES["letterbox"]) for seed in (1, 2) for frame in moving(scene(seed), 30)
    ]
    film = make_film(tmp_path / "a.mp4", frames, gop=500, options={"x264-params": "scenecut=0"})
    assert scan_film(film).bars == pytest.approx((30, 30, 0, 0), abs=1)


def test_a_night_sky_is_no_bar(tmp_path):
    night = scene(0)
    night[:60] = 4
    frames = still(night, 48) + [frame for seed in (1, 2) for frame in moving(scene(seed), 36)]
    film = make_film(tmp_path / "a.mp4", frames, gop=500, options={"x264-params": "scenecut=0"})
    assert scan_film(film).bars == (0, 0, 0, 0)


@pytest.mark.parametrize("shown", [0.1, 0.4, 1.0])
def test_long_subtitles_in_a_bar_do_not_end_it(shown, tmp_path):
    """A long line is lit over more of a row than a bar is."""
    frames = [
        boxed(frame, SHAPES["wide letterbox"])
        for seed in range(3)
        for frame in moving(scene(seed), 80)
    ]
    for frame in frames[: round(shown * len(frames))]:
        cv2.rectangle(frame, (40, 148), (280, 158), (255,) * 3, -1)
    film = make_film(tmp_path / "a.mp4", frames)
    assert scan_film(film).bars == pytest.approx((45, 45, 0, 0), abs=1)


def test_the_dark_above_a_hill_in_a_short_film_is_no_bar(tmp_path):
    moon = np.full_like(scene(0), 10)
    cv2.ellipse(moon, (100, 190), (140, 70), 0, 0, 360, (140, 150, 160), -1)
    film = make_film(tmp_path / "a.mp4", still(moon, 60))
    assert scan_film(film).bars == (0, 0, 0, 0)


def test_bars_with_subtitles_in_them_and_those_of_a_tape_are_bars(tmp_path):
    frames = [
        boxed(frame, SHAPES["wide letterbox"], black=12)
        for seed in range(3)
        for frame in moving(scene(seed), 30)
    ]
    for frame in frames[:60]:
        cv2.putText(frame, "Who is there?", (90, 165), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255,) * 3, 1)
    film = make_film(tmp_path / "a.mp4", frames)
    assert scan_film(film).bars == pytest.approx((45, 45, 0, 0), abs=1)
