import cv2
import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.keyframes.combing import combed_share, is_combed
from pipeline.keyframes.extract import extract_film
from pipeline.keyframes.frame_stats import scan_film
from pipeline.testing.films import drawing, interlaced, make_film, scene, telecined
from schemas.rows import Keyframe, Video


def panned(seed, count, step, draw=scene):
    """Frames of a view that moves over a wide scene, `step` pixels each time."""
    picture = draw(seed, 288, 352)
    wide = np.hstack([picture, picture[:, ::-1]])
    return [np.ascontiguousarray(wide[:, step * i : step * i + 352]) for i in range(count)]


def luma(picture):
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


@pytest.fixture
def extracted(tmp_path):
    def extract(film):
        video, *rows = extract_film(
            Video("film", film, "series", "Film"),
            KeyframesConfig(),
            str(tmp_path / "out"),
            str(tmp_path / "segments"),
            1,
            lambda share: None,
        )
        keyframes = [row for row in rows if isinstance(row, Keyframe)]
        return (
            video,
            keyframes,
            [cv2.imread(str(tmp_path / "out" / f"{keyframe.id}.jpg")) for keyframe in keyframes],
        )

    return extract


def test_woven_frames_are_combed_and_others_are_not():
    still, moved = panned(1, 2, 6)
    assert not is_combed(luma(still))
    assert is_combed(luma(interlaced([still, moved])[0]))
    assert combed_share(luma(interlaced([still, moved])[0])) > 0.06
    assert is_combed(luma(interlaced([still, moved], top_first=False)[0]))
    assert not is_combed(luma(interlaced([still, still])[0]))


MPEG2 = {"codec": "mpeg2video", "options": {"flags": "+ilme+ildct", "qscale": "3"}, "bframes": 2}
H264 = {"codec": "libx264", "gop": 15, "bframes": 2}


@pytest.mark.parametrize("draw", [scene, drawing])
@pytest.mark.parametrize("top_first", [True, False], ids=["top", "bottom"])
@pytest.mark.parametrize(("name", "coding"), [("a.mpg", MPEG2), ("a.mkv", H264)])
def test_keyframes_of_a_telecined_film_are_whole_frames(
    name, coding, top_first, draw, extracted, tmp_path
):
    source = [frame for seed in range(3) for frame in panned(seed, 48, 6, draw)]
    film = make_film(tmp_path / name, telecined(source, top_first), fps=30, **coding)
    video, keyframes, pictures = extracted(film)
    assert video.interlaced
    assert [keyframe.shot for keyframe in keyframes] == [0, 1, 2]
    for picture in pictures:
        assert not is_combed(luma(picture))
        nearest = min(np.abs(picture[..., ::-1].astype(int) - frame).mean() for frame in source)
        assert nearest < 8  # it is a frame of the film, not one that was interpolated


@pytest.mark.parametrize("top_first", [True, False], ids=["top", "bottom"])
@pytest.mark.parametrize(("name", "coding"), [("a.mpg", MPEG2), ("a.mkv", H264)])
def test_keyframes_of_an_interlaced_film_are_deinterlaced(
    name, coding, top_first, extracted, tmp_path
):
    source = [frame for seed in range(3) for frame in panned(seed, 80, 2)]
    film = make_film(tmp_path / name, interlaced(source, top_first), fps=25, **coding)
    video, keyframes, pictures = extracted(film)
    assert video.interlaced
    assert [keyframe.shot for keyframe in keyframes] == [0, 1, 2]
    for picture in pictures:
        assert picture.shape == (288, 352, 3)
        assert combed_share(luma(picture)) < 0.02  # grain may look combed; a woven frame has 0.08
        nearest = min(np.abs(picture[..., ::-1].astype(int) - frame).mean() for frame in source)
        assert nearest < 9


def test_a_whole_film_that_says_it_is_interlaced_is_left_as_it_is(tmp_path):
    frames = [frame for seed in range(3) for frame in panned(seed, 24, 6)]
    assert scan_film(make_film(tmp_path / "a.mpg", frames, fps=25, **MPEG2)).combed == 0
