"""Which subtitle file beside a film belongs to it."""

import os

import pytest

from pipeline.ingest.discovery import find
from tests.pipeline.files import place


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
        (["f.English.srt"], "", "f.English.srt"),
        (["f.de.srt", "f.English.srt"], "", "f.English.srt"),
        (["f.en.hi.srt", "f.en.srt"], "", "f.en.srt"),
        (["f.en.hi.srt", "f.de.srt"], "", "f.en.hi.srt"),
        (["f.hi.srt", "f.de.srt"], "hi", "f.hi.srt"),
        (["f.en.default.srt"], "", "f.en.default.srt"),
        (["f_en.srt", "f_de.srt"], "", "f_en.srt"),
        (["f.mp4.srt"], "", "f.mp4.srt"),
        (["f.mp4.en.srt", "f.de.srt"], "", "f.mp4.en.srt"),
        (["f.en_US.srt", "f.fr.srt"], "", "f.en_US.srt"),
        (["f - Deutsch.srt", "f - français.srt"], "de", "f - Deutsch.srt"),
        (["f [Simplified Chinese].ass", "f.ja.srt"], "zh", "f [Simplified Chinese].ass"),
        (["f.pt-BR.srt", "f.pt-PT.srt"], "pt-BR", "f.pt-BR.srt"),
        (["f.jp.srt", "f.fr.srt"], "ja", "f.jp.srt"),
        (["F.EN.SRT"], "", "F.EN.SRT"),
        (["f.en.signs.ass", "f.en.full.ass"], "", "f.en.full.ass"),
        (["f.en.Signs & Songs.ass", "f.de.ass"], "", "f.de.ass"),
        (["f.en.commentary.srt", "f.fr.srt"], "", "f.fr.srt"),
        (["Subs/2_English.srt", "Subs/3_French.srt"], "", "2_English.srt"),
        (["subtitles/f.de.srt", "f.txt"], "", "f.de.srt"),
        (["Subs/f/4_German.srt", "Subs/f/2_English.srt"], "de", "4_German.srt"),
        (["English.srt"], "", "English.srt"),
        (["somebody.srt"], "", ""),
        (["f.sub", "f.idx"], "", ""),
    ],
)
def test_choice(tmp_path, names, language, chosen):
    place(tmp_path, "f.mp4", *names)
    (tmp_path / "m.csv").write_text(f"uri,language\nf.mp4,{language}\n")
    (video,), _ = find(str(tmp_path / "m.csv"))
    assert os.path.basename(video.subtitles) == chosen


def test_its_language_is_taken_for_the_films(tmp_path):
    place(tmp_path, "f.mp4", "f.ger.srt")
    assert find(str(tmp_path))[0][0].language == "de"


def test_a_bucket_that_may_be_read_but_not_listed_gives_its_films(tmp_path, monkeypatch):
    def denied(folder, pattern):
        raise PermissionError(f"{folder}: access denied")

    monkeypatch.setattr("pipeline.runtime.storage.size", lambda uri: 7)
    monkeypatch.setattr("pipeline.runtime.storage.find_in", denied)
    (tmp_path / "m.csv").write_text("uri\ns3://films/a.mp4\ns3://films/b.mp4\n")
    films, (reject,) = find(str(tmp_path / "m.csv"))
    assert [(film.id, film.subtitles) for film in films] == [("a", ""), ("b", "")]
    assert (reject.stage, reject.key, reject.reason) == ("subtitles", "s3://films", "unlisted")
    assert "name them in a manifest" in reject.detail


def test_a_name_in_another_unicode_form_and_a_doubled_slash(tmp_path):
    place(tmp_path, "Ame\u0301lie.mkv", "Am\u00e9lie.fr.srt")
    (video,), rejects = find(f"{tmp_path}//")
    assert os.path.basename(video.subtitles) == "Am\u00e9lie.fr.srt"
    assert (video.language, rejects) == ("fr", [])


def test_a_file_goes_to_the_film_with_the_longest_name_that_it_begins_with(tmp_path):
    place(tmp_path, "Pip.mp4", "Pip_2.mp4", "Pip_en.mp4", "Pip.en.srt", "Pip_2.srt", "Pip_en.srt")
    videos, rejects = find(str(tmp_path))
    assert [os.path.basename(video.subtitles) for video in videos] == [
        "Pip.en.srt",
        "Pip_2.srt",
        "Pip_en.srt",
    ]
    assert rejects == []


def test_a_file_of_no_film_is_told(tmp_path):
    place(tmp_path, "Pip.mp4", "Owl.mp4", "Pip.part1.srt", "Fox.en.srt", "Subs/English.srt")
    _, rejects = find(str(tmp_path))
    assert [(os.path.basename(r.key), r.reason, r.detail.split(":")[0]) for r in rejects] == [
        ("Fox.en.srt", "of no film", "no film has its name"),
        ("Pip.part1.srt", "of no film", "its name goes on with '.part1', which is no language"),
        ("English.srt", "of no film", "no film has its name"),
    ]
    assert all("manifest" in reject.detail for reject in rejects)


@pytest.mark.parametrize("source", ["Pip.mp4", "P*.mp4"])
def test_subtitles_of_films_that_are_not_asked_for_are_no_news(tmp_path, source):
    place(tmp_path, "Pip.mp4", "Owl.mp4", "Pip.srt", "Owl.srt")
    (video,), rejects = find(str(tmp_path / source))
    assert (os.path.basename(video.subtitles), rejects) == ("Pip.srt", [])
