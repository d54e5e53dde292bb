"""Estimates the work of each stage before a run: films, model calls, tokens, cost and minutes.

Stage outputs of earlier runs are looked up exactly as the run itself does. Of films without any, a
sample is opened: the others are taken to be like them. Their number of keyframes is estimated from
a part of some films. Tokens per call are the mean of the
model's cached responses or, without any, those of the prompts and of answers of the requested
length, at four characters per token.
"""

from __future__ import annotations

import dataclasses
import os
import textwrap
from collections.abc import Sequence
from typing import TypeVar

import av

from pipeline import model_specs
from pipeline.annotation.expected_calls import ExpectedCalls
from pipeline.config import DatasetConfig
from pipeline.cost.rates import (
    BUILT_IN,
    CALLS_PER_SECOND,
    SECONDS_PER_CALL,
    SECONDS_PER_MEGAPIXEL,
    ModelRates,
    Rates,
)
from pipeline.dataset.film_rows import keyframes as film_keyframes
from pipeline.dataset.film_rows import probed_video
from pipeline.graph import stages
from pipeline.graph.stage_cache import Run, cached_outputs
from pipeline.graph.stages import Stage
from pipeline.inference import response_cache
from pipeline.inference.backends import loading
from pipeline.ingest.probe import probe
from pipeline.ingest.video import VideoError
from pipeline.keyframes.extract import keyframes_per_second
from pipeline.runtime import decisions, isolation, progress, storage
from pipeline.runtime.stage_outputs import Film
from schemas import layout
from schemas.rows import Video

T = TypeVar("T")

OPENED_FILMS = 100  # for their length and size
SAMPLED_FILMS = 8  # of those, for keyframes
SAMPLED_SECONDS = 120.0  # in the middle of each
# Share of the keyframes that the selection does not reject: 0.85 in the sample cartoon, 0.61 in Big
# Buck Bunny, which has long credits and recurring images, 0.79 in its trailer. Rather too high, so
# that the estimate has too many calls rather than too few.
SELECTED_SHARE = 0.84


