"""The stage `review`: the stories of a film as people decided, before they are scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.review import apply, frames
from pipeline.runtime import decisions, isolation, stage_outputs, storage
from pipeline.runtime.stage_inputs import Inputs, Job
from pipeline.runtime.stage_outputs import AnyRow, Film
from schemas import layout
from schemas.decisions import OfStory
from schemas.rows import Caption, Keyframe, Story


def concerning(film: Inputs, job: Job) -> Any:
    """Returns the standing decisions about the film's stories, as JSON, None without any.

    Raises DecisionsError if they cannot be read.
    """
    return [row.model_dump() for row in _decided(film, job)] or None


def _decided(film: Inputs, job: Job) -> list[OfStory]:
    rows = decisions.by_film(job.out, job.decisions).get(film.film.video.id, [])
    return decisions.of_stories(rows)


def review_stories(film: Inputs, job: Job) -> list[AnyRow]:
    """Returns the film's stories as people decided, those that they rejected too; a reject for each
    story and picture left out and each decision not applied; and the keyframes that they put in
    the place of others, with the others' captions."""
    stories = film.rows("stories", Story)
    found = _decided(film, job)
    if not found:
        return [*stories]
    keyframes = film.rows("selection", Keyframe)
    applied = apply.apply(stories, keyframes, found)
    rows: list[AnyRow] = []
    if applied.swaps:
        by_id = {keyframe.id: keyframe for keyframe in keyframes}
        replaced = {swap.time: by_id[keyframe] for keyframe, swap in applied.swaps.items()}
        made = _decode(film, job, replaced)
        unreachable = {swap.id for keyframe, swap in applied.swaps.items() if keyframe not in made}
        applied = apply.apply(stories, keyframes, found, unreachable)
        captions = {caption.keyframe: caption for caption in film.rows("captions", Caption)}
        folder = stage_outputs.images_folder(film.film.work, job.output)
        for keyframe in applied.swaps:
            row, data = made[keyframe]
            storage.write_bytes(storage.join(folder, layout.stage_picture(row.id)), data)
            rows += [row, dataclasses.replace(captions[keyframe], keyframe=row.id)]
    kept = [story for story in applied.stories if story.images]
    return [*kept, *applied.rejects, *rows]


def _decode(
    film: Inputs, job: Job, replaced: Mapping[float, Keyframe]
) -> dict[str, tuple[Keyframe, bytes]]:
    video = film.video
    try:
        found: dict[str, tuple[Keyframe, bytes]] = isolation.call(
            frames.swapped, dict(replaced), video, job.threads, size=video.size
        )
    except (isolation.Crashed, *frames.ERRORS) as error:
        if storage.is_unavailable(video.uri, error):
            raise
        return {}
    return found


def pictures_intact(film: Film, output: str, rows: Sequence[AnyRow]) -> bool:
    """Returns whether the pictures of the keyframes that people put in are there."""
    folder = stage_outputs.images_folder(film.work, output)
    return all(
        storage.exists(storage.join(folder, layout.stage_picture(row.id)))
        for row in stage_outputs.only(Keyframe, rows)
    )


def place_pictures(
    films: Sequence[Film],
    out: str,
    forced: Callable[[str, Film], bool],
    replacing: Callable[[], None],
) -> None:
    """Puts the pictures that people put in into the dataset folder; arguments as
    `pipeline.keyframes.stages.place_pictures` has them."""
    for film in films:
        folder = stage_outputs.images_folder(film.work, film.outputs["review"])
        storage.link_or_copy(
            [
                (
                    storage.join(folder, layout.stage_picture(row.id)),
                    storage.join(out, *row.image.split("/")),
                )
                for row in film.rows("review", Keyframe)
            ],
            True,
            replacing,
        )
