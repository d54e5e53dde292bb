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
