"""Runs the stages that ask no model, as Beam transforms from films to films with one more output.

The first part of the work on a long film may be shared by several workers, a segment each. A stage
whose scope is a series, or the whole source, gets all films of it at the same time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from pipeline.dataset import manifest
from pipeline.graph import failures
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
from pipeline.runtime.stage_outputs import AnyRow, Film


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
        if self.stage.scope in ("series", "source"):
            return (
                films
                | beam.GroupBy(_series if self.stage.scope == "series" else _source)
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


def _source(film: Film) -> str:
    return "all films"


def run_film(film: Film, stage: Stage, run: Run) -> Film:
    """Returns the film with the stage's output, reused from an earlier run if it is there."""
    with timed(stage.name):
        (cached,) = cached_outputs(stage, [film], run)
        film = _reuse_or_make(cached, stage, run)
        publish_files(stage, [film], run)
        return film


def _reuse_or_make(cached: CachedOutput, stage: Stage, run: Run) -> Film:
    if cached.reusable:
        return cached.reuse()
    assert stage.run is not None
    job = run.job(stage, output=cached.output, tick=cached.tick)
    progress.doing(stage.name, cached.film.video.id)
    try:
        if cached.error:
            raise cached.error
        return cached.save(stage.run(stage.inputs(cached.film), job))
    except Exception as error:  # whatever a film brings about stays with it
        return cached.fail(error)


def run_series(series: tuple[str, Iterable[Film]], stage: Stage, run: Run) -> list[Film]:
    """Returns the films of a series, or of the source, with the stage's output."""
    with timed(stage.name):
        cached = cached_outputs(stage, list(series[1]), run)
        if all(output.reusable for output in cached):
            films = [output.reuse() for output in cached]
        else:
            progress.doing(stage.name, series[0])
            try:
                films = [
                    output.reuse() if output.reusable else output.save(film_rows)
                    for output, film_rows in zip(cached, _series_rows(cached, run), strict=True)
                ]
            except Exception as error:
                films = _without_failing(cached, error, run)
    publish_files(stage, films, run)
    return films


def _series_rows(outputs: Sequence[CachedOutput], run: Run) -> list[list[AnyRow]]:
    """Returns what a stage makes of the films of a series, or of some of them."""
    stage = outputs[0].stage
    assert stage.run is not None
    if error := next((output.error for output in outputs if output.error), None):
        raise error
    rows = stage.run([stage.inputs(output.film) for output in outputs], run.job(stage))
    return list(rows)


def _without_failing(outputs: Sequence[CachedOutput], error: Exception, run: Run) -> list[Film]:
    """Returns the films of a series that a stage failed on, which costs those films alone on which
    it fails by themselves: the others are processed as if there were no such films."""
    if failures.stops_run(error, outputs[0].film, run.out):
        raise error
    errors = {}
    for output in outputs:
        try:
            _series_rows([output], run)
        except Exception as raised:
            errors[output.film.video.id] = raised
    rest = [output for output in outputs if output.film.video.id not in errors]
    try:
        rows = _series_rows(rest, run) if errors and rest else []
    except Exception as raised:
        rows, error = [], raised
    if not rows:  # nothing tells which film it is
        rest = []
    of_rest = dict(zip([output.film.video.id for output in rest], rows, strict=True))
    return [
        output.save_for_this_run(of_rest[id_])
        if (id_ := output.film.video.id) in of_rest
        else output.fail(errors.get(id_, error))
        for output in outputs
    ]


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
    key: Any  # of the stage's output, None if it could not be told
    segments: list[Any]  # all segments of the film, as the stage has split it
    number: int  # of this one


def _split(film: Film, stage: Stage, run: Run) -> Iterator[_Segment]:
    assert stage.segmented is not None
    key, segments = None, [None]
    try:
        key = output_key(stage, [film], run)
        if not is_reusable(stage, film, key, run):
            segments = stage.segmented.split(
                stage.inputs(film), run.job(stage), run.segment_seconds
            )
    except Exception as error:  # it is met again where the whole film is processed
        if failures.stops_run(error, film, run.out):
            raise
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
            try:
                stage.segmented.process(
                    stage.inputs(segment.film), job, segment.segments, segment.number
                )
            except Exception as error:  # likewise
                if failures.stops_run(error, segment.film, run.out):
                    raise
        tick(stage.segmented.share / len(segment.segments))
    return segment


def _join(by_film: tuple[str, Iterable[_Segment]], stage: Stage, run: Run) -> Film:
    assert stage.segmented is not None
    segments = list(by_film[1])
    begun = stage.segmented.share if len(segments) > 1 else -1.0
    with timed(stage.name):
        film, key = segments[0].film, segments[0].key
        cached = (
            CachedOutput(stage, film, key, run, begun)
            if key is not None
            else cached_outputs(stage, [film], run, begun)[0]
        )
        return _reuse_or_make(cached, stage, run)
