"""Ids and names from paths."""

import pytest

from pipeline.ingest.naming import parse_path, video_ids


def test_hostile_names_give_safe_ids():
    names = ["../x.mp4", "a\nb.mp4", "-rf.mp4", ".mp4", "...", "Žluť ☃/ō.mkv", "a/../..mp4"]
    assert video_ids(names) == ["x", "a-b", "rf", "mp4", "video", "Žluť-ō", "a"]


def test_same_letters_composed_or_not():
    assert video_ids(["caf\u00e9.mp4", "cafe\u0301.mkv"])[0] == "caf\u00e9"


def test_one_id_in_whatever_case_is_given_once():
    first, second, third = video_ids(["a b.mp4", "A-B.mp4", "a.b.mkv"])
    assert first == "a-b"
    assert second.startswith("A-B-")
    assert third.startswith("a-b-")
    assert len(second) == len(third) == len("a-b-01234567")


def test_long_names_are_cut_and_told_apart():
    one, other, wide = video_ids(["x" * 200 + "1.mp4", "x" * 200 + "2.mp4", "長" * 99 + ".mp4"])
    assert len(one) == len(other) == 80
    assert one != other
    assert len(wide.encode()) <= 200


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("Pip/Season 1/Episode 2 - The Kite.mp4", ("Pip", 1, 2, "The Kite")),
        ("Pip.S03E11.1080p.x264.mkv", ("films", 3, 11, "Pip")),
        ("owl_and_fox.mp4", ("films", None, None, "owl and fox")),
        ("Season 2/2x05 [rip] Home.mp4", ("films", 2, 5, "Home")),
        ("Room 1280x720.mp4", ("films", None, None, "Room 1280x720")),
    ],
)
def test_paths_tell_series_season_episode_and_title(path, told):
    assert parse_path(path, "films") == told
