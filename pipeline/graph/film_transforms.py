"""Runs the stages that ask no model, as Beam transforms from films to films with one more output.

The first part of the work on a long film may be shared by several workers, a segment each. A stage
whose scope is a series gets all films of a series at the same time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from pipeline.dataset import manifest
from pipeline.graph.reshuffle import Reshuffle
from pipeline.graph.stage_cache import (
    CachedOutput,
    Run,
    cached_outputs,
    is_reusable,
    output_key,
    output_name,
    timed,
)
from pipeline.graph.stages import Stage
from pipeline.runtime import progress
from pipeline.runtime.stage_outputs import Film


def largest_first(film: Film) -> tuple[int, str]:
    """Returns the key that sorts films by size, the largest first.

    Runners assign films in turn, so workers get about equal work in this order.
    """
    return -film.video.size, film.video.id


class RunStage(beam.PTransform):
    """Runs a stage that asks no model: films in, films with its output out."""

    def __init__(self, stage: Stage, run: Run) -> None:
        super().__init__()
        self.stage, self.run = stage, run

    def expand(self, films: Any) -> Any:
        if self.stage.scope == "series":
            return (
                films
                | beam.GroupBy(_series)
                | beam.FlatMap(run_series, self.stage, self.run)
                | Reshuffle(_id)
            )
        if self.stage.segmented is None:
            return films | beam.Map(run_film, self.stage, self.run)
        return (
            films
            | "Segments" >> beam.FlatMap(_split, self.stage, self.run)
            | "Reshuffle segments"
            >> Reshuffle(lambda segment: f"{segment.film.video.id}/{segment.number}")
            | "Process segments" >> beam.Map(_process, self.stage, self.run)
            | "By film" >> beam.GroupBy(lambda segment: segment.film.video.id)
            | "Run" >> beam.Map(_join, self.stage, self.run)
        )


def _id(film: Film) -> str:
    return film.video.id


def _series(film: Film) -> str:
    return film.video.series


def run_film(film: Film, stage: Stage, run: Run) -> Film:
    """Returns the film with the stage's output, reused from an earlier run if it is there."""
    with timed(stage.name):
        (cached,) = cached_outputs(stage, [film], run)
        return _reuse_or_make(cached, stage, run)


def _reuse_or_make(cached: CachedOutput, stage: Stage, run: Run) -> Film:
    if cached.reusable:
        return cached.reuse()
    assert stage.run is not None
    job = run.job(stage, output=cached.output, tick=cached.tick)
    progress.doing(stage.name, cached.film.video.id)
    return cached.save(stage.run(stage.inputs(cached.film), job))


def run_series(series: tuple[str, Iterable[Film]], stage: Stage, run: Run) -> list[Film]:
    """Returns the films of a series with the stage's output."""
    with timed(stage.name):
        cached = cached_outputs(stage, list(series[1]), run)
        if all(output.reusable for output in cached):
            films = [output.reuse() for output in cached]
        else:
            assert stage.run is not None
            progress.doing(stage.name, series[0])
            rows = stage.run([stage.inputs(output.film) for output in cached], run.job(stage))
            films = [
                output.reuse() if output.reusable else output.save(film_rows)
                for output, film_rows in zip(cached, rows, strict=True)
            ]
    publish_files(stage, films, run)
    return films


def publish_files(stage: Stage, films: list[Film], run: Run) -> None:
    """Copies the files of a stage into the dataset folder.

    If that replaces a file, it deletes the manifest first: the folder is then no finished dataset
    until the run ends.
    """
    if stage.publish is not None:
        stage.publish(films, run.out, run.forced, lambda: manifest.delete_manifest(run.out))


@dataclasses.dataclass(frozen=True)
class _Segment:
    """A segment of a film, for a worker to process."""

    film: Film
    key: Any  # of the stage's output
    segments: list[Any]  # all segments of the film, as the stage has split it
    number: int  # of this one


def _split(film: Film, stage: Stage, run: Run) -> Iterator[_Segment]:
    assert stage.segmented is not None
    key = output_key(stage, [film], run)
    if is_reusable(stage, film, key, run):
        segments = [None]
    else:
        segments = stage.segmented.split(stage.inputs(film), run.job(stage), run.segment_seconds)
    for number in range(len(segments)):
        yield _Segment(film, key, segments, number)


def _process(segment: _Segment, stage: Stage, run: Run) -> _Segment:
    assert stage.segmented is not None
    if len(segment.segments) > 1:
        tick = progress.ticker(stage.name)
        progress.doing(
            stage.name,
            f"{segment.film.video.id}, segment {segment.number + 1} of {len(segment.segments)}",
        )
        with timed(stage.name):
            job = run.job(stage, output=output_name(stage, segment.film, segment.key))
            job = dataclasses.replace(job, threads=run.segment_threads)
            stage.segmented.process(
                stage.inputs(segment.film), job, segment.segments, segment.number
            )
        tick(stage.segmented.share / len(segment.segments))
    return segment


def _join(by_film: tuple[str, Iterable[_Segment]], stage: Stage, run: Run) -> Film:
    assert stage.segmented is not None
    segments = list(by_film[1])
    film, key = segments[0].film, segments[0].key
    begun = stage.segmented.share if len(segments) > 1 else -1.0
    with timed(stage.name):
        return _reuse_or_make(CachedOutput(stage, film, key, run, begun), stage, run)
