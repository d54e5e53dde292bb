"""Scans a long film in segments, so that several workers share it; the result is that of one pass.

A segment ends at a time, anywhere in a shot. It is decoded from a random access point before it, so
its frames are those of a pass over the whole film. That is checked: each segment also decodes the
last frame of the one before, and where the two disagree, as in a film whose random access points
are not, the film is scanned as a whole.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from pipeline.ingest.probe import stated_duration
from pipeline.ingest.video import first_frame, open_video, video_stream
from pipeline.keyframes.frame_stats import (
    FrameStats,
    SegmentStats,
    join_segments,
    scan_segment,
)
from pipeline.keyframes.letterbox import DarkEdges
from pipeline.runtime import storage

SECONDS = 300.0  # the length of a segment, about
_MOST = 256  # segments: a broken header may state thousands of years

Bounds: TypeAlias = tuple[int | None, int | None]  # begin, end in the stream's time base


def bounds(uri: str, seconds: float) -> list[Bounds]:
    """Returns where the segments of a film begin and end, in the stream's time base.

    It is one segment for a film that is no longer than `seconds` or does not state its duration.
    Raises as `probe` does.
    """
    with open_video(uri) as container:
        stream = video_stream(container)
        start = float(first_frame(container, stream).time or 0.0)
        # FFmpeg guesses the times of a program stream differently after each seek.
        duration = (
            None if container.format.name == "mpeg" else (stated_duration(container, stream, start))
        )
        ticks = 1 / float(stream.time_base or 1)
    count = min(math.ceil((duration or 0.0) / seconds), _MOST)
    if count <= 1 or duration is None:
        return [(None, None)]
    inner = [round((start + duration * number / count) * ticks) for number in range(1, count)]
    return list(zip([None, *inner], [*inner, None], strict=True))


def path(folder: str, number: int, count: int) -> str:
    """Returns the path of a segment's figures, which are stored until all segments are scanned."""
    return storage.join(folder, f"{number:03d}-of-{count:03d}.npz")


def scan(uri: str, bound: Bounds, threads: int, file: str) -> None:
    """Scans a segment and stores its figures in a file. Raises as `scan_segment` does."""
    begin, end = bound
    segment = scan_segment(uri, threads, begin=begin, end=end)
    columns: dict[str, Any] = dict(segment.columns)
    columns |= {
        "packet_times": segment.packet_times,
        "sizes": np.array(sorted(segment.dark.sizes), np.int64),
        "edges": np.array(segment.dark.edges, np.int64),
        "before": np.array([segment.before] if segment.before else [], np.float64),
    }
    data = io.BytesIO()
    np.savez(data, **columns)
    storage.write_bytes(file, data.getvalue())


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
        [
            (int(above), int(below), int(left), int(right))
            for above, below, left, right in columns.pop("edges")
        ],
    )
    packet_times, before = columns.pop("packet_times"), columns.pop("before")
    return SegmentStats(
        columns,
        packet_times,
        dark,
        (int(before[0, 0]), float(before[0, 1])) if len(before) else None,
    )


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
