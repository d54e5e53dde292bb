"""The whole graph on one page; nothing else knows the order of the stages.

    films -> keyframes -> text -> selection (a series) -> captions -> characters (a series)
          -> stories -> quality -> shards -> publish

What passes between stages is a `Film`: its row and the names of its part files. Rows and pictures
stay in storage, so a runner's memory does not grow with them. After each regrouping a film goes to
whichever worker is free. Captions, characters and stories are asked of models: there one worker
takes many films at once, so that a server has many calls to answer and a model whole batches. Long
films are passed over in segments, each by whichever worker is free.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from pipeline import kept_shards, parts, progress, publish, shards, split, stages
from pipeline.asked_stages import ROLES, Ask
from pipeline.config import STAGES, DatasetConfig
from pipeline.digests import FileRecord
from pipeline.keeping import Run, count, kept, measure, timed
from pipeline.segments import Bounds
from pipeline.shards import Shard, Told
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
        "keyframes": _FindKeyframes(run),
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
    decided = (
        films
        | "Sum up" >> beam.Map(_sum_up)
        | "All films" >> _Gather()
        | "Split" >> beam.Map(_split, run)
    )
    records = (
        decided
        | "Plan shards" >> beam.FlatMap(_plan, run)
        | "Spread kept shards" >> _Spread(lambda job: job.shard.path)
        | "Put aside" >> beam.Map(_put_aside, run)
        | "Spread shards" >> _Spread(lambda job: job.shard.path)  # all of them are aside now
        | "Write shards" >> beam.Map(_write_shard, run)
    )
    _ = (
        {"films": decided | "Films of all" >> beam.WithKeys(""),
         "records": records | "Records of all" >> beam.WithKeys("")}
        | "Films and records" >> beam.CoGroupByKey()
        | "Publish" >> beam.Map(_publish, list(rejects), run)
    )


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
                | "Key" >> beam.Map(lambda element, key: (key(element), element), self.key)
                | "Group" >> beam.GroupByKey()
                | "Elements" >> beam.FlatMap(lambda keyed: keyed[1]))


class _Gather(beam.PTransform):
    """All elements in one list, also where there are none.

    Beam's own ToList has a side input, and for those Dask does everything before them again.
    """

    def expand(self, elements: Any) -> Any:
        none = elements.pipeline | "None" >> beam.Create([[]])
        one_each = elements | "One each" >> beam.Map(lambda element: [element])
        return ((one_each, none)
                | "Or none" >> beam.Flatten()
                | "Key" >> beam.WithKeys("")
                | "Group" >> beam.GroupByKey()
                | "List" >> beam.Map(lambda keyed: [one for some in keyed[1] for one in some]))


@dataclasses.dataclass(frozen=True)
class _Segment:
    """One of the segments that a film's keyframes are looked for in."""

    film: Film
    part: str  # the keyframes part that it is for
    bounds: list[Bounds]  # of all of them
    number: int


