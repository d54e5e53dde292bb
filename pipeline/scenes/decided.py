"""Where people decided that scenes begin, applied to the boundaries that were found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.runtime.stage_outputs import digest
from schemas.decisions import SceneBegin
from schemas.rows import Keyframe

STAGE, CONFLICT = "review", "conflict"  # of the rejects, as of decisions about stories


def boundary_digest(before: Keyframe, keyframe: Keyframe) -> str:
    """Returns the digest of a picture and the one before it that decisions name."""
    return digest([before.sha256, keyframe.sha256])


def apply(
    begins: Iterable[int], keyframes: Sequence[Keyframe], decisions: Iterable[SceneBegin]
) -> tuple[list[int], dict[str, str]]:
    """Applies the standing decisions about a film's scenes, in their order.

    `begins` are the indices of the keyframes with which scenes were found to begin. Returns these
    as decided, and why decisions were not applied, by their ids.
    """
    found, conflicts = set(begins), {}
    index = {keyframe.id: at for at, keyframe in enumerate(keyframes)}
    for decision in decisions:
        at = index.get(decision.keyframe, 0)
        if not at:
            conflicts[decision.id] = (
                "a film's first picture always begins a scene"
                if decision.keyframe in index
                else "there is no such picture any more"
            )
        elif decision.digest != boundary_digest(keyframes[at - 1], keyframes[at]):
            conflicts[decision.id] = "the picture, or the one before it, has changed since"
        elif decision.begins:
            found.add(at)
        else:
            found.discard(at)
    return sorted(found), conflicts
