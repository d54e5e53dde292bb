"""Caches each stage's output per film: finds it by its key, or saves it once it is made.

An output is reused if it is complete and neither its stage nor its film is forced.
"""

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
from pipeline.graph import failures, stages
from pipeline.graph.stages import Stage
from pipeline.inference.backends import loading
from pipeline.keyframes import segment_scan
from pipeline.runtime import cpu_time, progress, stage_outputs, storage
from pipeline.runtime.stage_inputs import Job, declared, setting
from pipeline.runtime.stage_outputs import AnyRow, Film
from schemas.rows import Keyframe, Reject, Story

NAMESPACE = "storystream"  # of the metrics


@dataclasses.dataclass(frozen=True)
class Run:
    """The parameters of a run, which all its workers get."""

    config: DatasetConfig
    out: str  # the dataset folder
    work: str  # the folder of stage outputs
    threads: int = 1  # for decoding one film
    force: tuple[str, ...] = ()  # names of stages, and ids of films, to make again
    until: str = ""  # the stage to stop after, "" for none
    decisions: str = ""  # version of what people decided, when the run started
    segment_threads: int = 1  # for decoding a segment of a film, while others decode the rest
    # Seconds of a film that one worker scans.
    segment_seconds: float = dataclasses.field(default_factory=lambda: segment_scan.SECONDS)
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)  # unique
    stages: tuple[Stage, ...] = ()  # as the configuration has them, unless others are given

    def __post_init__(self) -> None:
        if not self.stages:
            object.__setattr__(self, "stages", stages.of(self.config))

    def forced(self, stage: str, film: Film) -> bool:
        """Returns whether a stage of a film is to be made again even if its output is there."""
        return stage in self.force or film.video.id in self.force

    def model_spec(self, stage: Stage) -> model_specs.Spec:
        """Returns the spec of the model that a stage asks."""
        return model_specs.parse(getattr(self.config, stage.role))

    def job(self, stage: Stage, **fields: Any) -> Job:
        """Returns the inputs of a stage that do not come from films, with some fields set."""
        readable = [*stage.settings, *stage.file_settings]
        if stage.role:
            readable += [stage.role, "calls", "prompts"]
        return Job(
            declared(self.config, readable),
            self.out,
            decisions=self.decisions,
            threads=self.threads,
            **fields,
        )


def count(stage: str, name: str, amount: int) -> None:
    """Adds to a counter of a stage, which the run's record and the runner's own page show."""
    Metrics.counter(NAMESPACE, f"{stage}/{name}").inc(amount)


def measure(stage: str, name: str, amount: int) -> None:
    """Adds a value to a distribution of a stage: count, sum, minimum and maximum."""
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


