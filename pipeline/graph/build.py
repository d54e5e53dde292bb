"""The whole graph on one page; nothing else knows the order of the stages.

    films -> keyframes -> text -> selection (a series) -> captions -> characters (a series)
          -> stories -> quality -> shards -> publish

What passes between stages is a `Film`: its row and the names of its part files. Rows and pictures
stay in storage, so a runner's memory does not grow with them. After each regrouping a film goes to
whichever worker is free; a long one is passed over in segments. Captions, characters and stories
are asked of models: there one worker takes many films at once, so that a server has many calls to
answer and a model whole batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from pipeline.config import STAGES
from pipeline.graph import film_transforms, shard_transforms
from pipeline.graph.model_transforms import ROLES, Ask
from pipeline.graph.reshuffle import Spread
from pipeline.graph.stage_cache import Run
from pipeline.graph.stages import Film
from schemas.rows import Reject, Video


def dataset(
    pipeline: beam.Pipeline, videos: Sequence[Video], rejects: Sequence[Reject], run: Run
) -> None:
    """Adds the graph that makes the dataset `run.out` of `videos` to a pipeline.

    `rejects` are those of the search for videos.
    """
    found = sorted((Film(video, run.work) for video in videos), key=film_transforms.largest_first)
    films = pipeline | "Films" >> beam.Create(found) | "Spread films" >> Spread(_id)
    steps: dict[str, beam.PTransform] = {
        "keyframes": film_transforms.FindKeyframes(run),
        "text": beam.Map(film_transforms.read_text, run),
        "selection": film_transforms.SelectBySeries(run),
        "captions": Ask("captions", run),
        "characters": Ask("characters", run),
        "stories": Ask("stories", run),
        "quality": beam.Map(film_transforms.judge, run),
    }
    for name in STAGES:
        films = films | name.capitalize() >> steps[name]
        if name in ROLES:
            films = films | f"Spread {name}" >> Spread(_id)
        if name == run.until:
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
