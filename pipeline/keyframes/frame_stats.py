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
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import av
import cv2
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from pipeline.ingest.timestamps import check_clock
from pipeline.ingest.video import (
    decoded,
    first_frame,
    open_video,
    packets,
    pixel_aspect,
    skippable,
    video_stream,
)
from pipeline.keyframes.combing import has_combed
from pipeline.keyframes.letterbox import DarkEdges, dark_edges, inner, measured_inside
from pipeline.keyframes.tone_mapping import is_hdr, luma_table

THUMB = (32, 18)  # width, height of the tiny images
_DIFF = (80, 45)  # width, height at which neighbours are compared
_SHARP = (320, 180)  # width, height at which sharpness is measured
_LOOK = 0.77  # seconds between frames looked at for combing: not a multiple of any cycle's
_SLOWEST = 0.06  # seconds that a frame of an interlaced film is shown, at most
_DAMAGE_LASTS = 2.0  # seconds after a damaged frame, unless a random access point comes
_MIDDLE = 480  # pixels, the width that is looked at
_BLURRED = 2  # pixels beside a dark edge that are part of it, at 320x180
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
    sharp: NDArray[np.float32]  # mean square of the Laplacian of the luma at 320x180
    damaged: NDArray[np.bool_]  # whether data of it is lost, or of one that it builds on
    thumbs: NDArray[np.uint8]  # [n, 18, 32] luma
    frame_time: float  # seconds that a frame is shown, the median over the film
    bars: tuple[int, int, int, int]  # letterbox: rows above, below, columns left, right
    aspect: float  # width of a pixel over its height
    combed: float = 0.0  # share of frames, of those looked at, that weave two moments


_COLUMNS: dict[str, type[np.generic]] = {
    "pts": np.int64,
    "cost": np.int64,
    "diff": np.float32,
    "mean": np.float32,
    "std": np.float32,
    "sharp": np.float32,
    "sharp_inside": np.float32,  # the same without the frame's dark edges
    "damaged": np.bool_,
    "combed": np.int8,  # whether the frame is, -1 where it was not looked at
    "thumbs": np.uint8,
}


