"""Wipes, irises, blinds, pushes and covers are transitions; what moves in a shot is none."""

import cv2
import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.ingest.probe import probe
from pipeline.keyframes import detectors
from pipeline.keyframes.extract import extract_keyframes
from pipeline.keyframes.shots import between
from pipeline.testing.films import make_film, moving, scene
from schemas.rows import Video

ONE, OTHER = scene(1), scene(2)
HEIGHT, WIDTH = ONE.shape[:2]
Y, X = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]


def ordered(order: np.ndarray, soft: float = 0.01):
    """Returns a mix that shows the other picture where `order` is least first."""
    value = (order - order.min()) / np.ptp(order)

    def mix(one, other, share):
        weight = np.clip((share * (1 + soft) - value) / soft, 0, 1)[..., None]
        return (one + (other.astype(float) - one) * weight).astype(np.uint8)

    return mix


def pushed(one, other, share):
    return np.hstack([one, other])[:, round(share * WIDTH) :][:, :WIDTH]


def pushed_up(one, other, share):
    return np.vstack([one, other])[round(share * HEIGHT) :][:HEIGHT]


def covered(one, other, share):
    rows = round(share * HEIGHT)
    return np.vstack([one[: HEIGHT - rows], other[:rows]])


SWEEPS = {
    "wipe": ordered(X),
    "wipe up": ordered(-Y),
    "diagonal": ordered(X + Y),
    "smooth": ordered(X, 0.5),
    "radial": ordered(np.arctan2(X, Y)),
    "iris open": ordered(np.hypot(X, Y)),
    "iris close": ordered(-np.hypot(X, Y)),
    "blinds": ordered(X * 4 % 1),
    "blinds that hang": ordered((Y + 1) * 2.5 % 1),
    "push": pushed,
    "push up": pushed_up,
    "cover": covered,
}


def joined(mix, length: int, body: int = 36) -> list[np.ndarray]:
    """Returns two shots in which a ball rolls, with `length` frames between that mix them."""
    one, other = (
        moving(picture, body + length, size=0.15, step=(0.006, 0)) for picture in (ONE, OTHER)
    )
    between = [mix(one[body + at], other[at], (at + 1) / (length + 1)) for at in range(length)]
    return [*one[:body], *between, *other[length:]]


def found(path, frames, fps=24, **options):
    video = probe(Video("a", make_film(path, frames, fps=fps, **options), "a", "a"))
    return video, *detectors.detect(video, KeyframesConfig())


@pytest.mark.parametrize("name", SWEEPS)
@pytest.mark.parametrize("options", [{}, {"bframes": 2, "gop": 40}])
def test_a_sweep_is_one_transition_and_no_keyframe_shows_both_shots(tmp_path, name, options):
    frames = joined(SWEEPS[name], 16)
    video, stats, transitions = found(tmp_path / "a.mp4", frames, **options)
    assert [transition.kind for transition in transitions] == ["wipe"]
    (wipe,) = transitions
    assert 24 <= stats.times[wipe.first] * 24 <= 38
    assert 50 <= stats.times[wipe.last] * 24 <= 60
    keyframes, rejects = extract_keyframes(video, stats, KeyframesConfig(), str(tmp_path))
    assert all(not 36 <= keyframe.time * 24 < 52 for keyframe in keyframes)
    assert [keyframe.transition for keyframe in keyframes] == ["", "wipe"]
    assert [reject.reason for reject in rejects] == ["wipe"]


@pytest.mark.parametrize("name", ["push", "push up", "cover"])
@pytest.mark.parametrize("length", [9, 14, 19, 23, 28])
def test_a_shot_that_moves_in_is_found_whatever_its_length(tmp_path, name, length):
    """Windows are tried at a few places: those beside one that nearly fits are tried too."""
    _, _, transitions = found(tmp_path / "a.mp4", joined(SWEEPS[name], length))
    assert [transition.kind for transition in transitions] == ["wipe"]


