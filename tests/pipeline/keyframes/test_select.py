import numpy as np

from pipeline.config import KeyframesConfig
from pipeline.keyframes.select import Candidate, select, shot_candidates
from pipeline.keyframes.shots import Shot, find
from schemas.rows import Video
from tests.pipeline.keyframes.figures import frame_stats

CONFIG = KeyframesConfig(every=4.0)


def test_a_shot_gives_a_candidate_for_each_stretch():
    stats = frame_stats(100)  # 10 s
    found = shot_candidates(stats, 0, Shot(0, 99), CONFIG)
    assert [int(stats.times[candidate.index] // 3.3) for candidate in found] == [0, 1, 2]
    assert len(shot_candidates(stats, 0, Shot(0, 39), CONFIG)) == 1


def test_candidates_are_not_close_together():
    sharp = np.full(80, 100, np.float32)
    sharp[[38, 41, 60]] = 400, 400, 399
    found = shot_candidates(frame_stats(80, sharp=sharp), 0, Shot(0, 79), CONFIG)
    assert [candidate.index for candidate in found] == [38, 60]


def test_the_sharpest_frame_is_taken_and_of_several_as_sharp_the_cheapest():
    sharp = np.full(30, 100, np.float32)
    sharp[[12, 22]] = 400, 399
    (candidate,) = shot_candidates(frame_stats(30, sharp=sharp), 7, Shot(0, 29), CONFIG)
    assert candidate == Candidate(12, 7)
    cost = np.r_[np.arange(20) + 1, np.arange(10) + 1]  # a random access point at 20
    stats = frame_stats(30, sharp=sharp, cost=cost)
    (candidate,) = shot_candidates(stats, 7, Shot(0, 29), CONFIG)
    assert candidate == Candidate(22, 7)


def test_a_very_short_shot_gives_a_reason():
    (candidate,) = shot_candidates(frame_stats(30), 3, Shot(10, 11), CONFIG)
    assert candidate == Candidate(10, 3, "short", "the shot lasts 0.20 s, less than 0.3 s")


def test_black_shots_are_rejected_and_others_selected_with_their_times():
    mean, diff = np.full(40, 120, np.float32), np.zeros(40, np.float32)
    mean[20:], diff[20] = 5, 100  # a cut to black
    thumbs = np.random.default_rng(0).integers(0, 256, (2, 18, 32), np.uint8)
    thumbs[1] //= 20
    stats = frame_stats(40, mean=mean, diff=diff, thumbs=np.repeat(thumbs, 20, axis=0))
    transitions = find(stats, CONFIG.shots)
    selection = select(Video("film", "film.mp4", "series", "Film"), stats, transitions, CONFIG)
    assert [candidate.shot for candidate in selection.candidates.values()] == [0]
    assert selection.shot_times == {0: (0.0, 1.9)}
    ((index, reject),) = selection.rejected
    assert 20 <= index < 40
    assert (reject.stage, reject.reason, reject.video) == ("keyframe", "black", "film")
