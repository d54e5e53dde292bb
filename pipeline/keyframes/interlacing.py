"""Interlacing: frames that weave the fields of two moments, as on DVDs and in broadcasts.

A film is looked at by its frames, as flags are often wrong. In a telecined one most frames are
whole: the clean ones of the cycle are taken. What is left is deinterlaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av

from pipeline.keyframes.combing import is_combed
from pipeline.keyframes.decode import frames_at_indices
from pipeline.keyframes.frame_stats import FrameStats, planes
from pipeline.keyframes.shots import Shot

INTERLACED = 0.1  # share of combed frames from which a film is; where nothing moves none is combed
_REACH = 4  # frames to either side: more than a cycle of telecine has
_SECONDS = 0.5


def deinterlaced(frame: av.VideoFrame) -> av.VideoFrame:
    """Returns a frame with the rows of one field, and the others interpolated from them along
    edges: by FFmpeg's `estdif`, which needs no other frame."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    deinterlacer = graph.add("estdif", "mode=frame:deint=all")
    sink = graph.add("buffersink")
    source.link_to(deinterlacer)
    deinterlacer.link_to(sink)
    graph.configure()
    source.push(frame)
    source.push(None)
    result = sink.pull()
    assert isinstance(result, av.VideoFrame)
    return result


def clean_frames(
    uri: str, stats: FrameStats, chosen: Sequence[tuple[int, Shot]], threads: int = 1
) -> dict[int, int]:
    """Returns, for each chosen frame of an interlaced film and its shot, the frame to take instead:
    the nearest that is not combed, at most half a second away; itself where none is.

    Raises as `frames_at_indices` does.
    """
    near = {
        index: [
            other
            for other in range(index - _REACH, index + _REACH + 1)
            if min(shot.first + 1, index) <= other <= max(shot.last - 1, index)
            and abs(stats.times[other] - stats.times[index]) <= _SECONDS
        ]
        for index, shot in chosen
    }
    wanted = sorted({other for others in near.values() for other in others})
    clean = {
        index
        for index, frame, _ in frames_at_indices(uri, stats, wanted, threads)
        if not is_combed(planes(frame)[0])
    }
    return {
        index: min(
            (other for other in others if other in clean),
            key=lambda other: (abs(other - index), other),
            default=index,
        )
        for index, others in near.items()
    }
