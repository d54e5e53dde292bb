"""Selects the frames of each shot that become keyframes, from frame statistics alone.

A shot gives one frame for each `config.every` seconds: of those as sharp, well exposed and still as
the best, the cheapest to decode. Black, flat and smeared frames, very short shots and transitions
give a Reject with the reason instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.config import KeyframesConfig
from pipeline.keyframes import shots
from pipeline.keyframes.frame_quality import defect, score
from pipeline.keyframes.frame_stats import FrameStats
from pipeline.keyframes.holds import shown_for
from pipeline.keyframes.interlacing import INTERLACED, clean_frames
from pipeline.keyframes.shots import Shot, Transition
from schemas.published import keyframe_id
from schemas.rows import Reject, Video

_MOST_STRETCHES = 1 << 16  # of a shot; a film with a broken clock may state thousands of years


@dataclasses.dataclass(frozen=True)
class Candidate:
    """The frame chosen for a stretch of a shot, and why it is rejected, if it is."""

    index: int
    shot: int
    reason: str = ""  # "" for a frame that is to be a keyframe
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Selection:
    """The frames of a film to decode, and what is rejected before decoding."""

    candidates: dict[int, Candidate]  # by frame index, those that are to be keyframes
    shot_times: dict[int, tuple[float, float]]  # by shot: times of its first and last own frame
    transitions: dict[int, str]  # by shot: the kind it begins with, "" at the film's start
    rejected: list[tuple[int, Reject]]  # each with the index of the frame that shows it


def select(
    video: Video,
    stats: FrameStats,
    transitions: Sequence[Transition],
    config: KeyframesConfig,
    threads: int = 1,
) -> Selection:
    """Selects the frames of a film that are to be keyframes, given its transitions, in order.

    Decodes a few frames around cuts for the exact times of shots, and in interlaced films those
    near the ones selected, for whole ones; raises as `open_video` does.
    """
    found = shots.between(len(stats.times), transitions)
    candidates = all_candidates(stats, found, config)
    if stats.combed >= INTERLACED:
        chosen = [(candidate.index, found[candidate.shot]) for candidate in candidates]
        clean = clean_frames(video.uri, stats, chosen, threads)
        candidates = [
            dataclasses.replace(candidate, index=clean[candidate.index]) for candidate in candidates
        ]
    fit = [candidate for candidate in candidates if not candidate.reason]
    of_shots = [found[number] for number in sorted({candidate.shot for candidate in fit})]
    beside = {at for shot in of_shots for at in (shot.first, shot.last + 1)}
    cut_times = {
        transition.first: shots.cut_times(video.uri, stats, transition.first)
        for transition in transitions
        if transition.kind == "cut" and transition.first in beside
    }
    # What ends right before a shot is how it begins.
    kinds = {transition.last + 1: transition.kind for transition in transitions}
    return Selection(
        candidates={candidate.index: candidate for candidate in fit},
        shot_times={
            candidate.shot: _shot_times(stats, found[candidate.shot], cut_times)
            for candidate in fit
        },
        transitions={
            candidate.shot: kinds.get(found[candidate.shot].first, "") for candidate in fit
        },
        rejected=[
            *_transition_rejects(video, stats, transitions),
            *(
                (
                    candidate.index,
                    frame_reject(video, stats, candidate.index, candidate.reason, candidate.detail),
                )
                for candidate in candidates
                if candidate.reason
            ),
        ],
    )


def all_candidates(
    stats: FrameStats, found: Sequence[Shot], config: KeyframesConfig
) -> list[Candidate]:
    """Returns the candidates of all shots, in order."""
    return [
        candidate
        for number, shot in enumerate(found)
        for candidate in shot_candidates(stats, number, shot, config)
    ]


def shot_candidates(
    stats: FrameStats, number: int, shot: Shot, config: KeyframesConfig
) -> list[Candidate]:
    """Returns the best frame of each stretch of a shot, at most `config.every` seconds long."""
    first, last = shot.first, shot.last
    length = stats.times[last] - stats.times[first] + shown_for(stats, last)
    if length < config.shortest_shot:
        return [
            Candidate(
                (first + last) // 2,
                number,
                "short",
                f"the shot lasts {length:.2f} s, less than {config.shortest_shot} s",
            )
        ]
    if last - first >= 4:  # the frames at a cut carry the most compression noise
        first, last = first + 1, last - 1
    stretches = int(np.clip(np.ceil(length / config.every), 1, _MOST_STRETCHES))
    edges = np.linspace(stats.times[first], stats.times[last], stretches + 1)
    ends = np.unique(np.searchsorted(stats.times[first : last + 1], edges[1:-1])) + first
    candidates: list[Candidate] = []
    for begin, end in zip([first, *ends], [*(ends - 1), last], strict=True):
        if candidates:  # two that are close together would show the same
            earliest = stats.times[candidates[-1].index] + 0.4 * config.every
            begin = max(begin, np.searchsorted(stats.times, earliest))
        if begin <= end:
            candidates.append(_best(stats, number, int(begin), int(end), config))
    return candidates


def _best(
    stats: FrameStats, number: int, first: int, last: int, config: KeyframesConfig
) -> Candidate:
    scores = score(stats, first, last)
    good = np.flatnonzero(scores >= config.tolerance * scores.max())
    # Among frames as good, the one nearest after a random access point is the least compressed
    # and the cheapest to decode again.
    index = first + int(good[np.argmin(stats.cost[first : last + 1][good])])
    return Candidate(index, number, *defect(stats, index, config))


def _shot_times(
    stats: FrameStats, shot: Shot, cut_times: Mapping[int, tuple[float, float]]
) -> tuple[float, float]:
    """Returns the times of the first and of the last frame of a shot."""
    start, end = float(stats.times[shot.first]), float(stats.times[shot.last])
    if shot.first in cut_times:
        start = cut_times[shot.first][1]
    if shot.last + 1 in cut_times:
        end = cut_times[shot.last + 1][0]
    return start, end


def _transition_rejects(
    video: Video, stats: FrameStats, transitions: Sequence[Transition]
) -> list[tuple[int, Reject]]:
    """Returns a Reject for each gradual transition, with the index of its middle frame."""
    rejects = []
    for transition in transitions:
        if transition.kind == "cut":
            continue
        middle = (transition.first + transition.last) // 2
        start, end = stats.times[transition.first], stats.times[transition.last]
        detail = f"frames from {start:.2f} s to {end:.2f} s carry two pictures or none"
        rejects.append((middle, frame_reject(video, stats, middle, transition.kind, detail)))
    return rejects


def frame_reject(video: Video, stats: FrameStats, index: int, reason: str, detail: str) -> Reject:
    """Returns the Reject of a frame, whose key is the id that its keyframe would have."""
    return Reject(
        "keyframe", keyframe_id(video.id, float(stats.times[index])), reason, detail, video.id
    )
