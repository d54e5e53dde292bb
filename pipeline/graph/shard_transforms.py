"""Assigns films to splits, writes the shards and publishes the dataset, as Beam transforms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from pipeline.dataset import film_rows, manifest, publish, shard_cache, shards, split
from pipeline.dataset.file_digests import FileRecord
from pipeline.dataset.film_rows import scored_stories, source
from pipeline.dataset.shards import Shard, StorySummary
from pipeline.graph.reshuffle import Gather, Reshuffle
from pipeline.graph.stage_cache import Run, count, measure, timed
from pipeline.review import agreement
from pipeline.runtime import progress, storage
from pipeline.runtime.stage_outputs import Film
from schemas import layout
from schemas.rows import Reject, Story


@dataclasses.dataclass(frozen=True)
class _Summary:
    """A film with what the split and the shards depend on."""

    film: Film
    hashes: bytes  # perceptual hashes of its keyframes, 32 bytes per keyframe
    stories: list[StorySummary]


@dataclasses.dataclass(frozen=True)
class _Job:
    """A shard, to be written from the stories of some films or reused from an earlier run."""

    shard: Shard
    films: list[Film]
    earlier: FileRecord | None  # of the earlier run, maybe under another name


class AssignSplits(beam.PTransform):
    """Gathers summaries of all films in one place and assigns each film to a split."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, films: Any) -> Any:
        return (
            films
            | "Summarize" >> beam.Map(_summarize)
            | "All films" >> Gather()
            | "Split" >> beam.Map(_split, self.run)
        )


class WriteShards(beam.PTransform):
    """Plans the shards of the films and their splits, writes each, and outputs their records."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, films_and_splits: Any) -> Any:
        return (
            films_and_splits
            | "Plan" >> beam.FlatMap(_plan, self.run)
            | "Reshuffle" >> Reshuffle(lambda job: job.shard.path)
            | "Stash" >> beam.Map(_stash, self.run)
            # All shards that change their names are stashed before any is written or renamed.
            | "Reshuffle stashed" >> Reshuffle(lambda job: job.shard.path)
            | "Write" >> beam.Map(_write_shard, self.run)
        )


@timed("publish")
def publish_dataset(
    grouped: tuple[str, dict[str, list[Any]]], rejects: list[Reject], run: Run
) -> None:
    """Publishes the dataset.

    `grouped` has the films with their splits ("films") and the records of the shards ("records");
    `rejects` are the files that were rejected when the videos were discovered.
    """
    (summaries, splits), records = grouped[1]["films"][0], list(grouped[1]["records"])
    films = [summary.film for summary in summaries]
    progress.doing("publish", "writing the tables")
    reviewed = agreement.counts(run.out, run.decisions, films)
    publish.publish(run.out, films, splits, records, rejects, run.config, reviewed)
    shard_cache.clean(run.out, run.work, [record.path for record in records])
    count("publish", "done", 1)


@timed("publish")
def publish_until(films: list[Film], rejects: list[Reject], run: Run) -> None:
    """Writes what there is of the films after the stage that the run stops after.

    `rejects` are as for `publish_dataset`.
    """
    progress.doing("publish", "writing the tables")
    folder = storage.join(run.work, layout.UNTIL)
    publish.publish_until(folder, films, rejects, run.config, run.until)
    count("publish", "done", 1)


@timed("publish")
def _summarize(film: Film) -> _Summary:
    keyframes = film_rows.keyframes(film)
    images = {keyframe.image: (keyframe.bytes, keyframe.sha256) for keyframe in keyframes}
    return _Summary(
        film,
        b"".join(bytes.fromhex(keyframe.phash) for keyframe in keyframes),
        [shards.summarize(story, images, source(film.video)) for story in scored_stories(film)[0]],
    )


@timed("publish")
def _split(summaries: list[_Summary], run: Run) -> tuple[list[_Summary], dict[str, str]]:
    splits = split.assign_splits(
        {summary.film.video.id: summary.hashes for summary in summaries},
        {summary.film.video.id: len(summary.stories) for summary in summaries},
        run.config.output,
    )
    manifest.delete_manifest(run.out)
    return [dataclasses.replace(summary, hashes=b"") for summary in summaries], splits


@timed("publish")
def _plan(films_and_splits: tuple[list[_Summary], dict[str, str]], run: Run) -> Iterator[_Job]:
    summaries, splits = films_and_splits
    film_of = {summary.film.video.id: summary.film for summary in summaries}
    stories = (story for summary in summaries for story in summary.stories)
    earlier = shard_cache.find(run.out, run.work)
    for shard in shards.plan(stories, splits, run.config.output):
        films = [film_of[video] for video in sorted({video for video, _ in shard.stories})]
        forced = any(run.forced(stage.name, film) for stage in run.stages for film in films)
        yield _Job(shard, films, None if forced else earlier.get(shard.digest))


def _stash(job: _Job, run: Run) -> _Job:
    if job.earlier and job.earlier.path != job.shard.path:
        shard_cache.stash(run.out, run.work, job.shard, job.earlier)
    return job


@timed("shards")
def _write_shard(job: _Job, run: Run) -> FileRecord:
    shard = job.shard
    progress.doing("shards", shard.path)
    if job.earlier:
        count("shards", "reused", 1)
        if job.earlier.path == shard.path:
            return job.earlier
        return shard_cache.rename(run.out, run.work, shard, job.earlier)
    stories: dict[str, Story] = {}
    sha256: dict[str, str] = {}
    in_shard = {story for _, story in shard.stories}
    for film in job.films:
        for story in film.rows("quality", Story):
            if story.id in in_shard:
                stories[story.id] = story
        for keyframe in film_rows.keyframes(film):
            sha256[keyframe.image] = keyframe.sha256
    shard_cache.delete_note(run.work, shard.path)
    sources = {film.video.id: source(film.video) for film in job.films}
    in_order = [stories[id_] for _, id_ in shard.stories]
    written = shards.write(run.out, shard.path, in_order, sha256, sources)
    shard_cache.write_note(run.work, shard, written)
    count("shards", "done", 1)
    measure("shards", "bytes", written.bytes)
    return written
