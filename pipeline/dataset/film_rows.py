"""The rows of a film that are published, from the outputs of its stages."""

from __future__ import annotations

import dataclasses

from pipeline.cast import renames
from pipeline.runtime.stage_inputs import CONTENT
from pipeline.runtime.stage_outputs import Film, only
from schemas.rows import Caption, Keyframe, Reject, Renamed, Row, Story, Video


def probed_video(film: Film) -> Video:
    """Returns the film's row as the search found it now, with what its content told."""
    (probed,) = film.rows("keyframes", Video)
    return dataclasses.replace(film.video, **{name: getattr(probed, name) for name in CONTENT})


def keyframes(film: Film) -> list[Keyframe]:
    """Returns the film's keyframes, as the last stage that is done has left them, with those that
    people put in the place of others, in the order of their times; characters whom a user renamed
    have their new names in the dialogue."""
    done = next(name for name in ("selection", "text", "keyframes") if name in film.outputs)
    rows = film.rows(done, Keyframe)
    put_in = film.rows("review", Keyframe) if "review" in film.outputs else []
    renamed = film.rows("cast", Renamed) if "cast" in film.outputs else []
    return renames.apply(sorted([*rows, *put_in], key=lambda row: row.time), renamed)


def cast(film: Film, kind: type[Row]) -> list[Row]:
    """Returns who is in the film's pictures, or the cast of its series, as the last stage that is
    done has them."""
    done = next((stage for stage in ("named", "cast") if stage in film.outputs), None)
    return film.rows(done, kind) if done else []


def captions(film: Film) -> list[Caption]:
    """Returns the captions of the film's keyframes, in the same order as far as they have one."""
    if "captions" not in film.outputs:
        return []
    rows = film.rows("captions", Caption)
    put_in = film.rows("review", Caption) if "review" in film.outputs else []
    if not put_in:
        return rows
    time_of = {row.id: row.time for row in keyframes(film)}
    return sorted([*rows, *put_in], key=lambda row: time_of[row.keyframe])


def source(video: Video) -> dict[str, str]:
    """Returns whom the pictures of a film are of, for its samples in the shards."""
    return {"license": video.license, "attribution": video.attribution}


def scored_stories(film: Film) -> tuple[list[Story], list[Story]]:
    """Returns the film's stories that are kept, and those that a score or a person ruled out;
    before they are scored, all of them."""
    if "quality" not in film.outputs:
        return film.rows("stories", Story) if "stories" in film.outputs else [], []
    scored = film.content("quality")
    rejects = [*only(Reject, scored), *film.rows("review", Reject)]
    dropped = {reject.key for reject in rejects}
    stories = only(Story, scored)
    return (
        [story for story in stories if story.id not in dropped],
        [story for story in stories if story.id in dropped],
    )


def original_stories(film: Film) -> list[Story]:
    """Returns the film's stories whose pictures or texts people changed, as they were before."""
    if "review" not in film.outputs:
        return []
    decided = {story.id: story for story in film.rows("review", Story)}
    return [
        story
        for story in film.rows("stories", Story)
        if (found := decided.get(story.id)) is None
        or (found.images, found.captions) != (story.images, story.captions)
    ]
