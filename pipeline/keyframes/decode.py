"""Decodes chosen frames in full, by their index in `FrameStats` or by their time.

Decoding starts at the last random access point before a frame, so a frame costs no more than those
that it builds on.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any

import av

from pipeline.ingest.video import (
    decoded,
    first_frame,
    open_video,
    packets,
    packets_from,
    skippable,
    video_stream,
)
from pipeline.keyframes.frame_stats import FrameStats

_NEAR = 0.1  # seconds between a time and a frame that may stand for it


def frames_at_indices(
    uri: str, stats: FrameStats, indices: Sequence[int], threads: int
) -> Iterator[tuple[int, av.VideoFrame, av.VideoFrame | None]]:
    """Yields, for ascending frame indices, each with its frame and the frame decoded after it.

    Leaves out frames that cannot be reached again.
    """
    with open_video(uri) as container:
        stream = _stream(container, threads, skip=True)  # as the frames were decoded for `stats`
        frames: Iterator[Any] = iter(())
        following: Any = None
        last, opened = -1, True
        for index in indices:
            pts = int(stats.pts[index])
            access = index - int(stats.cost[index]) + 1
            if last < 0 or access > last:
                # The film's first frame may build on some that are not shown: an edit list leaves
                # them out, as where a film was cut without encoding it again.
                start = None if opened and access == 0 else int(stats.pts[access])
                frames, following = frames_from(container, stream, start), None
                opened = False
            frame = following if following is not None else next(frames, None)
            while frame is not None and frame.pts < pts:
                frame = next(frames, None)
            if frame is None or frame.pts != pts:
                following, last = None, -1
                continue
            following, last = next(frames, None), index
            yield index, frame, following


def frames_at_times(
    uri: str, times: Sequence[float], threads: int, skip: bool
) -> Iterator[av.VideoFrame | None]:
    """Yields the frame nearest to each time, in seconds from the film's first frame, ascending.

    It is None for a time without a frame within a tenth of a second. The film need not have been
    scanned: its packets, which are not decoded, tell where the random access points are. With
    `skip`, frames that no other refers to are skipped as `scan_film` does, which is faster where
    the times are those of frames that it has decoded. Raises OSError, av.FFmpegError or ValueError
    where the film cannot be read.
    """
    accesses = _random_accesses(uri)
    with open_video(uri) as container:
        stream = _stream(container, threads, skip=False)
        start, time_base = first_frame(container, stream).pts or 0, float(stream.time_base or 1)
        stream.codec_context.skip_frame = skippable(stream) if skip else "DEFAULT"
        frames: Iterator[Any] = iter(())
        before: Any = None  # the last frame that is not after the time, and
        after: Any = None  # the one that follows it
        for time in times:
            pts = start + round(time / time_base)
            access = accesses[max(0, bisect.bisect_right(accesses, pts) - 1)]
            if before is None or access > before.pts:
                frames = frames_from(container, stream, access)
                before, after = None, next(frames, None)
            while after is not None and after.pts <= pts:
                before, after = after, next(frames, None)
            near = [
                frame
                for frame in (before, after)
                if frame is not None and abs(frame.pts - pts) * time_base <= _NEAR
            ]
            yield min(near, key=lambda frame: abs(frame.pts - pts), default=None)


def frames_from(container: Any, stream: Any, start: int | None) -> Iterator[Any]:
    """Yields decoded frames from the random access point with the time `start` on, in the stream's
    time base; None: from the start of a film that was just opened."""
    if start is None:
        return decoded(packets(container, stream))
    return decoded(packets_from(container, stream, start))


def _stream(container: Any, threads: int, skip: bool) -> Any:
    stream = video_stream(container)
    stream.codec_context.thread_count = threads
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.skip_frame = skippable(stream) if skip else "DEFAULT"
    return stream


def _random_accesses(uri: str) -> list[int]:
    """Returns the times of a film's random access points, ascending, in the stream's time base."""
    with open_video(uri) as container:
        times = {
            packet.pts
            for packet in packets(container, video_stream(container))
            if packet.is_keyframe and packet.pts is not None
        }
    if not times:
        raise ValueError("no frame of it can be decoded on its own")
    return sorted(times)