@dataclasses.dataclass
class Work:
    """The work of a stage."""

    films: int = 0
    reused: int = 0
    calls: float = 0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    cost: float = 0.0
    core_seconds: float = 0.0
    model_seconds: float = 0.0  # of one server, or of one worker with a model on a GPU


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The work of each stage, and how many films were looked at for it."""

    stages: dict[str, Work]
    films: int  # without keyframes of an earlier run
    opened: int  # of those


def estimate(
    videos: Sequence[Video], config: DatasetConfig, out: str, rates: Rates = BUILT_IN
) -> Estimate:
    """Estimates the work of each stage. Opens a sample of the films, and reads `out`."""
    work = {stage.name: Work() for stage in stages.of(config)}
    run = Run(config, out, storage.join(out, layout.WORK), decisions=decisions.version(out))
    films = _with_reusable_outputs([Film(video, run.work) for video in videos], run)
    model = CostModel(config, rates, run.work)
    series_done: set[tuple[str, str]] = set()  # stage and series
    new = [film for film in films if "keyframes" not in film.outputs]
    opened = _evenly(new, OPENED_FILMS)
    counts = [*_counted(films), *_estimated(new, opened, config)]
    for film, video, keyframes in counts:
        for stage in stages.of(config):
            if stage.name in film.outputs:
                work[stage.name].reused += 1
                continue
            work[stage.name].films += 1
            # Expected calls are made once per series; measured ones are per keyframe.
            if stage.role and stage.scope == "series" and not model.measured(stage):
                if (stage.name, video.series) in series_done:
                    continue
                series_done.add((stage.name, video.series))
            model.add(work[stage.name], stage, video, keyframes)
    return Estimate(work, len(new), len(opened))


def _evenly(items: Sequence[T], most: int) -> list[T]:
    """Returns at most that many items, evenly spaced."""
    count = min(most, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _counted(films: Sequence[Film]) -> list[tuple[Film, Video, int]]:
    """Returns each film whose keyframes a run has found, with its row as probed and their number;
    not those that it rejected."""
    counted = []
    for film in films:
        if "keyframes" in film.outputs and (video := probed_video(film)).duration:
            counted.append((film, video, len(film_keyframes(film))))
    return counted


def _estimated(
    films: Sequence[Film], opened: Sequence[Film], config: DatasetConfig
) -> list[tuple[Film, Video, int]]:
    """Returns films with a row as probed and an estimated number of keyframes, without those that
    the run is to reject. `opened` are those that are opened; each other is like one of them."""
    rows: list[Video | None] = []
    for number, film in enumerate(opened, 1):
        progress.doing("estimate", f"opening film {number} of {len(opened)}")
        try:
            rows.append(isolation.call(probe, film.video, size=film.video.size))
        except (isolation.Crashed, VideoError, OSError):
            rows.append(None)
    per_second = _keyframes_per_second([row for row in rows if row], config)
    found = []
    for index, film in enumerate(films):
        like = rows[index * len(rows) // len(films)]
        if like:
            content = {name: getattr(like, name) for name in ("duration", "width", "height")}
            video = dataclasses.replace(film.video, **content)
            found.append((film, video, round(video.duration * per_second)))
    return found


def _keyframes_per_second(videos: Sequence[Video], config: DatasetConfig) -> float:
    """Estimates the selected keyframes per second of films, from samples of some of them."""
    seconds = found = 0.0
    for video in _evenly(videos, SAMPLED_FILMS):
        progress.doing("estimate", f"decoding a part of {video.id}")
        length = min(video.duration, SAMPLED_SECONDS)
        try:
            density = isolation.call(
                keyframes_per_second,
                video,
                config.keyframes,
                (video.duration - length) / 2,
                length,
                os.cpu_count() or 1,
                size=video.size,
            )
        except (isolation.Crashed, VideoError, ValueError, OSError, av.FFmpegError):
            continue
        seconds, found = seconds + length, found + density * length
    return SELECTED_SHARE * found / seconds if seconds else 0.0


def _with_reusable_outputs(films: list[Film], run: Run) -> list[Film]:
    """Returns the films with the stage outputs of earlier runs that this run would reuse."""
    made = set(storage.folders(run.work))
    for stage in run.stages:
        if stage.name not in made:
            break  # nor is there anything of a stage after it
        progress.doing("estimate", f"looking for results of the stage {stage.name}")
        jobs: dict[tuple[str, ...], list[Film]] = {}
        for film in films:
            jobs.setdefault(_job(stage, film), []).append(film)
        films = [film for job in jobs.values() for film in _with_output(stage, job, run)]
    return sorted(films, key=lambda film: film.video.id)


def _job(stage: Stage, film: Film) -> tuple[str, ...]:
    """Returns what films have in common that a stage processes together. Of all films of a source
    those that are new come later: they are supposed to change nothing for the others."""
    if stage.scope == "series":
        return (film.video.series,)
    if stage.scope == "source" and film.outputs.keys() >= stage.reads.keys():
        return ()
    return (film.video.series, film.video.id)


def _with_output(stage: Stage, job: list[Film], run: Run) -> list[Film]:
    try:
        outputs = cached_outputs(stage, job, run)
    except (KeyError, OSError, ValueError):
        return job  # a stage before it is not done, or a film or an output cannot be read
    return [
        output.film.with_output(stage.name, output.output) if output.reusable else output.film
        for output in outputs
    ]


class CostModel:
    """Computes the work of a stage for a film: model calls, their tokens and cost, and time.

    Calls are as measured in earlier runs with the same model, else as expected from the prompts.
    """

    def __init__(self, config: DatasetConfig, rates: Rates, work: str = "") -> None:
        """`work` is a folder of stage outputs, whose cached responses give tokens per call; "" for
        none."""
        self.config, self.rates = config, rates
        self.specs = {
            role: model_specs.parse(getattr(config, role)) for role in ("captioner", "writer")
        }
        self.tokens_per_call = {
            role: response_cache.mean_tokens(work, loading.name(role, spec)) if work else {}
            for role, spec in self.specs.items()
            if spec.kind != "embedded"
        }

    def add(self, work: Work, stage: Stage, video: Video, keyframes: int) -> None:
        """Adds a film with that number of keyframes to the work of a stage."""
        if not stage.role:
            work.core_seconds += self.rates.seconds[stage.name] * (
                video.duration / 60 if stage.per == "minute" else keyframes
            )
            return
        spec = self.specs[stage.role]
        calls, input_tokens, output_tokens = self._calls(stage, video, keyframes)
        work.calls += calls
        work.input_tokens += input_tokens
        work.output_tokens += output_tokens
        price = self.config.prices.get(spec.model)
        if price is not None:
            work.cost += (input_tokens * price.input + output_tokens * price.output) / 1e6
        if spec.kind == "embedded":
            measured = self.rates.seconds if self.measured(stage) else self.rates.embedded
            work.core_seconds += measured[stage.name] * keyframes
        else:
            if spec.kind == "openai":  # else it is part of the time that the worker's model takes
                seconds = self.core_seconds_per_call(stage, (video.width, video.height))
                work.core_seconds += seconds * calls
            work.model_seconds += calls / (self.calls_per_second(stage) or CALLS_PER_SECOND)

    def calls_per_second(self, stage: Stage) -> float | None:
        """Returns the measured rate at which this model answers the stage's calls, if any."""
        measured = self.measured(stage)
        return measured.calls_per_second if measured else None

    def core_seconds_per_call(self, stage: Stage, size: tuple[int, int]) -> float:
        """Returns the core seconds of one call of a server, with its images of width and height
        `size`."""
        images = 1 + 2 * self.config.captions.neighbours if stage.role == "captioner" else 0
        if stage.name == "captions":
            images += self.config.captions.references
        return SECONDS_PER_CALL + images * SECONDS_PER_MEGAPIXEL * size[0] * size[1] / 1e6

    def measured(self, stage: Stage) -> ModelRates | None:
        """Returns the measured rates of the stage's calls, None if they are of another model."""
        rates = self.rates.models.get(stage.name)
        same = rates and rates.model == self.specs[stage.role].identity
        return rates if same else None

    def _calls(self, stage: Stage, video: Video, keyframes: int) -> tuple[float, float, float]:
        """Returns the number of calls, and the tokens of their prompts and of their answers."""
        if measured := self.measured(stage):
            return (
                keyframes * measured.calls,
                keyframes * measured.input_tokens,
                keyframes * measured.output_tokens,
            )
        # Cached responses include those that failed their checks and were asked for again.
        tokens_per_call = self.tokens_per_call.get(stage.role, {})
        kinds = [
            (
                expected.calls,
                *tokens_per_call.get(
                    expected.prompt, (expected.input_tokens, expected.output_tokens)
                ),
            )
            for expected in (stage.expected_calls or _no_calls)(self.config, video, keyframes)
        ]
        return (
            sum(calls for calls, _, _ in kinds),
            sum(calls * input_tokens for calls, input_tokens, _ in kinds),
            sum(calls * output_tokens for calls, _, output_tokens in kinds),
        )


