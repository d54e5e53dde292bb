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
        ("Pip.S03E11.1080p.x264.mkv", ("Pip", 3, 11, "Pip")),
        ("owl_and_fox.mp4", ("films", None, None, "owl and fox")),
        ("Season 2/2x05 [rip] Home.mp4", ("films", 2, 5, "Home")),
        ("Room 1280x720.mp4", ("films", None, None, "Room 1280x720")),
        ("The.Show.S01E02.1080p.WEB-DL.x264-GRP.mkv", ("The Show", 1, 2, "The Show")),
        (
            "The.Show.2019.S01E02.The.Kite.PROPER.720p.AMZN.WEBRip.DDP5.1.x264-GRP.mkv",
            ("The Show 2019", 1, 2, "The Kite"),
        ),
        ("The Show/The.Show.S01E02.The.Kite.HDTV.XviD-GRP.avi", ("The Show", 1, 2, "The Kite")),
        (
            "The.Show.S02.1080p.BluRay.x264-GRP/the.show.s02e07.1080p.bluray.x264-grp.mkv",
            ("The Show", 2, 7, "the show"),
        ),
        ("The.Show.S01.COMPLETE.720p/03.mkv", ("The Show", 1, None, "03")),
        ("Pip - 1x02 - The Kite.mkv", ("Pip", 1, 2, "The Kite")),
        ("Pip S1E2E3 Two of Them.mkv", ("Pip", 1, 2, "Two of Them")),
        ("Pip Season 2 Episode 3.mp4", ("Pip", 2, 3, "Pip")),
        ("Pip Ep 3.mp4", ("Pip", None, 3, "Pip")),
        ("Pip - Épisode 3 - Le cerf-volant.mp4", ("Pip", None, 3, "Le cerf-volant")),
        ("Pip/#12 The Kite.mp4", ("Pip", None, 12, "The Kite")),
        ("ピップ/第3話 凧.mp4", ("ピップ", None, 3, "凧")),
        ("ピップ 第2期 第十話.mp4", ("ピップ", 2, 10, "ピップ")),
        ("[Group] Show - 03 [1080p].mkv", ("Show", None, 3, "Show")),
        ("[Group] The Show - 03v2 (1080p) [ABCD1234].mkv", ("The Show", None, 3, "The Show")),
        ("[Group] Show - 03 - The Kite [1080p].mkv", ("Show", None, 3, "The Kite")),
        ("Big.Buck.Bunny.2008.1080p.BluRay.x264-GRP.mkv", ("films", None, None, "Big Buck Bunny")),
        ("Big Buck Bunny (2008).mp4", ("films", None, None, "Big Buck Bunny")),
        ("2012.2009.2160p.UHD.BluRay.x265-GRP.mkv", ("films", None, None, "2012")),
        ("Blade Runner 2049.mkv", ("films", None, None, "Blade Runner 2049")),
        ("The Spider's Web.mp4", ("films", None, None, "The Spider's Web")),
        ("Mr. Bean/1x02.mp4", ("Mr. Bean", 1, 2, "1x02")),
        ("1080p.mp4", ("films", None, None, "1080p")),
    ],
)
def test_paths_tell_series_season_episode_and_title(path, told):
    assert parse_path(path, "films") == told
