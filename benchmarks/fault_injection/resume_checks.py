"""Checks what a run left behind, and what the next run redid."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from benchmarks.fault_injection.pipeline_runs import (
    IN_ONE_PROCESS,
    Experiment,
    RunEnd,
    start_run,
    wait_for_end,
)
from pipeline.graph.stages import names as stage_names
from pipeline.inference import response_cache
from pipeline.runtime import stage_outputs

RUN_RECORDS = {"run.json", "report.html"}  # files of the dataset folder that describe the run


class FinishedRun(NamedTuple):
    """What the run after a fault did."""

    ended: RunEnd
    wrong: list[str]  # how the dataset differs from the undisturbed one
    again: list[str]  # what was made or asked that was there, or not made that was missing
    reused: float  # share of the parts that were there


def finish_run(experiment: Experiment, out: Path, *more: str) -> FinishedRun:
    """Runs the command once more and compares its result, and its work, with what was expected."""
    there, asked = parts_there(experiment, out), len(experiment.server.asked)
    missing = sum(not _is_cached(out, name) for name in cached_answers(experiment.whole))
    ended = wait_for_end(start_run(experiment, out, *(more or [IN_ONE_PROCESS])))
    if ended.code:
        return FinishedRun(ended, [f"exit code {ended.code}: {ended.said[-500:]}"], [], 0.0)
    again = []
    did = {stage["name"]: stage for stage in json.loads((out / "run.json").read_text())["stages"]}
    for name, stage in ((name, did[name]) for name in stage_names()):
        wanted = len(part_names(experiment.whole, name))
        if (stage["done"], stage["reused"]) != (wanted - there[name], there[name]):
            again.append(
                f"{name}: {there[name]} of {wanted} parts were there, {stage['done']} "
                f"were made and {stage['reused']} reused"
            )
    asked = len(experiment.server.asked) - asked
    if asked > missing:
        again.append(f"{asked} questions were asked, {missing} answers were missing")
    return FinishedRun(
        ended,
        differing_files(experiment.whole, out),
        again,
        there.total() / sum(len(part_names(experiment.whole, name)) for name in stage_names()),
    )


def differing_files(reference: Path, other: Path) -> list[str]:
    """Lists how the files of another dataset differ from those of one."""
    wanted, made = _digests(reference), _digests(other)
    return [
        f"{name} {'differs' if name in wanted and name in made else 'is missing'}"
        if name in wanted
        else f"{name} is too much"
        for name in sorted(wanted.keys() | made.keys())
        if wanted.get(name) != made.get(name)
    ]


def _digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file() and path.relative_to(out).parts[0] not in {"work", *RUN_RECORDS}
    }


def part_names(out: Path, stage: str) -> list[str]:
    """Lists the output files of a stage, relative to `out`."""
    return sorted(f"work/{stage}/{path.name}" for path in (out / "work" / stage).glob("*.jsonl"))


def parts_there(experiment: Experiment, out: Path) -> Counter[str]:
    """Counts the outputs of each stage that the next run into `out` finds done."""
    return Counter(
        {
            stage: sum(
                same_content(experiment.whole / name, out / name)
                and (
                    stage != "keyframes"
                    or _with_pictures(
                        experiment.whole / "work" / "pictures" / Path(name).stem,
                        out / "work" / "pictures" / Path(name).stem,
                    )
                )
                for name in part_names(experiment.whole, stage)
            )
            for stage in stage_names()
        }
    )


def same_content(file: Path, other: Path) -> bool:
    """Tells whether two files exist and have the same content."""
    return other.exists() and file.read_bytes() == other.read_bytes()


def _with_pictures(folder: Path, other: Path) -> bool:
    return all(
        same_content(path, other / path.relative_to(folder)) for path in folder.rglob("*.jpg")
    )


def cached_answers(out: Path) -> list[str]:
    """Lists the files of all cached answers, relative to `out`."""
    return sorted(str(path.relative_to(out)) for path in out.glob("work/answers/*/*.json"))


def _is_cached(out: Path, answer: str) -> bool:
    return response_cache.load(str(out / "work"), Path(answer).stem) is not None


def find_half_written(out: Path) -> list[str]:
    """Lists what is half-written in a folder: stage outputs, answers, and files that a manifest
    names."""
    found = []
    for path in out.glob("work/*/*.jsonl"):
        try:
            stage_outputs.load(str(path))
        except ValueError as error:
            found.append(str(error))
    found += [f"{name} is damaged" for name in cached_answers(out) if not _is_cached(out, name)]
    if (out / "dataset.json").exists():
        for file in json.loads((out / "dataset.json").read_bytes())["files"]:
            path = out / file["path"]
            if not path.exists() or file["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
                found.append(f"{path} is not what dataset.json says")
    return found
