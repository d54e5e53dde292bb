"""Finding films."""

import os
import tempfile
from pathlib import Path

import pytest

from pipeline.ingest.discovery import find
from pipeline.ingest.source_files import SourceError
from tests.pipeline.files import place


def test_folder_is_walked_and_paths_tell_series_season_episode_and_title(tmp_path):
    place(
        tmp_path,
        "Pip/Season 1/Pip - S01E02 - The Kite.mkv",
        "loose.mp4",
        "notes.txt",
        ".hidden.mp4",
        "Owl/1x03.webm",
    )
    videos, rejects = find(str(tmp_path))
    assert [(r.stage, r.key, r.reason) for r in rejects] == [
        ("file", "notes.txt", "texts"),
        ("file", ".hidden.mp4", "hidden"),
    ]
    assert [(v.id, v.series, v.season, v.episode, v.title) for v in videos] == [
        ("Owl-1x03", "Owl", 1, 3, "1x03"),
        ("Pip-Season-1-Pip-S01E02-The-Kite", "Pip", 1, 2, "The Kite"),
        ("loose", tmp_path.name, None, None, "loose"),
    ]


def test_named_file_is_taken_whatever_its_ending(tmp_path):
    place(tmp_path, "The_Boat.film")
    (video,), _ = find(str(tmp_path / "The_Boat.film"))
    assert (video.id, video.series, video.title) == ("The_Boat", "The_Boat", "The Boat")
    assert video.size == 4


def test_glob_may_cross_folders(tmp_path):
    place(tmp_path, "a/1.mp4", "a/b/2.mp4", "3.mp4", "3.srt")
    videos, _ = find(f"{tmp_path}/**/*.mp4")
    assert [v.id for v in videos] == ["3", "a-1", "a-b-2"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", ["0.mp4", "a/1.mp4", "a/b/2.mp4", "a/c.film/3.mp4", "notes.txt"]),
        ("*.mp4", ["0.mp4"]),
        ("a/*", ["a/1.mp4", "a/b/2.mp4", "a/c.film/3.mp4"]),
        ("*/1.mp4", ["a/1.mp4"]),
        ("[ab]/?.mp4", ["a/1.mp4"]),
        ("**/b/*", ["a/b/2.mp4"]),
        ("**/*.film", ["a/c.film/3.mp4"]),
        ("a/**", ["a/1.mp4", "a/b/2.mp4", "a/c.film/3.mp4"]),
        (".hidd*/*.mp4", [".hidden/4.mp4"]),
    ],
)
def test_globs(tmp_path, monkeypatch, pattern, names):
    place(
        tmp_path,
        "0.mp4",
        "a/1.mp4",
        "a/b/2.mp4",
        "a/c.film/3.mp4",
        "notes.txt",
        ".hidden/4.mp4",
        "a/.5.mp4",
    )
    monkeypatch.chdir(tmp_path)
    assert [video.uri for video in find(pattern)[0]] == names
    videos, _ = find(f"{tmp_path}/{pattern}")
    assert [os.path.relpath(video.uri, tmp_path) for video in videos] == names


def test_glob_follows_links_and_goes_no_way_twice(tmp_path):
    place(tmp_path, "films/a/1.mp4", "elsewhere/2.mp4")
    os.symlink("..", tmp_path / "films/a/up")
    os.symlink(tmp_path / "elsewhere", tmp_path / "films/linked")
    os.symlink("nowhere", tmp_path / "films/a/gone.mp4")
    for pattern in ("films/**/*.mp4", "films/*/*.mp4", "films/*"):
        videos, (gone,) = find(f"{tmp_path}/{pattern}")
        assert [os.path.relpath(video.uri, tmp_path) for video in videos] == [
            "films/a/1.mp4",
            "films/linked/2.mp4",
        ]
        assert (os.path.basename(gone.key), gone.reason) == ("gone.mp4", "missing")


def test_storage_prefix(tmp_path):
    place(tmp_path, "films/s/1.mp4", "films/s/1.en.srt", "films2/2.mp4")
    (video,), _ = find(f"file://{tmp_path}/films")
    assert (video.id, video.series, video.language) == ("s-1", "s", "en")
    assert video.uri == f"file://{tmp_path}/films/s/1.mp4"
    assert video.subtitles == f"file://{tmp_path}/films/s/1.en.srt"
    (named,), _ = find(f"file://{tmp_path}/films2/2.mp4")
    assert (named.id, named.series) == ("2", "2")


