"""Beam transforms of the stages that ask no model: films in, films with the stage's output out.

A film's work may begin in parts, by whichever workers are free. A stage whose scope is a series
sees all the films of one at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from pipeline.dataset import manifest
from pipeline.graph.reshuffle import Spread
from pipeline.graph.stage_cache import Cached, Run, is_there, jobs_of, key, output_name, timed
from pipeline.graph.stages import Stage
from pipeline.runtime import progress
from pipeline.runtime.stage_outputs import Film


def largest_first(film: Film) -> tuple[int, str]:
    """Returns what to sort films by: work is dealt out in turn, so the largest first leaves the
    workers with about as much each."""
    return -film.video.size, film.video.id


class RunStage(beam.PTransform):
    """Films to films with the output of a stage."""

    def __init__(self, stage: Stage, run: Run) -> None:
        super().__init__()
        self.stage, self.run = stage, run

    def expand(self, films: Any) -> Any:
        if self.stage.scope == "series":
            return (
                films
                | beam.GroupBy(_series)
                | beam.FlatMap(run_series, self.stage, self.run)
                | Spread(_id)
            )
        if self.stage.parts is None:
            return films | beam.Map(run_film, self.stage, self.run)
        return (
            films
            | "Parts" >> beam.FlatMap(_split, self.stage, self.run)
            | "Spread parts" >> Spread(lambda part: f"{part.film.video.id}/{part.number}")
            | "Work on parts" >> beam.Map(_work, self.stage, self.run)
            | "By film" >> beam.GroupBy(lambda part: part.film.video.id)
            | "Run" >> beam.Map(_join, self.stage, self.run)
        )


def _id(film: Film) -> str:
    return film.video.id


def _series(film: Film) -> str:
    return film.video.series


def run_film(film: Film, stage: Stage, run: Run) -> Film:
    """Returns the film with the stage's output, made now or found from an earlier run."""
    with timed(stage.name):
        (cached,) = jobs_of(stage, [film], run)
        return _done(cached, stage, run)


def _done(cached: Cached, stage: Stage, run: Run) -> Film:
    if cached.there:
        return cached.reused()
    assert stage.run is not None
    job = run.job(stage, output=cached.output, tick=cached.tick)
    return cached.made(stage.run(stage.inputs(cached.film), job))


def run_series(series: tuple[str, Iterable[Film]], stage: Stage, run: Run) -> list[Film]:
    """Returns the films of a series with the stage's output."""
    with timed(stage.name):
        cached = jobs_of(stage, list(series[1]), run)
        if all(film.there for film in cached):
            done = [film.reused() for film in cached]
        else:
            assert stage.run is not None
            rows = stage.run([stage.inputs(film.film) for film in cached], run.job(stage))
            done = [
                film.reused() if film.there else film.made(made)
                for film, made in zip(cached, rows, strict=True)
            ]
    publish_files(stage, done, run)
    return done


def publish_files(stage: Stage, films: list[Film], run: Run) -> None:
    """Puts the files of a stage into the dataset folder, which then is no finished dataset until
    the run has come to its end."""
    if stage.publish is not None:
        stage.publish(films, run.out, run.forced, lambda: manifest.delete_manifest(run.out))


@dataclasses.dataclass(frozen=True)
class _Part:
    """One of the parts that the work on a film begins in."""

    film: Film
    key: Any  # of the stage's output
    parts: list[Any]  # all of them
    number: int


def _split(film: Film, stage: Stage, run: Run) -> Iterator[_Part]:
    assert stage.parts is not None
    depends = key(stage, [film], run)
    there = is_there(stage, film, depends, run)
    parts = [None] if there else stage.parts.split(stage.inputs(film), run.segment)
    for number in range(len(parts)):
        yield _Part(film, depends, parts, number)


def _work(part: _Part, stage: Stage, run: Run) -> _Part:
    assert stage.parts is not None
    if len(part.parts) > 1:
        tick = progress.ticker(stage.name)
        with timed(stage.name):
            job = run.job(stage, output=output_name(stage, part.film, part.key))
            stage.parts.work(stage.inputs(part.film), job, part.parts, part.number)
        tick(stage.parts.share / len(part.parts))
    return part


def _join(by_film: tuple[str, Iterable[_Part]], stage: Stage, run: Run) -> Film:
    assert stage.parts is not None
    parts = list(by_film[1])
    begun = stage.parts.share if len(parts) > 1 else -1.0
    with timed(stage.name):
        return _done(Cached(stage, parts[0].film, parts[0].key, run, begun), stage, run)
