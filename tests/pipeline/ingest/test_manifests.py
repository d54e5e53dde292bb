"""Manifests: what they say of films, and mistakes in them."""

import os

import pytest

from pipeline.ingest.discovery import find
from pipeline.ingest.source_files import SourceError
from schemas.rows import Video
from tests.pipeline.files import place


def test_csv_names_films_relative_to_itself_and_wins_over_what_paths_tell(tmp_path):
    place(tmp_path, "x/one.mp4", "x/one.fr.srt", "s.vtt")
    (tmp_path / "manifest.csv").write_text(
        "uri,series,season,episode,language,license,attribution,subtitles,title\n"
        'x/one.mp4,Pip,2,7,de,CC-BY,"Pip, Owl",s.vtt,Die Reise\n'
    )
    videos, rejects = find(str(tmp_path))
    assert rejects == []
    assert videos == [
        Video(
            id="x-one",
            uri=str(tmp_path / "x/one.mp4"),
            series="Pip",
            season=2,
            episode=7,
            title="Die Reise",
            language="de",
            license="CC-BY",
            attribution="Pip, Owl",
            subtitles=str(tmp_path / "s.vtt"),
            size=4,
        )
    ]


def test_jsonl_with_a_film_and_subtitles_that_are_missing(tmp_path):
    place(tmp_path, "one.mp4")
    (tmp_path / "list.jsonl").write_text(
        '{"uri": "one.mp4", "season": 3, "subtitles": "no.srt"}\n\n{"uri": "two.mp4"}\n'
    )
    (video,), rejects = find(str(tmp_path / "list.jsonl"))
    assert (video.id, video.season, video.episode, video.subtitles) == ("one", 3, None, "")
    assert [(r.stage, r.key, r.reason) for r in rejects] == [
        ("video", str(tmp_path / "two.mp4"), "missing"),
        ("subtitles", str(tmp_path / "no.srt"), "missing"),
    ]