@pytest.mark.parametrize("fps, seconds", [(24, 0.5), (24, 4.0), (60, 1.0), (60, 3.5), (12, 1.0)])
def test_dissolves_are_found_by_seconds_at_any_frame_rate(tmp_path, fps, seconds):
    def mix(one, other, share):
        return (one * (1 - share) + other * share).astype(np.uint8)

    length, body = round(fps * seconds), round(fps * 1.5)
    _, stats, transitions = found(tmp_path / "a.mp4", joined(mix, length, body), fps)
    assert [transition.kind for transition in transitions] == ["dissolve"]
    middle = (stats.times[transitions[0].first] + stats.times[transitions[0].last]) / 2
    assert middle == pytest.approx(1.5 + seconds / 2, abs=0.15 * seconds + 0.1)
    assert len(between(len(stats.times), transitions)) == 2


def test_a_camera_that_pans_from_one_end_of_a_scene_to_the_other_makes_no_transition(tmp_path):
    wide = scene(5, HEIGHT, 2 * WIDTH)
    ease = (1 - np.cos(np.linspace(0, np.pi, 30))) / 2
    panning = [wide[:, round(at * WIDTH) :][:, :WIDTH] for at in ease]
    frames = [*[panning[0]] * 24, *panning, *[panning[-1]] * 24]
    assert found(tmp_path / "a.mp4", frames)[2] == []


@pytest.mark.parametrize("name", ["a.mpg", "a.ts"])
@pytest.mark.parametrize("step", [4, 8])
def test_a_camera_that_pans_steadily_from_cut_to_cut_makes_no_transition(tmp_path, name, step):
    wide = scene(2, HEIGHT, WIDTH + 72 * step)
    panning = [wide[:, at * step :][:, :WIDTH] for at in range(72)]
    options = {"codec": "mpeg2video", "bframes": 2, "gop": 12}
    assert found(tmp_path / name, panning, **options)[2] == []
    frames = [*[OTHER] * 24, *panning, *[ONE] * 24]
    kinds = [each.kind for each in found(tmp_path / f"cuts-{name}", frames, **options)[2]]
    assert kinds == ["cut", "cut"]


def test_what_covers_the_picture_before_a_cut_is_no_shot(tmp_path):
    def covering(at: int) -> np.ndarray:
        size = (round(at * 0.12 * WIDTH), round(at * 0.12 * WIDTH))
        return cv2.ellipse(ONE.copy(), (WIDTH // 2, HEIGHT // 2), size, 0, 0, 360, (60, 50, 40), -1)

    frames = [*[ONE] * 24, *map(covering, range(1, 9)), *[OTHER] * 24]
    transitions = found(tmp_path / "a.mp4", frames)[2]
    assert [each.kind for each in transitions] == ["cut"]
    assert transitions[0].first == 32


def test_what_runs_through_a_shot_makes_no_transition(tmp_path):
    def running(at: int) -> np.ndarray:
        centre = (round(at * 0.08 * WIDTH - 0.3 * WIDTH), HEIGHT // 2)
        return cv2.ellipse(ONE.copy(), centre, (90, 80), 0, 0, 360, (20, 90, 200), -1)

    frames = [*[ONE] * 24, *map(running, range(22)), *[ONE] * 24]
    assert found(tmp_path / "a.mp4", frames)[2] == []


def test_a_burst_of_light_is_no_cut(tmp_path):
    bright = [
        np.clip(ONE.astype(int) + level, 0, 255).astype(np.uint8)
        for level in (0, 0, 70, 150, 210, 120, 160, 140)
    ]
    frames = [*moving(ONE, 24), *bright, *[bright[-1]] * 24]
    transitions = found(tmp_path / "a.mp4", frames)[2]
    assert [transition.kind for transition in transitions if transition.kind == "cut"] == []


def test_two_transitions_that_are_not_far_apart_are_both_found(tmp_path):
    second = moving(scene(3), 60, size=0.15, step=(0.006, 0))
    frames = joined(SWEEPS["push"], 24)
    frames += [pushed(frames[-1], second[at], (at + 1) / 25) for at in range(24)] + second[24:]
    _, _, transitions = found(tmp_path / "a.mp4", frames)
    assert [transition.kind for transition in transitions] == ["wipe", "wipe"]
