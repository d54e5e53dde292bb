"""Runs that are killed, starved and tampered with; the next one makes what it should have made."""

from __future__ import annotations

import json
import random

import pytest

from benchmarks.fault_injection import crashes, injected_faults, pipeline_runs, resume_checks
from pipeline.config import KeyframesConfig
from pipeline.keyframes import select
from pipeline.runtime import stage_outputs, storage
from pipeline.testing.films import make_film, moving, scene
from schemas.rows import Reject, Video


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with pipeline_runs.prepare_experiment(tmp_path_factory.mktemp("bench")) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "seed"),
    [
        (["kill -9 of a worker", "kill -9 of the driver"], 1),
        (["disk full"], 5),
        (["kill -9 before a change", "permission denied", "SIGTERM"], 2),
        (["kill -9 before a change, of another dataset"], 3),
        (["parts spoiled", "answers spoiled", "pictures spoiled", "dataset spoiled"], 4),
    ],
)
def test_what_is_run_again_makes_the_same_bytes_and_only_what_was_missing(
    bench, tmp_path, kinds, seed
):
    try:
        did, wrong, finished = crashes.inject_and_finish(
            bench, tmp_path / "out", kinds, random.Random(seed)
        )
    except injected_faults.NotPossibleHere as error:
        pytest.skip(str(error))
    assert (wrong, finished.wrong, finished.again) == ([], [], []), did


@pytest.mark.slow
def test_a_manifest_is_gone_before_what_it_names_is_replaced(bench, tmp_path):
    out, fewer = tmp_path / "out", tmp_path / "films"
    injected_faults.copy_reference(bench, out)
    fewer.mkdir()
    for name in ("S01E01.mp4", "S01E01.srt"):
        (fewer / name).symlink_to(bench.films / name)
    before = (out / "stories.parquet").read_bytes()
    ended = pipeline_runs.wait_for_end(
        pipeline_runs.start_run(
            bench,
            out,
            pipeline_runs.IN_ONE_PROCESS,
            "--videos",
            str(fewer),
            dying="before:README.md",
        )
    )
    assert ended.code == -9 and (out / "stories.parquet").read_bytes() != before
    assert not (out / "dataset.json").exists()


@pytest.mark.slow
def test_a_run_dies_where_it_is_told_to(bench, tmp_path):
    out = tmp_path / "out"
    ended = pipeline_runs.wait_for_end(
        pipeline_runs.start_run(bench, out, pipeline_runs.IN_ONE_PROCESS, dying="4")
    )
    assert ended.code == -9 and resume_checks.parts_there(bench, out).total() == 0
    assert not (out / "dataset.json").exists()


def test_half_a_stage_output_and_a_file_that_the_manifest_does_not_know_are_found(tmp_path):
    output = tmp_path / "work" / "text" / "a-0123.jsonl"
    stage_outputs.save(str(output), [Reject("text", "a", "text", "THE END")])
    (tmp_path / "README.md").write_text("new")
    (tmp_path / "dataset.json").write_text(
        json.dumps({"files": [{"path": "README.md", "sha256": "of the old one"}]})
    )
    assert resume_checks.find_half_written(tmp_path) == [
        f"{tmp_path}/README.md is not what dataset.json says"
    ]
    output.write_bytes(output.read_bytes()[:-9])
    assert len(resume_checks.find_half_written(tmp_path)) == 2


def test_what_differs_is_named(tmp_path):
    for folder, names in (("first", "abc"), ("second", "bcd")):
        (tmp_path / folder / "work").mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).write_text(name if name != "c" else folder)
        (tmp_path / folder / "work" / "output").write_text(folder)
    assert resume_checks.differing_files(tmp_path / "first", tmp_path / "second") == [
        "a is missing",
        "c differs",
        "d is too much",
    ]


def test_a_full_disk_is_no_fault_of_the_film(tmp_path, monkeypatch):
    """It would be a reject for good, as its stage output may still find room."""

    def full(path: str, data: bytes) -> None:
        raise storage.CannotWrite(f"cannot write {path}: no space left")

    film = make_film(tmp_path / "a.mp4", moving(scene(1), 24))
    monkeypatch.setattr(storage, "write_bytes", full)
    with pytest.raises(storage.CannotWrite):
        select.of_film(
            Video("a", film, "series", "Film"),
            KeyframesConfig(),
            str(tmp_path / "pictures"),
            str(tmp_path / "segments"),
            1,
            lambda share: None,
        )


def test_a_stage_output_does_not_stand_in_for_another(tmp_path):
    stage_outputs.save(str(tmp_path / "a-01.jsonl"), [])
    (tmp_path / "b-02.jsonl").write_bytes((tmp_path / "a-01.jsonl").read_bytes())
    assert stage_outputs.load(str(tmp_path / "a-01.jsonl")) == []
    with pytest.raises(ValueError, match=r"b-02.jsonl is damaged"):
        stage_outputs.load(str(tmp_path / "b-02.jsonl"))
