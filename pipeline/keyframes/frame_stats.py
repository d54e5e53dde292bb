"""One pass over a film: a few figures and one tiny picture for each frame, and no pixels kept.

The pass is made as cheap as a decoder allows. Frames that no other frame refers to are skipped and
so is the loop filter, which only smooths what is shown; together that is less than half of the cost
of a full decode, and what remains is enough to find shots and to choose keyframes. The frames that
were chosen are decoded again, properly, by `frames`.

Presentation times come from the packets, so the times of skipped frames are known too.
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
    video_stream,
)

THUMB = (32, 18)  # width, height of the tiny pictures that are kept
_DIFF = (80, 45)  # width, height of the pictures that neighbours are compared at
_SHARP = (320, 180)  # width, height that sharpness is measured at
_BAR_LEVEL = 24.0  # a letterbox bar's mean luma is at most this (video black is 16)
_STEP_BACK = 0.5  # seconds, twice as many each time
_BAR_SHARE = 0.95  # of the frames that are not dark have it


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
    """Luma and the two chroma planes, [height, width] uint8, views where the format allows.

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
    context.skip_frame = "NONREF"
    context.options = {"skip_loop_filter": "all"}


@dataclasses.dataclass
class Darkness:
    """Where random access frames that are not dark as a whole are dark, as sums."""

    sizes: set[tuple[int, int]] = dataclasses.field(default_factory=set)  # height, width
    frames: int = 0
    rows: Any = 0  # [height] int: in how many frames the row is dark
    columns: Any = 0  # [width] int

    def see(self, luma: NDArray[np.uint8]) -> None:
        """Adds a frame, uint8 [height, width]."""
        if luma.mean() >= 2 * _BAR_LEVEL:
            self.add(
                Darkness(
                    {luma.shape},
                    1,
                    (luma.mean(axis=1) <= _BAR_LEVEL).astype(np.int64),
                    (luma.mean(axis=0) <= _BAR_LEVEL).astype(np.int64),
                )
            )

    def add(self, other: Darkness) -> None:
        """Adds what was seen elsewhere."""
        self.sizes |= other.sizes
        self.frames += other.frames
        if len(self.sizes) == 1:  # of a film whose size changes no bars are its own
            self.rows, self.columns = self.rows + other.rows, self.columns + other.columns

    def bars(self) -> tuple[int, int, int, int]:
        """Rows above and below, columns left and right that are dark in nearly every frame."""

        def lead(dark: NDArray[np.bool_]) -> int:
            return int(np.argmin(dark)) if not dark.all() else 0

        if len(self.sizes) != 1:
            return 0, 0, 0, 0
        rows = self.rows / self.frames > _BAR_SHARE
        columns = self.columns / self.frames > _BAR_SHARE
        return lead(rows), lead(rows[::-1]), lead(columns), lead(columns[::-1])


def small(frame_planes: list[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], ...]:
    """Luma at 320x180, then luma, blue and red differences at 80x45: uint8 arrays."""
    # Linear from full size touches a quarter of the pixels, area from there on averages the rest.
    medium = cv2.resize(frame_planes[0], _SHARP, interpolation=cv2.INTER_LINEAR)
    chroma = [
        cv2.resize(plane, _DIFF, interpolation=cv2.INTER_LINEAR) for plane in frame_planes[1:]
    ]
    return medium, cv2.resize(medium, _DIFF, interpolation=cv2.INTER_AREA), *chroma


def difference(one: tuple[NDArray[np.uint8], ...], other: tuple[NDArray[np.uint8], ...]) -> float:
    """Mean absolute difference of two frames' luma and chroma, in 8-bit levels of luma."""
    return float(sum(cv2.mean(cv2.absdiff(a, b))[0] for a, b in zip(one, other, strict=True)))


@dataclasses.dataclass(frozen=True)
class Segment:
    """What a pass over a segment of a film saw: the columns of `Measures`, and what they need."""

    columns: dict[str, NDArray[Any]]  # one entry for each decoded frame whose time lies in it
    packet_times: NDArray[np.int64]  # of every packet of it, in the order of the file
    darkness: Darkness
    before: tuple[int, float] | None  # time and mean luma of the entry before its first one


