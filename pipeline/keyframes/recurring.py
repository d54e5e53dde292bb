"""Recurring keyframes: finds intros and outros, which come back in the episodes of a series.

They are near-duplicates near the ends of several episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from pipeline.config import SelectionConfig
from pipeline.keyframes.near_duplicates import distances, max_distance, pack_hashes
from schemas.layout import rejected_image_path
from schemas.rows import Keyframe, Reject, Video

Reason = Literal["text", "recurring"]  # why a keyframe is rejected; its image stays full size


def near_edges(
    keyframes: Sequence[Keyframe], duration: float, config: SelectionConfig
) -> list[Keyframe]:
    """Returns the keyframes near the start or end of an episode of `duration` seconds."""
    seconds = edge(duration, config.recurring_edge)
    return [
        keyframe
        for keyframe in keyframes
        if min(keyframe.time, duration - keyframe.time) <= seconds
    ]


def edge(duration: float, most: float) -> float:
    """Returns how many seconds at either end of an episode are compared, `most` of a long one."""
    return min(most, duration / 4)


def find_recurring(
    episodes: Mapping[str, Sequence[tuple[str, str]]], config: SelectionConfig
) -> dict[str, str]:
    """Finds keyframes that come back in enough episodes of a series: id -> id of one like it.

    episodes: id and perceptual hash of each episode's keyframes near its ends. In fewer than two
    episodes nothing recurs. All keyframes are compared with all: a second for 10,000.
    """
    if len(episodes) < 2:
        return {}
    needed = max(2, round(config.recurring_share * len(episodes)))
    ids = [name for keyframes in episodes.values() for name, _ in keyframes]
    words = pack_hashes(phash for keyframes in episodes.values() for _, phash in keyframes)
    episode = np.repeat(
        np.arange(len(episodes)), [len(keyframes) for keyframes in episodes.values()]
    )
    furthest = max_distance(config.recurring_likeness)
    recurring = {}
    for index, name in enumerate(ids):
        near = distances(words, words[index]) <= furthest
        elsewhere = np.flatnonzero(near & (episode != episode[index]))
        if len(np.unique(episode[elsewhere])) + 1 >= needed:
            recurring[name] = ids[elsewhere[0]]
    return recurring


def split_rejects(
    keyframes: Sequence[Keyframe], details: Mapping[str, str], reason: Reason
) -> tuple[list[Keyframe], list[Reject]]:
    """Splits keyframes into those that have no entry in `details` and the others as rejects.

    details: the detail of each reject, by keyframe id.
    """
    rest = [keyframe for keyframe in keyframes if keyframe.id not in details]
    rejects = [
        Reject(
            "keyframe",
            keyframe.id,
            reason,
            details[keyframe.id],
            keyframe.video,
            rejected_image_path(keyframe.video, keyframe.id),
        )
        for keyframe in keyframes
        if keyframe.id in details
    ]
    return rest, rejects


def duration(video: Video, keyframes: Sequence[Keyframe]) -> float:
    """Returns an episode's seconds, from the file or, where it does not say, the last keyframe."""
    return video.duration or max((keyframe.time for keyframe in keyframes), default=0.0)
