"""One film to its keyframes: which frames, and what is left out and why.

`measure` passes over the film once, `shots` finds the shots, and this module chooses one or more
frames of each shot (the sharpest, best exposed, least moving of their stretch), decodes just those
properly and writes them as JPEG. Whatever is passed over becomes a Reject with its reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import shots, storage
from pipeline.config import KeyframesConfig
from pipeline.measure import Measures, difference, measure, planes, small
from pipeline.pictures import Geometry, alike, displayed, encode, motion, perceptual_hash, thumbnail
from pipeline.shots import Shot, Transition
from pipeline.videos import open_video, video_stream
from schemas.rows import Keyframe, Reject, Video
from schemas.storystream import keyframe_id

_SHOWN_REJECTS = 4  # pictures kept of each kind of reject, a film


@dataclasses.dataclass(frozen=True)
class Choice:
    """An entry chosen to stand for its stretch of a shot, or why none can."""

    entry: int
    shot: int
    reason: str = ""  # "" where it is to be a keyframe
    detail: str = ""


def score(measures: Measures, first: int, last: int) -> NDArray[np.float32]:
    """How good each of the entries first..last is as a picture: float32, higher is better.

    Sharpness counts most; a frame that is very dark or burnt out, or that moves much, loses.
    """
    part = slice(first, last + 1)
    exposure = np.clip((measures.mean[part] - 16) / 50, 0.1, 1) * np.clip(
        (250 - measures.mean[part]) / 50, 0.1, 1)
    after = np.append(measures.diff[first + 1:last + 1], 0.0)
    moving = np.minimum(measures.diff[part], after)
    return np.sqrt(measures.sharp[part]) * exposure / (1 + moving / 20)


def choose(measures: Measures, number: int, shot: Shot, config: KeyframesConfig) -> list[Choice]:
    """The best entry of each stretch of a shot, a stretch being at most `config.every` seconds."""
    first, last = shot.first, shot.last
    length = measures.times[last] - measures.times[first] + measures.frame_time
    if length < config.shortest_shot:
        return [Choice((first + last) // 2, number, "short",
                       f"the shot lasts {length:.2f} s, less than {config.shortest_shot} s")]
    if last - first >= 4:  # the frames at a cut carry the most compression noise
        first, last = first + 1, last - 1
    stretches = max(1, int(np.ceil(length / config.every)))
    edges = np.linspace(measures.times[first], measures.times[last], stretches + 1)
    ends = np.searchsorted(measures.times[first:last + 1], edges[1:-1]) + first
    chosen: list[Choice] = []
    for begin, end in zip([first, *ends], [*(ends - 1), last], strict=True):
        if chosen:  # two that are close together would show the same
            apart = measures.times[chosen[-1].entry] + 0.4 * config.every
            begin = max(begin, np.searchsorted(measures.times, apart))
        if begin <= end:
            chosen.append(_best(measures, number, int(begin), int(end), config))
    return chosen


def _best(measures: Measures, number: int, first: int, last: int,
          config: KeyframesConfig) -> Choice:
    scores = score(measures, first, last)
    good = np.flatnonzero(scores >= config.tolerance * scores.max())
    # Among frames as good, the one nearest after a random access point is the least compressed
    # and the cheapest to decode again.
    entry = first + int(good[np.argmin(measures.cost[first:last + 1][good])])
    mean, std = measures.mean[entry], measures.std[entry]
    if mean < config.black:
        return Choice(entry, number, "black", f"mean luma {mean:.0f} of 255")
    if std < config.flat:
        return Choice(entry, number, "flat", f"standard deviation of the luma {std:.1f} of 255")
    usual = float(np.median(measures.sharp))
    moves = min(measures.diff[entry], measures.diff[min(entry + 1, len(measures.diff) - 1)])
    if moves > config.smear_motion and measures.sharp[entry] < config.smear_sharpness * usual:
        return Choice(entry, number, "smear",
                      f"sharpness {measures.sharp[entry]:.0f} where {usual:.0f} is usual, moving")
    return Choice(entry, number)


def grab(video: Video, measures: Measures, entries: Sequence[int], threads: int
         ) -> Iterator[tuple[int, av.VideoFrame, av.VideoFrame | None]]:
    """Decodes chosen entries properly: entry, its frame, and the frame decoded after it.

    Entries must be ascending. One that cannot be reached again is left out.
    """
    with open_video(video.uri) as container:
        stream = video_stream(container)
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.skip_frame = "NONREF"  # the entries were decoded without them
        decoded: Iterator[Any] = iter(())
        held: Any = None
        at = -1
        for entry in entries:
            wanted = int(measures.pts[entry])
            access = entry - int(measures.cost[entry]) + 1
            if at < 0 or access > at:
                container.seek(wanted, stream=stream)
                decoded, held = _frames(container, stream, int(measures.pts[access])), None
            frame = held if held is not None else next(decoded, None)
            while frame is not None and frame.pts < wanted:
                frame = next(decoded, None)
            if frame is None or frame.pts != wanted:
                held, at = None, -1
                continue
            held, at = next(decoded, None), entry
            yield entry, frame, held


def _frames(container: Any, stream: Any, start: int) -> Iterator[Any]:
    """Decoded frames from the random access point with the time `start` on.

    An index may list fewer random access points than there are, so the demuxer may stand further
    back: what lies before the point is read but not decoded.
    """
    packets = container.demux(stream)
    for packet in itertools.dropwhile(lambda packet: packet.pts != start, packets):
        try:
            for frame in packet.decode():
                if frame.pts is not None:
                    yield frame
        except av.error.InvalidDataError:  # a damaged packet costs its own frames only
            continue


def cut_time(video: Video, measures: Measures, entry: int) -> tuple[float, float]:
    """Times of the last frame before and the first frame after the cut at `entry`, exactly.

    The cheap pass may have skipped frames just before a cut; those are decoded here, and each goes
    to the side it is more like.
    """
    before, after = float(measures.times[entry - 1]), float(measures.times[entry])
    if measures.skipped[entry] <= 0:
        return before, after
    low, high = int(measures.pts[entry - 1]), int(measures.pts[entry])
    seen: dict[int, Any] = {}
    with open_video(video.uri) as container:
        stream = video_stream(container)
        stream.codec_context.options = {"skip_loop_filter": "all"}
        container.seek(low, stream=stream)
        access = entry - int(measures.cost[entry - 1])
        for frame in _frames(container, stream, int(measures.pts[access])):
            if low <= frame.pts <= high:
                seen[frame.pts] = small(planes(frame))[1:]
            if frame.pts >= high:
                break
    if low not in seen or high not in seen:
        return before, after
    own = [pts for pts in sorted(seen)
           if difference(seen[pts], seen[low]) <= difference(seen[pts], seen[high])]
    rest = [pts for pts in sorted(seen) if pts > own[-1]]
    tick = (after - before) / (high - low)
    return before + (own[-1] - low) * tick, before + (rest[0] - low) * tick


def _shot_times(video: Video, measures: Measures, shot: Shot, cut_at: set[int]
                ) -> tuple[float, float]:
    """Time of the first and of the last frame that is the shot's own."""
    start, end = float(measures.times[shot.first]), float(measures.times[shot.last])
    if shot.first in cut_at:
        start = cut_time(video, measures, shot.first)[1]
    if shot.last + 1 in cut_at:
        end = cut_time(video, measures, shot.last + 1)[0]
    return start, end