def planes(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Returns luma and both chroma planes, [height, width] uint8, views where the format allows.

    Formats that are not 8-bit planar YUV (10 bit, RGB, packed) are converted first; luma in PQ or
    HLG is made that of SDR.
    """
    hdr, transfer = is_hdr(frame), int(frame.color_trc)
    if frame.format.name not in {
        "yuv420p",
        "yuvj420p",
        "yuv422p",
        "yuvj422p",
        "yuv444p",
        "yuvj444p",
    }:
        frame = frame.reformat(format="yuv420p")
    arrays = [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
            :, : plane.width
        ]
        for plane in frame.planes
    ]
    if hdr:
        arrays[0] = cv2.LUT(arrays[0], luma_table(transfer))
    return arrays


def cheap_decoder(stream: Any, threads: int) -> None:
    """Sets a stream's decoder to skip what the pass does not need."""
    context = stream.codec_context
    context.thread_count = threads
    context.thread_type = "AUTO"
    context.skip_frame = skippable(stream)
    context.options = {"skip_loop_filter": "all"}


def scaled_planes(
    frame_planes: list[NDArray[np.uint8]],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns luma at 320x180, and luma, blue and red differences at 80x45, one below the other:
    uint8 [180, 320] and [135, 80]."""
    # Linear scaling from full size reads a quarter of the pixels; area scaling averages from there.
    medium = cv2.resize(frame_planes[0], _SHARP, interpolation=cv2.INTER_LINEAR)
    width, height = _DIFF
    small = np.empty((3 * height, width), np.uint8)
    cv2.resize(medium, _DIFF, dst=small[:height], interpolation=cv2.INTER_AREA)
    for number, plane in enumerate(frame_planes[1:], 1):
        part = small[number * height : (number + 1) * height]
        cv2.resize(plane, _DIFF, dst=part, interpolation=cv2.INTER_LINEAR)
    return np.asarray(medium, np.uint8), small


def difference(small: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Returns the mean absolute difference of two frames' luma and chroma together, in 8-bit
    levels, given them as `scaled_planes` does."""
    return float(cv2.norm(small, other, cv2.NORM_L1)) / (_DIFF[0] * _DIFF[1])


@dataclasses.dataclass(frozen=True)
class SegmentStats:
    """Figures of a segment of a film, which `join_segments` makes `FrameStats` of."""

    columns: dict[str, NDArray[Any]]  # of `FrameStats`: the decoded frames whose time lies in it
    packet_times: NDArray[np.int64]  # of every packet of it, in the order of the file
    dark: DarkEdges  # of a frame per second
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
    dark = DarkEdges()
    second = looked = -1
    damage_ends = -math.inf
    previous: NDArray[np.uint8] | None = None
    luma_before: NDArray[np.uint8] | None = None
    before_segment: tuple[int, float] | None = None
    packet_times: list[int] = []
    cost = 0
    for frame in _frames(uri, threads, begin, end, packet_times):
        frame_planes = planes(frame)
        time, seconds = int(frame.pts or 0), float(frame.time or 0.0)
        cost = 1 if frame.key_frame else cost + 1
        if frame.key_frame:
            tick(seconds)
        if frame.is_corrupt:
            damage_ends = seconds + _DAMAGE_LASTS
        elif frame.key_frame:
            damage_ends = -math.inf
        look = int(seconds / _LOOK)
        medium, small = scaled_planes(frame_planes)
        mean, std = cv2.meanStdDev(medium)
        if begin is None or time >= begin:
            watch(frame)
            if int(seconds) != second:
                dark.add_frame(frame_planes[0])
            columns["combed"].append(
                _looks_combed(frame, frame_planes[0], luma_before) if look != looked else -1
            )
            columns["pts"].append(time)
            columns["cost"].append(cost)
            columns["diff"].append(difference(small, previous) if previous is not None else 0.0)
            columns["mean"].append(mean[0, 0])
            columns["std"].append(std[0, 0])
            details = cv2.Laplacian(medium, cv2.CV_16S)
            columns["sharp"].append(_mean_square(details))
            edges = dark_edges(medium)
            columns["sharp_inside"].append(
                _mean_square(inner(details, edges, _BLURRED))
                if any(edges)
                else columns["sharp"][-1]
            )
            columns["damaged"].append(seconds < damage_ends)
            thumb = cv2.resize(small[: _DIFF[1]], THUMB, interpolation=cv2.INTER_AREA)
            columns["thumbs"].append(thumb)
        else:
            before_segment = time, float(mean[0, 0])
        previous, second, looked = small, int(seconds), look
        luma_before = frame_planes[0]
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
        dark,
        before_segment,
    )


def _looks_combed(
    frame: av.VideoFrame, luma: NDArray[np.uint8], before: NDArray[np.uint8] | None
) -> bool:
    """Returns whether a frame weaves two moments. One without a frame of its size before it may
    have stripes; those of GIFs and other computer graphics have patterns of dots."""
    if (
        before is None
        or before.shape != luma.shape
        or frame.format.is_rgb
        or frame.format.has_palette
    ):
        return False
    return has_combed(_middle(luma), _middle(before))


def _middle(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the columns in the middle of a frame, at most _MIDDLE."""
    left = max(0, (luma.shape[1] - _MIDDLE) // 2)
    return luma[:, left : left + _MIDDLE]


def _mean_square(details: NDArray[Any]) -> float:
    return float(cv2.norm(details, cv2.NORM_L2)) ** 2 / details.size if details.size else 0.0


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
        to_decode = _noted(to_decode, packet_times)
        begun = False
        for frame in decoded(to_decode):
            if end is not None and int(frame.pts or 0) >= end:
                break
            if access is None or int(frame.pts or 0) >= access:
                if not (begun or access is None or (frame.key_frame and frame.pts == access)):
                    raise ValueError("frames cannot be decoded from its random access points")
                begun = True
                yield frame
        # Of the packets after a random access point in the file, those shown before it come before
        # those shown after it.
        leading: int | None = None
        for packet in to_decode:
            if packet.pts is None or packet.is_discard:
                continue
            if leading is not None and packet.pts > leading:
                return
            if end is not None and packet.is_keyframe and packet.pts >= end:
                leading = packet.pts


def _noted(to_decode: Iterable[Packet], packet_times: list[int]) -> Iterator[Packet]:
    """Yields packets; appends the times of those that are shown, which an edit list may leave out,
    to `packet_times`."""
    for packet in to_decode:
        if packet.pts is not None and not packet.is_discard:
            packet_times.append(packet.pts)
        yield packet


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
    dark = DarkEdges()
    for segment in segments:
        dark.add(segment.dark)
    bars, level = dark.bars()
    if any(bars):
        ((height, width),) = dark.sizes
        columns = measured_inside(columns, bars, level, height, width)
    del columns["sharp_inside"]
    looked_at = columns.pop("combed")
    combed = looked_at[looked_at >= 0]
    with open_video(uri) as container:
        stream = video_stream(container)
        time_base = float(stream.time_base or 0)
        aspect = float(pixel_aspect(stream))
        # Where the film was cut, its first frame may be one that the pass skips.
        start = min(first_frame(container, stream).pts or 0, int(pts[0]))
    packet_times = np.concatenate([segment.packet_times for segment in segments])
    check_clock(packet_times.tolist(), time_base)
    shown = np.unique(packet_times if len(packet_times) else pts)
    place = np.searchsorted(shown, pts)
    frame_time = float(np.median(np.diff(shown)) * time_base) if len(shown) > 1 else 0.0
    return FrameStats(
        times=(pts - start) * time_base,
        skipped=np.diff(place, prepend=place[:1] - 1) - 1,
        frame_time=frame_time,
        bars=bars,
        aspect=aspect,
        combed=float(combed.mean()) if len(combed) and frame_time <= _SLOWEST else 0.0,
        **columns,
    )
