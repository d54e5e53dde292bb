"""Beam transforms of the stages that ask a model: captions, characters, stories.

Many films are asked about at the same time, by one worker where a server answers, so that it has
many calls to answer and a model loaded here whole batches. An embedded model, which takes a core,
works on one film at a time in every worker there is.
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
from pipeline.graph.film_transforms import publish_files
from pipeline.graph.stage_cache import Cached, Run, count, jobs_of, measure, timed
from pipeline.graph.stages import Stage
from pipeline.inference import response_cache
from pipeline.inference.backends import Stop, loading
from pipeline.inference.budget import Purse
from pipeline.inference.client import Asker, asking, together
from pipeline.runtime import interrupts
from pipeline.runtime.stage_outputs import Film

FILMS = 64  # asked about at once: enough calls for any server, and memory that stays what it is

Films = Sequence[Film]


class Ask(beam.PTransform):
    """Films to films with the output of a stage."""

    def __init__(self, stage: Stage, run: Run) -> None:
        super().__init__()
        self.stage, self.run = stage, run

    def expand(self, films: Any) -> Any:
        spec = self.run.model_spec(self.stage)
        # One worker keeps a server busy, and only one can know how much it takes.
        workers = {"embedded": 0, "openai": 1}.get(spec.kind, self.run.config.calls.workers)
        key = _series if self.stage.scope == "series" else _id
        groups = (
            films
            | "Together" >> beam.GroupBy(key)
            | "For a worker"
            >> beam.Map(lambda job, workers: (_worker(job[0], workers), list(job[1])), workers)
            | "By worker" >> beam.GroupByKey()
            | "Jobs" >> beam.MapTuple(lambda _, jobs: list(jobs))
        )
        if spec.kind == "transformers":
            from pipeline.graph.shared_model import inference  # Beam's RunInference loads PyTorch

            asked = groups | "Ask" >> inference(ask, self.stage, self.run)
        else:
            asked = groups | "Ask" >> beam.Map(ask, self.stage, self.run)
        return asked | "Films asked" >> beam.FlatMap(lambda films: films)


def _id(film: Film) -> str:
    return film.video.id


def _series(film: Film) -> str:
    return film.video.series


def _worker(name: str, workers: int) -> str:
    """Which of the workers asks about this film or series; of its own name where any may."""
    return str(int(hashlib.sha256(name.encode()).hexdigest(), 16) % workers) if workers else name


def ask(jobs: Iterable[Films], stage: Stage, run: Run, loaded: Any = None) -> list[Film]:
    """Returns the films with the stage's output. A job is a film, or the films of a series.

    `loaded` is the model, where somebody has loaded it already.
    """
    with timed(stage.name):
        cached = [jobs_of(stage, films, run) for films in jobs]
        if all(film.there for job in cached for film in job):  # then no model need be loaded
            done = [[film.reused() for film in job] for job in cached]
        else:
            done = asyncio.run(_ask(cached, stage, run, loaded))
    for films in done:
        publish_files(stage, films, run)
    return [film for films in done for film in films]


async def _ask(
    jobs: Sequence[Sequence[Cached]], stage: Stage, run: Run, loaded: Any
) -> list[list[Film]]:
    spec, config = run.model_spec(stage), run.config
    if loaded is None:
        loaded = _loaded(stage.role, spec, config)
    backend = loading.backend(loaded, spec, config.calls)
    spent = response_cache.spent(run.work) if config.budget is not None else 0.0
    purse = Purse(config.prices.get(spec.model), config.budget, spent, config.calls.max_tokens)
    turn = asyncio.Semaphore(FILMS)

    async def in_turn(job: Sequence[Cached], asker: Asker) -> list[Film]:
        async with turn:
            try:
                return await _ask_job(job, stage, run, asker)
            except Stop:
                raise
            except Exception as error:  # the others must not be paid for in vain
                asker.stop(Stop(f"{type(error).__name__}: {error}"))
                raise

    # Ctrl-C waits for what is in flight only where asking again would cost something.
    waits = interrupts.calls_in_flight() if spec.kind != "embedded" else contextlib.nullcontext()
    async with asking(
        loading.name(stage.role, spec),
        backend,
        run.work,
        purse,
        functools.partial(count, stage.name),
        functools.partial(measure, stage.name),
    ) as asker:
        with waits:
            return await together(in_turn(job, asker) for job in jobs)


def _loaded(role: str, spec: model_specs.Spec, config: Any) -> Any:
    # A connection to a server belongs to one event loop, a loaded model to the process.
    load = loading.load if spec.kind == "openai" else _model
    return load(role, spec, config.calls)


_model = functools.cache(loading.load)


async def _ask_job(job: Sequence[Cached], stage: Stage, run: Run, asker: Asker) -> list[Film]:
    if all(film.there for film in job):
        return [film.reused() for film in job]
    for film in job:  # since it was made, others have had their turn
        film.began = time.monotonic()
    assert stage.run is not None
    inputs = [stage.inputs(film.film) for film in job]
    given = run.job(stage, tick=job[0].tick, asker=asker)
    if stage.scope == "film":
        return [job[0].made(await stage.run(inputs[0], given))]
    rows = await stage.run(inputs, given)
    return [film.made(made) for film, made in zip(job, rows, strict=True)]
