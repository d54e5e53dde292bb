"""Runs the stages that ask a model, as Beam transforms: captions, characters, stories.

A worker processes many films at the same time, so that a server has many calls in flight and a
local model gets full batches; a server is asked by one worker only. An embedded model, which uses
one core, processes one film at a time in every worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import time
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam

from pipeline import model_specs
from pipeline.config import CallsConfig
from pipeline.graph.film_transforms import publish_files
from pipeline.graph.stage_cache import CachedOutput, Run, cached_outputs, count, measure, timed
from pipeline.graph.stages import Stage
from pipeline.inference import response_cache
from pipeline.inference.backends import loading
from pipeline.inference.budget import Budget
from pipeline.inference.client import ModelClient, gather, open_client
from pipeline.inference.protocol import Stop
from pipeline.runtime import interrupts, progress
from pipeline.runtime.stage_outputs import Film

FILMS = 64  # processed at the same time: enough calls for any server, in bounded memory

Films = Sequence[Film]


class RunModelStage(beam.PTransform):
    """Runs a stage that asks a model: films in, films with its output out."""

    def __init__(self, stage: Stage, run: Run) -> None:
        super().__init__()
        self.stage, self.run = stage, run

    def expand(self, films: Any) -> Any:
        spec = self.run.model_spec(self.stage)
        # One worker can keep a server busy, and only one can adapt the number of calls in flight.
        workers = {"embedded": 0, "openai": 1}.get(spec.kind, self.run.config.calls.workers)
        key = _series if self.stage.scope == "series" else _id
        groups = (
            films
            | "Jobs" >> beam.GroupBy(key)
            | "Assign worker"
            >> beam.Map(lambda job, workers: (_worker(job[0], workers), list(job[1])), workers)
            | "By worker" >> beam.GroupByKey()
            | "Jobs of worker" >> beam.MapTuple(lambda _, jobs: list(jobs))
        )
        if spec.kind == "transformers":
            from pipeline.graph.shared_model import inference  # Beam's RunInference loads PyTorch

            done = groups | "Run" >> inference(run_jobs, self.stage, self.run)
        else:
            done = groups | "Run" >> beam.Map(run_jobs, self.stage, self.run)
        return done | "Films" >> beam.FlatMap(lambda films: films)


def _id(film: Film) -> str:
    return film.video.id


def _series(film: Film) -> str:
    return film.video.series


def _worker(name: str, workers: int) -> str:
    """Returns the key of the worker for a film or series; its own name if any worker will do."""
    return str(int(hashlib.sha256(name.encode()).hexdigest(), 16) % workers) if workers else name


def run_jobs(jobs: Iterable[Films], stage: Stage, run: Run, loaded: Any = None) -> list[Film]:
    """Returns the films with the stage's output. A job is a film, or the films of a series.

    `loaded` is the model, if it is loaded already.
    """
    with timed(stage.name):
        cached = [cached_outputs(stage, films, run) for films in jobs]
        if all(output.reusable for job in cached for output in job):  # no model needs loading
            done = [[output.reuse() for output in job] for job in cached]
        else:
            done = asyncio.run(_run_jobs(cached, stage, run, loaded))
    for films in done:
        publish_files(stage, films, run)
    return [film for films in done for film in films]


async def _run_jobs(
    jobs: Sequence[Sequence[CachedOutput]], stage: Stage, run: Run, loaded: Any
) -> list[list[Film]]:
    spec, config = run.model_spec(stage), run.config
    if loaded is None:
        progress.doing(stage.name, "loading the model")
        loaded = _load(stage.role, spec, config)
    backend = loading.backend(loaded, spec, config.calls)
    spent = response_cache.spent(run.work) if config.budget is not None else 0.0
    budget = Budget(config.prices.get(spec.model), config.budget, spent, config.calls.max_tokens)
    films_at_once = asyncio.Semaphore(FILMS)

    async def run_limited(job: Sequence[CachedOutput], client: ModelClient) -> list[Film]:
        async with films_at_once:
            try:
                return await _run_job(job, stage, run, client)
            except Stop:
                raise
            except Exception as error:
                try:
                    return [output.fail(error) for output in job]
                except Exception:  # no more calls are to be paid for, as the run fails
                    client.stop(Stop(f"{type(error).__name__}: {error}"))
                    raise

    # Ctrl-C waits for calls in flight only if repeating them would cost something.
    waits = interrupts.calls_in_flight() if spec.kind != "embedded" else contextlib.nullcontext()
    async with open_client(
        loading.name(stage.role, spec),
        backend,
        run.work,
        budget,
        functools.partial(count, stage.name),
        functools.partial(measure, stage.name),
    ) as client:
        with waits:
            return await gather(run_limited(job, client) for job in jobs)


def _load(role: str, spec: model_specs.Spec, config: Any) -> Any:
    # A connection to a server belongs to one event loop, a local model to the process.
    if spec.kind == "openai":
        return loading.load(role, spec, config.calls)
    return _load_once(role, spec, config.calls.model_dump_json())


@functools.cache
def _load_once(role: str, spec: model_specs.Spec, calls: str) -> Any:
    return loading.load(role, spec, CallsConfig.model_validate_json(calls))


async def _run_job(
    job: Sequence[CachedOutput], stage: Stage, run: Run, client: ModelClient
) -> list[Film]:
    if all(output.reusable for output in job):
        return [output.reuse() for output in job]
    for output in job:  # their time begins now: other jobs were run before this one
        output.began = time.monotonic()
    assert stage.run is not None
    if error := job[0].error:
        raise error
    progress.doing(stage.name, f"asking about {job[0].film.video.id}")
    inputs = [stage.inputs(output.film) for output in job]
    stage_job = run.job(stage, tick=job[0].tick, client=client)
    if stage.scope == "film":
        return [job[0].save(await stage.run(inputs[0], stage_job))]
    rows = await stage.run(inputs, stage_job)
    return [output.save(film_rows) for output, film_rows in zip(job, rows, strict=True)]
