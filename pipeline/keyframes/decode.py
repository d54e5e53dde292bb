"""Decodes chosen frames in full, by their index in `FrameStats` or by their time.

Decoding starts at the last random access point before a frame, so a frame costs no more than those
that it builds on.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import av
from av.packet import Packet

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
from pipeline.runtime.prefetch import prefetch

_MOST_DECODERS = 4  # of a film at once: whoever takes the frames is then the slower one
_AHEAD = 2  # frames that each decodes before they are taken
_NEAR = 0.1  # seconds between a time and a frame that may stand for it


Chosen: TypeAlias = tuple[int, av.VideoFrame, av.VideoFrame | None]


def frames_at_indices(
    uri: str, stats: FrameStats, indices: Sequence[int], threads: int
) -> Iterator[Chosen]:
    """Yields, for ascending frame indices, each with its frame and one beside it: the frame before,
    or the one after where decoding starts with the frame.

    Leaves out frames that cannot be reached again. With several threads, which change the time
    taken and nothing else, several decoders work ahead: each takes random access points in turn.
    """
    groups = [
        (access, list(together))
        for access, together in itertools.groupby(
            indices, key=lambda index: index - int(stats.cost[index]) + 1
        )
    ]
    decoders = min(threads, _MOST_DECODERS, len(groups))
    if decoders <= 1:
        return _frames_of(uri, stats, groups)
    return heapq.merge(
        *(_ahead(_frames_of(uri, stats, groups[n::decoders])) for n in range(decoders)),
        key=lambda chosen: chosen[0],
    )


def _ahead(frames: Iterator[Chosen]) -> Iterator[Chosen]:
    """Yields frames while a thread decodes the next ones."""
    for chosen in prefetch(lambda number: next(frames, None), itertools.count(), _AHEAD, 1):
        if chosen is None:
            return
        yield chosen


def _frames_of(
    uri: str, stats: FrameStats, groups: Sequence[tuple[int, list[int]]]
) -> Iterator[Chosen]:
    """Yields frames as `frames_at_indices` does. groups: the index of each random access point, and
    the wanted frames that are decoded from it."""
    with open_video(uri) as container:
        stream = _stream(container, 1, skip=True)  # as the frames were decoded for `stats`
        opened = True
        for access, together in groups:
            # The film's first frame may build on some that are not shown: an edit list leaves
            # them out, as where a film was cut without encoding it again.
            start = None if opened and access == 0 else int(stats.pts[access])
            wanted = {int(stats.pts[index]): index for index in together}
            opened = False
            for sparing in (True, False):
                for index, frame, beside in _reached(
                    container, stream, start, stats, wanted, sparing
                ):
                    del wanted[int(stats.pts[index])]
                    yield index, frame, beside
                if not wanted:
                    break
                start = int(stats.pts[access])


def _reached(
    container: Any,
    stream: Any,
    start: int | None,
    stats: FrameStats,
    wanted: Mapping[int, int],
    sparing: bool,
) -> Iterator[Chosen]:
    """Yields wanted frames that build on one random access point, as `frames_at_indices` does.

    wanted: their indices, by time. sparing: nothing is decoded after the packets with these times,
    which is enough unless the times of packets and frames differ.
    """
    last, first = max(wanted), min(wanted.values())
    needed = set(wanted)
    if stats.cost[first] == 1 and first + 1 < len(stats.pts):
        needed.add(int(stats.pts[first + 1]))
    rest = _packets(container, stream, start)
    before: Any = None
    waiting: int | None = None  # the index of `before`, where nothing came before it
    for frame in decoded(_up_to(needed, rest, stream) if sparing else rest):
        if waiting is not None:
            yield waiting, before, frame
            waiting = None
        time = int(frame.pts or 0)
        index = wanted.get(time)
        if index is not None and before is not None:
            yield index, frame, before
        elif index is not None:
            waiting = index
        before = frame
        if time >= last and waiting is None:
            break
    if waiting is not None:
        yield waiting, before, None
    if sparing:
        stream.codec_context.flush_buffers()  # after the end it would take no more packets


def _up_to(needed: set[int], rest: Iterable[Packet], stream: Any) -> Iterator[Packet]:
    """Yields packets up to the last with one of the times, one more, which may be the second field
    of its frame, and one that tells the decoder that it is the end."""
    left = set(needed)
    for packet in rest:
        yield packet
        if not left:
            break
        left.discard(packet.pts)
    end = Packet()
    end.stream, end.time_base = stream, stream.time_base
    yield end


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
    return decoded(_packets(container, stream, start))


def _packets(container: Any, stream: Any, start: int | None) -> Iterator[Packet]:
    if start is None:
        return packets(container, stream)
    return packets_from(container, stream, start)


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
