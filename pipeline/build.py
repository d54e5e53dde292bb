"""The whole graph on one page; nothing else knows the order of the stages.

    films -> keyframes -> text -> selection (a series) -> captions -> characters (a series)
          -> stories -> quality -> shards -> publish

What passes between stages is a `Film`: its row and the names of its part files. Rows and pictures
stay in storage, so a runner's memory does not grow with them. After each regrouping a film goes to
whichever worker is free. Captions, characters and stories are asked of models: there one worker
takes many films at once, so that a server has many calls to answer and a model whole batches.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsList, AsSingleton

from pipeline import kept_answers, parts, progress, publish, shards, stages
from pipeline.asking import Asker, asking, together
from pipeline.backends import loading, specs
from pipeline.config import STAGES, DatasetConfig
from pipeline.money import Purse
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
        "captions": _Ask("captions", "captioner", run),
        "characters": _Ask("characters", "writer", run),
        "stories": _Ask("stories", "writer", run),
        "quality": beam.ParDo(_DoFilm("quality", stages.quality_depends, _quality, run)),
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


def count(stage: str, name: str, amount: int) -> None:
    """Adds to a counter of a stage, which the run's record and the runner's own page show."""
    Metrics.counter(NAMESPACE, f"{stage}/{name}").inc(amount)


class Keeping:
    """One film at one stage: the part that it makes there, or that an earlier run has left."""

    def __init__(self, stage: str, film: Film, depends: Any, run: Run) -> None:
        self.stage, self.film = stage, film
        self.part = stages.part_name(stage, film, depends)
        self._file = parts.path(run.work, self.part)
        self.there = stage not in run.force and stages.final(self._file)
        self.tick = progress.ticking(stage)

    def done(self, rows: Sequence[parts.AnyRow] | None) -> Film:
        """The film with the part: these rows, or None for those that are there."""
        if rows is None:
            count(self.stage, "reused", 1)
        else:
            parts.save(self._file, rows)
            count(self.stage, "done", 1)
            for row in rows:
                count(self.stage, f"rows {type(row).__name__}", 1)
        self.tick(1.0)
        return dataclasses.replace(self.film, parts={**self.film.parts, self.stage: self.part})


def _kept(stage: str, film: Film, depends: Any,
          make: Callable[[str, progress.Tick], list[parts.AnyRow]], run: Run) -> Film:
    """The film with the stage's part, made now or found from an earlier run."""
    started = time.monotonic()
    keeping = Keeping(stage, film, depends, run)
    done = keeping.done(None if keeping.there else make(keeping.part, keeping.tick))
    count(stage, "milliseconds", int(1000 * (time.monotonic() - started)))
    return done


class _DoFilm(beam.DoFn):
    """A stage that looks at one film at a time."""

    def __init__(self, stage: str, depends: Callable[[Film, DatasetConfig], Any],
                 make: Callable[[Film, Run, str, progress.Tick], list[parts.AnyRow]], run: Run
                 ) -> None:
        self.stage, self.depends, self.make, self.run = stage, depends, make, run

    def process(self, film: Film) -> Iterator[Film]:
        yield _kept(self.stage, film, self.depends(film, self.run.config),
                    lambda part, tick: self.make(film, self.run, part, tick), self.run)


class _Ask(beam.PTransform):
    """A stage that asks a model: whole series for the characters, else films one by one.

    One worker takes all of it where a server answers, or as many as the config says; an embedded
    model, which takes a core, works on one film at a time wherever there is one.
    """

    def __init__(self, stage: str, role: str, run: Run) -> None:
        super().__init__()
        self.stage, self.role, self.run = stage, role, run

    def expand(self, films: Any) -> Any:
        calls = self.run.config.calls
        spec = specs.parse(getattr(self.run.config, self.role))
        if self.stage == "characters":
            jobs = films | "By series" >> beam.GroupBy(lambda film: film.video.series) | (
                "Whole series" >> beam.MapTuple(lambda _, films: _largest_first_films(films)))
        else:
            jobs = films | "Alone" >> beam.Map(lambda film: [film])
        workers = None if spec.kind == "embedded" else calls.workers
        groups = (jobs
                  | "For a worker" >> beam.Map(lambda job, workers: (_asker_of(job, workers), job),
                                               workers)
                  | "By worker" >> beam.GroupByKey()
                  | "Jobs" >> beam.MapTuple(lambda _, jobs: list(jobs)))
        if spec.kind == "transformers":
            from pipeline.sharing import inference  # Beam's RunInference loads PyTorch
            asked = groups | "Ask" >> inference(self.stage, self.role, self.run)
        else:
            asked = groups | "Ask" >> beam.Map(ask_all, self.stage, self.role, self.run)
        return (asked
                | "Films asked" >> beam.FlatMap(lambda films: films)
                | "Spread" >> _Spread(lambda film: film.video.id))


