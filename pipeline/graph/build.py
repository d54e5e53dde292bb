"""Builds the whole Beam graph, on one page.

    films -> the stages, in the order of `stages.STAGES` -> shards -> publish

or, with `--until`, tables and a report of what there is after that stage, in place of the last two.

The elements between stages are `Film`s: a film's row and the names of its stage outputs. Rows and
images stay in storage, so a runner's memory does not grow with them. After each reshuffle a film
goes to any free worker; long films are split into segments. A stage that asks a model processes
many films at the same time in one worker, so that a server has many calls in flight and a local
model gets full batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from pipeline.graph import shard_transforms
from pipeline.graph.film_transforms import RunStage, largest_first
from pipeline.graph.model_transforms import RunModelStage
from pipeline.graph.reshuffle import Gather, Reshuffle
from pipeline.graph.stage_cache import Run
from pipeline.runtime.stage_outputs import Film
from schemas.rows import Reject, Video


def dataset(
    pipeline: beam.Pipeline, videos: Sequence[Video], rejects: Sequence[Reject], run: Run
) -> None:
    """Adds the graph that makes the dataset `run.out` of `videos` to a Beam pipeline.

    `rejects` are the files that were rejected when the videos were discovered.
    """
    found = sorted((Film(video, run.work) for video in videos), key=largest_first)
    films = pipeline | "Films" >> beam.Create(found) | "Reshuffle films" >> Reshuffle(_id)
    for stage in run.stages:
        step = RunModelStage(stage, run) if stage.role else RunStage(stage, run)
        films = films | stage.name.capitalize() >> step
        if stage.role:
            films = films | f"Reshuffle after {stage.name}" >> Reshuffle(_id)
        if stage.name == run.until:
            _ = (
                films
                | "All films" >> Gather()
                | "Publish" >> beam.Map(shard_transforms.publish_until, list(rejects), run)
            )
            return
    split = films | "Split" >> shard_transforms.AssignSplits(run)
    records = split | "Shards" >> shard_transforms.WriteShards(run)
    _ = (
        {
            "films": split | "Key films" >> beam.WithKeys(""),
            "records": records | "Key records" >> beam.WithKeys(""),
        }
        | "Films and records" >> beam.CoGroupByKey()
        | "Publish" >> beam.Map(shard_transforms.publish_dataset, list(rejects), run)
    )


def _id(film: Film) -> str:
    return film.video.id