def _transition_rejects(video: Video, measures: Measures, transitions: Sequence[Transition]
                        ) -> list[tuple[int, Reject]]:
    """A Reject for each gradual transition, with the entry that shows it best."""
    rejects = []
    for transition in transitions:
        if transition.kind == "cut":
            continue
        middle = (transition.first + transition.last) // 2
        start, end = measures.times[transition.first], measures.times[transition.last]
        rejects.append((middle, Reject(
            "keyframe", keyframe_id(video.id, float(measures.times[middle])), transition.kind,
            f"frames from {start:.2f} s to {end:.2f} s carry two pictures or none", video.id)))
    return rejects


def extract(video: Video, config: KeyframesConfig, folder: str, threads: int = 1,
            tick: Callable[[float], None] = lambda share: None
            ) -> tuple[list[Keyframe], list[Reject]]:
    """Keyframes of one film, in order, their pictures written to `folder` as `<id>.jpg`.

    Pictures of some rejects are written to `folder/rejected/<id>.jpg`. `threads` changes the time
    taken and nothing else; `tick` is told the share that is done. Raises av.FFmpegError or
    ValueError where the film cannot be read.
    """
    measures = measure(video.uri, threads, lambda time: tick(
        0.7 * min(time / video.duration, 1) if video.duration else 0))
    geometry = Geometry(measures.bars, measures.aspect, video.rotation)
    found, transitions = shots.find(measures)
    choices = [choice for number, shot in enumerate(found)
               for choice in choose(measures, number, shot, config)]
    dropped = _transition_rejects(video, measures, transitions)
    dropped += [
        (choice.entry, Reject("keyframe",
                              keyframe_id(video.id, float(measures.times[choice.entry])),
                              choice.reason, choice.detail, video.id))
        for choice in choices if choice.reason]
    shown = _shown(dropped)
    by_entry = {choice.entry: choice for choice in choices if not choice.reason}
    cut_at = {transition.first for transition in transitions if transition.kind == "cut"}
    spans = {choice.shot: _shot_times(video, measures, found[choice.shot], cut_at)
             for choice in by_entry.values()}
    keyframes: list[Keyframe] = []
    rejects = [reject for entry, reject in dropped if entry not in shown]
    missing = set(by_entry)
    for entry, frame, after in grab(video, measures, sorted(by_entry.keys() | shown), threads):
        tick(0.7 + 0.3 * entry / len(measures.pts))
        picture, crop = displayed(frame, geometry)
        if entry in shown:
            rejects += [_with_picture(reject, picture, folder)
                        for at, reject in dropped if at == entry]
        if entry not in by_entry:
            continue
        missing.discard(entry)
        keyframe, data = _keyframe(video, measures, by_entry[entry], spans, picture, crop)
        twin = next((other for other in keyframes
                     if alike(other.phash, keyframe.phash) >= config.likeness), None)
        if twin is not None:
            rejects.append(_with_picture(
                Reject("keyframe", keyframe.id, "duplicate", f"looks like {twin.id}", video.id),
                picture, folder))
            continue
        camera, subject = motion(frame, after, geometry)
        storage.write_bytes(storage.join(folder, f"{keyframe.id}.jpg"), data)
        keyframes.append(dataclasses.replace(keyframe, camera_motion=camera,
                                             subject_motion=subject))
    rejects += [Reject("keyframe", keyframe_id(video.id, float(measures.times[entry])),
                       "undecodable", "the frame could not be reached again", video.id)
                for entry in missing]
    return keyframes, sorted(rejects, key=lambda reject: (reject.key, reject.reason))


