"""Measures rates: time and bytes per keyframe or minute of film, model calls per keyframe.

`BUILT_IN` was measured on the machine on which the project was developed. `of_dataset` computes the
same rates for any dataset, from its `run.json`, its `dataset.json` and the sizes of its files. What
these do not contain stays as built in; `Rates.source` says where each rate is from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.cost import probe
from pipeline.cost.probe import Speed
from pipeline.graph.stages import STAGES, steps
from pipeline.runtime import storage
from schemas import layout

STAGE_IMAGES = f"{layout.WORK}/{layout.PICTURES}"
CACHED_RESPONSES = f"{layout.WORK}/{layout.ANSWERS}"
# Folders of a dataset, by the prefix of their files' paths. A file counts for the first that fits.
FOLDERS = {
    STAGE_IMAGES: "images of keyframes and rejects, as stage outputs",
    CACHED_RESPONSES: "cached model responses, a file each",
    layout.WORK: "other stage outputs",
    layout.IMAGES: "images of the dataset",
    layout.REJECTED: "images of rejects, for the report",
    layout.SHARDS: "WebDataset tars",
    "": "tables, manifest, report",
}
# Folders whose size grows with the pixels of an image.
IMAGE_FOLDERS = (STAGE_IMAGES, layout.IMAGES, layout.REJECTED, layout.SHARDS)


@dataclasses.dataclass(frozen=True)
class ModelRates:
    """Rates of a stage's model calls, per keyframe, with calls that were repeated."""

    model: str  # as `Spec.identity`
    calls: float
    input_tokens: float
    output_tokens: float
    calls_per_second: float | None  # None if no run has timed any


@dataclasses.dataclass(frozen=True)
class Rates:
    """Rates of a dataset. Keyframes are those that the selection has not rejected."""

    size: tuple[int, int]  # width and height of the films
    minutes: float  # per film
    keyframes: float  # per minute of film
    seconds: Mapping[str, float]  # core seconds per keyframe, or per minute (`Stage.per`)
    bytes: Mapping[str, float]  # per keyframe, by FOLDERS
    source: Mapping[str, str]  # where "films", "bytes" and the rates of each stage are from
    models: Mapping[str, ModelRates] = dataclasses.field(default_factory=dict)  # by stage
    # Core seconds per keyframe of the embedded models, where another model was measured.
    embedded: Mapping[str, float] = dataclasses.field(
        default_factory=lambda: {stage.name: stage.seconds for stage in steps()}
    )
    start: float = 8.0  # seconds until the workers run, and after they have ended
    machine: str = "the machine on which the project was developed"  # that was as fast


# Measured on Big Buck Bunny and its trailer, with the embedded models and default settings.
BUILT_IN = Rates(
    size=(1280, 720),
    minutes=22.0,
    keyframes=14.8,
    seconds={stage.name: stage.seconds for stage in steps()},
    bytes={
        STAGE_IMAGES: 248e3,
        CACHED_RESPONSES: 0.0,
        layout.WORK: 3e3,
        layout.IMAGES: 205e3,
        layout.REJECTED: 44e3,
        layout.SHARDS: 205e3,
        "": 0.5e3,
    },
    source=dict.fromkeys(("films", "bytes", *(stage.name for stage in steps())), "built in"),
)
ROLES = {stage.name: stage.role for stage in STAGES}
PER_MINUTE = [stage.name for stage in STAGES if stage.per == "minute"]
# Calls that a server, or a model on a GPU, is assumed to answer: 32 at the same time, in 3 s each.
CALLS_PER_SECOND = 32 / 3
BYTES_PER_RESPONSE = 1000.0  # in the response cache
# Core seconds of this process for a call, and for scaling each million pixels of its images, by
# benchmarks.speed.model_calls with a server that answers immediately.
SECONDS_PER_CALL, SECONDS_PER_MEGAPIXEL = 0.0064, 0.0054


def of_this_machine(out: str = "") -> Rates:
    """Returns rates for a run on this machine: those of the finished dataset in the folder `out`,
    as its runs had them, else the built-in ones, corrected by a probe."""
    if out:
        with contextlib.suppress(OSError, ValueError):
            return of_dataset(out)
    return scaled(BUILT_IN, probe.measure())


def scaled(rates: Rates, speed: Speed) -> Rates:
    """Returns the rates for a machine of another speed."""
    return dataclasses.replace(
        rates,
        seconds={name: seconds * _factor(name, speed) for name, seconds in rates.seconds.items()},
        embedded={name: seconds * _factor(name, speed) for name, seconds in rates.embedded.items()},
        start=rates.start * speed.scan,
        machine=f"this machine, which takes {speed.scan:.1f} times as long to decode, and "
        f"{speed.network:.1f} times for networks, as the one of the built-in rates (by a probe)",
    )


def _factor(stage: str, speed: Speed) -> float:
    return speed.network if stage in ("text", "captions") else speed.scan


