"""The sample says the truth about itself: what it draws is what its subtitles and truth say."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pysubs2
import pytest

from pipeline.sample import SERIES, draw, film, variants
from pipeline.sample.actions import ACTIONS
from pipeline.sample.figures import CAST, LOOKS
from pipeline.sample.places import LIGHTS, PLACES
from pipeline.sample.script import Shot, write

SHOTS = 5
# The films drawn here are short: the seed is one whose shots have a dissolve among them.
SEED = next(
    seed
    for seed in range(99)
    if any(shot.into == "dissolve" for shot in write(seed, 1, SHOTS).shots)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sample")
    assert draw(str(home), episodes=1, seed=SEED, shots=SHOTS) == [str(home / "S01E01.mp4")]
    return home


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film of `folder` and the one after it, each drawn by a process of its own."""
    home = tmp_path_factory.mktemp("pair")
    assert len(draw(str(home), episodes=2, seed=SEED, shots=SHOTS)) == 2
    return home


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "S01E01.truth.json").read_text())


@pytest.fixture(scope="module")
def frames(folder: Path) -> np.ndarray:
    """The decoded film, uint8 [n, 90, 160, 3]."""
    with av.open(str(folder / "S01E01.mp4")) as film:
        return np.stack(
            [frame.reformat(160, 90, "rgb24").to_ndarray() for frame in film.decode(video=0)]
        )


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(folder: Path, pair: Path) -> None:
    assert (
        digests(pair).items()
        >= {
            name: digest for name, digest in digests(folder).items() if name.startswith("S01E01")
        }.items()
    )
    assert sorted(digests(folder)) == [
        "S01E01.mp4",
        "S01E01.srt",
        "S01E01.truth.json",
        "manifest.csv",
        "sample.json",
    ]


@pytest.mark.slow
def test_another_seed_gives_another_film_and_replaces_the_old(pair: Path, tmp_path: Path) -> None:
    shutil.copytree(pair, tmp_path, dirs_exist_ok=True)
    draw(str(tmp_path), episodes=1, seed=SEED + 1, shots=1)
    assert sorted(digests(tmp_path)) == [
        "S01E01.mp4",
        "S01E01.srt",
        "S01E01.truth.json",
        "manifest.csv",
        "sample.json",
    ]
    assert digests(tmp_path)["S01E01.mp4"] != digests(pair)["S01E01.mp4"]


def test_what_is_there_is_kept(folder: Path) -> None:
    before = (folder / "S01E01.mp4").stat().st_mtime_ns
    draw(str(folder), episodes=1, seed=SEED, shots=SHOTS)
    assert (folder / "S01E01.mp4").stat().st_mtime_ns == before


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one episode"):
        draw(str(tmp_path), episodes=0)


def test_the_film_is_ordinary_h264_with_quiet_sound(folder: Path, truth: dict[str, Any]) -> None:
    with av.open(str(folder / "S01E01.mp4")) as film:
        video, sound = film.streams.video[0], film.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 640, 360)
        assert (video.average_rate, video.frames) == (24, truth["frames"])
        assert sound.codec_context.name == "aac"
        loudest = max(float(np.abs(frame.to_ndarray()).max()) for frame in film.decode(sound))
        assert 0.02 < loudest < 0.5
        assert "creation_time" not in film.metadata


def test_cuts_are_where_the_picture_changes(frames: np.ndarray, truth: dict[str, Any]) -> None:
    assert len(frames) == truth["frames"]
    change = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(
        axis=(1, 2, 3)
    )  # [i]: i -> i + 1
    gradual = {
        frame
        for change in truth["gradual"]
        for frame in range(change["first"] - 1, change["last"] + 2)
    }
    cuts = {cut["frame"] for cut in truth["cuts"]}
    assert len(cuts) >= 5
    within = [change[f - 1] for f in range(1, len(frames)) if f not in cuts | gradual]
    for cut in cuts:
        assert change[cut - 1] > 8, f"no cut at frame {cut}"
        assert change[cut - 1] > 2 * max(
            change[cut - 4 : cut - 1].max(), change[cut : cut + 3].max()
        )
    assert max(within) < min(change[cut - 1] for cut in cuts)


