"""A corpus of broken films: each is a reject with its reason, or is used as far as it can be read;
nothing hangs, nothing is written outside of the output, and the sound films come through."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import KeyframesConfig, load
from pipeline.ingest import discovery
from pipeline.ingest.probe import probe
from pipeline.ingest.source_files import SourceError
from pipeline.ingest.subtitle_formats import SubtitlesError, parse
from pipeline.ingest.video import VideoError
from pipeline.keyframes.extract import extract_film, extract_keyframes
from pipeline.keyframes.frame_stats import scan_film
from pipeline.keyframes.stages import find_keyframes
from pipeline.runtime import progress, stage_outputs
from pipeline.runtime.stage_inputs import Inputs, Job
from pipeline.runtime.stage_outputs import Film
from schemas.rows import Keyframe, Reject, Video
from tests import broken_films

# In a process of its own, so that a hang ends at its timeout and memory at its limit.
RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.config import load
videos, rejects = discovery.find(sys.argv[1])
sys.exit(run.run(videos, rejects, load(), sys.argv[2], ["--direct_running_mode=in_memory"],
                 until="selection"))
"""

OUTCOMES = {  # file -> how many keyframes it gives, or the reason that it is rejected for
    "cut/cut-in-header.mp4": "unreadable",
    "cut/cut-in-index.mp4": "unreadable",
    "cut/cut-in-first-gop.mp4": "unreadable",
    "cut/cut-in-middle.mp4": 2,
    "cut/cut-in-last-packet.mp4": 3,
    "cut/cut-before-moov.mp4": "unreadable",
    "cut/cut-in-moov.mp4": "unreadable",
    "cut/cut-in-mdat.mp4": "unreadable",
    "cut/cut-in-header.mkv": "unreadable",
    "cut/cut-in-middle.mkv": 2,
    "cut/cut-in-last-packet.mkv": 3,
    "damaged/zeros-in-middle.mp4": 2,
    "damaged/zeros-in-middle.mkv": 2,
    "damaged/zeros-at-start.mp4": "unreadable",
    "damaged/zeros-at-start.mkv": "unreadable",
    "damaged/zeros-only.mp4": "unreadable",
    "damaged/zeros-only.mkv": "unreadable",
    "lying/mvhd-duration.mp4": 3,
    "lying/mvhd-timescale-0.mp4": 3,
    "lying/mdhd-duration.mp4": 3,
    "lying/mdhd-timescale-0.mp4": "no keyframes",
    "lying/mdhd-timescale-most.mp4": "no keyframes",
    "lying/stts-count.mp4": 3,
    "lying/stts-delta-0.mp4": 5,
    "lying/stts-delta-most.mp4": "no keyframes",
    "lying/stts-entries.mp4": "unreadable",
    "shaped/one-frame.mp4": "no keyframes",
    "shaped/10000x16.mp4": 1,
    "shaped/16x16.mp4": 1,
    "shaped/wide-pixels.mp4": 1,
    "shaped/tall-pixels.mp4": 1,
    "shaped/two-sizes.ts": 2,
    "shaped/clock-starts-again.ts": "unreadable",
    "shaped/100-million-pixels.gif": "unreadable",
    "shaped/audio-only.mp4": "unreadable",
    "no-films/zero-bytes.mp4": "empty",
    "no-films/text.mp4": "unreadable",
    "no-films/subtitles.mp4": "unreadable",
    "no-films/picture.mp4": "no keyframes",
    "no-films/photo.mp4": "no keyframes",
    "no-films/really-matroska.mp4": 3,
    "no-films/noise.mp4": "unreadable",
    "no-films/script.mp4": "unreadable",
    "lists/film.mp4": 3,
    "lists/concat.mp4": "unreadable",
    "lists/concat-itself.mp4": "unreadable",
    "lists/concat-pipe.mp4": "unreadable",
    "lists/concat-passwd.mp4": "unreadable",
    "lists/hls.mp4": "unreadable",
    "lists/hls-far.mp4": "unreadable",
    "lists/pipe.mp4": "not a file",
    "lists/link-to-pipe.mp4": "not a file",
    "lists/socket.mp4": "not a file",
    "lists/zeros-for-ever.mp4": "not a file",
    "lists/dangling.mp4": "missing",
    "lists/loop.mp4": "missing",
    "sound/film.mp4": 3,
    **{f"names/{name}.mp4": 1 for name in broken_films.NAMES},
    **{f"subtitles/{name}/film.mp4": 1 for name in broken_films.SUBTITLES},
}
FLIPPED = {f"damaged/flipped-{seed}.{ending}" for seed in range(4) for ending in ("mp4", "mkv")}
# What is said over the films with hostile subtitles; the others are rejected.
SAID = {
    "cp1252": ["Ça va très bien, garçon?"],
    "script": ["alert(1)Hello"],
    "negative": ["Hello"],
    "backwards": ["Hello"],
    "empty-lines": ["Hello you"],
    "spaces": ["v x"],
}


