"""Runs that are killed, starved and tampered with; the next one makes what it should have made."""

from __future__ import annotations

import json
import random

import pytest

from benchmarks.fault_injection import crashes, injected_faults, pipeline_runs, resume_checks
from pipeline.runtime import stage_outputs
from schemas.rows import Reject


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
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
        (["stage outputs damaged", "answers damaged", "pictures damaged", "dataset damaged"], 4),
    ],
)
def test_what_is_run_again_makes_the_same_bytes_and_only_what_was_missing(
    experiment, tmp_path, kinds, seed
):
    try:
        did, wrong, finished = crashes.inject_and_finish(
            experiment, tmp_path / "out", kinds, random.Random(seed)
        )
    except injected_faults.NotPossibleHere as error:
        pytest.skip(str(error))
    assert (wrong, finished.wrong, finished.again) == ([], [], []), did


@pytest.mark.slow
def test_a_manifest_is_gone_before_what_it_names_is_replaced(experiment, tmp_path):
    out, fewer = tmp_path / "out", tmp_path / "films"
    injected_faults.copy_reference(experiment, out)
    fewer.mkdir()
    for name in ("S01E01.mp4", "S01E01.srt"):
        (fewer / name).symlink_to(experiment.films / name)
    before = (out / "stories.parquet").read_bytes()
    ended = pipeline_runs.wait_for_end(
        pipeline_runs.start_run(
            experiment,
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
def test_a_run_dies_where_it_is_told_to(experiment, tmp_path):
    out = tmp_path / "out"
    ended = pipeline_runs.wait_for_end(
        pipeline_runs.start_run(experiment, out, pipeline_runs.IN_ONE_PROCESS, dying="4")
    )
    assert ended.code == -9 and resume_checks.parts_there(experiment, out).total() == 0
    assert not (out / "dataset.json").exists()


def test_half_a_part_and_a_file_that_the_manifest_does_not_know_are_found(tmp_path):
    part = tmp_path / "work" / "text" / "a-0123.jsonl"
    stage_outputs.save(str(part), [Reject("text", "a", "text", "THE END")])
    (tmp_path / "README.md").write_text("new")
    (tmp_path / "dataset.json").write_text(
        json.dumps({"files": [{"path": "README.md", "sha256": "of the old one"}]})
    )
    assert resume_checks.find_half_written(tmp_path) == [
        f"{tmp_path}/README.md is not what dataset.json says"
    ]
    part.write_bytes(part.read_bytes()[:-9])
    assert len(resume_checks.find_half_written(tmp_path)) == 2


def test_what_differs_is_named(tmp_path):
    for folder, names in (("one", "abc"), ("other", "bcd")):
        (tmp_path / folder / "work").mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).write_text(name if name != "c" else folder)
        (tmp_path / folder / "work" / "part").write_text(folder)
    assert resume_checks.differing_files(tmp_path / "one", tmp_path / "other") == [
        "a is missing",
        "c differs",
        "d is too much",
    ]
