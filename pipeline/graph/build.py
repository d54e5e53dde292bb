"""The whole graph on one page.

    films -> the stages, in the order of `stages.STAGES` -> shards -> publish

What passes between stages is a `Film`: its row and the names of its stage outputs. Rows and
pictures stay in storage, so a runner's memory does not grow with them. After each regrouping a film
goes to whichever worker is free; a long one is passed over in parts. Where a stage asks a model,
one worker takes many films at once, so that a server has many calls to answer and a model whole
batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from pipeline.graph import shard_transforms
from pipeline.graph.film_transforms import RunStage, largest_first
from pipeline.graph.model_transforms import Ask
from pipeline.graph.reshuffle import Spread
from pipeline.graph.stage_cache import Run
from pipeline.runtime.stage_outputs import Film
from schemas.rows import Reject, Video


def dataset(
    pipeline: beam.Pipeline, videos: Sequence[Video], rejects: Sequence[Reject], run: Run
) -> None:
    """Adds the graph that makes the dataset `run.out` of `videos` to a pipeline.

    `rejects` are those of the search for videos.
    """
    found = sorted((Film(video, run.work) for video in videos), key=largest_first)
    films = pipeline | "Films" >> beam.Create(found) | "Spread films" >> Spread(_id)
    for stage in run.stages:
        step = Ask(stage, run) if stage.role else RunStage(stage, run)
        films = films | stage.name.capitalize() >> step
        if stage.role:
            films = films | f"Spread {stage.name}" >> Spread(_id)
        if stage.name == run.until:
            return
    decided = films | "Decide" >> shard_transforms.Decide(run)
    records = decided | "Shards" >> shard_transforms.WriteShards(run)
    _ = (
        {
            "films": decided | "Films of all" >> beam.WithKeys(""),
            "records": records | "Records of all" >> beam.WithKeys(""),
        }
        | "Films and records" >> beam.CoGroupByKey()
        | "Publish" >> beam.Map(shard_transforms.publish_dataset, list(rejects), run)
    )


def _id(film: Film) -> str:
    return film.video.id