def test_only_paths_and_buckets_are_fetched(tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr("pipeline.runtime.storage.size", lambda uri: fetched.append(uri) or 7)
    place(tmp_path, "one.mp4")
    (tmp_path / "list.jsonl").write_text(
        '{"uri": "one.mp4", "subtitles": "http://10.0.0.1/admin"}\n'
        '{"uri": "HTTPS://films.example/two.mp4"}\n'
        '{"uri": "az://films/three.mp4"}\n'
        '{"uri": "s3://films/four.mp4", "subtitles": "s3://films/four.srt"}\n'
    )
    videos, rejects = find(str(tmp_path / "list.jsonl"))
    assert {video.id: video.subtitles for video in videos} == {
        "one": "",
        "four": "s3://films/four.srt",
    }
    assert sorted((reject.stage, reject.key, reject.reason) for reject in rejects) == [
        ("subtitles", "http://10.0.0.1/admin", "scheme"),
        ("video", "HTTPS://films.example/two.mp4", "scheme"),
        ("video", "az://films/three.mp4", "scheme"),
    ]
    assert "allow it with --set 'schemes=[http]'" in rejects[-1].detail
    assert not [uri for uri in fetched if not uri.startswith("s3://")]
    with pytest.raises(SourceError, match="https:// is not fetched"):
        find("https://films.example/list.csv")


def test_a_scheme_that_is_allowed_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.runtime.storage.size", lambda uri: 7)
    (tmp_path / "list.csv").write_text(
        "uri,subtitles\nhttps://a.example/x.mp4,https://a.example/s\n"
    )
    ((film,), rejects) = find(str(tmp_path / "list.csv"), ["https"])
    assert (film.uri, film.size, rejects) == ("https://a.example/x.mp4", 7, [])
    assert film.subtitles == "https://a.example/s"


def test_film_named_twice_is_taken_once(tmp_path):
    place(tmp_path, "one.mp4")
    (tmp_path / "manifest.csv").write_text("uri\none.mp4\none.mp4\n")
    videos, rejects = find(str(tmp_path))
    assert [v.id for v in videos] == ["one"]
    assert [r.reason for r in rejects] == ["duplicate"]


def test_films_elsewhere_with_one_name_have_ids_of_their_own(tmp_path):
    place(tmp_path, "a/x.mp4", "b/x.mp4", "c/x.mp4", "m/.keep")
    (tmp_path / "m/manifest.csv").write_text(f"uri\n../a/x.mp4\n{tmp_path}/b/x.mp4\n../c/x.mp4\n")
    videos, _ = find(str(tmp_path / "m"))
    assert len({v.id for v in videos}) == 3
    assert all(v.id.startswith("x") for v in videos)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("uri,serie\nx.mp4,Pip\n", "line 2: unknown column 'serie'; known are uri, series"),
        ("uri,title\nx.mp4,a\n,b\n", "line 3: no uri"),
        ("uri,season\nx.mp4,two\n", "line 2: season is 'two', not a whole number"),
        ("uri,title\nx.mp4,a,b\n", "line 2: more cells"),
        ("uri\n", "no rows"),
        ('uri,title\nx.mp4,"' + "never closed " * 20_000, "line 1: not CSV: field larger"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, text, message):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(SourceError, match=message):
        find(str(tmp_path))


def test_a_text_that_no_file_can_hold_costs_its_row_alone(tmp_path):
    place(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    (tmp_path / "manifest.jsonl").write_text(
        '{"uri": "a.mp4"}\n{"uri": "b.mp4", "title": "half \\ud83d"}\n{"uri": "c.mp4"}\n'
    )
    videos, (reject,) = find(str(tmp_path))
    assert [video.id for video in videos] == ["a", "c"]
    assert (reject.stage, reject.key, reject.reason) == ("video", f"{tmp_path}/b.mp4", "manifest")
    assert "manifest.jsonl, line 2: title is 'half \\ud83d': half a surrogate" in reject.detail


@pytest.mark.parametrize(
    "line", ['{"uri"', "[" * 100_000, '{"uri": "a", "season": 1' + "0" * 9999 + "}"]
)
def test_line_that_is_no_json(tmp_path, line):
    (tmp_path / "manifest.jsonl").write_text('{"uri": "a"}\n' + line + "\n")
    with pytest.raises(SourceError, match="line 2: not JSON"):
        find(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pandas.csv", ",URI,Season,Episode,title\n0,a.mp4,1.0,2.0,NaN\n1,b.mp4,NaN,nan,NaN\n"),
        ("excel.csv", "uri;season;episode\r\na.mp4;1;2\r\nb.mp4;;\r\n;;\r\n"),
        ("tabs.tsv", "uri\tseason\tepisode\na.mp4\t1\t2\nb.mp4\t\t\n"),
        ("list.json", '[{"uri": "a.mp4", "season": 1, "episode": 2}, {"uri": "b.mp4"}]'),
        ("list.ndjson", '{"uri": "a.mp4", "season": 1.0, "episode": 2}\n{"uri": "b.mp4"}\n'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_other_programs(tmp_path, name, content, encoding):
    place(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / name).write_bytes(content.encode(encoding))
    videos, rejects = find(str(tmp_path / name))
    assert [(video.id, video.season, video.episode, video.title) for video in videos] == [
        ("a", 1, 2, "a"),
        ("b", None, None, "b"),
    ]
    assert rejects == []


def test_text_file_with_a_path_on_each_line(tmp_path):
    place(tmp_path, "a.mp4", "b c.mp4")
    (tmp_path / "films.txt").write_text("# my films\na.mp4\n\nb c.mp4\n")
    assert [video.id for video in find(str(tmp_path / "films.txt"))[0]] == ["a", "b-c"]


def test_a_table_in_the_code_page_of_windows_is_read(tmp_path):
    place(tmp_path, "Été.mp4")
    (tmp_path / "films.csv").write_bytes("uri;title\nÉté.mp4;L'été dernier\n".encode("cp1252"))
    (video,), rejects = find(str(tmp_path / "films.csv"))
    assert (video.title, rejects) == ("L'été dernier", [])


def test_a_damaged_character_is_named_with_its_line(tmp_path):
    data = "uri,title\na.mp4,Привет\nb.mp4,Где ты была\n".encode()
    (tmp_path / "films.csv").write_bytes(data[:-2] + b"\n")
    with pytest.raises(SourceError, match="line 3: not UTF-8 text: save it as UTF-8"):
        find(str(tmp_path / "films.csv"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("columns.json", '{"uri": {"0": "a.mp4", "1": "b.mp4"}, "season": {"0": 1, "1": null}}'),
        ("lists.json", '{"uri": ["a.mp4", "b.mp4"], "season": [1, null]}'),
        (
            "key.json",
            '{"made": "by hand", "films": [{"uri": "a.mp4", "season": 1}, {"uri": "b.mp4"}]}',
        ),
        ("lines.json", '{"uri": "a.mp4", "season": 1}\n{"uri": "b.mp4"}\n'),
        ("excel.csv", "sep=;\r\nuri;season\r\na.mp4;1\r\nb.mp4;\r\n"),
        ("spaces.csv", "\n \n uri , season \n\na.mp4,1\n b.mp4 ,\n"),
        ("excel.txt", "uri\tseason\r\na.mp4\t1\r\nb.mp4\t\r\n"),
    ],
)
def test_other_shapes_of_tables(tmp_path, name, content):
    place(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / name).write_text(content)
    videos, rejects = find(str(tmp_path / name))
    assert [(video.id, video.season) for video in videos] == [("a", 1), ("b", None)]
    assert rejects == []


def test_lines_are_counted_from_the_top_of_the_file(tmp_path):
    (tmp_path / "films.csv").write_text("\nsep=,\nuri,season\na.mp4,two\n")
    with pytest.raises(SourceError, match="line 4: season is 'two'"):
        find(str(tmp_path / "films.csv"))


def test_paths_of_windows(tmp_path):
    place(tmp_path, "x/a.mp4", "x/a.srt")
    (tmp_path / "films.csv").write_text("uri,subtitles\nx\\a.mp4,x\\a.srt\n")
    (video,), rejects = find(str(tmp_path / "films.csv"))
    assert (video.uri, rejects) == (str(tmp_path / "x/a.mp4"), [])
    assert video.subtitles == str(tmp_path / "x/a.srt")


def test_manifest_that_is_no_file_or_far_too_large_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SourceError, match=r"pipe\.csv: cannot be read: a folder, pipe"):
        find(str(tmp_path / "pipe.csv"))
    with open(tmp_path / "long.csv", "wb") as file:
        file.truncate(1 << 40)  # a hole
    with pytest.raises(SourceError, match="has 1048576 MB, a manifest at most 256: split it"):
        find(str(tmp_path / "long.csv"))
