"""The whole graph on one page; nothing else knows the order of the stages.

    films -> keyframes -> text -> selection (a series) -> captions -> stories -> shards -> publish

What passes between stages is a `Film`: its row and the names of its part files. Rows and pictures
stay in storage, so a runner's memory does not grow with them. After each regrouping a film goes to
whichever worker is free.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsList, AsSingleton

from pipeline import parts, progress, publish, shards, stages
from pipeline.backends import Answer, Backend, Request
from pipeline.config import STAGES, DatasetConfig
from pipeline.shards import FileRecord, Shard
from pipeline.stages import Film
from schemas.rows import Keyframe, Reject, Story, Video

NAMESPACE = "storystream"


@dataclasses.dataclass(frozen=True)
class Run:
    """What every stage of a run is told."""

    config: DatasetConfig
    out: str
    work: str
    threads: int = 1  # for decoding one film
    force: tuple[str, ...] = ()  # stages to do again
    until: str = ""  # the stage to stop after, "" for none


def dataset(pipeline: beam.Pipeline, videos: Sequence[Video], rejects: Sequence[Reject],
            run: Run) -> None:
    """Adds the graph that makes the dataset `run.out` of `videos` to a pipeline.

    `rejects` are those of the search for videos.
    """
    films = (
        pipeline
        | "Films" >> beam.Create([Film(video, run.work) for video in _largest_first(videos)])
        | "Spread films" >> _Spread(lambda film: film.video.id)
    )
    steps: dict[str, beam.PTransform] = {
        "keyframes": beam.ParDo(_DoFilm("keyframes", stages.keyframes_depend, _keyframes, run)),
        "text": beam.ParDo(_DoFilm("text", stages.text_depends, _text, run)),
        "selection": _SelectBySeries(run),
        "captions": beam.ParDo(_DoFilm("captions", stages.captions_depend, _captions, run)),
        "stories": beam.ParDo(_DoFilm("stories", stages.stories_depend, _stories, run)),
    }
    for name in STAGES:
        films = films | name.capitalize() >> steps[name]
        if name == run.until:
            return
    everything = films | "All films" >> beam.combiners.ToList()
    split = everything | "Split" >> beam.Map(_split, run)
    records = (
        everything
        | "Plan shards" >> beam.FlatMap(_plan, AsSingleton(split), run)
        | "Spread shards" >> _Spread(lambda shard: shard.path)
        | "Write shards" >> beam.Map(_write_shard, run)
    )
    _ = everything | "Publish" >> beam.Map(
        _publish, AsSingleton(split), AsList(records), list(rejects), run)


def _largest_first(videos: Sequence[Video]) -> list[Video]:
    # Work is dealt out in turn, so the largest first leaves the workers with about as much each.
    return sorted(videos, key=lambda video: (-video.size, video.id))


class _Spread(beam.PTransform):
    """Breaks fusion: each element may go to another worker. Keeps the order, as no shuffle does."""

    def __init__(self, key: Callable[[Any], str]) -> None:
        super().__init__()
        self.key = key

    def expand(self, elements: Any) -> Any:
        return (elements
                | beam.Map(lambda element, key: (key(element), element), self.key)
                | beam.GroupByKey()
                | beam.FlatMap(lambda keyed: keyed[1]))


class _Meter:
    """A backend that counts what it is asked and what it says."""

    def __init__(self, backend: Backend, stage: str) -> None:
        self.name, self.backend, self.stage = backend.name, backend, stage

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        answers = self.backend.answer(requests)
        count(self.stage, "calls", len(answers))
        count(self.stage, "input_tokens", sum(answer.input_tokens for answer in answers))
        count(self.stage, "output_tokens", sum(answer.output_tokens for answer in answers))
        return answers


def count(stage: str, name: str, amount: int) -> None:
    """Adds to a counter of a stage, which the run's record and the runner's own page show."""
    Metrics.counter(NAMESPACE, f"{stage}/{name}").inc(amount)


def _kept(stage: str, film: Film, depends: Any,
          make: Callable[[str, progress.Tick], list[parts.AnyRow]], run: Run) -> Film:
    """The film with the stage's part, made now or found from an earlier run."""
    part = stages.part_name(stage, film, depends)
    file = parts.path(run.work, part)
    started = time.monotonic()
    tick = progress.ticking(stage)
    if stage not in run.force and parts.whole(file):
        count(stage, "reused", 1)
    else:
        rows = make(part, tick)
        parts.save(file, rows)
        count(stage, "done", 1)
        for row in rows:
            count(stage, f"rows {type(row).__name__}", 1)
    count(stage, "milliseconds", int(1000 * (time.monotonic() - started)))
    tick(1.0)
    return dataclasses.replace(film, parts={**film.parts, stage: part})