def segment(
    uri: str,
    threads: int = 1,
    tick: Callable[[float], None] = lambda time: None,
    begin: int | None = None,
    end: int | None = None,
) -> Segment:
    """Decodes, cheaply, the part of a film from one time to another, in the stream's time base.

    `begin` None is the film's start and `end` None its end. Else decoding starts at a random access
    point before `begin`, so that what comes from it on is what a pass over the whole film sees.
    Raises as `measure` does, and ValueError where a film is decoded from no frame alone, as one
    whose pictures are refreshed bit by bit.
    """
    cv2.setNumThreads(1)  # a worker a core: threads inside would only fight
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    darkness = Darkness()
    before: tuple[NDArray[np.uint8], ...] | None = None
    last: tuple[int, float] | None = None
    packet_times: list[int] = []
    cost = 0
    for frame in _frames(uri, threads, begin, end, packet_times):
        frame_planes = planes(frame)
        time = int(frame.pts or 0)
        inside = begin is None or time >= begin
        if frame.key_frame:
            tick(float(frame.time or 0))
            if inside:
                darkness.see(frame_planes[0])
        cost = 1 if frame.key_frame else cost + 1
        medium, *compared = small(frame_planes)
        now = tuple(compared)
        mean, std = cv2.meanStdDev(medium)
        if inside:
            columns["pts"].append(time)
            columns["cost"].append(cost)
            columns["diff"].append(difference(now, before) if before is not None else 0.0)
            columns["mean"].append(mean[0, 0])
            columns["std"].append(std[0, 0])
            columns["sharp"].append(cv2.meanStdDev(cv2.Laplacian(medium, cv2.CV_16S))[1][0, 0] ** 2)
            columns["thumbs"].append(cv2.resize(now[0], THUMB, interpolation=cv2.INTER_AREA))
        else:
            last = time, float(mean[0, 0])
        before = now
    arrays = {name: np.array(values, _COLUMNS[name]) for name, values in columns.items()}
    arrays["thumbs"] = arrays["thumbs"].reshape(-1, *THUMB[::-1])  # also where there are none
    return Segment(
        arrays,
        np.array(
            [
                time
                for time in packet_times
                if (begin is None or time >= begin) and (end is None or time < end)
            ],
            np.int64,
        ),
        darkness,
        last,
    )


def _frames(
    uri: str, threads: int, begin: int | None, end: int | None, packet_times: list[int]
) -> Iterator[av.VideoFrame]:
    """Decoded frames of the cheap pass up to the first at `end` or after it; the times of all
    packets that may be shown before `end` go to `packet_times`."""
    with open_video(uri) as container:
        stream = video_stream(container)
        cheap_decoder(stream, threads)
        access = _seek_before(container, stream, begin) if begin is not None else None
        found = packets(container, stream)
        if access is not None:
            found = itertools.dropwhile(lambda packet: packet.pts != access, found)
        begun, ended, leading = False, False, None
        for packet in found:
            if packet.pts is not None:
                packet_times.append(packet.pts)
                # What follows a random access point in the file and is shown before it comes
                # before what is shown after it.
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
                        raise ValueError("its random access points are none")
                    begun = True
                    yield frame


def _seek_before(container: Any, stream: Any, time: int) -> int | None:
    """Goes to a random access point before a time and returns its own; None for the film's start.

    Some containers seek by the order of the file and land behind what they are asked for.
    """
    step = max(1, round(_STEP_BACK / float(stream.time_base or 1)))
    target = time - 1
    while target > (stream.start_time or 0):
        container.seek(target, stream=stream)
        found = next(
            (
                packet.pts
                for packet in packets(container, stream)
                if packet.is_keyframe and packet.pts is not None
            ),
            None,
        )
        if found is not None and found < time:
            container.seek(target, stream=stream)
            return int(found)
        target, step = target - step, 2 * step
    container.seek(stream.start_time or 0, stream=stream)
    return None


def measure(
    uri: str, threads: int = 1, tick: Callable[[float], None] = lambda time: None
) -> Measures:
    """Decodes a film once, cheaply. `threads` changes the time taken and nothing else; `tick` is
    told the time, in seconds, of each random access frame that it has come to.

    Raises av.FFmpegError where the film cannot be opened and ValueError where it has no frame.
    """
    return joined(uri, [segment(uri, threads, tick)])


def joined(uri: str, segments: Sequence[Segment]) -> Measures:
    """The figures of a film, or of a part of it, from those of its segments, in order.

    Raises ValueError where there is no frame in them and VideoError where their clock starts again.
    """
    columns = {name: np.concatenate([one.columns[name] for one in segments]) for name in _COLUMNS}
    pts = columns["pts"]
    if not len(pts):
        raise ValueError("no frame of it could be decoded")
    darkness = Darkness()
    for one in segments:
        darkness.add(one.darkness)
    with open_video(uri) as container:
        stream = video_stream(container)
        time_base = float(stream.time_base or 0)
        aspect = float(pixel_aspect(stream))
    packet_times = np.concatenate([one.packet_times for one in segments])
    check_clock(packet_times.tolist(), time_base)
    shown = np.unique(packet_times if len(packet_times) else pts)
    place = np.searchsorted(shown, pts)
    return Measures(
        times=(pts - pts[0]) * time_base,
        skipped=np.diff(place, prepend=place[:1] - 1) - 1,
        frame_time=float(np.median(np.diff(shown)) * time_base) if len(shown) > 1 else 0.0,
        bars=darkness.bars(),
        aspect=aspect,
        **columns,
    )
