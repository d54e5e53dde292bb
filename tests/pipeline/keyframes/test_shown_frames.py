"""The frames that a player shows are the frames that exist, with its times."""

import av
import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.ingest.probe import probe
from pipeline.keyframes.decode import frames_at_indices, frames_at_times
from pipeline.keyframes.extract import extract_keyframes
from pipeline.keyframes.frame_stats import scan_film
from pipeline.testing.films import (
    field_coded,
    interlaced,
    make_film,
    moving,
    scene,
    shots,
    trimmed,
)
from schemas.rows import Video

BFRAMES = {"bframes": 2, "gop": 30, "options": {"x264-params": "scenecut=0:b-adapt=0"}}
OPEN = {"bframes": 2, "gop": 30, "options": {"x264-params": "scenecut=0:b-adapt=0:open-gop=1"}}


def shown(film):
    """Times and luma of the frames that FFmpeg shows."""
    with av.open(film) as container:
        frames = [
            (frame.time, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)
        ]
    return np.array([time - frames[0][0] for time, _ in frames]), [luma for _, luma in frames]


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("coding", [BFRAMES, OPEN], ids=["closed", "open"])
def test_a_film_that_was_cut_without_encoding_it_again(ending, coding, tmp_path):
    """The cut is in the middle of the first group of pictures, or there is only one."""
    whole = make_film(tmp_path / "whole.mp4", shots(3, 36), **coding)
    for begin in (0.8, 1.7):
        film = trimmed(tmp_path / f"{begin}.{ending}", whole, begin)
        times, pictures = shown(film)
        stats = scan_film(film)
        assert stats.times[0] < 0.1
        assert stats.times[-1] == pytest.approx(times[-1], abs=0.1)  # the last may be skipped
        indices = list(range(0, len(stats.times), 3))
        reached = list(frames_at_indices(film, stats, indices, threads=1))
        assert [index for index, _, _ in reached] == indices
        by_time = frames_at_times(film, [float(stats.times[index]) for index in indices], 1, True)
        for (index, frame, _), same in zip(reached, by_time, strict=True):
            at = np.abs(times - stats.times[index]).argmin()
            assert times[at] == pytest.approx(stats.times[index], abs=2e-3)
            assert np.array_equal(frame.to_ndarray(format="gray"), pictures[at])
            assert np.array_equal(same.to_ndarray(format="gray"), pictures[at])


def test_every_shot_of_a_film_that_was_cut_has_its_keyframe(tmp_path):
    whole = make_film(tmp_path / "whole.mp4", shots(4, 36), bframes=2, gop=300)
    film = trimmed(tmp_path / "a.mp4", whole, 0.5)
    video = probe(Video("film", film, "series", "Film"))
    keyframes, rejects = extract_keyframes(
        video, scan_film(film), KeyframesConfig(), str(tmp_path / "out")
    )
    assert [keyframe.shot for keyframe in keyframes] == [0, 1, 2, 3]
    assert rejects == []
    assert video.duration == pytest.approx(5.5, abs=0.1)


def test_an_avi_with_b_frames_is_timed_by_the_order_in_which_frames_are_shown(tmp_path):
    """AVI has no presentation times: FFmpeg states those of the order of coding."""
    frames = moving(scene(1), 60)
    film = make_film(tmp_path / "a.avi", frames, **BFRAMES)
    stats = scan_film(film)
    assert stats.times * 24 == pytest.approx(np.arange(60), abs=0.1)
    indices = [0, 1, 2, 7, 29, 30, 31, 45, 59]
    reached = list(frames_at_indices(film, stats, indices, threads=1))
    assert [index for index, _, _ in reached] == indices
    for index, frame, _ in reached:
        difference = np.abs(frame.to_ndarray(format="rgb24").astype(int) - frames[index])
        assert difference.mean() < 6


def test_times_below_zero_in_flash_video(tmp_path):
    """FFmpeg reads them as 2**31 ms later, and jumps by so much where they reach zero."""
    film = make_film(
        tmp_path / "a.flv",
        shots(2, 24),
        pts=[at / 24 - 0.5 for at in range(48)],
        bframes=2,
        container_options={"avoid_negative_ts": "disabled"},
    )
    stats = scan_film(film)
    assert 1.8 < stats.times[-1] < 2 and (np.diff(stats.times) > 0).all()
    keyframes, rejects = extract_keyframes(
        probe(Video("film", film, "series", "Film")), stats, KeyframesConfig(), str(tmp_path)
    )
    assert [round(keyframe.shot_start) for keyframe in keyframes] == [0, 1] and not rejects


@pytest.mark.parametrize("ending", ["ts", "mkv"])
def test_a_film_whose_fields_are_packets_of_their_own(ending, tmp_path):
    frames = [frame for seed in (1, 2) for frame in interlaced(moving(scene(seed), 48, size=0.4))]
    film = field_coded(tmp_path / f"a.{ending}", frames)
    _, pictures = shown(film)
    assert len(pictures) == len(frames) == 48
    stats = scan_film(film)
    assert stats.combed > 0.5
    indices = list(range(0, len(stats.times), 5))
    for index, frame, _ in frames_at_indices(film, stats, indices, threads=1):
        at = round(float(stats.times[index]) * 25)
        assert np.array_equal(frame.to_ndarray(format="gray"), pictures[at])
    keyframes, rejects = extract_keyframes(
        probe(Video("film", film, "series", "Film")), stats, KeyframesConfig(), str(tmp_path)
    )
    assert [keyframe.shot for keyframe in keyframes] == [0, 1] and not rejects