def test_drawings_are_held_for_two_frames(frames: np.ndarray, truth: dict[str, Any]) -> None:
    shot = next(shot for shot in truth["shots"] if shot["kind"] == "story")
    seen = frames[shot["first"] + 10 : shot["first"] + 30].astype(np.int16)
    change = np.abs(np.diff(seen, axis=0)).mean(axis=(1, 2, 3))
    assert change[1::2].mean() > 2 * change[0::2].mean()


def test_a_dissolve_lies_between_its_ends(frames: np.ndarray, truth: dict[str, Any]) -> None:
    dissolve = next(change for change in truth["gradual"] if change["kind"] == "dissolve")
    before, middle, after = (
        frames[i].astype(float)
        for i in (
            dissolve["first"] - 1,
            (dissolve["first"] + dissolve["last"]) // 2,
            dissolve["last"] + 1,
        )
    )
    apart = np.abs(before - after).mean()
    assert apart > 8
    assert np.abs(middle - (before + after) / 2).mean() < 0.3 * apart
    for end in (before, after):
        assert 0.3 * apart < np.abs(middle - end).mean() < 0.7 * apart
    borders = [shot["first"] for shot in truth["shots"]]
    assert any(dissolve["first"] < border < dissolve["last"] for border in borders)


def test_a_fade_goes_through_black(frames: np.ndarray, truth: dict[str, Any]) -> None:
    fades = [change for change in truth["gradual"] if change["kind"] == "fade"]
    assert len(fades) >= 2  # after the title card, before the credits
    for fade in fades:
        light = frames[fade["first"] - 1 : fade["last"] + 2].mean(axis=(1, 2, 3))
        middle = len(light) // 2
        assert light[middle] < 4
        assert light[1] < light[0] and light[-2] < light[-1]
        assert min(light[0], light[-1]) > 25


def test_subtitles_fall_within_their_shots(folder: Path, truth: dict[str, Any]) -> None:
    lines = pysubs2.load(str(folder / "S01E01.srt"))
    said = [(shot, line) for shot in truth["shots"] for line in shot["dialogue"]]
    assert len(lines) == len(said) >= 4
    for event, (shot, line) in zip(lines, said, strict=True):
        assert event.text == f"{line['speaker']}: {line['text']}"
        assert shot["start"] <= event.start / 1000 < event.end / 1000 <= shot["end"]


def test_the_truth_names_what_the_cartoon_has(truth: dict[str, Any]) -> None:
    kinds = [shot["kind"] for shot in truth["shots"]]
    assert kinds == ["intro"] * 3 + ["title"] + ["story"] * SHOTS + ["credits"]
    for shot, following in zip(truth["shots"], truth["shots"][1:], strict=False):
        assert shot["last"] + 1 == following["first"]
    for shot in truth["shots"]:
        assert shot["place"] in PLACES and shot["time_of_day"] in LIGHTS
        assert shot["scale"] in ("wide", "medium", "close-up")
        assert shot["count"] == len(shot["characters"]) == len(shot["actions"])
        assert set(shot["characters"]) <= set(CAST)
        assert set(shot["actions"].values()) <= set(ACTIONS)
        assert {line["speaker"] for line in shot["dialogue"]} <= set(shot["characters"])


