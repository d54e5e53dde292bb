"""One film to its keyframes: which frames, and what is left out and why.

`measure` passes over the film once, `shots` finds the shots, and this module chooses one or more
frames of each shot (the sharpest, best exposed, least moving of their stretch), decodes just those
properly and writes them as JPEG. Whatever is passed over becomes a Reject with its reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import KeyframesConfig
from pipeline.ingest.video import VideoError, open_video, probe, video_stream
from pipeline.keyframes import segment_scan, shots
from pipeline.keyframes.decode import cut_time, grab
from pipeline.keyframes.frame_stats import Measures, joined, measure, segment
from pipeline.keyframes.shots import Shot, Transition
from pipeline.runtime import storage
from pipeline.runtime.images import (
    Geometry,
    alike,
    displayed,
    encode,
    motion,
    perceptual_hash,
    thumbnail,
)
from pipeline.runtime.stage_outputs import AnyRow
from schemas import layout
from schemas.published import keyframe_id
from schemas.rows import Keyframe, Reject, Video

MEASURING = 0.7  # share of the time that keyframes take of the pass over all frames

_MOST_STRETCHES = 1 << 16  # of a shot; a clock that is wrong tells of thousands of years
_CUT_SHORT = 0.05  # share of a film that may be missing at its end before that is told
_SHOWN_REJECTS = 4  # pictures kept of each kind of reject, a film


@dataclasses.dataclass(frozen=True)
class Choice:
    """An entry chosen to stand for its stretch of a shot, or why none can."""

    entry: int
    shot: int
    reason: str = ""  # "" where it is to be a keyframe
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be decoded of a film, and what is not worth it."""

    wanted: dict[int, Choice]  # by entry
    spans: dict[int, tuple[float, float]]  # by shot: times of its first and last own frame
    dropped: list[tuple[int, Reject]]  # each with the entry that shows it


def score(measures: Measures, first: int, last: int) -> NDArray[np.float32]:
    """How good each of the entries first..last is as a picture: float32, higher is better.

    Sharpness counts most; a frame that is very dark or burnt out, or that moves much, loses.
    """
    part = slice(first, last + 1)
    exposure = np.clip((measures.mean[part] - 16) / 50, 0.1, 1) * np.clip(
        (250 - measures.mean[part]) / 50, 0.1, 1
    )
    after = np.append(measures.diff[first + 1 : last + 1], 0.0)
    moving = np.minimum(measures.diff[part], after)
    return np.sqrt(measures.sharp[part]) * exposure / (1 + moving / 20)


def choose(measures: Measures, number: int, shot: Shot, config: KeyframesConfig) -> list[Choice]:
    """The best entry of each stretch of a shot, a stretch being at most `config.every` seconds."""
    first, last = shot.first, shot.last
    length = measures.times[last] - measures.times[first] + measures.frame_time
    if length < config.shortest_shot:
        return [
            Choice(
                (first + last) // 2,
                number,
                "short",
                f"the shot lasts {length:.2f} s, less than {config.shortest_shot} s",
            )
        ]
    if last - first >= 4:  # the frames at a cut carry the most compression noise
        first, last = first + 1, last - 1
    stretches = int(np.clip(np.ceil(length / config.every), 1, _MOST_STRETCHES))
    edges = np.linspace(measures.times[first], measures.times[last], stretches + 1)
    ends = np.unique(np.searchsorted(measures.times[first : last + 1], edges[1:-1])) + first
    chosen: list[Choice] = []
    for begin, end in zip([first, *ends], [*(ends - 1), last], strict=True):
        if chosen:  # two that are close together would show the same
            apart = measures.times[chosen[-1].entry] + 0.4 * config.every
            begin = max(begin, np.searchsorted(measures.times, apart))
        if begin <= end:
            chosen.append(_best(measures, number, int(begin), int(end), config))
    return chosen


def _best(
    measures: Measures, number: int, first: int, last: int, config: KeyframesConfig
) -> Choice:
    scores = score(measures, first, last)
    good = np.flatnonzero(scores >= config.tolerance * scores.max())
    # Among frames as good, the one nearest after a random access point is the least compressed
    # and the cheapest to decode again.
    entry = first + int(good[np.argmin(measures.cost[first : last + 1][good])])
    mean, std = measures.mean[entry], measures.std[entry]
    if mean < config.black:
        return Choice(entry, number, "black", f"mean luma {mean:.0f} of 255")
    if std < config.flat:
        return Choice(entry, number, "flat", f"standard deviation of the luma {std:.1f} of 255")
    usual = float(np.median(measures.sharp))
    moves = min(measures.diff[entry], measures.diff[min(entry + 1, len(measures.diff) - 1)])
    if moves > config.smear_motion and measures.sharp[entry] < config.smear_sharpness * usual:
        return Choice(
            entry,
            number,
            "smear",
            f"sharpness {measures.sharp[entry]:.0f} where {usual:.0f} is usual, moving",
        )
    return Choice(entry, number)