def output_key(stage: Stage, films: Sequence[Film], run: Run) -> Any:
    """Returns everything that a stage's output for a film or a series depends on, as JSON.

    Raises KeyError if a stage that it reads is not done.
    """
    inputs = [stage.inputs(film) for film in films]
    files = stage.files and stage.files(
        inputs[0] if stage.scope == "film" else inputs, run.job(stage)
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
    """Returns what the answers of a stage's model depend on, beside the inputs of the stage."""
    if not stage.role:
        return None
    spec = model_specs.parse(getattr(config, stage.role))
    # Not max_tokens: an answer that ended is the same, and one that was cut off is asked for again.
    calls = ["temperature"] if spec.kind != "embedded" else []
    if calls and stage.role == "captioner":  # a writer is sent no images
        calls += ["longest_side", "detail"]
    extra = config.calls.extra_of(stage.role) if spec.kind == "openai" else {}
    return [
        # The name of an embedded model says its version.
        loading.name(stage.role, spec) if spec.kind == "embedded" else loading.identity(spec),
        [*(getattr(config.calls, name) for name in calls), *([extra] if extra else [])],
        [prompts.identity(name, config.prompts) for name in stage.prompts],
    ]


def output_name(stage: Stage, film: Film, key: Any) -> str:
    """Returns the name of a stage's output for a film, given its key."""
    return stage_outputs.name(stage.name, film.video.id, key)


def is_reusable(stage: Stage, film: Film, key: Any, run: Run) -> bool:
    """Returns whether there is a complete output with that key, which is not forced."""
    output = output_name(stage, film, key)
    return (
        not run.forced(stage.name, film)
        and is_complete(stage, film, output)
        and not _asks_again(stage, film, output, run)
    )


def cached_outputs(
    stage: Stage, films: Sequence[Film], run: Run, begun: float = -1.0
) -> list[CachedOutput]:
    """Returns a stage's outputs for one film, or for all films of a series or source, by id.

    `begun` is as in `progress.ticker`. Raises what stops the run.
    """
    films = sorted(films, key=lambda film: film.video.id)
    key, error = None, None
    try:
        key = output_key(stage, films, run)
    except Exception as raised:  # the files that the stage reads cannot be looked at
        if failures.stops_run(raised, films[0], run.out):
            raise
        error = raised
    return [CachedOutput(stage, film, key, run, begun, error) for film in films]


class CachedOutput:
    """The output of one stage for one film: reusable from an earlier run, or still to be made."""

    def __init__(
        self,
        stage: Stage,
        film: Film,
        key: Any,
        run: Run,
        begun: float = -1.0,
        error: Exception | None = None,  # why there is no key
    ) -> None:
        self.stage, self.film, self._run, self.error = stage, film, run, error
        self.output = output_name(stage, film, key)
        self.reusable = error is None and is_reusable(stage, film, key, run)
        self.tick = progress.ticker(stage.name, begun)
        self.began = time.monotonic()

    def reuse(self) -> Film:
        """Returns the film with the output of the earlier run."""
        count(self.stage.name, "reused", 1)
        return self._done()

    def save(self, rows: Sequence[AnyRow]) -> Film:
        """Saves the rows as the output and returns the film with it."""
        name = self.stage.name
        stage_outputs.save(stage_outputs.path(self.film.work, self.output), rows)
        count(name, "done", 1)
        measure(name, "milliseconds", round(1000 * (time.monotonic() - self.began)))
        measure(name, "rows", len(rows))
        if self.stage.intact is not None:  # it writes images
            measure(name, "bytes", sum(row.bytes for row in stage_outputs.only(Keyframe, rows)))
        for row in rows:
            count(name, f"rows {type(row).__name__}", 1)
        return self._done()

    def save_for_this_run(self, rows: Sequence[AnyRow]) -> Film:
        """Saves rows under a name that no other run looks for, as they are not what the stage makes
        of its inputs; returns the film with them."""
        self.output = output_name(self.stage, self.film, [self.stage.name, self._run.id])
        return self.save(rows)

    def fail(self, error: Exception) -> Film:
        """Returns the film with a reject as its output. Raises an error that stops the run."""
        if failures.stops_run(error, self.film, self._run.out):
            raise error
        failures.log(self.stage, self.film, error)
        count(self.stage.name, "failed", 1)
        return self.save_for_this_run(failures.rows(self.stage, self.film, error))

    def _done(self) -> Film:
        self.tick(1.0)
        return self.film.with_output(self.stage.name, self.output)


def is_complete(stage: Stage, film: Film, output: str) -> bool:
    """Returns whether an output is there with its images, undamaged, and without a question that
    a model did not answer."""

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


def _asks_again(stage: Stage, film: Film, output: str, run: Run) -> bool:
    """Returns whether a complete output has bad answers, or a story that was not linked, which
    another try may better: not of the embedded models, which answer the same again."""
    if not stage.role or run.model_spec(stage).kind == "embedded":
        return False
    rows = stage_outputs.load(stage_outputs.path(film.work, output))
    return any(
        reject.reason in (stage_outputs.UNREADABLE, stage_outputs.BAD_NARRATIVE)
        for reject in stage_outputs.only(Reject, rows)
    ) or any(not story.linked for story in stage_outputs.only(Story, rows))