root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("broken")
    made, films = base / "made", base / "films"
    for folder in (
        made,
        *(
            films / name
            for name in (
                "cut",
                "damaged",
                "lying",
                "shaped",
                "no-films",
                "lists",
                "names",
                "subtitles",
                "sound",
            )
        ),
    ):
        folder.mkdir(parents=True)
    data = broken_films.sound(made / "a.mp4")
    front = broken_films.sound(made / "b.mp4", container_options={"movflags": "faststart"})
    matroska = broken_films.sound(made / "c.mkv")
    unedited = broken_films.sound(made / "d.mp4", container_options={"use_editlist": "0"})
    short = broken_films.sound(made / "e.mp4", [(5, 24)])
    broken_films.cut_films(films / "cut", data, front, matroska)
    broken_films.damaged_films(films / "damaged", front, matroska)
    broken_films.lying_films(films / "lying", front, unedited)
    broken_films.shaped_films(films / "shaped")
    broken_films.no_films(films / "no-films", matroska)
    broken_films.no_files(films / "lists")
    (films / "lists" / "film.mp4").write_bytes(front)
    broken_films.playlists(films / "lists", "film.mp4")
    broken_films.named_films(films / "names", short)
    broken_films.subtitled_films(films / "subtitles", short)
    (films / "sound" / "film.mp4").write_bytes(data)
    return films


