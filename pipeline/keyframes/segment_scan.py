"""A long film in segments, so that several workers pass over it and the result is that of one.

A segment ends where a time says, anywhere in a shot; it is decoded from a random access point
before it, so its frames are what a pass over the whole film sees. Neighbours have one frame in
common, by which that is checked: where they disagree, as in a film whose random access points are
none, the film is passed over as a whole.
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
from pipeline.keyframes.frame_stats import Darkness, Measures, Segment, joined, segment
from pipeline.runtime import storage

SECONDS = 300.0  # of a film in a segment, about
_MOST = 256  # segments: a header may tell of thousands of years

Bounds: TypeAlias = tuple[int | None, int | None]  # begin, end in the stream's time base


def bounds(uri: str, seconds: float) -> list[Bounds]:
    """Where the segments of a film begin and end; one for a film that is no longer than `seconds`
    or does not say how long it is. Raises as `videos.probe` does."""
    with open_video(uri) as container:
        stream = video_stream(container)
        start = float(first_frame(container, stream).time or 0.0)
        # The times of a program stream are guessed in another way after each seek.
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
    """Where a segment's figures are kept until those of the others are there."""
    return storage.join(folder, f"{number:03d}-of-{count:03d}.npz")


def keep(uri: str, bound: Bounds, threads: int, file: str) -> None:
    """Passes over a segment and keeps what it saw. Raises as `measure` does."""
    begin, end = bound
    seen = segment(uri, threads, begin=begin, end=end)
    columns: dict[str, Any] = dict(seen.columns)
    columns |= {
        "packet_times": seen.packet_times,
        "sizes": np.array(sorted(seen.darkness.sizes), np.int64),
        "frames": np.array(seen.darkness.frames),
        "rows": np.array(seen.darkness.rows),
        "dark_columns": np.array(seen.darkness.columns),
        "before": np.array([seen.before] if seen.before else [], np.float64),
    }
    data = io.BytesIO()
    np.savez(data, **columns)
    storage.write_bytes(file, data.getvalue())


def measures(uri: str, folder: str) -> Measures | None:
    """The figures of a film whose segments are kept in a folder: None where one is missing or
    damaged, or where they do not fit together."""
    files = [file for file, _ in storage.find_in(folder, "*.npz")]
    if not files or files != [path(folder, at, len(files)) for at in range(len(files))]:
        return None
    try:
        found = [_loaded(file) for file in files]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return joined(uri, found) if _fit(found) else None


def _loaded(file: str) -> Segment:
    with np.load(io.BytesIO(storage.read_bytes(file)), allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    darkness = Darkness(
        {(int(height), int(width)) for height, width in columns.pop("sizes")},
        int(columns.pop("frames")),
        columns.pop("rows"),
        columns.pop("dark_columns"),
    )
    packet_times, before = columns.pop("packet_times"), columns.pop("before")
    return Segment(
        columns,
        packet_times,
        darkness,
        (int(before[0, 0]), float(before[0, 1])) if len(before) else None,
    )


def _fit(found: Sequence[Segment]) -> bool:
    """Whether each segment saw the last frame of the one before it as that did."""
    last: tuple[int, float] | None = None
    for number, one in enumerate(found):
        if number and (
            last is None
            or one.before is None
            or one.before[0] != last[0]
            or not math.isclose(one.before[1], last[1], abs_tol=1e-3)
        ):
            return False
        pts, mean = one.columns["pts"], one.columns["mean"]
        if len(pts):
            last = int(pts[-1]), float(mean[-1])
    return True
