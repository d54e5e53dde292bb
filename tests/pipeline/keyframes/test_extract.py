import av
import cv2
import numpy as np
import pytest

from pipeline.config import KeyframesConfig
from pipeline.ingest.probe import probe
from pipeline.keyframes.extract import extract_film, extract_keyframes
from pipeline.keyframes.frame_stats import scan_film
from pipeline.keyframes.geometry import Geometry, displayed
from pipeline.runtime import storage
from pipeline.runtime.images import encode_jpeg
from pipeline.testing.films import make_film, moving, scene, shots, still
from schemas.published import keyframe_id
from schemas.rows import Video

CONFIG = KeyframesConfig()


def video(path) -> Video:
    return Video("film", str(path), "series", "Film")


def picture(folder, keyframe) -> np.ndarray:
    return cv2.imread(str(folder / f"{keyframe.id}.jpg"))[..., ::-1]


def test_each_shot_gives_a_picture_of_itself(tmp_path):
    scenes = [scene(seed) for seed in range(5)]
    film = make_film(
        tmp_path / "a.mp4", [frame for each in scenes for frame in moving(each, 30)], bframes=2
    )
    keyframes, rejects = extract_keyframes(
        video(film), scan_film(film), CONFIG, str(tmp_path / "out")
    )
    assert [keyframe.shot for keyframe in keyframes] == [0, 1, 2, 3, 4]
    assert rejects == []
    for keyframe, each in zip(keyframes, scenes, strict=True):
        assert keyframe.id == keyframe_id("film", keyframe.time)
        assert keyframe.shot_start <= keyframe.time <= keyframe.shot_end
        difference = np.abs(picture(tmp_path / "out", keyframe).astype(int) - each)
        assert np.median(difference) < 12  # the ball covers little of it


def test_pictures_are_those_of_a_whole_decode(tmp_path):
    frames = shots(3, 40)
    film = make_film(tmp_path / "a.mp4", frames, bframes=3, gop=25)
    keyframes, _ = extract_keyframes(video(film), scan_film(film), CONFIG, str(tmp_path / "out"))
    with av.open(film) as container:
        whole = {
            round(frame.time, 6): encode_jpeg(displayed(frame, Geometry())[0])
            for frame in container.decode(video=0)
        }
    assert len(keyframes) == 3
    for keyframe in keyframes:
        written = (tmp_path / "out" / f"{keyframe.id}.jpg").read_bytes()
        assert written == whole[keyframe.time]
        assert len(written) == keyframe.bytes


def test_the_ends_of_shots_are_exact_where_the_cut_lies_among_skipped_frames(tmp_path):
    for first in range(29, 33):  # no decoder keyframe at the cut, which falls at each place in turn
        frames = still(scene(1), first) + still(scene(2), 60 - first)
        film = make_film(
            tmp_path / f"{first}.mp4",
            frames,
            bframes=3,
            gop=250,
            options={"x264-params": "scenecut=0:b-adapt=0:b-pyramid=0"},
        )
        one, two = extract_keyframes(video(film), scan_film(film), CONFIG, str(tmp_path / "out"))[0]
        assert one.shot_end == pytest.approx((first - 1) / 24, abs=1e-3)
        assert two.shot_start == pytest.approx(first / 24, abs=1e-3)


def test_a_long_shot_gives_several_unless_they_look_alike(tmp_path):
    wide = np.hstack([scene(seed) for seed in range(1, 10)])
    panned = [wide[:, 8 * i : 8 * i + 320] for i in range(288)]  # 12 s
    film = make_film(tmp_path / "a.mp4", panned)
    keyframes, _ = extract_keyframes(video(film), scan_film(film), CONFIG, str(tmp_path / "out"))
    assert [keyframe.shot for keyframe in keyframes] == [0, 0, 0]
    same = make_film(tmp_path / "b.mp4", still(scene(1), 288))
    keyframes, rejects = extract_keyframes(
        video(same), scan_film(same), CONFIG, str(tmp_path / "out2")
    )
    assert len(keyframes) == 1
    assert [reject.reason for reject in rejects] == ["duplicate", "duplicate"]
    assert (tmp_path / "out2" / "rejected" / f"{rejects[0].key}.jpg").exists()