@pytest.fixture(scope="module")
def done(corpus) -> Path:
    """What one run over the whole corpus wrote."""
    out = corpus.parent / "out"
    ended = subprocess.run(
        [sys.executable, "-c", RUN, str(corpus), str(out)],
        timeout=280,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return out


def rows(out: Path, stage: str) -> dict[str, list[stage_outputs.AnyRow]]:
    """The rows of a stage by the id of their film."""
    found = {}
    for file in (out / "work" / stage).iterdir():
        found[file.stem.rpartition("-")[0]] = stage_outputs.load(str(file))
    return found


def listing(folder: Path) -> set[str]:
    return {
        os.path.join(path, name)
        for path, folders, names in os.walk(folder)
        for name in folders + names
    }


@pytest.mark.slow
def test_each_film_gives_its_keyframes_or_the_reason_why_not(corpus, done):
    found, rejects = discovery.find(str(corpus))
    outcomes = {os.path.relpath(reject.key, corpus): reject.reason for reject in rejects}
    uris = {video.id: os.path.relpath(video.uri, corpus) for video in found}
    for film, content in rows(done, "keyframes").items():
        reasons = [
            row.reason for row in stage_outputs.only(Reject, content) if row.stage == "video"
        ]
        count = len(stage_outputs.only(Keyframe, content))
        assert bool(count) != bool(reasons), film
        outcomes[uris[film]] = reasons[0] if reasons else count
    assert {
        film: outcome
        for film, outcome in outcomes.items()
        if film not in FLIPPED and "frame-in" not in film
    } == OUTCOMES
    assert outcomes.keys() > FLIPPED
    assert all(
        reject.detail
        for content in rows(done, "keyframes").values()
        for reject in stage_outputs.only(Reject, content)
    )


@pytest.mark.slow
def test_hostile_subtitles_are_read_or_rejected_and_cost_no_picture(corpus, done):
    said, rejected = {}, set()
    dialogue = rows(done, "dialogue")
    for film, content in rows(done, "selection").items():
        if film.startswith("subtitles-"):
            name = film.removeprefix("subtitles-").removesuffix("-film")
            (keyframe,) = stage_outputs.only(Keyframe, content)
            said[name] = keyframe.dialogue
            rejects = stage_outputs.only(Reject, dialogue[film])
            if [(row.stage, row.reason) for row in rejects] == [("subtitles", "unreadable")]:
                rejected.add(name)
    assert {name: lines for name, lines in said.items() if lines} == SAID
    assert rejected | SAID.keys() == broken_films.SUBTITLES.keys()


@pytest.mark.slow
def test_a_sound_film_among_them_gives_what_it_gives_alone(corpus, done, tmp_path):
    (video,), _ = discovery.find(str(corpus / "sound" / "film.mp4"))
    (film,) = [
        row
        for film, content in rows(done, "keyframes").items()
        if film == "sound-film"
        for row in stage_outputs.only(Video, content)
    ]
    alone, rejects = extract_keyframes(film, scan_film(film.uri), KeyframesConfig(), str(tmp_path))
    assert rejects == []
    selected = stage_outputs.only(Keyframe, rows(done, "selection")["sound-film"])
    assert [replace(keyframe, series="sound") for keyframe in alone] == selected
    assert probe(video).duration == film.duration == 3.0


@pytest.mark.slow
def test_nothing_is_written_outside_of_the_output(corpus, done):
    names = {path.name for path in corpus.parent.iterdir()}
    assert names == {"made", "films", "out"}
    assert not {path for path in listing(corpus) if path.endswith((".jpg", ".jsonl", "harm"))}
    assert not Path("harm").exists()
    assert {path.name for path in done.iterdir()} <= {
        "work",
        "images",
        "rejected",
        "report.html",
        "run.json",
    }


@pytest.mark.slow
def test_a_reject_says_where_a_clock_starts_again_and_what_to_do(corpus, done):
    (reject,) = stage_outputs.only(Reject, rows(done, "keyframes")["shaped-clock-starts-again"])
    assert "its clock starts again after 1.0 s" in reject.detail
    assert "ffmpeg -i FILM -c copy NEW" in reject.detail


@pytest.mark.slow
def test_a_reject_says_that_pictures_are_too_large(corpus, done):
    (reject,) = stage_outputs.only(Reject, rows(done, "keyframes")["shaped-100-million-pixels"])
    assert "its pictures have 10000 x 10000 pixels" in reject.detail


def test_numbers_in_names_are_no_larger_than_what_rows_hold(corpus):
    found, _ = discovery.find(str(corpus / "names"))
    assert all((video.episode or 0) < 10**9 and (video.season or 0) < 10**9 for video in found)


@pytest.mark.parametrize("name", ["frame-in-an-hour.mp4", "frame-in-68-years.mp4"])
def test_clocks_that_tell_of_years_cost_no_memory(corpus, tmp_path, name):
    (video,), _ = discovery.find(str(corpus / "lying" / name))
    found, _ = extract_keyframes(video, scan_film(video.uri), KeyframesConfig(), str(tmp_path))
    assert [keyframe.shot for keyframe in found] == sorted(keyframe.shot for keyframe in found)
    assert {keyframe.shot for keyframe in found} == {0, 1, 2}


def test_a_manifest_that_names_hostile_paths(corpus, tmp_path):
    folder, out = tmp_path / "films", tmp_path / "out"
    folder.mkdir()
    (folder / "good.mp4").write_bytes((corpus / "sound" / "film.mp4").read_bytes())
    (folder / "directory.mp4").mkdir()
    os.mkfifo(folder / "pipe.srt")
    uris = [
        "good.mp4",
        "../../../../../../../../../../etc/passwd",
        "new\nline.mp4",
        "'\".mp4",
        "%00",
        "nul\0.mp4",
        "-i",
        "x" * 5000,
        "\ud800.mp4",
        "directory.mp4",
        ".",
        "file:///etc/passwd",
        "concat:good.mp4",
        "nowhere://x",
    ]
    (folder / "manifest.jsonl").write_text(
        "".join(
            json.dumps({"uri": uri, "subtitles": "pipe.srt" if uri == "good.mp4" else ""}) + "\n"
            for uri in uris
        )
    )
    before = listing(tmp_path)
    found, rejects = discovery.find(str(folder))
    assert [video.id for video in found if "passwd" not in video.uri] == ["good"]
    assert {reject.reason for reject in rejects} == {"missing", "name", "not a file", "scheme"}
    assert len(found) + len([reject for reject in rejects if reject.stage == "video"]) == len(uris)
    for video in found:
        content = find_keyframes(
            Inputs(Film(video, str(out)), {}),
            Job(load(), str(out), output=f"keyframes/{video.id}-0"),
        )
        expected = (3, []) if video.id == "good" else (0, ["unreadable"])
        assert (
            len(stage_outputs.only(Keyframe, content)),
            [row.reason for row in stage_outputs.only(Reject, content)],
        ) == expected, content
    assert all(path.startswith(str(out)) for path in listing(tmp_path) - before)


def test_a_film_is_read_after_the_progress_of_an_earlier_run_has_ended(corpus, tmp_path):
    (video,), _ = discovery.find(str(corpus / "sound" / "film.mp4"))
    film, job = Inputs(Film(video, str(tmp_path)), {}), Job(load(), str(tmp_path), output="a/b-0")
    with progress.display({"keyframes": 1}):
        during = find_keyframes(film, job)
    assert find_keyframes(film, job) == during
    assert len(stage_outputs.only(Keyframe, during)) == 3


@pytest.mark.parametrize("name", ["concat.mp4", "hls.mp4", "hls-far.mp4"])
def test_a_list_of_files_in_a_bucket_opens_none_of_them(corpus, tmp_path, name):
    (tmp_path / name).write_bytes((corpus / "lists" / name).read_bytes())
    (video,), _ = discovery.find(f"file://{tmp_path}/{name}")
    with pytest.raises(VideoError, match="cannot be read as video"):
        probe(video)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"season": "9" * 30}, "season is '9+', not a whole number of at most 9 digits"),
    ],
)
def test_a_manifest_with_values_that_no_row_holds(tmp_path, row, message):
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"uri": "a.mp4", **row}))
    with pytest.raises(SourceError, match=f"line 1: {message}"):
        discovery.find(str(tmp_path))


