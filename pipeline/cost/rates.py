"""What a dataset takes for a minute of film and for a keyframe, as measured: the one place for it.

`BUILT_IN` was measured on the machine that the project was built on. `of_dataset` measures the same
on any dataset that somebody has made, from its `run.json`, its `dataset.json` and the sizes of its
files; what cannot be told from there stays as built in, and both say which is which.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.graph.stages import STAGES, steps
from pipeline.runtime import storage
from schemas import layout

# Folders of a dataset whose size grows with the keyframes, by the path that a file begins with.
STAGE_PICTURES = f"{layout.WORK}/{layout.PICTURES}"
CACHED_ANSWERS = f"{layout.WORK}/{layout.ANSWERS}"
PLACES = {
    STAGE_PICTURES: "keyframes and rejected pictures, where the stages keep them",
    CACHED_ANSWERS: "answers of models, a file each",
    layout.WORK: "part files",
    layout.IMAGES: "keyframes, where the dataset has them",
    layout.REJECTED: "what the report shows of pictures left out",
    layout.SHARDS: "WebDataset tars",
    "": "tables, manifest, report",
}
# Those that hold pictures.
PICTURES = (STAGE_PICTURES, layout.IMAGES, layout.REJECTED, layout.SHARDS)


@dataclasses.dataclass(frozen=True)
class Questions:
    """What a stage asks a model about one keyframe, with all that it has to ask twice."""

    model: str  # as `Spec.identity`
    calls: float
    input_tokens: float
    output_tokens: float
    per_second: float | None  # calls that were answered, None where none was seen


@dataclasses.dataclass(frozen=True)
class Rates:
    """What a dataset takes. A keyframe is one that was kept to the end of the selection."""

    size: tuple[int, int]  # width and height of the films
    minutes: float  # of a film
    keyframes: float  # a minute of film
    seconds: Mapping[str, float]  # of one core, a minute for "keyframes", a keyframe for the others
    bytes: Mapping[str, float]  # a keyframe, by PLACES
    source: Mapping[str, str]  # where "films", "bytes" and the figures of each stage are from
    asked: Mapping[str, Questions] = dataclasses.field(default_factory=dict)  # by stage


# A run over Big Buck Bunny and its trailer by the embedded models at the default settings.
BUILT_IN = Rates(
    size=(1280, 720),
    minutes=22.0,
    keyframes=14.8,
    seconds={stage.name: stage.seconds for stage in steps()},
    bytes={
        STAGE_PICTURES: 248e3,
        CACHED_ANSWERS: 0.0,
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
PER_SECOND = 32 / 3  # calls that one server, or a model on a GPU, answers: 32 at once, 3 s each
ANSWER = 1000.0  # bytes of a kept answer
# Seconds of one core that a call takes of us, and that a picture's million pixels take beside it,
# which is made smaller: benchmarks.speed.model_calls, with a server that answers at once.
ASKING, MEGAPIXEL = 0.0064, 0.0054


def of_dataset(out: str) -> Rates:
    """The rates of a finished dataset. Raises OSError where there is none, and ValueError where it
    tells nothing, as it has no keyframes or is of another version."""
    manifest = _read(storage.join(out, layout.MANIFEST), _Manifest)
    run = _read(storage.join(out, layout.RUN_RECORD), _Run)
    read = [video for video in manifest.videos if video.duration]
    minutes = sum(video.duration for video in read) / 60
    keyframes = manifest.counts.keyframes
    if not keyframes:
        raise ValueError(f"{out} has no keyframes, so nothing can be planned from it")
    seconds, source = dict(BUILT_IN.seconds), {**BUILT_IN.source, "films": out, "bytes": out}
    asked: dict[str, Questions] = {}
    for stage in run.stages:
        name, passes = stage.name, _passes(stage, manifest)
        if not passes:
            continue  # its runner does not count
        source[name] = out
        model = getattr(manifest.models, ROLES[name]) if ROLES.get(name) else "embedded"
        if model == "embedded":  # else they are of waiting for a server or a GPU
            seconds[name] = (
                _in_all(stage, "seconds") / passes / (minutes if name in PER_MINUTE else keyframes)
            )
        if ROLES.get(name):
            asked[name] = _questions(model, stage, max(1.0, passes) * keyframes)
    return Rates(
        size=max((video.width, video.height) for video in read),
        minutes=minutes / len(read),
        keyframes=keyframes / minutes,
        seconds=seconds,
        bytes={place: size / keyframes for place, size in _sizes(out).items()},
        source=source,
        asked=asked,
    )


def settings(out: str) -> list[str]:
    """The settings that a dataset was made with, as `config.load` takes them; none for no `out`."""
    if not out:
        return []
    manifest = _read(storage.join(out, layout.MANIFEST), _Manifest)
    return [f"{name}={json.dumps(value)}" for name, value in manifest.config.items()]


def _passes(stage: _Stage, manifest: _Manifest) -> float:
    """How often the stage has done all that the dataset holds, in all runs that were recorded."""
    shards = sum(file.path.startswith(f"{layout.SHARDS}/") for file in manifest.files)
    number = {"shards": shards, "publish": 1}.get(stage.name, len(manifest.videos))
    return _in_all(stage, "done") / max(1, number)


def _questions(model: str, stage: _Stage, keyframes: float) -> Questions:
    """What a stage asked, in all runs, of so many keyframes."""
    calls, seconds = _in_all(stage, "calls"), _in_all(stage, "seconds")
    needed = (calls + _in_all(stage, "kept")) / keyframes
    paid = max(1, calls)  # only these tell of tokens
    # A run that was stopped has left its answers, but not how long it took.
    timed = (stage.calls or 0) + stage.earlier.timed_calls
    return Questions(
        model,
        needed,
        needed * _in_all(stage, "input_tokens") / paid,
        needed * _in_all(stage, "output_tokens") / paid,
        timed / seconds if timed and seconds else None,
    )


def _in_all(stage: _Stage, name: str) -> float:
    """A figure of a stage, of this run and all before it."""
    return (getattr(stage, name) or 0) + (getattr(stage.earlier, name) or 0)


def _sizes(out: str) -> dict[str, float]:
    """Bytes of a dataset folder, by PLACES."""
    sizes = dict.fromkeys(PLACES, 0.0)
    root = len(storage.join(out, ""))
    for path, size in storage.find_in(out, "**"):
        inside = path[root:]
        place = next(place for place in PLACES if inside.startswith(place and f"{place}/"))
        sizes[place] += size
    return sizes


# --- what is read of the two files ---------------------------------------------------------------


class _Spent(BaseModel):
    done: float | None  # None: its runner does not count
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
    """What a file of a dataset says. Raises ValueError, naming the remedy, for another shape."""
    try:
        return shape.model_validate_json(storage.read_bytes(path))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(
            f"{path}: {where or 'the file'}: {fault['msg']}; another version has written it: run "
            "the command that made the dataset once more"
        ) from error
