"""What a run says at its end."""

import shlex

import pytest

from pipeline.config import load
from pipeline.graph import summary
from schemas.rows import Reject

MANIFEST = {
    "counts": {"videos": 4, "keyframes": 1234, "stories": 1, "chunks": 12, "rejects": 40},
    "splits": {"train": {"stories": 1, "videos": 3}, "val": {"stories": 0, "videos": 1}},
}
COMMAND = ["python", "-m", "pipeline", "dataset", "--videos", "my films", "--out", "data/out"]


def stage(name: str, seconds: float, **figures) -> dict:
    return {
        "name": name,
        "done": 4,
        "reused": 0,
        "seconds": seconds,
        "calls": 0,
        "cost": 0.0,
        **figures,
    }


def record(*stages, **figures) -> dict:
    return {"seconds": 80.0, "stages": list(stages), **figures}


def rejects(number: int, stage: str, reason: str) -> list[Reject]:
    return [Reject(stage, str(key), reason, "detail") for key in range(number)]


def test_it_says_what_came_out_and_where_to_look():
    lines = summary.lines(MANIFEST, record(stage("text", 2.0)), [], load(), "data/out")
    assert lines[:5] == [
        "4 films, 1,234 keyframes, 1 story, 12 chunks",
        "  train: 1 story of 3 films; val: 0 stories of 1 film",
        "  look at data/out/report.html",
        "  curate: storystream review data/out",
        "left out: nothing",
    ]


def test_it_says_what_was_left_out_by_kind_with_the_commonest_reasons():
    left_out = [
        *rejects(9, "keyframe", "duplicate"),
        *rejects(7, "keyframe", "black"),
        *rejects(3, "keyframe", "credits"),
        *rejects(2, "keyframe", "blurred"),
        *rejects(1, "video", "unreadable"),
    ]
    lines = summary.lines(MANIFEST, record(), left_out, load(), "out")
    start = lines.index("left out (rejects.parquet has a reason for each):")
    assert lines[start + 1 : start + 3] == [
        "  keyframe        21  duplicate 9, black 7, credits 3, 1 other reason",
        "  video            1  unreadable 1",
    ]


def test_it_says_what_each_stage_cost_and_sums_up_small_ones():
    stages = [
        stage("keyframes", 50.0, cpu_user=44.0, cpu_system=2.5),
        stage("text", 0.1, cpu_user=0.1, cpu_system=0.0),
        stage("dialogue", 0.2, cpu_user=0.2, cpu_system=0.0),
        stage("captions", 20.0, cpu_user=1.0, cpu_system=0.5, calls=124, cost=1.25),
        stage("stories", 0.0, done=0, cpu_user=0.0, cpu_system=0.0),
    ]
    lines = summary.lines(
        MANIFEST,
        record(*stages, cpu_user=60.0, cpu_system=5.0),
        [],
        load("", ["captioner=openai:eyes"]),
        "out",
    )
    start = next(number for number, line in enumerate(lines) if line.startswith("took"))
    assert lines[start : start + 5] == [
        "took               done  reused  seconds  CPU user  system    calls     cost",
        "keyframes             4       0     50.0      44.0     2.5        0     0.00",
        "captions              4       0     20.0       1.0     0.5      124     1.25",
        "2 others                             0.3       0.3     0.0        0     0.00",
        "all, with start                     80.0      60.0     5.0      124     1.25",
    ]


def test_a_record_without_cpu_time_has_no_column_for_it():
    lines = summary.lines(MANIFEST, record(stage("text", 2.0)), [], load(), "out")
    assert "took               done  reused  seconds" in lines


def test_the_line_to_type_for_a_real_model_keeps_this_run_s_own_options():
    lines = summary.lines(MANIFEST, record(), [], load(), "out", COMMAND)
    typed = "\n".join(lines[lines.index("next:") + 3 :]).replace("\\\n", " ")
    assert "vLLM" in "".join(lines)
    assert shlex.split(typed) == [
        *COMMAND,
        "--captioner",
        "openai:MODEL@http://localhost:8000/v1",
        "--writer",
        "openai:MODEL@http://localhost:8000/v1",
    ]


def test_with_real_models_and_no_rejected_film_there_is_nothing_to_try():
    config = load("", ["captioner=openai:a", "writer=openai:b"])
    assert "next:" not in summary.lines(MANIFEST, record(), [], config, "out", COMMAND)


def test_what_to_do_about_films_that_were_rejected():
    config = load("", ["captioner=openai:a", "writer=openai:b"])
    lines = summary.lines(
        MANIFEST, record(), rejects(2, "video", "unreadable"), config, "out", COMMAND
    )
    assert lines[lines.index("next:") + 1 :] == [
        "  2 films unreadable: see whether they play; re-encode those that do: ffmpeg -i",
        "  FILE OUT.mp4",
        "  then the same command: what is done is kept",
    ]


@pytest.mark.parametrize("folder", ["out", "gs://a-bucket/with/a/long/path/to/the/dataset"])
def test_it_is_at_most_30_lines_of_80_columns(folder):
    names = ("keyframes", "text", "dialogue", "selection", "captions", "characters")
    stages = [
        stage(name, 1e6, cpu_user=1e6, cpu_system=1e5, calls=10**6, cost=1e4, done=27_000)
        for name in (*names, "stories", "quality", "shards", "publish")
    ]
    left_out = [
        reject
        for kind in ("video", "subtitles", "keyframe", "caption", "characters", "story", "speech")
        for reason in range(5)
        for reject in rejects(2, kind, f"a reason of many words {reason}")
    ]
    command = [*COMMAND, "--config", "a/long/name/of/settings.yaml", "--set", "keyframes.every=3"]
    lines = summary.lines(
        MANIFEST,
        record(*stages, cpu_user=1e6, cpu_system=1e5),
        left_out,
        load("", ["captioner=openai:eyes"]),
        folder,
        command,
    )
    assert len(lines) < 30  # the one before them is empty
    assert max(map(len, lines)) <= 80