def _shot_times(
    video: Video, measures: Measures, shot: Shot, cut_at: set[int]
) -> tuple[float, float]:
    """Time of the first and of the last frame that is the shot's own."""
    start, end = float(measures.times[shot.first]), float(measures.times[shot.last])
    if shot.first in cut_at:
        start = cut_time(video.uri, measures, shot.first)[1]
    if shot.last + 1 in cut_at:
        end = cut_time(video.uri, measures, shot.last + 1)[0]
    return start, end


def _transition_rejects(
    video: Video, measures: Measures, transitions: Sequence[Transition]
) -> list[tuple[int, Reject]]:
    """A Reject for each gradual transition, with the entry that shows it best."""
    rejects = []
    for transition in transitions:
        if transition.kind == "cut":
            continue
        middle = (transition.first + transition.last) // 2
        start, end = measures.times[transition.first], measures.times[transition.last]
        rejects.append(
            (
                middle,
                _reject(
                    video,
                    measures,
                    middle,
                    transition.kind,
                    f"frames from {start:.2f} s to {end:.2f} s carry two pictures or none",
                ),
            )
        )
    return rejects


def plan(video: Video, measures: Measures, config: KeyframesConfig) -> Plan:
    """Decides, from the figures alone, which entries become keyframes and which do not."""
    found, transitions = shots.find(measures)
    choices = [
        choice
        for number, shot in enumerate(found)
        for choice in choose(measures, number, shot, config)
    ]
    cut_at = {transition.first for transition in transitions if transition.kind == "cut"}
    return Plan(
        wanted={choice.entry: choice for choice in choices if not choice.reason},
        spans={
            choice.shot: _shot_times(video, measures, found[choice.shot], cut_at)
            for choice in choices
            if not choice.reason
        },
        dropped=[
            *_transition_rejects(video, measures, transitions),
            *(
                (choice.entry, _reject(video, measures, choice.entry, choice.reason, choice.detail))
                for choice in choices
                if choice.reason
            ),
        ],
    )


def density(
    video: Video, config: KeyframesConfig, begin: float, seconds: float, threads: int = 1
) -> float:
    """How many keyframes a second a part of a film promises, which begins at a time in seconds.
    Raises as `extract` does."""
    with open_video(video.uri) as container:
        ticks = 1 / float(video_stream(container).time_base or 1)
    measures = joined(
        video.uri,
        [
            segment(
                video.uri, threads, begin=round(begin * ticks), end=round((begin + seconds) * ticks)
            )
        ],
    )
    choices = [
        choice
        for number, shot in enumerate(shots.find(measures)[0])
        for choice in choose(measures, number, shot, config)
    ]
    length = float(measures.times[-1]) + measures.frame_time
    return sum(not choice.reason for choice in choices) / max(length, 1.0)


def of_film(
    video: Video,
    config: KeyframesConfig,
    folder: str,
    kept: str,
    threads: int,
    tick: Callable[[float], None],
) -> list[AnyRow]:
    """The film as probed, its keyframes and what was left out; a film that is bad is a reject.

    Pictures go to `folder`, as `extract` says. `kept` is where the figures of the segments of a
    long film may be.
    """
    try:
        video = probe(video)
        measures = segment_scan.measures(video.uri, kept) or measure(
            video.uri,
            threads,
            lambda time: tick(MEASURING * min(time / video.duration, 1) if video.duration else 0),
        )
        video = dataclasses.replace(video, bars=list(measures.bars))
        found, rejects = extract(video, measures, config, folder, threads, tick)
    except storage.CannotWrite:  # a full disk is no fault of the film's
        raise
    except (
        VideoError,
        ValueError,
        OSError,
        av.FFmpegError,
        cv2.error,
        IndexError,
        MemoryError,
    ) as error:
        if storage.is_unavailable(video.uri, error):
            raise
        return [
            video,
            Reject("video", video.uri, "unreadable", str(error) or type(error).__name__, video.id),
        ]
    end = float(measures.times[-1]) + measures.frame_time
    if video.duration - end > max(1.0, _CUT_SHORT * video.duration):
        rejects.append(
            Reject(
                "keyframe",
                video.id,
                "cut short",
                f"nothing can be decoded from {end:.1f} s to its end at {video.duration:.1f} s",
                video.id,
            )
        )
    if not found:
        rejects.append(
            Reject(
                "video",
                video.uri,
                "no keyframes",
                "no frame of it is fit to stand for a shot",
                video.id,
            )
        )
    return [video, *found, *rejects]