class _FindKeyframes(beam.PTransform):
    """The keyframes: a pass over each segment of a film, and then the choice among all frames."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, films: Any) -> Any:
        return (films
                | "Segments" >> beam.FlatMap(_segments, self.run)
                | "Spread segments" >> _Spread(lambda one: f"{one.film.video.id}/{one.number}")
                | "Measure" >> beam.Map(_measure, self.run)
                | "By film" >> beam.GroupBy(lambda one: one.film.video.id)
                | "Choose" >> beam.Map(_choose, self.run))


def _segments(film: Film, run: Run) -> Iterator[_Segment]:
    part = stages.part_name("keyframes", film, stages.keyframes_depend(film, run.config))
    done = not run.forced("keyframes", film) and stages.final(film, part)
    bounds: list[Bounds] = stages.segment_bounds(film, run.segment) if not done else [(None, None)]
    for number in range(len(bounds)):
        yield _Segment(film, part, bounds, number)


def _measure(one: _Segment, run: Run) -> _Segment:
    if len(one.bounds) > 1:
        tick = progress.ticking("keyframes")
        with timed("keyframes"):
            stages.measure_segment(one.film, one.part, one.bounds, one.number, run.threads)
        tick(stages.MEASURING / len(one.bounds))
    return one


def _choose(by_film: tuple[str, Iterable[_Segment]], run: Run) -> Film:
    segments = list(by_film[1])
    film = segments[0].film
    begun = stages.MEASURING if len(segments) > 1 else -1.0
    return kept("keyframes", film, stages.keyframes_depend(film, run.config),
                lambda part, tick: stages.find_keyframes(film, run.config, part, run.threads, tick),
                run, begun)


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
        stages.place_pictures(done, run.out, run.forced("keyframes", film),
                              lambda: publish.withdraw(run.out))
        yield done


def _select(film: Film, films: Sequence[Film], run: Run, part: str, tick: progress.Tick
            ) -> list[parts.AnyRow]:
    return stages.select(film, films, run.config)


def _text(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.read_text(film, run.config, run.threads, tick)


def _quality(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.judge(film, run.config, run.out)


@dataclasses.dataclass(frozen=True)
class _Summary:
    """A film with what the split and the shards need to know of it: 32 bytes a keyframe."""

    film: Film
    hashes: bytes
    stories: list[Told]


@dataclasses.dataclass(frozen=True)
class _Job:
    """A shard to be written of the stories of some films, or one that an earlier run has left."""

    shard: Shard
    films: list[Film]
    kept: FileRecord | None


@timed("publish")
def _sum_up(film: Film) -> _Summary:
    keyframes = film.rows("selection", Keyframe)
    pictures = {one.image: (one.bytes, one.sha256) for one in keyframes}
    return _Summary(film, b"".join(bytes.fromhex(one.phash) for one in keyframes),
                    [shards.told(story, pictures) for story in stages.told(film)[0]])


@timed("publish")
def _split(films: list[_Summary], run: Run) -> tuple[list[_Summary], dict[str, str]]:
    side = split.splits({one.film.video.id: one.hashes for one in films},
                        {one.film.video.id: len(one.stories) for one in films}, run.config.output)
    publish.withdraw(run.out)
    return [dataclasses.replace(one, hashes=b"") for one in films], side


@timed("publish")
def _plan(decided: tuple[list[_Summary], dict[str, str]], run: Run) -> Iterator[_Job]:
    films, side = decided
    film_of = {one.film.video.id: one.film for one in films}
    there = kept_shards.find(run.out, run.work)
    for shard in shards.plan((story for one in films for story in one.stories), side,
                             run.config.output):
        of = [film_of[video] for video in sorted({video for video, _ in shard.stories})]
        again = any(run.forced(stage, film) for stage in STAGES for film in of)
        yield _Job(shard, of, None if again else there.get(shard.digest))


def _put_aside(job: _Job, run: Run) -> _Job:
    if job.kept and job.kept.path != job.shard.path:
        kept_shards.put_aside(run.out, run.work, job.shard, job.kept)
    return job


@timed("shards")
def _write_shard(job: _Job, run: Run) -> FileRecord:
    shard = job.shard
    if job.kept:
        count("shards", "reused", 1)
        if job.kept.path == shard.path:
            return job.kept
        return kept_shards.rename(run.out, run.work, shard, job.kept)
    stories: dict[str, Story] = {}
    sha256: dict[str, str] = {}
    wanted = {story for _, story in shard.stories}
    for film in job.films:
        stories |= {one.id: one for one in film.rows("quality", Story) if one.id in wanted}
        sha256 |= {one.image: one.sha256 for one in film.rows("selection", Keyframe)}
    kept_shards.forget(run.work, shard.path)
    written = shards.write(run.out, shard.path, [stories[one] for _, one in shard.stories], sha256)
    kept_shards.save(run.work, shard, written)
    count("shards", "done", 1)
    measure("shards", "bytes", written.bytes)
    return written


@timed("publish")
def _publish(grouped: tuple[str, dict[str, list[Any]]], rejects: list[Reject], run: Run) -> None:
    (films, side), records = grouped[1]["films"][0], list(grouped[1]["records"])
    publish.publish(run.out, [one.film for one in films], side, records, rejects, run.config)
    kept_shards.sweep(run.out, run.work, [record.path for record in records])
    count("publish", "done", 1)
