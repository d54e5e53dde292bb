import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pandas
import pyarrow.parquet as pq
import pytest
import webdataset

from pipeline import sample
from pipeline.config import load
from pipeline.graph import run
from pipeline.graph.stages import names as stage_names
from pipeline.ingest import discovery
from pipeline.testing.films import make_film, scene, shots, still
from schemas.rows import Keyframe, Story, from_table
from tests.pipeline.comparing import digests
from tests.pipeline.runs import IN_MEMORY, copied, scripted_models
from tests.pipeline.scripted import TEXTS, Scripted, said


@pytest.fixture
def scripted():
    """The captioner and the writer: what they are asked is in `keys`."""
    with scripted_models(Scripted(said)) as backend:
        yield backend


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two episodes of a series with the same two shots first, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("films")
    intro = shots(2, 20, seed=100)
    for episode in (1, 2):
        make_film(folder / f"S01E0{episode}.mp4", [*intro, *shots(12, 16, seed=1000 * episode)])
    (folder / "S01E01.srt").write_text("1\n00:00:02,000 --> 00:00:03,000\nPip: Hello!\n")
    (folder / "S01E03.mp4").write_bytes(b"this is no film" * 100)
    return folder


@pytest.fixture(scope="module")
def made(films, tmp_path_factory) -> Path:
    """The dataset of the films, to look at; `again` is for tests that change it."""
    out = tmp_path_factory.mktemp("made") / "out"
    with scripted_models(Scripted(said)):
        assert make(films, out) == 0
    return out


@pytest.fixture
def again(made, tmp_path) -> Path:
    """The same dataset, of a test's own."""
    return copied(made, tmp_path / "again")


def make(films, out, settings=(), beam=IN_MEMORY, **options) -> int:
    return run.run(*discovery.find(str(films)), config(*settings), str(out), beam, **options)


def config(*settings):
    """The defaults, but for what the scripted writer's texts cannot hold: it knows no pictures."""
    return load("", ["quality.min_grounding=null", *settings])


def rejects(out: Path) -> list[tuple[str, str, str]]:
    return [
        (row["stage"], row["reason"], row["video"])
        for row in pq.read_table(out / "rejects.parquet").to_pylist()
    ]


def test_films_become_a_dataset(made):
    manifest = json.loads((made / "dataset.json").read_text())
    assert manifest["counts"] == {
        "videos": 3,
        "keyframes": 24,
        "stories": 2,
        "chunks": 2,
        "rejects": 5,
    }
    assert sorted(rejects(made)) == [
        ("keyframe", "recurring", "S01E01"),
        ("keyframe", "recurring", "S01E01"),
        ("keyframe", "recurring", "S01E02"),
        ("keyframe", "recurring", "S01E02"),
        ("video", "unreadable", "S01E03"),
    ]
    for file in manifest["files"]:
        content = (made / file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            file["bytes"],
            file["sha256"],
        ), file["path"]
    keyframes = from_table(pq.read_table(made / "keyframes.parquet"), Keyframe)
    for keyframe in keyframes:
        content = (made / keyframe.image).read_bytes()
        assert hashlib.sha256(content).hexdigest() == keyframe.sha256
    assert [line for keyframe in keyframes for line in keyframe.dialogue] == ["Pip: Hello!"]
    assert len(list((made / "images").rglob("*.jpg"))) == 24


def test_stories_stand_in_film_order_with_their_own_pictures(made):
    for story in from_table(pq.read_table(made / "stories.parquet"), Story):
        times = [image.rpartition("_")[2] for image in story.images]
        assert len(times) == 12 and story.orders == list(range(12)) and not story.complete
        assert story.captions == list(TEXTS[:12])
        for image, description in zip(story.images, story.descriptions, strict=True):
            assert description == f"A picture called {Path(image).stem}."