def of_dataset(out: str) -> Rates:
    """Measures the rates of a finished dataset.

    Raises OSError if there is none, and ValueError if it has no keyframes or was written by another
    version.
    """
    manifest = _read(storage.join(out, layout.MANIFEST), _Manifest)
    run = _read(storage.join(out, layout.RUN_RECORD), _Run)
    read = [video for video in manifest.videos if video.duration]
    minutes = sum(video.duration for video in read) / 60
    keyframes = manifest.counts.keyframes
    if not keyframes:
        raise ValueError(f"{out} has no keyframes to measure rates with: name another dataset")
    seconds, source = dict(BUILT_IN.seconds), {**BUILT_IN.source, "films": out, "bytes": out}
    models: dict[str, ModelRates] = {}
    for stage in run.stages:
        name, passes = stage.name, _passes(stage, manifest)
        if not passes:
            continue  # its runner does not report figures
        source[name] = out
        model = getattr(manifest.models, ROLES[name]) if ROLES.get(name) else "embedded"
        if model == "embedded":  # else the seconds are of waiting for a server or a GPU
            seconds[name] = (
                _total(stage, "seconds") / passes / (minutes if name in PER_MINUTE else keyframes)
            )
        if ROLES.get(name):
            models[name] = _model_rates(model, stage, max(1.0, passes) * keyframes)
    return Rates(
        size=max((video.width, video.height) for video in read),
        minutes=minutes / len(read),
        keyframes=keyframes / minutes,
        seconds=seconds,
        bytes={place: size / keyframes for place, size in _sizes(out).items()},
        source=source,
        models=models,
        start=_start(run),
        machine=f"the machine of the last runs into {out}",
    )


def _start(run: _Run) -> float:
    """Returns the seconds of a run in which no stage ran, but for the steps after them."""
    workers = re.search(r"(\d+) process", run.runner)
    if not (workers and run.seconds):
        return BUILT_IN.start
    in_stages = sum(stage.seconds or 0.0 for stage in run.stages if stage.name in ROLES)
    return max(0.0, run.seconds - in_stages / int(workers[1]))


def settings(out: str) -> list[str]:
    """Returns the settings that a dataset was made with, as `config.load` takes them; for "" none.

    Raises as `of_dataset` does.
    """
    if not out:
        return []
    manifest = _read(storage.join(out, layout.MANIFEST), _Manifest)
    return [f"{name}={json.dumps(value)}" for name, value in manifest.config.items()]


def _passes(stage: _Stage, manifest: _Manifest) -> float:
    """Returns how often a stage has processed the whole dataset, in all recorded runs."""
    shards = sum(file.path.startswith(f"{layout.SHARDS}/") for file in manifest.files)
    number = {"shards": shards, "publish": 1}.get(stage.name, len(manifest.videos))
    return _total(stage, "done") / max(1, number)


def _model_rates(model: str, stage: _Stage, keyframes: float) -> ModelRates:
    """Returns the rates of a stage's calls for the keyframes that all runs have processed."""
    calls, seconds = _total(stage, "calls"), _total(stage, "seconds")
    per_keyframe = (calls + _total(stage, "kept")) / keyframes
    answered = max(1, calls)  # the tokens are of these, without those from the response cache
    # The calls of a run that was stopped are known from its responses, but not its duration.
    timed = (stage.calls or 0) + stage.earlier.timed_calls
    return ModelRates(
        model,
        per_keyframe,
        per_keyframe * _total(stage, "input_tokens") / answered,
        per_keyframe * _total(stage, "output_tokens") / answered,
        timed / seconds if timed and seconds else None,
    )


def _total(stage: _Stage, name: str) -> float:
    """Returns a figure of a stage, summed over this run and all earlier ones."""
    return (getattr(stage, name) or 0) + (getattr(stage.earlier, name) or 0)


def _sizes(out: str) -> dict[str, float]:
    """Returns the bytes of a dataset's files, by FOLDERS."""
    sizes = dict.fromkeys(FOLDERS, 0.0)
    root = len(storage.join(out, ""))
    for path, size in storage.find_in(out, "**"):
        inside = path[root:]
        folder = next(name for name in FOLDERS if inside.startswith(name and f"{name}/"))
        sizes[folder] += size
    return sizes


# --- the fields that are read of run.json and dataset.json ---------------------------------------


class _Spent(BaseModel):
    done: float | None  # None if the runner does not report it
    seconds: float | None
    calls: float | None
    kept: float | None
    input_tokens: float | None
    output_tokens: float | None


class _Earlier(_Spent):
    timed_calls: float


class _Stage(_Spent):
    name: str
    earlier: _Earlier


class _Run(BaseModel):
    stages: list[_Stage]
    seconds: float = 0.0
    runner: str = ""


class _Counts(BaseModel):
    keyframes: int


class _Models(BaseModel):
    captioner: str
    writer: str


class _Film(BaseModel):
    duration: float
    width: int
    height: int


class _File(BaseModel):
    path: str


class _Manifest(BaseModel):
    counts: _Counts
    models: _Models
    videos: list[_Film]
    files: list[_File]
    config: dict[str, Any]


T = TypeVar("T", bound=BaseModel)


def _read(path: str, shape: type[T]) -> T:
    """Reads a JSON file of a dataset. Raises ValueError if it lacks fields of `shape`."""
    try:
        return shape.model_validate_json(storage.read_bytes(path))
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read: name the folder of a finished dataset ({error})"
        ) from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(
            f"{path}: {where or 'the file'}: {fault['msg']}; it was written by another version: "
            "run the command that made the dataset again"
        ) from error