class _DoFilm(beam.DoFn):
    """A stage that looks at one film at a time."""

    def __init__(self, stage: str, depends: Callable[[Film, DatasetConfig], Any],
                 make: Callable[[Film, Run, str, progress.Tick], list[parts.AnyRow]], run: Run
                 ) -> None:
        self.stage, self.depends, self.make, self.run = stage, depends, make, run

    def process(self, film: Film) -> Iterator[Film]:
        yield _kept(self.stage, film, self.depends(film, self.run.config),
                    lambda part, tick: self.make(film, self.run, part, tick), self.run)


class _SelectBySeries(beam.PTransform):
    """The selection, which looks at all the films of a series."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, films: Any) -> Any:
        return (films
                | beam.GroupBy(lambda film: film.video.series)
                | beam.FlatMap(_select_series, self.run)
                | _Spread(lambda film: film.video.id))


def _select_series(series: tuple[str, Iterable[Film]], run: Run) -> Iterator[Film]:
    by_id = {film.video.id: film for film in series[1]}
    films = [by_id[video.id] for video in _largest_first([each.video for each in by_id.values()])]
    for film in films:
        depends = stages.selection_depends(film, films, run.config)
        done = _kept("selection", film, depends,
                     functools.partial(_select, film, films, run), run)
        stages.place_pictures(done, run.out)
        yield done


def _select(film: Film, films: Sequence[Film], run: Run, part: str, tick: progress.Tick
            ) -> list[parts.AnyRow]:
    return stages.select(film, films, run.config)


def _keyframes(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.find_keyframes(film, run.config, part, run.threads, tick)


def _text(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.read_text(film, tick)


def _captions(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.write_captions(film, run.config, run.out,
                                 lambda backend: _Meter(backend, "captions"))


def _stories(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.tell_stories(film, run.config, lambda backend: _Meter(backend, "stories"))


def _split(films: list[Film], run: Run) -> dict[str, str]:
    hashes = {film.video.id: [keyframe.phash for keyframe in film.rows("selection", Keyframe)]
              for film in films}
    told = {film.video.id: len(film.rows("stories", Story)) for film in films}
    return shards.splits(hashes, told, run.config.output)


def _plan(films: list[Film], split: dict[str, str], run: Run) -> list[Shard]:
    def told() -> Iterator[tuple[str, Story, dict[str, int]]]:
        for film in sorted(films, key=lambda film: film.video.id):
            found, sizes = stages.story_pictures(film)
            for story in found:
                yield (film.parts["stories"],
                       dataclasses.replace(story, split=split[film.video.id]), sizes)

    return shards.plan(told(), run.config.output)


def _write_shard(shard: Shard, run: Run) -> FileRecord:
    stories = {
        story.id: story
        for part in sorted({part for part, _, _ in shard.chunks})
        for story in parts.only(Story, parts.load(parts.path(run.work, part)))
    }
    return shards.write(run.out, shard.path,
                        [(stories[story], number) for _, story, number in shard.chunks])


def _publish(films: list[Film], split: dict[str, str], records: list[FileRecord],
             rejects: list[Reject], run: Run) -> None:
    publish.publish(run.out, films, split, records, rejects, run.config)
