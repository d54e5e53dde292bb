"""Frame statistics: one cheap pass over a film, with a few figures and a tiny image of each frame.

The pass skips frames that no other frame refers to and the loop filter, which only smooths what is
shown. That costs less than half of a full decode and is enough to find shots and choose keyframes;
`decode` then decodes the chosen frames in full.

Presentation times come from the packets, so the times of skipped frames are known too. In all of
`keyframes`, a frame index is a frame's index in `FrameStats`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.timestamps import check_clock
from pipeline.ingest.video import (
    decoded,
    open_video,
    packets,
    pixel_aspect,
    skippable,
    video_stream,
)
from pipeline.keyframes.letterbox import DarkCounts

THUMB = (32, 18)  # width, height of the tiny images
_DIFF = (80, 45)  # width, height at which neighbours are compared
_SHARP = (320, 180)  # width, height at which sharpness is measured
_STEP_BACK = 0.5  # seconds to seek further back; doubles each time


@dataclasses.dataclass(frozen=True)
class FrameStats:
    """Figures of the n frames that the pass decoded, in display order."""

    times: NDArray[np.float64]  # seconds from the film's start
    pts: NDArray[np.int64]  # the same in the stream's time base
    skipped: NDArray[np.int64]  # frames between this and the one before that were not decoded
    cost: NDArray[np.int64]  # frames to decode from the last random access point to this one
    diff: NDArray[np.float32]  # mean absolute difference to the frame before, 8-bit levels
    mean: NDArray[np.float32]  # mean luma, 8-bit levels
    std: NDArray[np.float32]  # standard deviation of the luma
    sharp: NDArray[np.float32]  # variance of the Laplacian of the luma at 320x180
    thumbs: NDArray[np.uint8]  # [n, 18, 32] luma
    frame_time: float  # seconds that a frame is shown, the median over the film
    bars: tuple[int, int, int, int]  # letterbox: rows above, below, columns left, right
    aspect: float  # width of a pixel over its height


_COLUMNS: dict[str, type[np.generic]] = {
    "pts": np.int64,
    "cost": np.int64,
    "diff": np.float32,
    "mean": np.float32,
    "std": np.float32,
    "sharp": np.float32,
    "thumbs": np.uint8,
}


def planes(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Returns luma and both chroma planes, [height, width] uint8, views where the format allows.

    Formats that are not 8-bit planar YUV (10 bit, RGB, packed) are converted first.
    """
    if frame.format.name not in {
        "yuv420p",
        "yuvj420p",
        "yuv422p",
        "yuvj422p",
        "yuv444p",
        "yuvj444p",
    }:
        frame = frame.reformat(format="yuv420p")
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
            :, : plane.width
        ]
        for plane in frame.planes
    ]


def cheap_decoder(stream: Any, threads: int) -> None:
    """Sets a stream's decoder to skip what the pass does not need."""
    context = stream.codec_context
    context.thread_count = threads
    context.thread_type = "AUTO"
    context.skip_frame = skippable(stream)
    context.options = {"skip_loop_filter": "all"}


def scaled_planes(frame_planes: list[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], ...]:
    """Returns luma at 320x180, then luma, blue and red differences at 80x45: uint8 arrays."""
    # Linear scaling from full size reads a quarter of the pixels; area scaling averages from there.
    medium = cv2.resize(frame_planes[0], _SHARP, interpolation=cv2.INTER_LINEAR)
    chroma = [
        cv2.resize(plane, _DIFF, interpolation=cv2.INTER_LINEAR) for plane in frame_planes[1:]
    ]
    return medium, cv2.resize(medium, _DIFF, interpolation=cv2.INTER_AREA), *chroma


def difference(frame: tuple[NDArray[np.uint8], ...], other: tuple[NDArray[np.uint8], ...]) -> float:
    """Returns the mean absolute difference of two frames' luma and chroma, in 8-bit levels."""
    return float(sum(cv2.mean(cv2.absdiff(a, b))[0] for a, b in zip(frame, other, strict=True)))


@dataclasses.dataclass(frozen=True)
class SegmentStats:
    """Figures of a segment of a film, which `join_segments` makes `FrameStats` of."""

    columns: dict[str, NDArray[Any]]  # of `FrameStats`: the decoded frames whose time lies in it
    packet_times: NDArray[np.int64]  # of every packet of it, in the order of the file
    dark_counts: DarkCounts
    before: tuple[int, float] | None  # time and mean luma of the frame before its first one