def test_who_enters_before_the_same_background_is_no_duplicate(tmp_path):
    empty = scene(1)
    entered = empty.copy()
    entered[90:150, 200:230] = (220, 60, 40)
    film = make_film(tmp_path / "a.mp4", still(empty, 96) + still(entered, 192))
    keyframes, rejects = extract_keyframes(
        video(film), scan_film(film), CONFIG, str(tmp_path / "out")
    )
    assert [round(keyframe.time) // 4 for keyframe in keyframes] == [0, 1]
    assert [reject.detail for reject in rejects] == [f"looks like {keyframes[1].id}"]


def test_what_shows_nothing_is_left_out_with_its_reason(tmp_path):
    black = np.zeros_like(scene(1))
    flat = np.full_like(black, 120)
    frames = (
        still(scene(1), 24)
        + still(black, 24)
        + still(scene(2), 24)
        + still(flat, 24)
        + still(scene(3), 3)
        + still(scene(4), 24)
    )
    film = make_film(tmp_path / "a.mp4", frames)
    keyframes, rejects = extract_keyframes(
        video(film), scan_film(film), CONFIG, str(tmp_path / "out")
    )
    assert len(keyframes) == 3
    assert {reject.reason for reject in rejects} == {"black", "flat", "short"}


def test_the_sharp_frame_is_taken_before_the_smeared_one(tmp_path):
    sharp = scene(1)
    smeared = [cv2.blur(np.roll(sharp, 6 * i, axis=1), (25, 1)) for i in range(1, 21)]
    film = make_film(tmp_path / "a.mp4", smeared[::-1] + still(sharp, 6) + smeared)
    (keyframe,), _ = extract_keyframes(video(film), scan_film(film), CONFIG, str(tmp_path / "out"))
    assert 19.5 / 24 <= keyframe.time <= 26 / 24


def test_a_frame_of_a_dissolve_is_never_taken(tmp_path):
    one, other = scene(1), scene(2)
    mixed = [(one * (1 - i / 25) + other * (i / 25)).astype(np.uint8) for i in range(1, 25)]
    film = make_film(tmp_path / "a.mp4", still(one, 30) + mixed + still(other, 30))
    keyframes, rejects = extract_keyframes(
        video(film), scan_film(film), CONFIG, str(tmp_path / "out")
    )
    assert [reject.reason for reject in rejects] == ["dissolve"]
    for keyframe, each in zip(keyframes, (one, other), strict=True):
        assert np.abs(picture(tmp_path / "out", keyframe).astype(int) - each).mean() < 6


def test_two_calls_write_the_same_bytes_with_any_number_of_threads(tmp_path):
    film = make_film(tmp_path / "a.mp4", shots(2, 60, seed=1), bframes=2)
    first = extract_keyframes(video(film), scan_film(film), CONFIG, str(tmp_path / "one"))
    assert first == extract_keyframes(
        video(film), scan_film(film), CONFIG, str(tmp_path / "two"), threads=2
    )
    for keyframe in first[0]:
        name = f"{keyframe.id}.jpg"
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_pictures_stand_upright_without_bars_from_the_real_track(tmp_path):
    boxed = np.zeros((180, 320, 3), np.uint8)
    boxed[:, 40:280] = scene(1, 180, 240)
    film = make_film(tmp_path / "a.mp4", still(boxed, 30), rotation=90, second_track=True, gop=6)
    (keyframe,), _ = extract_keyframes(
        probe(video(film)), scan_film(film), CONFIG, str(tmp_path / "out")
    )
    shown = picture(tmp_path / "out", keyframe)
    assert shown.shape[:2] == (keyframe.height, keyframe.width)
    assert keyframe.height == pytest.approx(240, abs=3) and keyframe.width == 180
    upright = np.rot90(scene(1, 180, 240), -1)
    trimmed = min(shown.shape[0], 236)
    assert np.abs(shown[:trimmed].astype(int) - upright[:trimmed]).mean() < 12


def test_times_are_true_at_a_variable_frame_rate(tmp_path):
    frames = shots(2, 20, seed=1)
    pts = [0.05 * i for i in range(20)] + [4 + 0.2 * i for i in range(20)]
    film = make_film(tmp_path / "a.mkv", frames, pts=pts)
    one, two = extract_keyframes(video(film), scan_film(film), CONFIG, str(tmp_path / "out"))[0]
    assert one.shot_end == pytest.approx(0.95, abs=2e-3)
    assert two.shot_start == pytest.approx(4, abs=2e-3)
    for keyframe in (one, two):
        assert min(abs(keyframe.time - each) for each in pts) < 2e-3


def test_a_full_disk_is_no_fault_of_the_film(tmp_path, monkeypatch):
    """It would be a reject for good, as its output may still find room."""

    def full(path: str, data: bytes) -> None:
        raise storage.CannotWrite(f"cannot write {path}: no space left")

    film = make_film(tmp_path / "a.mp4", moving(scene(1), 24))
    monkeypatch.setattr(storage, "write_bytes", full)
    with pytest.raises(storage.CannotWrite):
        extract_film(
            Video("a", film, "series", "Film"),
            KeyframesConfig(),
            str(tmp_path / "pictures"),
            str(tmp_path / "segments"),
            1,
            lambda share: None,
        )
