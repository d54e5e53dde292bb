"""One pass over a film: a few figures and one tiny picture for each frame, and no pixels kept.

The pass is made as cheap as a decoder allows. Frames that no other frame refers to are skipped and
so is the loop filter, which only smooths what is shown; together that is less than half of the cost
of a full decode, and what remains is enough to find shots and to choose keyframes. The frames that
were chosen are decoded again, properly, by `frames`.

Presentation times come from the packets, so the times of skipped frames are known too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.videos import decoded, open_video, pixel_aspect, video_stream

THUMB = (32, 18)  # width, height of the tiny pictures that are kept
_DIFF = (80, 45)  # width, height of the pictures that neighbours are compared at
_SHARP = (320, 180)  # width, height that sharpness is measured at
_BAR_LEVEL = 24.0  # a letterbox bar's mean luma is at most this (video black is 16)


@dataclasses.dataclass(frozen=True)
class Measures:
    """What the pass saw, one entry for each of the n frames that it decoded, in display order."""

    times: NDArray[np.float64]  # seconds from the film's start
    pts: NDArray[np.int64]  # the same in the stream's time base
    skipped: NDArray[np.int64]  # frames between this and the entry before that were not decoded
    cost: NDArray[np.int64]  # entries to decode from the last random access point to this one
    diff: NDArray[np.float32]  # mean absolute difference to the entry before, 8-bit levels
    mean: NDArray[np.float32]  # mean luma, 8-bit levels
    std: NDArray[np.float32]  # standard deviation of the luma
    sharp: NDArray[np.float32]  # variance of the Laplacian of the luma at 320x180
    thumbs: NDArray[np.uint8]  # [n, 18, 32] luma
    frame_time: float  # seconds that a frame is shown, the median over the film
    bars: tuple[int, int, int, int]  # letterbox: rows above, below, columns left, right
    aspect: float  # width of a pixel over its height


def planes(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Luma and the two chroma planes, [height, width] uint8, views where the format allows.

    Formats that are not 8-bit planar YUV (10 bit, RGB, packed) are converted first.
    """
    if frame.format.name not in {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p",
                                 "yuvj444p"}:
        frame = frame.reformat(format="yuv420p")
    return [
        np.frombuffer(memoryview(plane), np.uint8)
        .reshape(plane.height, plane.line_size)[:, :plane.width]
        for plane in frame.planes
    ]


def cheap_decoder(stream: Any, threads: int) -> None:
    """Sets a stream's decoder to skip what the pass does not need."""
    context = stream.codec_context
    context.thread_count = threads
    context.thread_type = "AUTO"
    context.skip_frame = "NONREF"
    context.options = {"skip_loop_filter": "all"}


class _Letterbox:
    """Bars that are dark in nearly every random access frame that is not dark as a whole."""

    def __init__(self) -> None:
        self.rows: list[NDArray[np.bool_]] = []
        self.columns: list[NDArray[np.bool_]] = []

    def see(self, luma: NDArray[np.uint8]) -> None:
        if luma.mean() < 2 * _BAR_LEVEL:
            return
        self.rows.append(luma.mean(axis=1) <= _BAR_LEVEL)
        self.columns.append(luma.mean(axis=0) <= _BAR_LEVEL)

    def bars(self) -> tuple[int, int, int, int]:
        def lead(dark: NDArray[np.bool_]) -> int:
            return int(np.argmin(dark)) if not dark.all() else 0

        if len({(len(row), len(column)) for row, column in
                zip(self.rows, self.columns, strict=True)}) != 1:
            return 0, 0, 0, 0  # nothing seen, or a film whose size changes: no bars are its own
        rows = np.mean(self.rows, axis=0) > 0.95
        columns = np.mean(self.columns, axis=0) > 0.95
        return lead(rows), lead(rows[::-1]), lead(columns), lead(columns[::-1])


def small(frame_planes: list[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], ...]:
    """Luma at 320x180, then luma, blue and red differences at 80x45: uint8 arrays."""
    # Linear from full size touches a quarter of the pixels, area from there on averages the rest.
    medium = cv2.resize(frame_planes[0], _SHARP, interpolation=cv2.INTER_LINEAR)
    chroma = [cv2.resize(plane, _DIFF, interpolation=cv2.INTER_LINEAR)
              for plane in frame_planes[1:]]
    return medium, cv2.resize(medium, _DIFF, interpolation=cv2.INTER_AREA), *chroma