def _no_calls(config: DatasetConfig, video: Video, keyframes: int) -> list[ExpectedCalls]:
    return []


def total(work: dict[str, Work]) -> Work:
    """Returns the sum over the stages, except of films, which are the same in each stage."""
    return Work(
        0,
        0,
        *(
            sum(getattr(stage_work, field.name) for stage_work in work.values())
            for field in dataclasses.fields(Work)[2:]
        ),
    )


def minutes(name: str, work: Work, cores: int) -> float:
    """Returns how long a stage takes on this machine: a film at a time in each process, but for
    segments of long ones."""
    segmented = any(stage.segmented for stage in stages.STAGES if stage.name == name)
    at_once = cores if segmented else max(1, min(cores, work.films))
    return (work.core_seconds / at_once + work.model_seconds) / 60


def describe(found: Estimate, rates: Rates = BUILT_IN) -> str:
    """Returns the estimate, made with these rates, as a table to print."""
    work = found.stages
    cores = os.cpu_count() or 1
    taken = {name: minutes(name, row, cores) for name, row in work.items()}
    start = rates.start / 60
    taken["total"] = sum(taken.values()) + start
    lines = [
        f"{'stage':<10} {'films':>6} {'reused':>7} {'calls':>7} {'tokens in':>12} "
        f"{'tokens out':>12} {'cost':>9} {'minutes':>8}"
    ]
    for name, row in [*work.items(), ("total", total(work))]:
        lines.append(
            f"{name:<10} {row.films or '':>6} {row.reused or '':>7} "
            f"{round(row.calls) or '':>7} {round(row.input_tokens):>12,} "
            f"{round(row.output_tokens):>12,} {row.cost:>9.2f} "
            f"{taken[name]:>8.1f}"
        )
    return "\n".join(
        [
            *lines,
            *textwrap.wrap(
                f"Minutes are for {cores} cores of {rates.machine}. The total has {start:.1f} "
                "for the start and end of a run. "
                + f"Model servers are taken to answer {CALLS_PER_SECOND:.1f} calls per second. "
                * any(row.model_seconds for row in work.values())
                + f"Of {found.films:,} new films {found.opened:,} were opened; the others are "
                "taken to be like them. "
                * (found.opened < found.films)
                + "This is an estimate: nothing was run.",
                80,
                break_long_words=False,
                break_on_hyphens=False,
            ),
        ]
    )
