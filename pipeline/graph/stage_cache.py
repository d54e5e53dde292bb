"""Caches each stage's output per film: finds it by its key, or saves it once it is made."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from apache_beam.metrics import Metrics

from pipeline import model_specs
from pipeline.annotation import prompts
from pipeline.config import DatasetConfig
from pipeline.graph import stages
from pipeline.graph.stages import Stage
from pipeline.inference.backends import loading
from pipeline.keyframes import segment_scan
from pipeline.runtime import cpu_time, progress, stage_outputs, storage
from pipeline.runtime.stage_inputs import Job, declared, setting
from pipeline.runtime.stage_outputs import AnyRow, Film
from schemas.rows import Keyframe, Reject

NAMESPACE = "storystream"


@dataclasses.dataclass(frozen=True)
class Run:
    """What every stage of a run is told."""

    config: DatasetConfig
    out: str
    work: str
    threads: int = 1  # for decoding one film
    force: tuple[str, ...] = ()  # stages to do again, and ids of films to do all of again
    until: str = ""  # the stage to stop after, "" for none
    # Seconds of a film that one worker passes over.
    segment: float = dataclasses.field(default_factory=lambda: segment_scan.SECONDS)
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)  # unlike any other run's
    stages: tuple[Stage, ...] = dataclasses.field(default_factory=lambda: stages.STAGES)

    def forced(self, stage: str, film: Film) -> bool:
        """Returns whether a stage of a film is to be done again, whatever is there."""
        return stage in self.force or film.video.id in self.force

    def model_spec(self, stage: Stage) -> model_specs.Spec:
        """Returns the model that a stage asks, as the config names it."""
        return model_specs.parse(getattr(self.config, stage.role))

    def job(self, stage: Stage, **more: Any) -> Job:
        """Returns what a stage is given beside its films."""
        readable = [*stage.settings, *stage.file_settings]
        if stage.role:
            readable += [stage.role, "calls", "prompts"]
        return Job(declared(self.config, readable), self.out, threads=self.threads, **more)


def count(stage: str, name: str, amount: int) -> None:
    """Adds to a counter of a stage, which the run's record and the runner's own page show."""
    Metrics.counter(NAMESPACE, f"{stage}/{name}").inc(amount)


def measure(stage: str, name: str, amount: int) -> None:
    """Adds a value to a distribution of a stage: of all its values the number, sum and range."""
    Metrics.distribution(NAMESPACE, f"{stage}/{name}").update(amount)


@contextlib.contextmanager
def timed(stage: str) -> Iterator[None]:
    """Counts the wall time and the CPU time of the block as the stage's, even if it raises."""
    started, before = time.monotonic(), cpu_time.used()
    try:
        yield
    finally:
        count(stage, "milliseconds", round(1000 * (time.monotonic() - started)))
        used = cpu_time.used().since(before)
        count(stage, "user milliseconds", round(1000 * used.user))
        count(stage, "system milliseconds", round(1000 * used.system))


def key(stage: Stage, films: Sequence[Film], run: Run) -> Any:
    """Returns all that a stage's rows of a film, or of the films of a series, depend on, as JSON.

    Raises KeyError where a stage before it is not done.
    """
    inputs = [stage.inputs(film) for film in films]
    files = stage.files and stage.files(
        inputs if stage.scope == "series" else inputs[0], run.job(stage)
    )
    return [
        stage.name,
        stage.version,
        [_film_key(stage, film) for film in films],
        {path: setting(run.config, path) for path in stage.settings},
        _model_key(stage, run.config),
        files,
    ]


def _film_key(stage: Stage, film: Film) -> Any:
    return [
        film.video.id,
        {
            name: stage_outputs.rows_digest(
                stage_outputs.path(film.work, film.outputs[name]), kinds
            )
            for name, kinds in stage.reads.items()
        },
        {field: getattr(film.video, field) for field in stage.video},
    ]


def _model_key(stage: Stage, config: DatasetConfig) -> Any:
    """What the answers of a stage's model depend on, beside what they are about."""
    if not stage.role:
        return None
    spec = model_specs.parse(getattr(config, stage.role))
    calls = ["max_tokens", "temperature"] if spec.kind != "embedded" else []
    if calls and stage.role == "captioner":  # a writer sees no pictures
        calls.append("longest_side")
    return [
        loading.identity(spec),
        [getattr(config.calls, name) for name in calls],
        [prompts.identity(name, config.prompts) for name in stage.prompts],
    ]


def output_name(stage: Stage, film: Film, depends: Any) -> str:
    """Returns the name of a stage's output for a film, given its key."""
    return stage_outputs.name(stage.name, film.video.id, depends)


def is_there(stage: Stage, film: Film, depends: Any, run: Run) -> bool:
    """Returns whether an output of that key is to be used: it is final and not to be done again."""
    output = output_name(stage, film, depends)
    return not run.forced(stage.name, film) and is_final(stage, film, output)


def jobs_of(stage: Stage, films: Sequence[Film], run: Run) -> list[Cached]:
    """Returns the films of one job of a stage, a film or all those of a series, in the order of
    their ids, each with its output where that is there."""
    films = sorted(films, key=lambda film: film.video.id)
    depends = key(stage, films, run)
    return [Cached(stage, film, depends, run) for film in films]


class Cached:
    """The output of one stage for one film: there from an earlier run, or still to be made."""

    def __init__(
        self, stage: Stage, film: Film, depends: Any, run: Run, begun: float = -1.0
    ) -> None:
        """`depends` is the output's key, `begun` as in `progress.ticker`."""
        self.stage, self.film = stage, film
        self.output = output_name(stage, film, depends)
        self._file = stage_outputs.path(film.work, self.output)
        self.there = is_there(stage, film, depends, run)
        self.tick = progress.ticker(stage.name, begun)
        self.began = time.monotonic()

    def reused(self) -> Film:
        """Returns the film with the output that is there."""
        count(self.stage.name, "reused", 1)
        return self._done()

    def made(self, rows: Sequence[AnyRow]) -> Film:
        """Saves the rows and returns the film with them."""
        name = self.stage.name
        stage_outputs.save(self._file, rows)
        count(name, "done", 1)
        measure(name, "milliseconds", round(1000 * (time.monotonic() - self.began)))
        measure(name, "rows", len(rows))
        if self.stage.intact is not None:  # it makes pictures
            measure(name, "bytes", sum(row.bytes for row in stage_outputs.only(Keyframe, rows)))
        for row in rows:
            count(name, f"rows {type(row).__name__}", 1)
        return self._done()

    def _done(self) -> Film:
        self.tick(1.0)
        return self.film.with_output(self.stage.name, self.output)


def is_final(stage: Stage, film: Film, output: str) -> bool:
    """Returns whether an output is there, undamaged, with its files, and without a question that
    got no answer."""
    file = stage_outputs.path(film.work, output)
    if not storage.exists(file):
        return False
    try:
        rows = stage_outputs.load(file)
    except ValueError:
        return False
    rejects = stage_outputs.only(Reject, rows)
    if any(reject.reason == stage_outputs.NO_ANSWER for reject in rejects):
        return False
    return stage.intact is None or stage.intact(film, output, rows)