def test_what_is_written_is_read_back_by_the_usual_libraries(made, tmp_path):
    chunks = datasets.load_dataset(
        "webdataset",
        data_files={side: str(made / f"shards/{side}-*.tar") for side in ("train", "val")},
        cache_dir=str(tmp_path / "cache"),
    )
    assert {side: len(chunks[side]) for side in chunks} == {"train": 1, "val": 1}
    assert chunks["train"][0]["00.jpg"].size == (320, 180)
    (sample_,) = webdataset.WebDataset(
        str(made / "shards/val-00000-of-00001.tar"), shardshuffle=False
    ).decode("rgb8")
    lines = [
        json.loads(line) for line in (made / "images/val_chunks.jsonl").read_text().splitlines()
    ]
    assert [sample_["json"]["captions"]] == [line["captions"] for line in lines]
    first = made / "images" / lines[0]["images"][0]
    assert np.array_equal(sample_["00.jpg"].shape, (180, 320, 3)) and first.exists()
    assert list(pandas.read_parquet(made / "stories.parquet")["complete"]) == [False, False]


def test_two_runs_give_the_same_bytes(films, made, scripted, tmp_path):
    assert make(films, tmp_path) == 0
    assert digests(tmp_path) == digests(made)


def test_a_second_run_does_nothing_again(films, scripted, again):
    before = digests(again)
    make(films, again)
    assert scripted.asked == []
    assert digests(again) == before
    stages_ = json.loads((again / "run.json").read_text())["stages"]
    assert [(stage["name"], stage["done"], stage["reused"]) for stage in stages_] == [
        *((name, 0, 3) for name in stage_names()),
        ("shards", 0, 2),
        ("publish", 1, 0),
    ]


def test_another_writer_keeps_the_captions(films, scripted, again):
    make(films, again, ["writer=openai:another"])
    assert scripted.asked and not any("_keyframe_" in key for key in scripted.keys)


@pytest.mark.slow
def test_a_film_that_is_gone_leaves_the_dataset(films, scripted, tmp_path):
    some = tmp_path / "films"
    some.mkdir()
    for name in ("S01E01.mp4", "S01E02.mp4"):
        (some / name).symlink_to(films / name)
    make(some, tmp_path / "out")
    (some / "S01E02.mp4").unlink()
    make(some, tmp_path / "out")
    folders = {path.name for path in (tmp_path / "out/images").iterdir() if path.is_dir()}
    assert folders == {"S01E01"}
    assert not list((tmp_path / "out/shards").glob("val-*"))
    make(some, tmp_path / "fresh")
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


def stages_of(out: Path) -> dict[str, tuple[int, int]]:
    """How many films or shards each stage of the last run did, and how many it reused."""
    return {
        stage["name"]: (stage["done"], stage["reused"])
        for stage in json.loads((out / "run.json").read_text())["stages"]
    }


@pytest.mark.slow
def test_films_that_come_and_go_are_worked_on_alone(films, scripted, tmp_path):
    some, out = tmp_path / "films", tmp_path / "out"
    for series in ("a", "b", "c", "d"):
        (some / series).mkdir(parents=True)
        make_film(some / series / "film.mp4", shots(12, 16, seed=100 * ord(series)))
    small = ["output.shard_megabytes=0.01", "output.val_share=0.4"]  # a shard a story
    (some / "b" / "film.mp4").rename(tmp_path / "b.mp4")
    make(some, out, small)
    assert stages_of(out)["shards"] == (3, 0)
    (tmp_path / "b.mp4").rename(some / "b" / "film.mp4")
    scripted.asked.clear()
    make(some, out, small)
    assert scripted.asked and all(key.startswith("b") for key in scripted.keys)
    assert stages_of(out) == {
        **dict.fromkeys((*stage_names(), "shards"), (1, 3)),
        "copies": (4, 0),  # which looks at all films
        "publish": (1, 0),
    }
    (some / "a" / "film.mp4").unlink()
    make(some, out, small)
    assert stages_of(out) == {
        **dict.fromkeys((*stage_names(), "shards"), (0, 3)),
        "copies": (3, 0),
        "publish": (1, 0),
    }
    make(some, tmp_path / "fresh", small)
    assert digests(out) == digests(tmp_path / "fresh")
    assert {path.name for path in (out / "images").iterdir() if path.is_dir()} == {
        "b-film",
        "c-film",
        "d-film",
    }