def difference(one: tuple[NDArray[np.uint8], ...], other: tuple[NDArray[np.uint8], ...]) -> float:
    """Mean absolute difference of two frames' luma and chroma, in 8-bit levels of luma."""
    return float(sum(cv2.mean(cv2.absdiff(a, b))[0] for a, b in zip(one, other, strict=True)))


def frames(uri: str, threads: int, part: tuple[float, float] | None = None
           ) -> Iterator[tuple[av.VideoFrame, list[int]]]:
    """Decoded frames of the cheap pass, each with the packet times seen so far (a growing list).

    `part` is where to begin and how much to look at, in seconds; None is the whole film.
    """
    with open_video(uri) as container:
        stream = video_stream(container)
        cheap_decoder(stream, threads)
        if part and part[0] > 0:
            container.seek(int(part[0] * av.time_base))
        first = None
        packet_times: list[int] = []
        for packet in container.demux(stream):
            if packet.pts is not None:
                packet_times.append(packet.pts)
            for frame in decoded([packet]):
                first = frame.time if first is None else first
                if part and (frame.time or 0.0) - (first or 0.0) > part[1]:
                    return
                yield frame, packet_times


def measure(uri: str, threads: int = 1, tick: Callable[[float], None] = lambda time: None,
            part: tuple[float, float] | None = None) -> Measures:
    """Decodes a film once, cheaply. `threads` changes the time taken and nothing else; `tick` is
    told the time, in seconds, of each random access frame that it has come to. `part` is where to
    begin and how much to look at, in seconds, None for the whole film.

    Raises av.FFmpegError where the film cannot be opened and ValueError where it has no frame.
    """
    cv2.setNumThreads(1)  # a worker a core: threads inside would only fight
    columns: dict[str, list[Any]] = {name: [] for name in
                                     ("pts", "cost", "diff", "mean", "std", "sharp", "thumbs")}
    letterbox = _Letterbox()
    before: tuple[NDArray[np.uint8], ...] | None = None
    packet_times: list[int] = []
    cost = 0
    for frame, packet_times in frames(uri, threads, part):  # noqa: B007 - the last one is used below
        frame_planes = planes(frame)
        if frame.key_frame:
            letterbox.see(frame_planes[0])
            tick(float(frame.time or 0))
        cost = 1 if frame.key_frame else cost + 1
        medium, *compared = small(frame_planes)
        now = tuple(compared)
        mean, std = cv2.meanStdDev(medium)
        columns["pts"].append(frame.pts)
        columns["cost"].append(cost)
        columns["diff"].append(difference(now, before) if before is not None else 0.0)
        columns["mean"].append(mean[0, 0])
        columns["std"].append(std[0, 0])
        columns["sharp"].append(cv2.meanStdDev(cv2.Laplacian(medium, cv2.CV_16S))[1][0, 0] ** 2)
        columns["thumbs"].append(cv2.resize(now[0], THUMB, interpolation=cv2.INTER_AREA))
        before = now
    if not columns["pts"]:
        raise ValueError("no frame of it could be decoded")
    with open_video(uri) as container:
        stream = video_stream(container)
        time_base = float(stream.time_base or 0)
        aspect = float(pixel_aspect(stream))
    pts = np.array(columns["pts"], np.int64)
    shown = np.unique(np.array(packet_times or pts, np.int64))
    place = np.searchsorted(shown, pts)
    return Measures(
        times=(pts - pts[0]) * time_base,
        pts=pts,
        skipped=np.diff(place, prepend=place[:1] - 1) - 1,
        cost=np.array(columns["cost"], np.int64),
        diff=np.array(columns["diff"], np.float32),
        mean=np.array(columns["mean"], np.float32),
        std=np.array(columns["std"], np.float32),
        sharp=np.array(columns["sharp"], np.float32),
        thumbs=np.array(columns["thumbs"], np.uint8),
        frame_time=float(np.median(np.diff(shown)) * time_base) if len(shown) > 1 else 0.0,
        bars=letterbox.bars(),
        aspect=aspect,
    )
