"""The stages that look at films and ask nobody: keyframes, text, selection, quality.

Each is a transform from films to films that have the stage's part. A long film's frames are passed
over in segments, by whichever workers are free; the selection sees all the films of a series.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from pipeline.dataset import publish
from pipeline.graph import stages
from pipeline.graph.reshuffle import Spread
from pipeline.graph.stage_cache import Run, kept, timed
from pipeline.graph.stages import Film
from pipeline.keyframes.extract import SCAN_SHARE
from pipeline.keyframes.segment_scan import Bounds
from pipeline.runtime import progress, stage_outputs, storage


def largest_first(film: Film) -> tuple[int, str]:
    """What to sort films by: work is dealt out in turn, so the largest first leaves the workers
    with about as much each."""
    return -film.video.size, film.video.id


@dataclasses.dataclass(frozen=True)
class _Segment:
    """One of the segments that a film's keyframes are looked for in."""

    film: Film
    depends: Any  # what the film's keyframes depend on
    bounds: list[Bounds]  # of all of them
    number: int


class FindKeyframes(beam.PTransform):
    """The keyframes: a pass over each segment of a film, and then the choice among all frames."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, films: Any) -> Any:
        return (
            films
            | "Segments" >> beam.FlatMap(_segments, self.run)
            | "Spread segments" >> Spread(lambda one: f"{one.film.video.id}/{one.number}")
            | "Measure" >> beam.Map(_measure, self.run)
            | "By film" >> beam.GroupBy(lambda one: one.film.video.id)
            | "Choose" >> beam.Map(_choose, self.run)
        )


def _segments(film: Film, run: Run) -> Iterator[_Segment]:
    depends = stages.keyframes_depend(film, run.config)
    there = storage.exists(
        stage_outputs.path(run.work, stages.part_name("keyframes", film, depends))
    )
    bounds: list[Bounds] = [(None, None)]
    if run.forced("keyframes", film) or not there:
        bounds = stages.segment_bounds(film, run.segment)
    for number in range(len(bounds)):
        yield _Segment(film, depends, bounds, number)


def _measure(one: _Segment, run: Run) -> _Segment:
    if len(one.bounds) > 1:
        tick = progress.ticking("keyframes")
        with timed("keyframes"):
            part = stages.part_name("keyframes", one.film, one.depends)
            stages.measure_segment(one.film, part, one.bounds, one.number, run.threads)
        tick(SCAN_SHARE / len(one.bounds))
    return one


def _choose(by_film: tuple[str, Iterable[_Segment]], run: Run) -> Film:
    segments = list(by_film[1])
    film = segments[0].film
    begun = SCAN_SHARE if len(segments) > 1 else -1.0
    return kept(
        "keyframes",
        film,
        segments[0].depends,
        lambda part, tick: stages.find_keyframes(film, run.config, part, run.threads, tick),
        run,
        begun,
    )


def read_text(film: Film, run: Run) -> Film:
    """The film with the text on its keyframes."""
    return kept(
        "text",
        film,
        stages.text_depends(film, run.config),
        lambda part, tick: stages.read_text(film, run.config, run.threads, tick),
        run,
    )


def judge(film: Film, run: Run) -> Film:
    """The film with its stories' scores, and those that are dropped for them."""
    return kept(
        "quality",
        film,
        stages.quality_depends(film, run.config),
        lambda part, tick: stages.judge(film, run.config, run.out),
        run,
    )


class SelectBySeries(beam.PTransform):
    """The selection, which looks at all the films of a series."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, films: Any) -> Any:
        return (
            films
            | beam.GroupBy(lambda film: film.video.series)
            | beam.FlatMap(_select_series, self.run)
            | Spread(lambda film: film.video.id)
        )


def _select_series(series: tuple[str, Iterable[Film]], run: Run) -> Iterator[Film]:
    films = sorted(series[1], key=largest_first)
    recurring = functools.cache(lambda: stages.recurring(films, run.config))  # if one is missing
    for film in films:
        done = _select(film, films, recurring, run)
        stages.place_pictures(
            done, run.out, run.forced("keyframes", film), lambda: publish.withdraw(run.out)
        )
        yield done


def _select(
    film: Film, series: Sequence[Film], recurring: Callable[[], dict[str, str]], run: Run
) -> Film:
    return kept(
        "selection",
        film,
        stages.selection_depends(film, series, run.config),
        lambda part, tick: stages.select(film, recurring(), run.config),
        run,
    )
