"""The stages that ask a model: captions, characters, stories.

Many films are asked about at the same time, by one worker where a server answers, so that it has
many calls to answer and a model loaded here whole batches. An embedded model, which takes a core,
works on one film at a time in every worker there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import apache_beam as beam

from pipeline import model_specs
from pipeline.dataset import publish
from pipeline.graph import stages
from pipeline.graph.stage_cache import Keeping, Run, count, measure, timed
from pipeline.graph.stages import Film
from pipeline.inference import response_cache
from pipeline.inference.backends import loading
from pipeline.inference.budget import Budget
from pipeline.inference.client import ModelClient, gather, open_client
from pipeline.inference.protocol import Stop
from pipeline.runtime import progress, stage_outputs
from pipeline.runtime.progress import Tick
from schemas.rows import Reject

FILMS = 64  # asked about at once: enough calls for any server, and memory that stays what it is

Films = Sequence[Film]


@dataclasses.dataclass(frozen=True)
class _Stage:
    """What sets one of these stages apart. It looks at a film, or at all those of a series."""

    role: str  # "captioner" or "writer"
    series: bool
    depends: Callable[[Films, Run], Any]
    make: Callable[[Films, Run, ModelClient, Tick], Awaitable[list[stage_outputs.AnyRow]]]


_STAGES = {
    "captions": _Stage(
        "captioner",
        False,
        lambda films, run: stages.captions_depend(films[0], run.config),
        lambda films, run, client, tick: stages.write_captions(
            films[0], run.config, run.out, client, tick
        ),
    ),
    "characters": _Stage(
        "writer",
        True,
        lambda films, run: stages.characters_depend(films, run.config, run.out),
        lambda films, run, client, tick: stages.name_characters(films, run.config, run.out, client),
    ),
    "stories": _Stage(
        "writer",
        False,
        lambda films, run: stages.stories_depend(films[0], run.config),
        lambda films, run, client, tick: stages.tell_stories(films[0], run.config, client, tick),
    ),
}
ROLES = {name: stage.role for name, stage in _STAGES.items()}


class Ask(beam.PTransform):
    """Films to films with the stage's part."""

    def __init__(self, stage: str, run: Run) -> None:
        super().__init__()
        self.stage, self.run = stage, run

    def expand(self, films: Any) -> Any:
        spec = model_specs.parse(getattr(self.run.config, ROLES[self.stage]))
        # One worker keeps a server busy, and only one can know how much it takes.
        workers = {"embedded": 0, "openai": 1}.get(spec.kind, self.run.config.calls.workers)
        key = (
            (lambda film: film.video.series)
            if _STAGES[self.stage].series
            else (lambda film: film.video.id)
        )
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

            asked = groups | "Ask" >> inference(self.stage, self.run)
        else:
            asked = groups | "Ask" >> beam.Map(ask, self.stage, self.run)
        return asked | "Films asked" >> beam.FlatMap(lambda films: films)


def _worker(name: str, workers: int) -> str:
    """Which of the workers asks about this film or series; of its own name where any may."""
    return str(int(hashlib.sha256(name.encode()).hexdigest(), 16) % workers) if workers else name


def ask(jobs: Iterable[Films], stage: str, run: Run, loaded: Any = None) -> list[Film]:
    """The films with the stage's part. A job is a film, or the films of a series.

    `loaded` is the model, where somebody has loaded it already.
    """
    with timed(stage):
        kept = [_keepings(stage, films, run) for films in jobs]
        if all(one.there for job in kept for one in job):  # then no model need be loaded
            done = [[one.done(None) for one in job] for job in kept]
        else:
            done = asyncio.run(_ask(kept, stage, run, loaded))
        if stage == "characters":
            for films in done:
                stages.keep_characters(films[0], run.out, lambda: publish.withdraw(run.out))
    return [film for films in done for film in films]


def _keepings(stage: str, films: Films, run: Run) -> list[Keeping]:
    films = sorted(films, key=lambda film: film.video.id)
    depends = _STAGES[stage].depends(films, run)
    return [Keeping(stage, film, depends, run) for film in films]


async def _ask(
    jobs: Sequence[Sequence[Keeping]], stage: str, run: Run, loaded: Any
) -> list[list[Film]]:
    role, config = ROLES[stage], run.config
    spec = model_specs.parse(getattr(config, role))
    if loaded is None:
        loaded = _loaded(role, spec, config)
    backend = loading.backend(loaded, spec, config.calls)
    spent = response_cache.spent(run.work) if config.budget is not None else 0.0
    budget = Budget(config.prices.get(spec.model), config.budget, spent, config.calls.max_tokens)
    turn = asyncio.Semaphore(FILMS)

    async def one(job: Sequence[Keeping], client: ModelClient) -> list[Film]:
        async with turn:
            try:
                return await _ask_job(job, stage, run, client)
            except Stop:
                raise
            except Exception as error:  # the others must not be paid for in vain
                client.stop(Stop(f"{type(error).__name__}: {error}"))
                raise

    # Ctrl-C waits for what is in flight only where asking again would cost something.
    waits = progress.calls_in_flight() if spec.kind != "embedded" else contextlib.nullcontext()
    async with open_client(
        loading.name(role, spec),
        backend,
        run.work,
        budget,
        functools.partial(count, stage),
        functools.partial(measure, stage),
    ) as client:
        with waits:
            return await gather(one(job, client) for job in jobs)


def _loaded(role: str, spec: model_specs.Spec, config: Any) -> Any:
    # A connection to a server belongs to one event loop, a loaded model to the process.
    load = loading.load if spec.kind == "openai" else _model
    return load(role, spec, config.calls)


_model = functools.cache(loading.load)


async def _ask_job(job: Sequence[Keeping], stage: str, run: Run, client: ModelClient) -> list[Film]:
    if all(one.there for one in job):
        return [one.done(None) for one in job]
    for one in job:  # since it was made, others have had their turn
        one.began = time.monotonic()
    rows = await _STAGES[stage].make([one.film for one in job], run, client, job[0].tick)
    # What was left out is said once, of the first film of a series.
    others = [row for row in rows if not isinstance(row, Reject)]
    return [one.done(rows if one is job[0] else others) for one in job]
