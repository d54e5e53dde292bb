"""Chosen frames of a film, decoded properly, at the price of the frames that they build on.

`measure` has said where the random access points are; from the one before a frame everything up to
the frame is decoded, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import av

from pipeline.ingest.video import decoded, open_video, packets_from, video_stream
from pipeline.keyframes.frame_stats import Measures, difference, planes, small


def grab(
    uri: str, measures: Measures, entries: Sequence[int], threads: int
) -> Iterator[tuple[int, av.VideoFrame, av.VideoFrame | None]]:
    """Decodes chosen entries properly: entry, its frame, and the frame decoded after it.

    Entries must be ascending. One that cannot be reached again is left out.
    """
    with open_video(uri) as container:
        stream = video_stream(container)
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.skip_frame = "NONREF"  # the entries were decoded without them
        frames: Iterator[Any] = iter(())
        held: Any = None
        at = -1
        for entry in entries:
            wanted = int(measures.pts[entry])
            access = entry - int(measures.cost[entry]) + 1
            if at < 0 or access > at:
                frames, held = decoded_from(container, stream, int(measures.pts[access])), None
            frame = held if held is not None else next(frames, None)
            while frame is not None and frame.pts < wanted:
                frame = next(frames, None)
            if frame is None or frame.pts != wanted:
                held, at = None, -1
                continue
            held, at = next(frames, None), entry
            yield entry, frame, held


def decoded_from(container: Any, stream: Any, start: int) -> Iterator[Any]:
    """Decoded frames from the random access point with the time `start`, in ticks, on."""
    return decoded(packets_from(container, stream, start))


def cut_time(uri: str, measures: Measures, entry: int) -> tuple[float, float]:
    """Times of the last frame before and the first frame after the cut at `entry`, exactly.

    The cheap pass may have skipped frames just before a cut; those are decoded here, and each goes
    to the side it is more like.
    """
    before, after = float(measures.times[entry - 1]), float(measures.times[entry])
    if measures.skipped[entry] <= 0:
        return before, after
    low, high = int(measures.pts[entry - 1]), int(measures.pts[entry])
    seen: dict[int, Any] = {}
    with open_video(uri) as container:
        stream = video_stream(container)
        stream.codec_context.options = {"skip_loop_filter": "all"}
        access = entry - int(measures.cost[entry - 1])
        for frame in decoded_from(container, stream, int(measures.pts[access])):
            if low <= frame.pts <= high:
                seen[frame.pts] = small(planes(frame))[1:]
            if frame.pts >= high:
                break
    if low not in seen or high not in seen:
        return before, after
    own = [
        pts
        for pts in sorted(seen)
        if pts < high and difference(seen[pts], seen[low]) <= difference(seen[pts], seen[high])
    ]
    rest = [pts for pts in sorted(seen) if pts > own[-1]]
    tick = (after - before) / (high - low)
    return before + (own[-1] - low) * tick, before + (rest[0] - low) * tick
