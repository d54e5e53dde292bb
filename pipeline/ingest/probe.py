"""What only a film's content tells: its fingerprint, duration, picture size, frame rate."""

from __future__ import annotations

import dataclasses

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.ingest import content_kind
from pipeline.ingest.fingerprint import fingerprint
from pipeline.ingest.video import (
    VideoError,
    first_frame,
    open_video,
    packets,
    pixel_aspect,
    video_stream,
)
from pipeline.runtime import storage
from schemas.rows import Video

_TRANSFERS = {16: "PQ", 18: "HLG"}  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67


def probe(video: Video) -> Video:
    """Returns the row with what only the content tells: size, fingerprint, duration, picture size.

    Decodes one frame. Raises VideoError where it has no video track or FFmpeg cannot read it, and
    OSError where there is no such file.
    """
    digest = fingerprint(video.uri)
    try:
        with open_video(video.uri) as container:
            stream = video_stream(container)
            frame = first_frame(container, stream)
            rotation = -frame.rotation % 360  # PyAV counts counterclockwise
            width, height = round(frame.width * pixel_aspect(stream)), frame.height
            if rotation in (90, 270):
                width, height = height, width
            seconds = stated_duration(container, stream, frame.time)
            hdr = _TRANSFERS.get(int(frame.color_trc), "")
            rate = stream.average_rate or stream.guessed_rate or 0
        if seconds is None:
            seconds = _measured_duration(video.uri)
    except (av.FFmpegError, EOFError) as error:
        kind = content_kind.described(video.uri)
        raise VideoError(
            f"it is {kind}" if kind else f"cannot be read as video: {error}"
        ) from error
    return dataclasses.replace(
        video,
        size=video.size or storage.size(video.uri),
        fingerprint=digest,
        duration=round(seconds, 6),
        width=width,
        height=height,
        fps=round(float(rate), 6),
        rotation=rotation,
        hdr=hdr,
    )


def stated_duration(container: InputContainer, stream: VideoStream, start: float) -> float | None:
    """Returns the seconds from the first frame, at `start`, on, as the track or else the file says;
    None where neither does."""
    # Matroska counts from zero, the others from the film's first frame.
    zero = start if "matroska" in container.format.name else 0.0
    if stream.duration:
        return float(stream.duration * (stream.time_base or 1)) - zero
    return container.duration / av.time_base - zero if container.duration else None


def _measured_duration(uri: str) -> float:
    """Returns the seconds from the first packet's time to the last one's end; reads all packets."""
    with open_video(uri) as container:
        stream = video_stream(container)
        spans = [
            (packet.pts, packet.pts + (packet.duration or 0))
            for packet in packets(container, stream)
            if packet.pts is not None
        ]
        ticks = max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0
        return float(ticks * (stream.time_base or 1))