@pytest.mark.parametrize("number", range(1, 9))
def test_a_whole_episode_is_long_and_varied_enough(number: int) -> None:
    episode = write(0, number)
    story = [shot for shot in episode.shots if shot.kind == "story"]
    assert 34 <= len(story) <= 46
    assert 70 <= sum(shot.seconds for shot in episode.shots) <= 105
    assert all(1.5 <= shot.seconds <= 3.5 and 1 <= len(shot.actors) <= 3 for shot in story)
    assert {shot.scale for shot in story} == {"wide", "medium", "close-up"}
    assert len({shot.place for shot in story}) >= 6
    assert len({actor.action for shot in story for actor in shot.actors}) >= 8
    assert len({actor.name for shot in story for actor in shot.actors}) >= 5
    cuts = sum(shot.into == "cut" for shot in episode.shots)
    assert 0.7 < cuts / len(episode.shots) < 0.95
    for shot in episode.shots:
        assert {line.speaker for line in shot.lines} <= {actor.name for actor in shot.actors}
        assert all(line.start < line.end <= shot.seconds for line in shot.lines)
    everyone = {
        name for name in CAST if any(name in line.text for shot in story for line in shot.lines)
    }
    assert {"Pip", "Momo"} <= everyone


def test_episodes_share_their_intro_and_little_else() -> None:
    first, second = write(0, 1), write(0, 2)
    assert first.shots[:3] == second.shots[:3]
    assert first.title != second.title
    assert not set(first.shots[3:]) & set(second.shots[3:])


def test_the_manifest_names_the_series(folder: Path) -> None:
    with open(folder / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {
            "uri": "S01E01.mp4",
            "series": SERIES,
            "season": "1",
            "episode": "1",
            "language": "en",
            "license": "CC0-1.0",
            "attribution": "drawn by StoryStream",
            "subtitles": "S01E01.srt",
        }
    ]


def test_the_truth_says_where_each_figure_is(truth: dict[str, Any]):
    for shot in truth["shots"]:
        assert sorted(shot["boxes"]) == sorted(shot["characters"])
        for boxes in shot["boxes"].values():
            assert len(boxes) >= (shot["last"] - shot["first"]) // 6 + 1
            assert all(len(box.split()) == 4 for box in boxes)


def test_a_box_holds_all_of_a_figure_and_no_more():
    """What changes where a figure is left out is where it was, but for its shadow."""
    (shot, *_) = [
        shot
        for shot in write(0, 1).shots
        if len(shot.actors) == 1 and ACTIONS[shot.actors[0].action].thing is None
        if shot.scale != "close-up" and ACTIONS[shot.actors[0].action].before is None
    ]
    with_it = film.filmed(shot)(1.0)
    without = film.filmed(dataclasses.replace(shot, actors=()))(1.0)
    left, top, right, bottom = film.boxes(shot, 1.0)[shot.actors[0].name]
    changed = np.abs(with_it.astype(int) - without).max(axis=2) > 40
    rows, columns = np.nonzero(changed[: int(bottom) - 15])
    drawn = columns.min(), rows.min(), columns.max() + 1
    assert drawn == pytest.approx((left, top, right), abs=4)


def _looks(shots: tuple[Shot, ...]) -> set[tuple[str, str]]:
    return {(actor.name, actor.look) for shot in shots for actor in shot.actors if actor.look}


def test_a_variant_changes_looks_and_nothing_else() -> None:
    shots = write(0, 1).shots
    assert variants.apply(shots, "") == shots
    alike, changed = (variants.apply(shots, name) for name in variants.VARIANTS[1:])
    assert _looks(alike) == {("Hugo", "another fox")}
    middle = len(shots) // 2
    assert _looks(changed[:middle]) == set()
    assert ("Momo", "Momo, changed") in _looks(changed[middle:])
    for variant in (alike, changed):
        plain = [
            dataclasses.replace(
                shot, actors=tuple(dataclasses.replace(actor, look="") for actor in shot.actors)
            )
            for shot in variant
        ]
        assert tuple(plain) == shots


def test_the_other_fox_is_a_fox_with_another_scarf() -> None:
    pip, hugo = LOOKS["Pip"], LOOKS["another fox"]
    assert (hugo.name, hugo.species, hugo.fur) == ("Hugo", pip.species, pip.fur)
    assert hugo.wear != pip.wear
    assert all(LOOKS[name] is CAST[name] for name in CAST)