@pytest.mark.slow
def test_an_episode_is_captioned_alone_and_then_its_series_has_one_cast(films, scripted, tmp_path):
    # Where nobody is looked for: who is seen may change with every episode, and captions with it.
    some, out = tmp_path / "films", tmp_path / "out"
    some.mkdir()
    for episode in (1, 2):
        make_film(some / f"S01E0{episode}.mp4", shots(12, 16, seed=100 * episode))
    (some / "S01E02.mp4").rename(tmp_path / "S01E02.mp4")
    make(some, out, ["cast.figures=none"])
    (tmp_path / "S01E02.mp4").rename(some / "S01E02.mp4")
    scripted.asked.clear()
    make(some, out, ["cast.figures=none"])
    assert stages_of(out)["captions"] == (1, 1)
    assert not any(key.startswith("S01E01_keyframe") for key in scripted.keys)
    assert "films_characters" in scripted.keys


@pytest.mark.slow
def test_only_a_shard_that_is_damaged_or_forced_is_written_again(films, scripted, again):
    before = digests(again)
    shard = again / "shards/val-00000-of-00001.tar"
    shard.write_bytes(shard.read_bytes()[:-1])
    make(films, again)
    assert stages_of(again)["shards"] == (1, 1)
    make(films, again, force=["S01E01"])
    assert stages_of(again)["shards"] == (1, 1)
    make(films, again, force=["quality"])
    assert stages_of(again)["shards"] == (2, 0)
    assert digests(again) == before