def scan_segment(
    uri: str,
    threads: int = 1,
    tick: Callable[[float], None] = lambda time: None,
    begin: int | None = None,
    end: int | None = None,
    watch: Callable[[av.VideoFrame], None] = lambda frame: None,
) -> SegmentStats:
    """Scans the part of a film from one time to another, in the stream's time base.

    `begin` None is the film's start and `end` None its end. Else decoding starts at a random access
    point before `begin`, so that frames from there on are those of a pass over the whole film.
    watch: takes each frame that is decoded, for a detector of its own kind.
    Raises as `scan_film` does, and ValueError where no frame can be decoded on its own, as in films
    with intra refresh.
    """
    cv2.setNumThreads(1)  # there is a worker per core: more threads would only compete
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    dark_counts = DarkCounts()
    previous: tuple[NDArray[np.uint8], ...] | None = None
    before_segment: tuple[int, float] | None = None
    packet_times: list[int] = []
    cost = 0
    for frame in _frames(uri, threads, begin, end, packet_times):
        frame_planes = planes(frame)
        time = int(frame.pts or 0)
        inside = begin is None or time >= begin
        if frame.key_frame:
            tick(float(frame.time or 0))
            if inside:
                dark_counts.add_frame(frame_planes[0])
        cost = 1 if frame.key_frame else cost + 1
        medium, *rest = scaled_planes(frame_planes)
        compared = tuple(rest)
        mean, std = cv2.meanStdDev(medium)
        if inside:
            watch(frame)
            columns["pts"].append(time)
            columns["cost"].append(cost)
            columns["diff"].append(difference(compared, previous) if previous is not None else 0.0)
            columns["mean"].append(mean[0, 0])
            columns["std"].append(std[0, 0])
            columns["sharp"].append(cv2.meanStdDev(cv2.Laplacian(medium, cv2.CV_16S))[1][0, 0] ** 2)
            columns["thumbs"].append(cv2.resize(compared[0], THUMB, interpolation=cv2.INTER_AREA))
        else:
            before_segment = time, float(mean[0, 0])
        previous = compared
    arrays = {name: np.array(values, _COLUMNS[name]) for name, values in columns.items()}
    arrays["thumbs"] = arrays["thumbs"].reshape(-1, *THUMB[::-1])  # also where there are none
    return SegmentStats(
        arrays,
        np.array(
            [
                time
                for time in packet_times
                if (begin is None or time >= begin) and (end is None or time < end)
            ],
            np.int64,
        ),
        dark_counts,
        before_segment,
    )


def _frames(
    uri: str, threads: int, begin: int | None, end: int | None, packet_times: list[int]
) -> Iterator[av.VideoFrame]:
    """Yields the frames of the cheap pass up to the first at `end` or after it.

    Appends the times of all packets that may be shown before `end` to `packet_times`.
    """
    with open_video(uri) as container:
        stream = video_stream(container)
        cheap_decoder(stream, threads)
        access = _seek_before(container, stream, begin) if begin is not None else None
        to_decode = packets(container, stream)
        if access is not None:
            to_decode = itertools.dropwhile(lambda packet: packet.pts != access, to_decode)
        begun, ended, leading = False, False, None
        for packet in to_decode:
            if packet.pts is not None:
                packet_times.append(packet.pts)
                # Of the packets after a random access point in the file, those shown before it
                # come before those shown after it.
                if leading is not None and packet.pts > leading:
                    return
                if end is not None and ended and packet.is_keyframe and packet.pts >= end:
                    leading = packet.pts
            if ended:
                continue
            for frame in decoded([packet]):
                if end is not None and int(frame.pts or 0) >= end:
                    ended = True
                    break
                if access is None or int(frame.pts or 0) >= access:
                    if not (begun or access is None or (frame.key_frame and frame.pts == access)):
                        raise ValueError("frames cannot be decoded from its random access points")
                    begun = True
                    yield frame


def _seek_before(container: Any, stream: Any, time: int) -> int | None:
    """Seeks to a random access point before a time and returns its time; None for the film's start.

    Some containers seek by the order of the file and land after the time that they are given.
    """
    step = max(1, round(_STEP_BACK / float(stream.time_base or 1)))
    target = time - 1
    while target > (stream.start_time or 0):
        container.seek(target, stream=stream)
        landed = next(
            (
                packet.pts
                for packet in packets(container, stream)
                if packet.is_keyframe and packet.pts is not None
            ),
            None,
        )
        if landed is not None and landed < time:
            container.seek(target, stream=stream)
            return int(landed)
        target, step = target - step, 2 * step
    container.seek(stream.start_time or 0, stream=stream)
    return None


def scan_film(
    uri: str,
    threads: int = 1,
    tick: Callable[[float], None] = lambda time: None,
    watch: Callable[[av.VideoFrame], None] = lambda frame: None,
) -> FrameStats:
    """Scans a film: decodes it once, cheaply.

    threads: changes the time taken and nothing else. tick: progress callback, takes the time, in
    seconds, of each random access frame reached. watch: as for `scan_segment`. Raises
    av.FFmpegError where the film cannot be opened, ValueError where it has no frame and
    VideoError where its clock starts again.
    """
    return join_segments(uri, [scan_segment(uri, threads, tick, watch=watch)])


def join_segments(uri: str, segments: Sequence[SegmentStats]) -> FrameStats:
    """Returns the figures of a film, or of a part of it, from those of its segments, in order.

    Raises ValueError where there is no frame in them and VideoError where their clock starts again.
    """
    columns = {
        name: np.concatenate([segment.columns[name] for segment in segments]) for name in _COLUMNS
    }
    pts = columns["pts"]
    if not len(pts):
        raise ValueError("no frame of it could be decoded")
    dark_counts = DarkCounts()
    for segment in segments:
        dark_counts.add(segment.dark_counts)
    with open_video(uri) as container:
        stream = video_stream(container)
        time_base = float(stream.time_base or 0)
        aspect = float(pixel_aspect(stream))
    packet_times = np.concatenate([segment.packet_times for segment in segments])
    check_clock(packet_times.tolist(), time_base)
    shown = np.unique(packet_times if len(packet_times) else pts)
    place = np.searchsorted(shown, pts)
    return FrameStats(
        times=(pts - pts[0]) * time_base,
        skipped=np.diff(place, prepend=place[:1] - 1) - 1,
        frame_time=float(np.median(np.diff(shown)) * time_base) if len(shown) > 1 else 0.0,
        bars=dark_counts.bars(),
        aspect=aspect,
        **columns,
    )
