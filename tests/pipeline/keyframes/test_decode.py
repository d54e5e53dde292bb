"""Chosen frames, decoded by index and by time."""

import av
import numpy as np
import pytest

from pipeline.keyframes.decode import frames_at_indices, frames_at_times
from pipeline.keyframes.frame_stats import scan_film
from pipeline.testing.films import make_film, moving, scene, shots

FILMS = {
    "a.mp4": {"bframes": 2, "gop": 20},
    "open.mkv": {"bframes": 2, "gop": 20, "options": {"x264-params": "open-gop=1"}},
    "late.mp4": {"gop": 500, "pts": [5 + at / 24 for at in range(90)]},
    "broadcast.ts": {"bframes": 2, "gop": 24},
    "disc.mpg": {"codec": "mpeg2video", "bframes": 2, "gop": 12},
}


def test_any_frame_can_be_reached_again_in_any_company(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 90), bframes=2, gop=20)
    stats = scan_film(film)
    with av.open(film) as container:
        whole = {frame.pts: frame.to_ndarray() for frame in container.decode(video=0)}
    for indices in ([0], [len(stats.pts) - 1], [3, 4, 5, 30, 31], list(range(20))):
        reached = list(frames_at_indices(film, stats, indices, threads=1))
        assert [index for index, _, _ in reached] == indices
        for index, frame, beside in reached:
            assert np.array_equal(frame.to_ndarray(), whole[int(stats.pts[index])])
            number = index - 1 if stats.cost[index] > 1 else index + 1
            assert np.array_equal(beside.to_ndarray(), whole[int(stats.pts[number])])


@pytest.mark.parametrize("name", FILMS)
def test_several_decoders_give_the_frames_of_one_in_order(name, tmp_path):
    film = make_film(tmp_path / name, shots(4, 30), **FILMS[name])
    stats = scan_film(film)
    indices = [0, 1, *range(5, len(stats.pts), 7)]
    one, several = (
        [
            (index, frame.to_ndarray().tobytes(), beside.to_ndarray().tobytes())
            for index, frame, beside in frames_at_indices(film, stats, indices, threads)
        ]
        for threads in (1, 3)
    )
    assert several == one and [index for index, _, _ in several] == indices


def test_a_frame_that_is_not_there_is_left_out(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 30))
    stats = scan_film(film)
    stats.pts[10] += 1
    assert [index for index, _, _ in frames_at_indices(film, stats, [5, 10, 20], threads=1)] == [
        5,
        20,
    ]


def test_the_frames_of_a_recording_are_those_of_a_whole_decode(tmp_path):
    film = make_film(tmp_path / "a.ts", moving(scene(1), 48), bframes=2, gop=12)
    stats = scan_film(film)
    with av.open(film) as container:
        whole = {frame.pts: frame.to_ndarray() for frame in container.decode(video=0)}
    indices = list(range(0, len(stats.pts), 5))
    reached = list(frames_at_indices(film, stats, indices, threads=1))
    assert [index for index, _, _ in reached] == indices
    for index, frame, _ in reached:
        assert np.array_equal(frame.to_ndarray(), whole[int(stats.pts[index])])


@pytest.mark.parametrize("name", FILMS)
def test_frames_by_time_are_those_by_index(name, tmp_path):
    frames = shots(3, 30)
    film = make_film(tmp_path / name, frames, **FILMS[name])
    stats = scan_film(film)
    last = len(stats.pts) - 1
    for indices in ([0], [last], [2, 3, 11, 12, last]):
        wanted = {index: frame for index, frame, _ in frames_at_indices(film, stats, indices, 1)}
        assert list(wanted) == indices
        times = [round(float(stats.times[index]), 6) for index in indices]
        for skip in (True, False):
            reached = frames_at_times(film, times, 1, skip)
            for frame, other in zip(reached, wanted.values(), strict=True):
                assert frame.pts == other.pts
                assert np.array_equal(frame.to_ndarray(), other.to_ndarray())


def test_the_nearest_frame_stands_for_a_time_and_none_for_one_far_off(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 24), fps=24)
    found = list(frames_at_times(film, [0.06, 0.07, 0.07, 0.99, 1.1], 1, skip=False))
    assert [frame and round(frame.time * 24) for frame in found] == [1, 2, 2, 23, None]


def test_a_file_that_is_not_a_film_is_an_error(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"not a film" * 99)
    with pytest.raises(av.FFmpegError):
        next(frames_at_times(str(tmp_path / "a.mp4"), [0.0], 1, skip=False))
