"""Which keyframes of a series are kept, once what is read on them and the other episodes are known.

Title cards and credits are mostly text; intros and outros are the same pictures near the ends of
several episodes. What is left gets the dialogue spoken over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from pipeline.config import SelectionConfig
from schemas.layout import rejected_image_path
from schemas.rows import Keyframe, Reject, Video

Reason = Literal["text", "recurring"]  # why a keyframe is split off; its picture stays whole


def near_edges(
    keyframes: Sequence[Keyframe], duration: float, config: SelectionConfig
) -> list[Keyframe]:
    """Those of an episode of `duration` seconds that lie near one of its ends."""
    edge = min(config.recurring_edge, duration / 4)
    return [
        keyframe for keyframe in keyframes if min(keyframe.time, duration - keyframe.time) <= edge
    ]


def recurring(
    episodes: Mapping[str, Sequence[tuple[str, str]]], config: SelectionConfig
) -> dict[str, str]:
    """Keyframes that recur near an end of enough episodes of one series: id -> id of another.

    Takes id and perceptual hash of each episode's keyframes near its ends. Fewer than two episodes
    have nothing that recurs. Every picture is compared with every other: a second for 10,000.
    """
    if len(episodes) < 2:
        return {}
    needed = max(2, round(config.recurring_share * len(episodes)))
    ids = [name for found in episodes.values() for name, _ in found]
    words = np.frombuffer(
        b"".join(bytes.fromhex(phash) for found in episodes.values() for _, phash in found),
        np.uint64,
    ).reshape(-1, 4)
    episode = np.repeat(np.arange(len(episodes)), [len(found) for found in episodes.values()])
    found = {}
    for at, name in enumerate(ids):
        apart = np.bitwise_count(words ^ words[at]).sum(axis=1, dtype=np.int64)
        twins = np.flatnonzero(
            (1 - apart / 256 >= config.recurring_likeness) & (episode != episode[at])
        )
        if len(np.unique(episode[twins])) + 1 >= needed:
            found[name] = ids[twins[0]]
    return found


def split_off(
    keyframes: Sequence[Keyframe], dropped: Mapping[str, str], reason: Reason
) -> tuple[list[Keyframe], list[Reject]]:
    """Keyframes without those `dropped` (id -> detail), and these as rejects for `reason`."""
    kept = [keyframe for keyframe in keyframes if keyframe.id not in dropped]
    rejects = [
        Reject(
            "keyframe",
            keyframe.id,
            reason,
            dropped[keyframe.id],
            keyframe.video,
            rejected_image_path(keyframe.video, keyframe.id),
        )
        for keyframe in keyframes
        if keyframe.id in dropped
    ]
    return kept, rejects


def duration(video: Video, keyframes: Sequence[Keyframe]) -> float:
    """Seconds, from the file or, where it does not say, from the last keyframe."""
    return video.duration or max((keyframe.time for keyframe in keyframes), default=0.0)
