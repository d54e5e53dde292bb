"""The end of a run: from films that are done to the split, the shards and the published dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from pipeline.dataset import manifest, publish, shard_cache, shards, split
from pipeline.dataset.file_digests import FileRecord
from pipeline.dataset.film_rows import scored_stories
from pipeline.dataset.shards import Shard, StorySummary
from pipeline.graph.reshuffle import Gather, Spread
from pipeline.graph.stage_cache import Run, count, measure, timed
from pipeline.runtime.stage_outputs import Film
from schemas.rows import Keyframe, Reject, Story


@dataclasses.dataclass(frozen=True)
class _Summary:
    """A film with what the split and the shards need to know of it: 32 bytes a keyframe."""

    film: Film
    hashes: bytes
    stories: list[StorySummary]


@dataclasses.dataclass(frozen=True)
class _Job:
    """A shard to be written of the stories of some films, or one that an earlier run has left."""

    shard: Shard
    films: list[Film]
    kept: FileRecord | None


class Decide(beam.PTransform):
    """All films in one place, with what is needed there, and the side of the split of each."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, films: Any) -> Any:
        return (
            films
            | "Sum up" >> beam.Map(_sum_up)
            | "All films" >> Gather()
            | "Split" >> beam.Map(_split, self.run)
        )


class WriteShards(beam.PTransform):
    """What was decided to the records of the shards, each written by whichever worker is free."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def expand(self, decided: Any) -> Any:
        return (
            decided
            | "Plan" >> beam.FlatMap(_plan, self.run)
            | "Spread kept ones" >> Spread(lambda job: job.shard.path)
            | "Stash" >> beam.Map(_stash, self.run)
            | "Spread" >> Spread(lambda job: job.shard.path)  # all of them are stashed now
            | "Write" >> beam.Map(_write_shard, self.run)
        )


@timed("publish")
def publish_dataset(
    grouped: tuple[str, dict[str, list[Any]]], rejects: list[Reject], run: Run
) -> None:
    """Publishes what was decided with the records of the shards, grouped as "films" and "records";
    `rejects` are those of the search for videos."""
    (films, side), records = grouped[1]["films"][0], list(grouped[1]["records"])
    publish.publish(run.out, [one.film for one in films], side, records, rejects, run.config)
    shard_cache.clean(run.out, run.work, [record.path for record in records])
    count("publish", "done", 1)


@timed("publish")
def _sum_up(film: Film) -> _Summary:
    keyframes = film.rows("selection", Keyframe)
    pictures = {one.image: (one.bytes, one.sha256) for one in keyframes}
    return _Summary(
        film,
        b"".join(bytes.fromhex(one.phash) for one in keyframes),
        [shards.summarize(story, pictures) for story in scored_stories(film)[0]],
    )


@timed("publish")
def _split(films: list[_Summary], run: Run) -> tuple[list[_Summary], dict[str, str]]:
    side = split.assign_splits(
        {one.film.video.id: one.hashes for one in films},
        {one.film.video.id: len(one.stories) for one in films},
        run.config.output,
    )
    manifest.delete_manifest(run.out)
    return [dataclasses.replace(one, hashes=b"") for one in films], side


@timed("publish")
def _plan(decided: tuple[list[_Summary], dict[str, str]], run: Run) -> Iterator[_Job]:
    films, side = decided
    film_of = {one.film.video.id: one.film for one in films}
    there = shard_cache.find(run.out, run.work)
    for shard in shards.plan(
        (story for one in films for story in one.stories), side, run.config.output
    ):
        of = [film_of[video] for video in sorted({video for video, _ in shard.stories})]
        again = any(run.forced(stage.name, film) for stage in run.stages for film in of)
        yield _Job(shard, of, None if again else there.get(shard.digest))


def _stash(job: _Job, run: Run) -> _Job:
    if job.kept and job.kept.path != job.shard.path:
        shard_cache.stash(run.out, run.work, job.shard, job.kept)
    return job


@timed("shards")
def _write_shard(job: _Job, run: Run) -> FileRecord:
    shard = job.shard
    if job.kept:
        count("shards", "reused", 1)
        if job.kept.path == shard.path:
            return job.kept
        return shard_cache.rename(run.out, run.work, shard, job.kept)
    stories: dict[str, Story] = {}
    sha256: dict[str, str] = {}
    wanted = {story for _, story in shard.stories}
    for film in job.films:
        stories |= {one.id: one for one in film.rows("quality", Story) if one.id in wanted}
        sha256 |= {one.image: one.sha256 for one in film.rows("selection", Keyframe)}
    shard_cache.delete_note(run.work, shard.path)
    written = shards.write(run.out, shard.path, [stories[one] for _, one in shard.stories], sha256)
    shard_cache.write_note(run.work, shard, written)
    count("shards", "done", 1)
    measure("shards", "bytes", written.bytes)
    return written