@root_only
def test_a_film_that_may_not_be_read(corpus):
    with tempfile.TemporaryDirectory() as folder:  # where everybody may look, unlike tmp_path
        os.chmod(folder, 0o755)
        path = Path(folder) / "film.mp4"
        path.write_bytes((corpus / "sound" / "film.mp4").read_bytes())
        path.chmod(0)
        os.seteuid(65534)
        try:
            (video,), _ = discovery.find(folder)
            content = extract_film(video, KeyframesConfig(), folder, "", 1, lambda share: None)
        finally:
            os.seteuid(0)
    (reject,) = stage_outputs.only(Reject, content)
    assert reject.reason == "unreadable" and "Permission denied" in reject.detail


@root_only
def test_a_named_film_in_a_folder_that_may_not_be_listed():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        path.write_bytes(b"film")
        os.chmod(folder, 0o711)
        os.seteuid(65534)
        try:
            (video,), rejects = discovery.find(str(path))
        finally:
            os.seteuid(0)
    assert (video.id, video.subtitles) == ("film", "")
    (reject,) = rejects  # there may be subtitles beside it
    assert (reject.stage, reject.reason) == ("subtitles", "unlisted")


# "late" is a sound file of another film: its line is days after this one's end.
@pytest.mark.parametrize("name", sorted(broken_films.SUBTITLES.keys() - SAID.keys() - {"late"}))
def test_subtitles_that_cannot_be_used_are_an_error_that_says_why(name):
    with pytest.raises(
        SubtitlesError, match=r"no format|no line|no text|encoding|more than 5000 characters"
    ):
        parse(broken_films.SUBTITLES[name])