@pytest.mark.parametrize("name", ["nowhere", "*.mp4", "empty"])
def test_source_without_films_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"no f|does not exist") as raised:
        find(f"{tmp_path}/{name}")
    assert name in str(raised.value)


def test_storage_that_cannot_be_reached():
    with pytest.raises(SourceError, match="nowhere://films' cannot be listed"):
        find("nowhere://films", ["nowhere"])


def test_empty_folder_error_lists_the_endings(tmp_path):
    with pytest.raises(SourceError, match=r"\.mkv, \.mov, \.mp4"):
        find(str(tmp_path))


def test_what_is_no_film_file_becomes_a_reject_and_nothing_hangs(tmp_path):
    place(tmp_path, "good.mp4")
    place(tmp_path, "empty.mp4", content=b"")
    os.mkfifo(tmp_path / "pipe.mp4")
    os.symlink(tmp_path / "gone", tmp_path / "broken.mp4")
    os.symlink(tmp_path, tmp_path / "loop")
    with open(os.fsencode(tmp_path) + b"/caf\xe9.mp4", "wb") as file:
        file.write(b"film")
    videos, rejects = find(str(tmp_path))
    assert [v.id for v in videos] == ["good"]
    assert {(os.path.basename(r.key), r.stage, r.reason) for r in rejects} == {
        ("empty.mp4", "video", "empty"),
        ("pipe.mp4", "video", "not a file"),
        ("broken.mp4", "video", "missing"),
        ("caf\\udce9.mp4", "video", "name"),
    }


def test_folder_that_cannot_be_listed_becomes_a_reject(tmp_path, monkeypatch):
    place(tmp_path, "open/a.mp4", "shut/b.mp4")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    for source in (tmp_path, tmp_path / "*", tmp_path / "*/*.mp4", tmp_path / "**/*.mp4"):
        source = str(source)
        (video,), (reject,) = find(source)
        assert video.id == "open-a"
        assert (reject.stage, reject.key, reject.reason) == (
            "video",
            str(tmp_path / "shut"),
            "unreadable",
        )
        assert "cannot be listed, nor the films in it: Permission denied" in reject.detail
    with pytest.raises(SourceError, match="shut: the folder cannot be listed"):
        find(str(tmp_path / "shut"))
    with pytest.raises(SourceError, match=r"no file matches .*shut: the folder cannot be list"):
        find(str(tmp_path / "shut" / "*.mp4"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_what_somebody_may_not_see():
    with tempfile.TemporaryDirectory() as folder:  # where everybody may look, unlike tmp_path
        place(Path(folder), "open/a.mp4", "shut/b.mp4", "named/c.mp4")
        for name, mode in (("", 0o755), ("open", 0o755), ("shut", 0), ("named", 0o444)):
            os.chmod(os.path.join(folder, name), mode)
        os.seteuid(65534)
        try:
            (video,), rejects = find(folder)
        finally:
            os.seteuid(0)
    assert video.id == "open-a"
    assert {(os.path.relpath(reject.key, folder), reject.reason) for reject in rejects} == {
        ("shut", "unreadable"),
        ("named/c.mp4", "unreadable"),
    }


def test_order_and_ids_stay_when_films_are_added(tmp_path):
    place(tmp_path, "b.mp4", "b.mkv")
    before = {v.uri: v.id for v in find(str(tmp_path))[0]}
    place(tmp_path, "a.mp4", "c.mp4")
    after, _ = find(str(tmp_path))
    assert [v.uri for v in after] == sorted(v.uri for v in after)
    assert before.items() <= {v.uri: v.id for v in after}.items()


def test_a_long_listing_says_how_far_it_is(tmp_path, monkeypatch):
    notes = []
    monkeypatch.setattr("pipeline.runtime.progress.doing", lambda *note: notes.append(note))
    place(tmp_path, *(f"{number // 500}/{number}.mp4" for number in range(2500)))
    assert len(find(str(tmp_path))[0]) == 2500
    assert notes == [
        ("find", f"1,000 files, now in {tmp_path}/1"),
        ("find", f"2,000 files, now in {tmp_path}/3"),
    ]