@pytest.mark.slow
def test_a_damaged_picture_stops_the_run_until_its_film_is_done_again(films, scripted, again):
    before = digests(again)
    picture = sorted((again / "images/S01E01").iterdir())[0]
    data, times = bytearray(picture.read_bytes()), picture.stat()
    data[len(data) // 2] ^= 1
    picture.write_bytes(data)
    os.utime(picture, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a failing disk would do it
    with pytest.raises(Exception, match=rf"{picture.name} has other bytes .*--force S01E01 makes"):
        make(films, again, force=["quality"])
    assert not (again / "dataset.json").exists()
    make(films, again, force=["S01E01"])
    assert digests(again) == before


def test_files_that_go_away_after_they_were_found_stop_nothing(films, scripted, tmp_path):
    some = tmp_path / "films"
    some.mkdir()
    for name in ("S01E01.mp4", "S01E01.srt", "S01E02.mp4"):
        (some / name).write_bytes((films / name).read_bytes())
    found, found_rejects = discovery.find(str(some))
    (some / "S01E02.mp4").unlink()
    (some / "S01E01.srt").unlink()
    assert run.run(found, found_rejects, config(), str(tmp_path / "out"), IN_MEMORY) == 0
    assert sorted(rejects(tmp_path / "out")) == [
        ("subtitles", "unreadable", "S01E01"),
        ("video", "unreadable", "S01E02"),
    ]


def test_a_dataset_without_stories_is_an_error(films, scripted, tmp_path, capsys):
    bad = tmp_path / "films"
    bad.mkdir()
    make_film(bad / "a.mp4", still(np.zeros_like(scene(1)), 24))
    (bad / "b.mp4").write_bytes(b"no film")
    assert make(bad, tmp_path / "out") == run.NO_STORIES
    err = capsys.readouterr().err
    assert "The dataset has no stories" in err and "most frequent reason is video: " in err
    assert {reason for _, reason, _ in rejects(tmp_path / "out")} >= {"unreadable", "no keyframes"}


def test_too_many_rejected_films_are_an_error(films, scripted, again):
    assert make(films, again, ["reject_limit=0.3"]) == run.TOO_MANY_REJECTS


def test_stopping_early_leaves_what_was_made(films, scripted, tmp_path):
    assert make(films, tmp_path, until="keyframes") == 0
    assert len(list((tmp_path / "work/keyframes").iterdir())) == 3
    assert not (tmp_path / "dataset.json").exists()
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("stage", "counts"),
    [
        ("keyframes", {"keyframes": 28, "stories": 0, "chunks": 0, "rejects": 1}),
        ("selection", {"keyframes": 24, "stories": 0, "chunks": 0, "rejects": 5}),
        ("stories", {"keyframes": 24, "stories": 2, "chunks": 2, "rejects": 5}),
        ("quality", {"keyframes": 24, "stories": 2, "chunks": 2, "rejects": 5}),
    ],
)
def test_a_run_that_stops_early_says_what_there_is_as_a_whole_one_does(
    films, scripted, made, tmp_path, stage, counts, capsys
):
    out = copied(made, tmp_path / "out")
    before = digests(out)
    assert make(films, out, until=stage) == 0
    said = capsys.readouterr().out
    assert (
        f"3 films, {counts['keyframes']} keyframes, " in said and f"stopped after {stage}" in said
    )
    assert "video            1  unreadable 1" in said
    assert "left out (work/until/rejects.parquet has a reason for each)" in said
    manifest = json.loads((out / "work/until/dataset.json").read_text())
    assert manifest["counts"] == {"videos": 3, **counts}
    table = rejects(out / "work/until")
    assert ("video", "unreadable", "S01E03") in table and len(table) == counts["rejects"]
    page = (out / "report.html").read_text()
    assert f"stopped after the stage {stage}" in page and "S01E03.mp4" in page
    record = json.loads((out / "run.json").read_text())
    assert {figures["name"]: figures["reused"] for figures in record["stages"]}[stage] == 3
    assert digests(out) == before  # a finished dataset stays one
    assert make(films, out) == 0
    assert not (out / "work/until").exists()


def test_stopping_early_without_any_keyframe_is_an_error(films, scripted, tmp_path, capsys):
    bad = tmp_path / "films"
    bad.mkdir()
    (bad / "b.mp4").write_bytes(b"no film")
    assert make(bad, tmp_path / "out", until="keyframes") == run.NO_STORIES
    assert "The dataset has no keyframes" in capsys.readouterr().err


@pytest.mark.slow
def test_worker_processes_and_the_embedded_models_give_what_one_process_gives(tmp_path):
    sample.draw(str(tmp_path / "sample"), episodes=2, shots=11)
    several = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline",
            "dataset",
            "--videos",
            str(tmp_path / "sample"),
            "--out",
            str(tmp_path / "several"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert several.returncode == 0, several.stderr
    assert "Traceback" not in several.stderr and "WARNING" not in several.stderr
    assert "2 films" in several.stdout and "report.html" in several.stdout
    run.run(*discovery.find(str(tmp_path / "sample")), load(), str(tmp_path / "single"), IN_MEMORY)
    assert digests(tmp_path / "several") == digests(tmp_path / "single")


def test_a_picture_that_was_edited_in_place_is_made_again(films, again, made, scripted):
    """It is a hard link to the file that the next run starts from."""
    picture = next((again / "images/S01E01").iterdir())
    data = bytearray(picture.read_bytes())
    data[len(data) // 2] ^= 255
    with picture.open("r+b") as file:  # the same size, and the same file as in work/
        file.write(data)
    assert make(films, again) == 0
    assert digests(again) == digests(made)
    assert scripted.keys == []


def test_what_killed_runs_have_left_is_swept_by_the_next(films, again, scripted):
    left = [
        again / "images/S01E01" / f"x.jpg.{'0' * 32}.tmp",
        again / "work/keyframes" / f"y.jsonl.{'1' * 32}.tmp",
    ]
    for path in left:
        path.write_bytes(b"cut short")
    assert make(films, again, until="keyframes") == 0
    assert not any(path.exists() for path in left)
