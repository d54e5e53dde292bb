"""Finding films and naming them."""

import os
import tempfile
from pathlib import Path

import pytest

from pipeline.ingest.discovery import SourceError, describe, find, two_letters, video_ids
from schemas.rows import Video


def place(folder, *names, content=b"film"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


class TestFind:
    def test_folder_is_walked_and_paths_tell_series_season_episode_and_title(self, tmp_path):
        place(
            tmp_path,
            "Pip/Season 1/Pip - S01E02 - The Kite.mkv",
            "loose.mp4",
            "notes.txt",
            ".hidden.mp4",
            "Owl/1x03.webm",
        )
        videos, rejects = find(str(tmp_path))
        assert rejects == []
        assert [(v.id, v.series, v.season, v.episode, v.title) for v in videos] == [
            ("Owl-1x03", "Owl", 1, 3, "1x03"),
            ("Pip-Season-1-Pip-S01E02-The-Kite", "Pip", 1, 2, "The Kite"),
            ("loose", tmp_path.name, None, None, "loose"),
        ]

    def test_named_file_is_taken_whatever_its_ending(self, tmp_path):
        place(tmp_path, "The_Boat.film")
        (video,), _ = find(str(tmp_path / "The_Boat.film"))
        assert (video.id, video.series, video.title) == ("The_Boat", "The_Boat", "The Boat")
        assert video.size == 4

    def test_glob_may_cross_folders(self, tmp_path):
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
    def test_globs(self, tmp_path, monkeypatch, pattern, names):
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

    def test_glob_follows_links_and_goes_no_way_twice(self, tmp_path):
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

    def test_storage_prefix(self, tmp_path):
        place(tmp_path, "films/s/1.mp4", "films/s/1.en.srt", "films2/2.mp4")
        (video,), _ = find(f"file://{tmp_path}/films")
        assert (video.id, video.series, video.language) == ("s-1", "s", "en")
        assert video.uri == f"file://{tmp_path}/films/s/1.mp4"
        assert video.subtitles == f"file://{tmp_path}/films/s/1.en.srt"
        (named,), _ = find(f"file://{tmp_path}/films2/2.mp4")
        assert (named.id, named.series) == ("2", "2")

    @pytest.mark.parametrize("name", ["nowhere", "*.mp4", "empty"])
    def test_source_without_films_is_an_error_that_names_it(self, tmp_path, name):
        (tmp_path / "empty").mkdir()
        with pytest.raises(SourceError, match=r"no f|does not exist") as raised:
            find(f"{tmp_path}/{name}")
        assert name in str(raised.value)

    def test_storage_that_cannot_be_reached(self):
        with pytest.raises(SourceError, match="nowhere://films' cannot be listed"):
            find("nowhere://films")

    def test_empty_folder_error_lists_the_endings(self, tmp_path):
        with pytest.raises(SourceError, match=r"\.mkv, \.mov, \.mp4"):
            find(str(tmp_path))

    def test_what_is_no_film_file_becomes_a_reject_and_nothing_hangs(self, tmp_path):
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

    def test_folder_that_cannot_be_listed_becomes_a_reject(self, tmp_path, monkeypatch):
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
    def test_what_somebody_may_not_see(self):
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

    def test_order_and_ids_stay_when_films_are_added(self, tmp_path):
        place(tmp_path, "b.mp4", "b.mkv")
        before = {v.uri: v.id for v in find(str(tmp_path))[0]}
        place(tmp_path, "a.mp4", "c.mp4")
        after, _ = find(str(tmp_path))
        assert [v.uri for v in after] == sorted(v.uri for v in after)
        assert before.items() <= {v.uri: v.id for v in after}.items()


class TestManifest:
    def test_csv_names_films_relative_to_itself_and_wins_over_what_paths_tell(self, tmp_path):
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

    def test_jsonl_with_a_film_and_subtitles_that_are_missing(self, tmp_path):
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

    def test_film_named_twice_is_taken_once(self, tmp_path):
        place(tmp_path, "one.mp4")
        (tmp_path / "manifest.csv").write_text("uri\none.mp4\none.mp4\n")
        videos, rejects = find(str(tmp_path))
        assert [v.id for v in videos] == ["one"]
        assert [r.reason for r in rejects] == ["duplicate"]

    def test_films_elsewhere_with_one_name_have_ids_of_their_own(self, tmp_path):
        place(tmp_path, "a/x.mp4", "b/x.mp4", "c/x.mp4", "m/.keep")
        (tmp_path / "m/manifest.csv").write_text(
            f"uri\n../a/x.mp4\n{tmp_path}/b/x.mp4\n../c/x.mp4\n"
        )
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
    def test_mistakes_are_named_with_their_line(self, tmp_path, text, message):
        (tmp_path / "manifest.csv").write_text(text)
        with pytest.raises(SourceError, match=message):
            find(str(tmp_path))

    @pytest.mark.parametrize(
        "line", ['{"uri"', "[" * 100_000, '{"uri": "a", "season": 1' + "0" * 9999 + "}"]
    )
    def test_line_that_is_no_json(self, tmp_path, line):
        (tmp_path / "manifest.jsonl").write_text('{"uri": "a"}\n' + line + "\n")
        with pytest.raises(SourceError, match="line 2: not JSON"):
            find(str(tmp_path))

    def test_manifest_that_is_no_file_or_far_too_large_is_not_read(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(SourceError, match=r"pipe\.csv: cannot be read: a folder, pipe"):
            find(str(tmp_path / "pipe.csv"))
        with open(tmp_path / "long.csv", "wb") as file:
            file.truncate(1 << 40)  # a hole
        with pytest.raises(SourceError, match="has 1048576 MB, a manifest at most 256: split it"):
            find(str(tmp_path / "long.csv"))


class TestIds:
    def test_hostile_names_give_safe_ids(self):
        names = ["../x.mp4", "a\nb.mp4", "-rf.mp4", ".mp4", "...", "Žluť ☃/ō.mkv", "a/../..mp4"]
        assert video_ids(names) == ["x", "a-b", "rf", "mp4", "video", "Žluť-ō", "a"]

    def test_same_letters_composed_or_not(self):
        assert video_ids(["caf\u00e9.mp4", "cafe\u0301.mkv"])[0] == "caf\u00e9"

    def test_one_id_in_whatever_case_is_given_once(self):
        first, second, third = video_ids(["a b.mp4", "A-B.mp4", "a.b.mkv"])
        assert first == "a-b"
        assert second.startswith("A-B-")
        assert third.startswith("a-b-")
        assert len(second) == len(third) == len("a-b-01234567")

    def test_long_names_are_cut_and_told_apart(self):
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
def test_describe(path, told):
    assert describe(path, "films") == told


class TestSidecar:
    @pytest.mark.parametrize(
        ("names", "language", "chosen"),
        [
            (["f.srt"], "", "f.srt"),
            (["f.de.srt", "f.eng.vtt"], "", "f.eng.vtt"),
            (["f.de.srt", "f.en.srt"], "de", "f.de.srt"),
            (["f.pt-BR.ass", "f.en.srt"], "pt", "f.pt-BR.ass"),
            (["f.fr.srt", "f.it.srt"], "", "f.fr.srt"),
            (["f.en.forced.srt", "f.fr.srt"], "en", "f.fr.srt"),
            (["f.2.srt", "f2.srt", "f.txt"], "", ""),
        ],
    )
    def test_choice(self, tmp_path, names, language, chosen):
        place(tmp_path, "f.mp4", *names)
        (tmp_path / "m.csv").write_text(f"uri,language\nf.mp4,{language}\n")
        (video,), _ = find(str(tmp_path / "m.csv"))
        assert os.path.basename(video.subtitles) == chosen

    def test_its_language_is_taken_for_the_films(self, tmp_path):
        place(tmp_path, "f.mp4", "f.ger.srt")
        assert find(str(tmp_path))[0][0].language == "de"


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("ENG", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("fre", "fr"),
        ("chi", "zh"),
        ("por-BR", "pt-br"),
        ("pt_BR", "pt-br"),
        ("und", ""),
        ("", ""),
        ("en", "en"),
        ("yue", "yue"),
        ("english", "english"),
        ("wel", "cy"),
        ("qqq", "qqq"),
        ("e-t", "e-t"),
    ],
)
def test_two_letters(code, short):
    assert two_letters(code) == short