def _shown(dropped: Sequence[tuple[int, Reject]]) -> set[int]:
    """The entries of the rejects whose pictures are kept: the first few of each reason."""
    shown: dict[str, list[int]] = {}
    for entry, reject in dropped:
        kept = shown.setdefault(reject.reason, [])
        if len(kept) < _SHOWN_REJECTS:
            kept.append(entry)
    return {entry for kept in shown.values() for entry in kept}


def _with_picture(reject: Reject, picture: NDArray[np.uint8], folder: str) -> Reject:
    name = f"rejected/{reject.key}.jpg"
    storage.write_bytes(storage.join(folder, *name.split("/")), encode(thumbnail(picture)))
    return dataclasses.replace(reject, image=f"rejected/{reject.video}/{reject.key}.jpg")


def _keyframe(video: Video, measures: Measures, choice: Choice,
              spans: dict[int, tuple[float, float]], picture: NDArray[np.uint8], crop: list[int]
              ) -> tuple[Keyframe, bytes]:
    """The row of one picture, its motion still unknown, and the bytes of its JPEG."""
    time = float(measures.times[choice.entry])
    name = keyframe_id(video.id, time)
    data = encode(picture)
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    start, end = spans[choice.shot]
    return Keyframe(
        id=name, video=video.id, series=video.series, image=f"images/{video.id}/{name}.jpg",
        time=round(time, 6), shot=choice.shot, shot_start=round(start, 6),
        shot_end=round(end, 6), width=picture.shape[1], height=picture.shape[0], crop=crop,
        bytes=len(data), sha256=hashlib.sha256(data).hexdigest(),
        phash=perceptual_hash(luma), sharpness=round(float(measures.sharp[choice.entry]), 3),
        brightness=round(float(luma.mean()) / 255, 4), camera_motion=[0.0, 0.0],
        subject_motion=[0.0, 0.0]), data
