"""Which keyframes of a series are kept, once what is read on them and the other episodes are known.

Title cards and credits are mostly text; intros and outros are the same pictures near the ends of
several episodes. What is left gets the dialogue spoken over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config import SelectionConfig
from pipeline.pictures import alike
from schemas.rows import Keyframe, Reject, Video


def recurring(episodes: Mapping[str, Sequence[Keyframe]], durations: Mapping[str, float],
              config: SelectionConfig) -> dict[str, str]:
    """Keyframes that recur near an end of enough episodes of one series: id -> id of another.

    Takes the keyframes and the duration in seconds of each episode. Fewer than two episodes have
    nothing that recurs.
    """
    if len(episodes) < 2:
        return {}
    near_edge = {
        video: [keyframe for keyframe in keyframes
                if min(keyframe.time, durations[video] - keyframe.time)
                <= min(config.recurring_edge, durations[video] / 4)]
        for video, keyframes in episodes.items()
    }
    needed = max(2, round(config.recurring_share * len(episodes)))
    found = {}
    for video, keyframes in near_edge.items():
        for keyframe in keyframes:
            twins = [_twin(keyframe, others, config.recurring_likeness)
                     for other, others in near_edge.items() if other != video]
            seen = [twin for twin in twins if twin]
            if len(seen) + 1 >= needed:
                found[keyframe.id] = seen[0]
    return found


def _twin(keyframe: Keyframe, others: Sequence[Keyframe], likeness: float) -> str:
    return next((other.id for other in others
                 if alike(keyframe.phash, other.phash) >= likeness), "")


def split_off(keyframes: Sequence[Keyframe], dropped: Mapping[str, str], reason: str
              ) -> tuple[list[Keyframe], list[Reject]]:
    """Keyframes without those `dropped` (id -> detail), and these as rejects for `reason`."""
    kept = [keyframe for keyframe in keyframes if keyframe.id not in dropped]
    rejects = [Reject("keyframe", keyframe.id, reason, dropped[keyframe.id], keyframe.video,
                      f"rejected/{keyframe.video}/{keyframe.id}.jpg")
               for keyframe in keyframes if keyframe.id in dropped]
    return kept, rejects


def duration(video: Video, keyframes: Sequence[Keyframe]) -> float:
    """Seconds, from the file or, where it does not say, from the last keyframe."""
    return video.duration or max((keyframe.time for keyframe in keyframes), default=0.0)
