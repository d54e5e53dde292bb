"""The frames of a film at given times, without having measured the film.

`frames` reaches what the pass of `measure` has seen; here nothing is known but the times. The
packets, which are read and not decoded, say where the random access points are; from the last one
before a time on everything up to the frame is decoded, and no more.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any

import av

from pipeline.ingest.video import first_frame, open_video, packets, video_stream
from pipeline.keyframes.decode import decoded_from

_NEAR = 0.1  # seconds between a time and a frame that may stand for it


def frames_at(
    uri: str, times: Sequence[float], threads: int, skip: bool
) -> Iterator[av.VideoFrame | None]:
    """The frame nearest to each time, in seconds from the film's first frame, ascending.

    None stands for a time that has no frame within a tenth of a second. With `skip`, frames that no
    other refers to are passed over as `measure` does, so what it has seen is reached sooner. Raises
    OSError, av.FFmpegError or ValueError where the film cannot be read.
    """
    accesses = _random_accesses(uri)
    with open_video(uri) as container:
        stream = video_stream(container)
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.skip_frame = "NONREF" if skip else "DEFAULT"
        start, tick = first_frame(container, stream).pts or 0, float(stream.time_base or 1)
        frames: Iterator[Any] = iter(())
        before: Any = None  # the last frame that is not after the time, and
        after: Any = None  # the one that follows it
        for time in times:
            wanted = start + round(time / tick)
            access = accesses[max(0, bisect.bisect_right(accesses, wanted) - 1)]
            if before is None or access > before.pts:
                frames = decoded_from(container, stream, access)
                before, after = None, next(frames, None)
            while after is not None and after.pts <= wanted:
                before, after = after, next(frames, None)
            near = [
                frame
                for frame in (before, after)
                if frame is not None and abs(frame.pts - wanted) * tick <= _NEAR
            ]
            yield min(near, key=lambda frame: abs(frame.pts - wanted), default=None)


def _random_accesses(uri: str) -> list[int]:
    """The times of a film's random access points, ascending, in ticks. Raises as `frames_at`."""
    with open_video(uri) as container:
        found = {
            packet.pts
            for packet in packets(container, video_stream(container))
            if packet.is_keyframe and packet.pts is not None
        }
    if not found:
        raise ValueError("no frame of it can be decoded on its own")
    return sorted(found)
