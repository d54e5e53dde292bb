"""Scans a film in segments, for several workers or threads; the result is that of one pass.

A decoder's own threads, for which the frames wait for each other, take more CPU time and keep
little more than one core busy.

A segment ends at a time, anywhere in a shot. It is decoded from a random access point before it, so
its frames are those of a pass over the whole film. That is checked: each segment also decodes the
last frame of the one before, and where the two disagree, as in a film whose random access points
are not, the film is scanned as a whole.
"""

from __future__ import annotations

import contextlib
import io
import math
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.probe import stated_duration
from pipeline.ingest.video import first_frame, open_video, video_stream
from pipeline.keyframes.frame_stats import (
    FrameStats,
    SegmentStats,
    join_segments,
    scan_segment,
)
from pipeline.keyframes.letterbox import DarkEdges, Sides
from pipeline.runtime import storage

SECONDS = 300.0  # the length of a segment of a worker, about
SHORTEST = 15.0  # of a thread: each decodes up to some seconds before it as well
_MOST_THREADS = 8  # of a process: more would wait for each other
_MOST = 256  # segments: a broken header may state thousands of years

Bounds: TypeAlias = tuple[int | None, int | None]  # begin, end in the stream's time base


def bounds(uri: str, seconds: float, workers: int = 1) -> list[Bounds]:
    """Returns where the segments of a film begin and end, in the stream's time base.

    It is one segment for a film that is no longer than `seconds` or does not state its duration;
    else all of the workers get as many. Raises as `probe` does.
    """
    begin, end, ticks = _extent(uri)
    count = math.ceil((end - begin) / ticks / seconds)
    if count > 1:
        count = min(math.ceil(count / workers) * workers, _MOST)
    return _divided((None, None), begin, end, count)


def _extent(uri: str) -> tuple[float, float, float]:
    """Returns the times of a film's start and end in the stream's time base, the same where the
    film cannot be divided, and the ticks of a second in it."""
    with open_video(uri) as container:
        stream = video_stream(container)
        start = float(first_frame(container, stream).time or 0.0)
        # FFmpeg guesses the times of a program stream differently after each seek.
        duration = (
            None if container.format.name == "mpeg" else (stated_duration(container, stream, start))
        )
        ticks = 1 / float(stream.time_base or 1)
    return start * ticks, (start + (duration or 0.0)) * ticks, ticks


def _divided(bound: Bounds, begin: float, end: float, count: int) -> list[Bounds]:
    """Divides a segment that begins and ends at these times into a number of them."""
    inner = [round(begin + (end - begin) * number / count) for number in range(1, count)]
    return list(zip([bound[0], *inner], [*inner, bound[1]], strict=True))


def path(folder: str, number: int, count: int) -> str:
    """Returns the path of a segment's figures, which are stored until all segments are scanned."""
    return storage.join(folder, f"{number:03d}-of-{count:03d}.npz")


def scan(uri: str, bound: Bounds, threads: int, file: str) -> None:
    """Scans a segment and stores its figures in a file. Raises as `scan_segment` does."""
    segment = _scanned(uri, bound, threads, lambda time: None)
    columns: dict[str, Any] = dict(segment.columns)
    columns |= {
        "packet_times": segment.packet_times,
        "sizes": np.array(sorted(segment.dark.sizes), np.int64),
        "edges": np.array(segment.dark.edges, np.int64).reshape(-1, 4),
        "light": np.array(segment.dark.light, np.int64).reshape(-1, 4),
        "levels": np.array(segment.dark.levels, np.int64),
        "before": np.array([segment.before] if segment.before else [], np.float64),
    }
    data = io.BytesIO()
    np.savez(data, **columns)
    storage.write_bytes(file, data.getvalue())


def scan_film(
    uri: str, threads: int = 1, tick: Callable[[float], None] = lambda time: None
) -> FrameStats:
    """Scans a film as `frame_stats.scan_film` does, a segment for each thread.

    tick: takes the seconds that were scanned.
    """
    return join_segments(uri, [_scanned(uri, (None, None), threads, tick)])


def _scanned(uri: str, bound: Bounds, threads: int, tick: Callable[[float], None]) -> SegmentStats:
    """Scans a segment, divided among threads. Raises as `scan_segment` does."""
    parts = _parts(uri, bound, min(threads, _MOST_THREADS))
    if len(parts) > 1:
        began: dict[int, float] = {}  # by part, at the first frame of it
        done: dict[int, float] = {}  # seconds, of each part

        def part(number: int) -> SegmentStats:
            def advance(time: float) -> None:
                done[number] = time - began.setdefault(number, time)
                tick(sum(list(done.values())))

            return scan_segment(uri, 1, advance, *parts[number])

        with (
            contextlib.suppress(ValueError, OSError, av.FFmpegError),  # met below, if it is there
            ThreadPoolExecutor(len(parts)) as pool,
        ):
            segments = list(pool.map(part, range(len(parts))))
            if _fit_together(segments):
                return _joined(segments)
    return scan_segment(uri, 1, tick, *bound)


def _parts(uri: str, bound: Bounds, threads: int) -> list[Bounds]:
    """Divides a segment among threads, unless it is too short."""
    if threads <= 1:
        return [bound]
    begin, end, ticks = _extent(uri)
    begin, end = (
        side if stated is None else stated for side, stated in zip((begin, end), bound, strict=True)
    )
    return _divided(bound, begin, end, max(1, min(threads, int((end - begin) / ticks / SHORTEST))))


def _joined(segments: Sequence[SegmentStats]) -> SegmentStats:
    """Joins neighbouring segments to one."""
    dark = DarkEdges()
    for segment in segments:
        dark.add(segment.dark)
    return SegmentStats(
        {
            name: np.concatenate([segment.columns[name] for segment in segments])
            for name in segments[0].columns
        },
        np.concatenate([segment.packet_times for segment in segments]),
        dark,
        segments[0].before,
    )


def load(uri: str, folder: str) -> FrameStats | None:
    """Loads the figures of a film whose segments were scanned to a folder.

    Returns None where a segment is missing or damaged, or where they do not fit together.
    """
    files = [file for file, _ in storage.find_in(folder, "*.npz")]
    if not files or files != [path(folder, number, len(files)) for number in range(len(files))]:
        return None
    try:
        segments = [_loaded(file) for file in files]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return join_segments(uri, segments) if _fit_together(segments) else None


def _loaded(file: str) -> SegmentStats:
    with np.load(io.BytesIO(storage.read_bytes(file)), allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    dark = DarkEdges(
        {(int(height), int(width)) for height, width in columns.pop("sizes")},
        _sides(columns.pop("edges")),
        _sides(columns.pop("light")),
        columns.pop("levels").tolist(),
    )
    packet_times, before = columns.pop("packet_times"), columns.pop("before")
    return SegmentStats(
        columns,
        packet_times,
        dark,
        (int(before[0, 0]), float(before[0, 1])) if len(before) else None,
    )


def _sides(values: NDArray[Any]) -> list[Sides]:
    return [(above, below, left, right) for above, below, left, right in values.tolist()]


def _fit_together(segments: Sequence[SegmentStats]) -> bool:
    """Whether each segment decoded the last frame of the one before it to the same."""
    last: tuple[int, float] | None = None
    for number, segment in enumerate(segments):
        if number and (
            last is None
            or segment.before is None
            or segment.before[0] != last[0]
            or not math.isclose(segment.before[1], last[1], abs_tol=1e-3)
        ):
            return False
        pts, mean = segment.columns["pts"], segment.columns["mean"]
        if len(pts):
            last = int(pts[-1]), float(mean[-1])
    return True
