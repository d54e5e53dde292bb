import av
import numpy as np
import pytest

from pipeline.keyframes.decode import grab
from pipeline.keyframes.decode_at import frames_at
from pipeline.keyframes.frame_stats import measure
from pipeline.testing.films import make_film, moving, scene, shots

FILMS = {
    "a.mp4": {"bframes": 2, "gop": 20},
    "open.mkv": {"bframes": 2, "gop": 20, "options": {"x264-params": "open-gop=1"}},
    "late.mp4": {"gop": 500, "pts": [5 + at / 24 for at in range(90)]},
    "broadcast.ts": {"bframes": 2, "gop": 24},
    "disc.mpg": {"codec": "mpeg2video", "bframes": 2, "gop": 12},
}


@pytest.mark.parametrize("name", FILMS)
def test_the_frames_are_those_that_were_grabbed_with_measures(name, tmp_path):
    frames = shots(3, 30)
    film = make_film(tmp_path / name, frames, **FILMS[name])
    measures = measure(film)
    last = len(measures.pts) - 1
    for entries in ([0], [last], [2, 3, 11, 12, last]):
        wanted = {entry: frame for entry, frame, _ in grab(film, measures, entries, 1)}
        assert list(wanted) == entries
        times = [round(float(measures.times[entry]), 6) for entry in entries]
        for skip in (True, False):
            reached = frames_at(film, times, 1, skip)
            for frame, other in zip(reached, wanted.values(), strict=True):
                assert frame.pts == other.pts
                assert np.array_equal(frame.to_ndarray(), other.to_ndarray())


def test_the_nearest_frame_stands_for_a_time_and_none_for_one_far_off(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 24), fps=24)
    found = list(frames_at(film, [0.06, 0.07, 0.07, 0.99, 1.1], 1, skip=False))
    assert [frame and round(frame.time * 24) for frame in found] == [1, 2, 2, 23, None]


def test_what_is_no_film_is_an_error(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no film" * 99)
    with pytest.raises(av.FFmpegError):
        next(frames_at(str(tmp_path / "a.mp4"), [0.0], 1, skip=False))