def extract(
    video: Video,
    measures: Measures,
    config: KeyframesConfig,
    folder: str,
    threads: int = 1,
    tick: Callable[[float], None] = lambda share: None,
) -> tuple[list[Keyframe], list[Reject]]:
    """Keyframes of one film, in order, their pictures written to `folder` as `<id>.jpg`.

    Pictures of some rejects are written to `folder/rejected/<id>.jpg`. `threads` changes the time
    taken and nothing else; `tick` is told the share that is done, from MEASURING on. Raises
    av.FFmpegError or ValueError where the film cannot be read.
    """
    planned = plan(video, measures, config)
    shown = _shown(planned.dropped)
    geometry = Geometry(measures.bars, measures.aspect, video.rotation)
    keyframes: list[Keyframe] = []
    rejects: list[Reject] = []
    reached = set()
    for entry, frame, after in grab(
        video.uri, measures, sorted(planned.wanted.keys() | shown), threads
    ):
        tick(MEASURING + (1 - MEASURING) * entry / len(measures.pts))
        reached.add(entry)
        picture, crop = displayed(frame, geometry)
        if entry in shown:
            rejects += [
                _with_picture(reject, picture, folder)
                for at, reject in planned.dropped
                if at == entry
            ]
        if entry in planned.wanted:
            keyframe = _keyframe(video, measures, planned, entry, picture, crop)
            twin = next(
                (
                    other.id
                    for other in keyframes
                    if alike(other.phash, keyframe.phash) >= config.likeness
                ),
                "",
            )
            if twin:
                rejects.append(
                    _with_picture(
                        _reject(video, measures, entry, "duplicate", f"looks like {twin}"),
                        picture,
                        folder,
                    )
                )
            else:
                keyframes.append(
                    _written(keyframe, picture, motion(frame, after, geometry), folder)
                )
    rejects += [reject for entry, reject in planned.dropped if entry not in shown & reached]
    rejects += [
        _reject(video, measures, entry, "undecodable", "it could not be reached again")
        for entry in planned.wanted.keys() - reached
    ]
    return keyframes, sorted(rejects, key=lambda reject: (reject.key, reject.reason))


def _reject(video: Video, measures: Measures, entry: int, reason: str, detail: str) -> Reject:
    return Reject(
        "keyframe", keyframe_id(video.id, float(measures.times[entry])), reason, detail, video.id
    )


def _shown(dropped: Sequence[tuple[int, Reject]]) -> set[int]:
    """The entries of the rejects whose pictures are kept: the first few of each reason."""
    shown: dict[str, list[int]] = {}
    for entry, reject in dropped:
        kept = shown.setdefault(reject.reason, [])
        if len(kept) < _SHOWN_REJECTS:
            kept.append(entry)
    return {entry for kept in shown.values() for entry in kept}


def _with_picture(reject: Reject, picture: NDArray[np.uint8], folder: str) -> Reject:
    name = layout.rejected_stage_picture(reject.key)
    storage.write_bytes(storage.join(folder, *name.split("/")), encode(thumbnail(picture)))
    return dataclasses.replace(reject, image=layout.rejected_image_path(reject.video, reject.key))


def _keyframe(
    video: Video,
    measures: Measures,
    planned: Plan,
    entry: int,
    picture: NDArray[np.uint8],
    crop: list[int],
) -> Keyframe:
    """The row of one picture, but for its motion and its file."""
    time, shot = float(measures.times[entry]), planned.wanted[entry].shot
    name = keyframe_id(video.id, time)
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    start, end = planned.spans[shot]
    return Keyframe(
        id=name,
        video=video.id,
        series=video.series,
        image=layout.image_path(video.id, name),
        time=round(time, 6),
        shot=shot,
        shot_start=round(start, 6),
        shot_end=round(end, 6),
        width=picture.shape[1],
        height=picture.shape[0],
        crop=crop,
        bytes=0,
        sha256="",
        phash=perceptual_hash(luma),
        sharpness=round(float(measures.sharp[entry]), 3),
        brightness=round(float(luma.mean()) / 255, 4),
        camera_motion=[],
        subject_motion=[],
    )


def _written(
    keyframe: Keyframe,
    picture: NDArray[np.uint8],
    motions: tuple[list[float], list[float]],
    folder: str,
) -> Keyframe:
    """Writes the picture and returns the row with what was left out of it."""
    data = encode(picture)
    storage.write_bytes(storage.join(folder, layout.stage_picture(keyframe.id)), data)
    camera, subject = motions
    return dataclasses.replace(
        keyframe,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        camera_motion=camera,
        subject_motion=subject,
    )