def _asker_of(job: Sequence[Film], workers: int | None) -> str:
    """Which worker asks for these films: a number, or a name of their own where all may."""
    name = job[0].video.id
    if workers is None:
        return name
    return str(int(hashlib.sha256(name.encode()).hexdigest(), 16) % workers)


def ask_all(jobs: Sequence[Sequence[Film]], stage: str, role: str, run: Run, loaded: Any = None
            ) -> list[Film]:
    """The films of all jobs with the stage's part, the questions of all asked at the same time.

    `loaded` is the model, where somebody has loaded it already.
    """
    started = time.monotonic()
    kept = [[Keeping(stage, film, depends, run) for film in job]
            for job in jobs for depends in [_ask_depends(stage, job, run)]]
    if all(keeping.there for job in kept for keeping in job):  # then no model need be loaded
        films = [keeping.done(None) for job in kept for keeping in job]
    else:
        films = asyncio.run(_ask_all(kept, stage, role, run, loaded))
    if stage == "characters":
        for job in jobs:
            stages.keep_characters(next(film for film in films if film.video == job[0].video),
                                   run.out)
    count(stage, "milliseconds", int(1000 * (time.monotonic() - started)))
    return films


def _ask_depends(stage: str, job: Sequence[Film], run: Run) -> Any:
    if stage == "captions":
        return stages.captions_depend(job[0], run.config)
    if stage == "characters":
        return stages.characters_depend(job, run.config, run.out)
    return stages.stories_depend(job[0], run.config)


async def _ask_all(jobs: Sequence[Sequence[Keeping]], stage: str, role: str, run: Run, loaded: Any
                   ) -> list[Film]:
    config, spec = run.config, specs.parse(getattr(run.config, role))
    backend = loading.backend(loaded or stages.loaded(role, spec, config.calls), spec,
                              config.calls)
    spent = kept_answers.spent(run.work) if config.budget is not None else 0.0
    budget = config.budget and spent + (config.budget - spent) / config.calls.workers
    purse = Purse(config.prices.get(spec.model), budget, spent, config.calls.max_tokens)
    async with asking(loading.name(role, spec), backend, run.work, purse,
                      functools.partial(count, stage)) as asker:
        films = await together(_ask_job(job, stage, run, asker) for job in jobs)
    return [film for job in films for film in job]


async def _ask_job(job: Sequence[Keeping], stage: str, run: Run, asker: Asker) -> list[Film]:
    if all(keeping.there for keeping in job):
        return [keeping.done(None) for keeping in job]
    films, first = [keeping.film for keeping in job], job[0]
    if stage == "captions":
        rows = await stages.write_captions(first.film, run.config, run.out, asker, first.tick)
    elif stage == "characters":
        rows = await stages.name_characters(films, run.config, run.out, asker)
    else:
        rows = await stages.tell_stories(first.film, run.config, asker, first.tick)
    # What was left out is said once, of the first film of a series.
    others = [row for row in rows if not isinstance(row, Reject)]
    return [keeping.done(rows if keeping is first else others) for keeping in job]


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
    return stages.read_text(film, run.config, run.threads, tick)


def _quality(film: Film, run: Run, part: str, tick: progress.Tick) -> list[parts.AnyRow]:
    return stages.judge(film, run.config, run.out)


def _split(films: list[Film], run: Run) -> dict[str, str]:
    hashes = {film.video.id: [keyframe.phash for keyframe in film.rows("selection", Keyframe)]
              for film in films}
    told = {film.video.id: len(film.rows("quality", Story)) for film in films}
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
