import cv2
import numpy as np
import pytest

from pipeline.config import ShotsConfig
from pipeline.keyframes import shots
from pipeline.keyframes.frame_stats import scan_film
from pipeline.testing.films import make_film, moving, scene, still


def blend(one: np.ndarray, other: np.ndarray, n: int) -> list[np.ndarray]:
    """Returns n frames strictly between the two."""
    return [
        (one + (other.astype(float) - one) * (i + 1) / (n + 1)).astype(np.uint8) for i in range(n)
    ]


def found(path, frames, **options):
    stats = scan_film(make_film(path, frames, **options))
    transitions = shots.find(stats, ShotsConfig())
    return stats, shots.between(len(stats.times), transitions), transitions


def test_each_hard_cut_starts_a_shot(tmp_path):
    frames = [frame for seed in range(5) for frame in moving(scene(seed), 20 + seed)]
    stats, parts, transitions = found(tmp_path / "a.mp4", frames)
    assert [transition.kind for transition in transitions] == ["cut"] * 4
    starts = [round(stats.times[part.first] * 24) for part in parts]
    assert starts == [0, 20, 41, 63, 86]


def test_fast_motion_a_flash_and_a_lamp_are_no_cuts(tmp_path):
    room = scene(1)
    running = [np.roll(room, 25 * i, axis=1) for i in range(20)]
    flash = [*still(room, 10), np.full_like(room, 255), *still(room, 10)]
    lamp = still((room * 0.35).astype(np.uint8), 10) + still(room, 10)
    for name, frames in {"running": running, "flash": flash, "lamp": lamp}.items():
        _, parts, _ = found(tmp_path / f"{name}.mp4", frames)
        assert len(parts) == 1, name


def test_a_dissolve_is_found_where_it_is(tmp_path):
    one, other = scene(1), scene(2)
    frames = moving(one, 30) + blend(moving(one, 30)[-1], other, 18) + moving(other, 30)
    stats, parts, transitions = found(tmp_path / "a.mp4", frames)
    (dissolve,) = transitions
    assert dissolve.kind == "dissolve"
    assert stats.times[dissolve.first] * 24 == pytest.approx(30, abs=3)
    assert stats.times[dissolve.last] * 24 == pytest.approx(47, abs=3)
    assert len(parts) == 2


@pytest.mark.parametrize("color", [0, 255])
def test_a_fade_through_black_or_white_is_one_transition(tmp_path, color):
    one, other = scene(1), scene(2)
    blank = np.full_like(one, color)
    frames = (
        still(one, 24)
        + blend(one, blank, 10)
        + still(blank, 6)
        + blend(blank, other, 10)
        + still(other, 24)
    )
    stats, parts, transitions = found(tmp_path / "a.mp4", frames)
    (fade,) = transitions
    assert fade.kind == "fade"
    assert 22 <= stats.times[fade.first] * 24 <= 29
    assert 45 <= stats.times[fade.last] * 24 <= 52
    assert len(parts) == 2


def test_a_title_that_comes_up_over_a_scene_ends_no_shot(tmp_path):
    plain = scene(1)
    titled = plain.copy()
    titled[60:120, 80:240] = 255
    _, parts, _ = found(
        tmp_path / "a.mp4", still(plain, 24) + blend(plain, titled, 20) + still(titled, 24)
    )
    assert len(parts) == 1


def test_an_iris_that_closes_is_a_fade(tmp_path):
    picture, hole = scene(1), np.zeros((180, 320, 1), np.uint8)
    closing = [
        picture * (cv2.circle(hole.copy(), (160, 90), radius, 1, -1))
        for radius in range(180, 0, -12)
    ]
    frames = still(picture, 24) + closing + still(np.zeros_like(picture), 6) + still(scene(2), 24)
    stats, parts, transitions = found(tmp_path / "a.mp4", frames)
    assert transitions[0].kind == "fade"
    assert stats.times[transitions[0].first] * 24 == pytest.approx(24, abs=3)
    assert len(parts) == 2


def test_a_dark_shot_beside_black_is_no_fade(tmp_path):
    ship = np.full((180, 320, 3), 4, np.uint8)
    cv2.rectangle(ship, (100, 60), (220, 120), (230, 230, 210), -1)
    frames = still(ship, 24) + still(np.zeros_like(ship), 24) + still(scene(1), 24)
    _, parts, transitions = found(tmp_path / "a.mp4", frames)
    assert [transition.kind for transition in transitions] == ["cut", "cut"]
    assert len(parts) == 3


def test_a_film_that_fades_in_has_one_shot(tmp_path):
    picture = scene(1)
    frames = still(np.zeros_like(picture), 6) + blend(np.zeros_like(picture), picture, 12)
    _, parts, transitions = found(tmp_path / "a.mp4", frames + still(picture, 24))
    assert [transition.kind for transition in transitions] == ["fade"]
    assert len(parts) == 1


def test_one_frame_is_one_shot(tmp_path):
    _, parts, transitions = found(tmp_path / "a.mp4", [scene(1)])
    assert parts == [shots.Shot(0, 0)] and transitions == []


def test_a_cut_between_neighbours_needs_no_decoding(tmp_path):
    film = make_film(tmp_path / "a.mp4", moving(scene(1), 12) + moving(scene(2), 12))
    stats = scan_film(film)
    assert shots.cut_times("/not/opened", stats, 12) == (stats.times[11], stats.times[12])


def test_a_cut_between_two_frames_of_one_picture_lies_before_the_second(tmp_path):
    film = make_film(tmp_path / "a.mp4", still(np.zeros((180, 320, 3), np.uint8), 24), bframes=2)
    stats = scan_film(film)
    index = int(np.argmax(stats.skipped))
    assert stats.skipped[index] > 0
    before, after = shots.cut_times(film, stats, index)
    assert stats.times[index - 1] <= before < after <= stats.times[index]
