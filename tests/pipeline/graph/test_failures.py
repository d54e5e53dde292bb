"""An unexpected error of a stage costs the film it comes from, in this run, and nothing else."""

import dataclasses
import errno
import functools
from pathlib import Path

import av
import pyarrow.parquet as pq
import pytest

from pipeline.config import load
from pipeline.dataset.verify import verify
from pipeline.graph import failures, run, stages
from pipeline.inference.protocol import Refused
from pipeline.ingest import discovery
from pipeline.runtime import storage
from pipeline.runtime.stage_outputs import Film
from pipeline.testing.films import make_film, shots
from schemas.rows import Video
from tests.pipeline.comparing import digests
from tests.pipeline.runs import IN_MEMORY, copied, scripted_models
from tests.pipeline.scripted import Scripted, said

ERRORS = {  # by the film that brings it about
    "a-value": ValueError("half a surrogate: \ud800"),
    "b-runtime": RuntimeError("cannot"),
    "c-memory": MemoryError(),
    "d-unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "e-decoder": av.error.InvalidDataError(errno.EINVAL, "invalid data", "film.mp4"),
}
KINDS = {"keyframes": "video", "text": "video", "dialogue": "subtitles", "selection": "video"}
KINDS |= {"copies": "video", "named": "cast", "captions": "caption", "stories": "story"}
CONFIG = ("quality.min_grounding=null", "stories.shortest=2", "keyframes.every=0.5")


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two films of the series "good", one of each series that brings an error about."""
    folder = tmp_path_factory.mktemp("films")
    names = ["good/1.mp4", "good/2.mp4", *(f"{id_.replace('-', '/')}.mp4" for id_ in ERRORS)]
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        make_film(folder / name, shots(3, 12, seed=100 * seed))
    return folder


@pytest.fixture(scope="module")
def whole(films, tmp_path_factory) -> Path:
    """The dataset of all films, without any error."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert make(films, out) == 0
    return out


@pytest.fixture(scope="module")
def good(films, tmp_path_factory) -> Path:
    """The dataset of the films without errors."""
    out = tmp_path_factory.mktemp("good") / "out"
    assert make(films / "good", out) == 0
    return out


def make(films, out, **options) -> int:
    found, rejects = discovery.find(str(films))
    if films.name == "good":  # the same ids as below the folder of all
        found = [dataclasses.replace(film, id=f"good-{film.id}") for film in found]
    with scripted_models(Scripted(said)):
        return run.run(found, rejects, load("", CONFIG), str(out), IN_MEMORY, **options)


def failing(function, errors, inputs, *rest):
    """Calls the function of a stage, and raises the error of a film among its inputs."""
    for film in inputs if isinstance(inputs, list) else [inputs]:
        if error := errors.get(film.film.video.id):
            raise error
    return function(inputs, *rest)


def replaced(name: str, **fields):
    return [
        dataclasses.replace(stage, **fields) if stage.name == name else stage
        for stage in stages.STAGES
    ]


def stage_with(name: str, part: str, errors) -> list:
    """The stages, in one of which a function fails on some films."""
    (stage,) = (stage for stage in stages.STAGES if stage.name == name)
    if part in ("run", "files"):
        fails = functools.partial(failing, getattr(stage, part), errors)
        return replaced(name, **{part: fails})
    fails = functools.partial(failing, getattr(stage.segmented, part), errors)
    return replaced(name, segmented=dataclasses.replace(stage.segmented, **{part: fails}))


def rows(out: Path, table: str, films: str) -> list[dict]:
    """The rows of some films, without the side of the split, which other films decide too."""
    return [
        {key: value for key, value in row.items() if key not in ("split", "uri")}
        for row in pq.read_table(out / f"{table}.parquet").to_pylist()
        if row.get("video", row.get("id")).startswith(films)
    ]


def rejects(out: Path) -> list[tuple[str, str, str]]:
    return [
        (row["stage"], row["reason"], row["video"])
        for row in pq.read_table(out / "rejects.parquet").to_pylist()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("stage", stages.names())
def test_an_error_in_any_stage_leaves_the_other_films_whole(
    stage, films, whole, good, tmp_path, monkeypatch
):
    out = copied(whole, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(stages, "STAGES", tuple(stage_with(stage, "run", ERRORS)))
        # Most films fail here, so that the run, though it went through, says so.
        assert make(films, out, force=[stage]) == run.TOO_MANY_REJECTS
    kind = KINDS.get(stage, stage)
    assert [row for row in rejects(out) if row[1] == "failed"] == [
        (kind, "failed", film) for film in ERRORS
    ]
    for table in ("videos", "keyframes", "captions", "stories", "rejects"):
        assert rows(out, table, "good") == rows(good, table, "good"), table
    assert len(list((out / "work/failures").iterdir())) == len(ERRORS)
    assert not verify(str(out)).counts
    make(films, out)  # without the error: what failed was not kept
    assert digests(out) == digests(whole)
    assert not (out / "work/failures").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "part"),
    [("keyframes", "files"), ("dialogue", "files"), ("keyframes", "split")],
)
def test_errors_before_a_stage_begins_are_its_own(stage, part, films, whole, tmp_path, monkeypatch):
    out = copied(whole, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(stages, "STAGES", tuple(stage_with(stage, part, ERRORS)))
        make(films, out, force=[stage])
    failed = {film for _, reason, film in rejects(out) if reason == "failed"}
    assert failed == (set() if part == "split" else {*ERRORS})  # unsplit, a film is done whole
    make(films, out)
    assert digests(out) == digests(whole)


@pytest.mark.slow
def test_an_episode_that_fails_in_selection_costs_its_series_nothing(
    films, whole, good, tmp_path, monkeypatch
):
    out = copied(whole, tmp_path / "out")
    errors = {"good-2": ValueError("no")}
    with monkeypatch.context() as patch:
        patch.setattr(stages, "STAGES", tuple(stage_with("selection", "run", errors)))
        make(films, out, force=["selection"])
    assert ("video", "failed", "good-2") in rejects(out)
    assert rows(out, "keyframes", "good-2") == []
    assert rows(out, "keyframes", "good-1") == rows(whole, "keyframes", "good-1")


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        (Refused("the key is refused"), True),
        (storage.CannotWrite("the disk is full"), True),
        (ImportError("no module named torch"), True),
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), True),
        (PermissionError(errno.EACCES, "Permission denied", "/out/work/text/a.jsonl"), True),
        (FileNotFoundError(errno.ENOENT, "No such file", "/out/images/a/1.jpg"), True),
        (PermissionError(errno.EACCES, "Permission denied", "/films/a.mp4"), False),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out", "/films/a.mp4"), True),
        (av.error.InvalidDataError(errno.EINVAL, "invalid data", "/films/a.mp4"), False),
        (MemoryError(), False),
        (KeyError("codec"), False),
    ],
)
def test_what_every_film_would_meet_stops_the_run(error, stops):
    film = Film(Video("a", "/films/a.mp4", "A", "a"), "/out/work")
    assert failures.stops_run(error, film, "/out") is stops


def test_a_failure_is_told_in_one_line_of_plain_text():
    film = Film(Video("a", "/films/a.mp4", "A", "a"), "/out/work")
    error = ValueError("line one\nline two \ud800" + "x" * 10_000)
    (video, reject) = failures.rows(stages.STAGES[0], film, error)
    assert video == film.video and reject.key == "/films/a.mp4"
    assert "ValueError: line one line two \\ud800xxx" in reject.detail
    assert len(reject.detail) < 700 and "\n" not in reject.detail
