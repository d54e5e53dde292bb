"""The rows of a film that are published, from the outputs of its stages."""

from __future__ import annotations

import dataclasses

from pipeline.runtime.stage_inputs import CONTENT
from pipeline.runtime.stage_outputs import Film, only
from schemas.rows import Keyframe, Reject, Story, Video


def probed_video(film: Film) -> Video:
    """Returns the film's row as the search found it now, with what its content told."""
    (probed,) = film.rows("keyframes", Video)
    return dataclasses.replace(film.video, **{name: getattr(probed, name) for name in CONTENT})


def keyframes(film: Film) -> list[Keyframe]:
    """Returns the film's keyframes, as the last stage that is done has left them."""
    done = next(name for name in ("selection", "text", "keyframes") if name in film.outputs)
    return film.rows(done, Keyframe)


def source(video: Video) -> dict[str, str]:
    """Returns whom the pictures of a film are of, for its samples in the shards."""
    return {"license": video.license, "attribution": video.attribution}


def scored_stories(film: Film) -> tuple[list[Story], list[Story]]:
    """Returns the film's stories that are kept, and those that a score ruled out; before they are
    scored, all of them."""
    if "quality" not in film.outputs:
        return film.rows("stories", Story) if "stories" in film.outputs else [], []
    scored = film.content("quality")
    dropped = {reject.key for reject in only(Reject, scored)}
    stories = only(Story, scored)
    return (
        [story for story in stories if story.id not in dropped],
        [story for story in stories if story.id in dropped],
    )
