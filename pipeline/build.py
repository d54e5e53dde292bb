"""The whole graph on one page; nothing else knows the order of the stages.

    films -> keyframes -> text -> selection (a series) -> captions -> characters (a series)
          -> stories -> quality -> shards -> publish

What passes between stages is a `Film`: its row and the names of its part files. Rows and pictures
stay in storage, so a runner's memory does not grow with them. After each regrouping a film goes to
whichever worker is free. Captions, characters and stories are asked of models: there one worker
takes many films at once, so that a server has many calls to answer and a model whole batches.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsList, AsSingleton

from pipeline import parts, progress, publish, shards, stages
from pipeline.asked_stages import ROLES, Ask
from pipeline.config import STAGES, DatasetConfig
from pipeline.keeping import Run, kept
from pipeline.shards import FileRecord, Shard
from pipeline.stages import Film
from schemas.rows import Keyframe, Reject, Story, Video


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
        "captions": Ask("captions", run),
        "characters": Ask("characters", run),
        "stories": Ask("stories", run),
        "quality": beam.ParDo(_DoFilm("quality", stages.quality_depends, _quality, run)),
    }
    for name in STAGES:
        films = films | name.capitalize() >> steps[name]
        if name in ROLES:
            films = films | f"Spread {name}" >> _Spread(lambda film: film.video.id)
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


def _largest_first_films(films: Iterable[Film]) -> list[Film]:
    by_id = {film.video.id: film for film in films}
    return [by_id[video.id] for video in _largest_first([film.video for film in by_id.values()])]


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


class _DoFilm(beam.DoFn):
    """A stage that looks at one film at a time."""

    def __init__(self, stage: str, depends: Callable[[Film, DatasetConfig], Any],
                 make: Callable[[Film, Run, str, progress.Tick], list[parts.AnyRow]], run: Run
                 ) -> None:
        self.stage, self.depends, self.make, self.run = stage, depends, make, run

    def process(self, film: Film) -> Iterator[Film]:
        yield kept(self.stage, film, self.depends(film, self.run.config),
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
    films = _largest_first_films(series[1])
    for film in films:
        depends = stages.selection_depends(film, films, run.config)
        done = kept("selection", film, depends,
                     functools.partial(_select, film, films, run), run)
        stages.place_pictures(done, run.out)
        yield done


def _select(film: Film, films: Sequence[Film], run: Run, part: str, tick: progress.Tick
            ) -> list[parts.AnyRow]:
    return stages.select(film, films, run.config)


def _keyframes(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.find_keyframes(film, run.config, part, run.threads, tick)


def _text(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.read_text(film, run.config, run.threads, tick)


def _quality(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.judge(film, run.config, run.out)


def _split(films: list[Film], run: Run) -> dict[str, str]:
    hashes = {film.video.id: [keyframe.phash for keyframe in film.rows("selection", Keyframe)]
              for film in films}
    told = {film.video.id: len(stages.told(film)[0]) for film in films}
    return shards.splits(hashes, told, run.config.output)


def _plan(films: list[Film], split: dict[str, str], run: Run) -> list[Shard]:
    def told() -> Iterator[tuple[str, Story, dict[str, int]]]:
        for film in sorted(films, key=lambda film: film.video.id):
            found, sizes = stages.story_pictures(film)
            for story in found:
                yield (film.parts["quality"],
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
