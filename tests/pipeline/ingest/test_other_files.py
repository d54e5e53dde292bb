"""What in a source is neither film nor subtitles is told, a line for each kind."""

import pytest

from pipeline.ingest.discovery import find
from tests.pipeline.files import place


def told(source) -> list[tuple[str, str, str, str]]:
    return [(r.stage, r.key, r.reason, r.detail) for r in find(str(source))[1]]


def test_a_folder_of_thousands_of_pictures_is_one_line(tmp_path):
    place(tmp_path, "a.mp4", *(f"stills/{n:05d}.jpg" for n in range(2000)), "b.PNG")
    assert told(tmp_path) == [
        (
            "file",
            "*.jpg, *.png",
            "pictures",
            "2,001 files, such as b.PNG, stills/00000.jpg, stills/00001.jpg: not films",
        )
    ]


@pytest.mark.parametrize(
    ("name", "reason", "remedy"),
    [
        ("b.mp4.part", "unfinished download", "let it end"),
        ("Unconfirmed 12.crdownload", "unfinished download", "let it end"),
        ("b.torrent", "torrent", "download what it names"),
        ("b.zip", "archive", "unpack it"),
        ("b.r07", "archive", "unpack it"),
        ("b.002", "archive", "unpack it"),
        ("disc.iso", "disc image", "copy the films out"),
        ("VIDEO_TS.IFO", "index of a disc", "not a film"),
        ("cover.webp", "pictures", "not a film"),
        ("song.flac", "sound", "not a film"),
        ("b.sup", "subtitles as pictures", "convert"),
        ("all.m3u8", "playlist", "not a film"),
        ("b.nfo", "texts", "not a film"),
        (".DS_Store", "hidden", "not a film"),
        ("README", "other", "not a film"),
        ("b.xyz", "other", "not a film"),
    ],
)
def test_every_kind(tmp_path, name, reason, remedy):
    place(tmp_path, "a.mp4", name)
    ((stage, key, why, detail),) = told(tmp_path)
    assert (stage, key, why) == ("file", name, reason)
    assert detail.startswith(f"{name}: ") and remedy in detail


def test_every_file_of_a_folder_is_a_film_its_subtitles_or_told(tmp_path):
    place(tmp_path, "Pip/a.mp4", "Pip/a.srt", "Owl/b.srt", "Subs/c.srt", ".git/config", "d.idx")
    place(tmp_path, "d.sub", "e.jpg", "e.bin", "noise")
    videos, _ = find(str(tmp_path))
    assert [(video.id, bool(video.subtitles)) for video in videos] == [("Pip-a", True)]
    assert [(key.removeprefix(f"{tmp_path}/"), why) for _, key, why, _ in told(tmp_path)] == [
        ("Owl/b.srt", "of no film"),
        ("Subs/c.srt", "of no film"),
        ("e.bin", "disc image"),
        ("e.jpg", "pictures"),
        ("*.idx, *.sub", "subtitles as pictures"),
        (".git/", "hidden"),
        ("noise", "other"),
    ]


def test_a_prefix_is_told_of_as_a_folder(tmp_path):
    place(tmp_path, "films/s/1.mp4", "films/s/Subs/1.en.srt", "films/s/poster.jpg", "films/x.srt")
    (video,), _ = find(f"file://{tmp_path}/films")
    assert video.subtitles == f"file://{tmp_path}/films/s/Subs/1.en.srt"
    assert [
        (key.removeprefix(f"file://{tmp_path}/"), why)
        for _, key, why, _ in told(f"file://{tmp_path}/films")
    ] == [("films/x.srt", "of no film"), ("s/poster.jpg", "pictures")]


def test_films_that_the_manifest_of_their_folder_does_not_name_are_told(tmp_path):
    place(tmp_path, "a.mp4", "sub/b.mp4", "c.mkv", "poster.jpg")
    (tmp_path / "manifest.csv").write_text("uri\na.mp4\n")
    for source in (tmp_path, f"{tmp_path}//"):
        ((stage, key, reason, detail),) = told(source)
        assert (stage, reason) == ("file", "not in the manifest")
        assert {*key.split(", ")} == {"*.mkv", "*.mp4"}
        assert detail.startswith("c.mkv, sub/b.mp4: ") and "manifest.csv does not" in detail
    (tmp_path / "manifest.csv").write_text("uri\na.mp4\nsub/b.mp4\nc.mkv\n")
    assert told(tmp_path) == []
