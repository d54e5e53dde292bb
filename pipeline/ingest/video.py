"""A film file: opening it, finding its picture track, reading its packets and decoding frames."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any, Literal

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.runtime import storage

# Formats that are a list of other files: FFmpeg would open whatever they name, a pipe, another film
# or an address on the network. A film is one file.
_PLAYLISTS = {
    "concat",
    "dash",
    "hls",
    "image2",
    "imf",
    "lavfi",
    "rtp",
    "rtsp",
    "sap",
    "sdp",
    "vobsub",
    "webm_dash_manifest",
}
_OPTIONS = {
    "format_whitelist": ",".join(sorted(av.formats_available - _PLAYLISTS)),
    "protocol_whitelist": "file",  # for what a film of another format might name after all
}
_MOST_FAULTS = 100  # damaged places without a packet between them, then a film is given up
_SEEK_BACK = (0.0, 1.0, 60.0)  # seconds further back to seek, where seeking landed too late
_MOST_ASPECT = 8  # of a pixel, and its inverse the least; beyond, the file states nonsense
_MOST_PIXELS = 1 << 26  # of a picture: twice those of 8K film; more would take gigabytes to decode
_REORDERING = {"h264", "hevc"}  # codecs of which AVI does not tell the order of the frames
_FLV_WRAP = 1 << 31  # milliseconds: FFmpeg reads a time below zero as one that is so much later
_FEW = 10.0  # frames per second; skipping some of these would save little
_COVER = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


class VideoError(ValueError):
    """One film cannot be used; the message says why."""


# --- opening -------------------------------------------------------------------------------------


@contextmanager
def open_video(uri: str) -> Iterator[InputContainer]:
    """Opens a film for demuxing and decoding; closes it when the block ends.

    Raises OSError where there is no such file and av.FFmpegError where FFmpeg does not know it.
    """
    if "://" not in uri:
        # A path such as "concat:a|b" or "-" would mean something else to FFmpeg.
        with av.open("file:" + uri, options=_OPTIONS, metadata_errors="replace") as container:
            yield container
        return
    with (
        storage.reading(uri) as file,
        av.open(file, "r", options=_OPTIONS, metadata_errors="replace") as container,
    ):
        yield container


def video_stream(container: InputContainer) -> VideoStream:
    """Finds the track that is the film: the largest picture, cover art and thumbnails left aside.

    The order is that of FFmpeg's own choice of a video track. Raises VideoError where none is left
    or its pictures are far too large.
    """
    candidates = [
        stream
        for stream in container.streams.video
        if not stream.disposition & _COVER and stream.codec_context is not None
    ]
    if not candidates:
        raise VideoError("no video track")
    # A single picture has no frame rate: Matroska keeps covers as tracks without marking them.
    film = max(
        candidates,
        key=lambda stream: (
            bool(stream.average_rate),
            stream.width * stream.height,
            bool(stream.disposition & Disposition.default),
            -stream.index,
        ),
    )
    if film.width * film.height > _MOST_PIXELS:
        raise VideoError(
            f"its pictures have {film.width} x {film.height} pixels: more than the "
            f"{_MOST_PIXELS} that a film may have; make it smaller"
        )
    return film


def skippable(stream: VideoStream) -> Literal["DEFAULT", "NONREF"]:
    """Returns which frames of a track a cheap pass may skip, as FFmpeg's `skip_frame` has it.

    Those that no other frame refers to, except in films with few frames per second, as slideshows:
    there each may be a picture of its own; and where times can only be told by counting frames.
    """
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return "DEFAULT" if 0 < rate < _FEW or _timed_in_coding_order(stream) else "NONREF"


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Returns width over height of a pixel; 1 where the film does not say or what cannot be."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return aspect if Fraction(1, _MOST_ASPECT) <= aspect <= _MOST_ASPECT else Fraction(1)


# --- packets and frames --------------------------------------------------------------------------


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """Yields the packets of a track from the demuxer's position on; skips damaged places.

    Where a file knows no presentation times, those of its packets count them. In Flash Video, times
    below zero are what they were when it was written.
    Raises av.FFmpegError after 100 damaged places in a row, or where reading fails.
    """
    faults, in_coding_order = 0, _timed_in_coding_order(stream)
    wraps = container.format.name == "flv"
    while True:
        try:
            for packet in container.demux(stream):
                if in_coding_order:
                    packet.pts = packet.dts
                if wraps and packet.pts is not None and packet.dts is not None:
                    packet.pts, packet.dts = _near_zero(packet.pts), _near_zero(packet.dts)
                yield packet
                faults = 0
            return
        except IndexError:  # at the end, where PyAV comes upon tracks that began on the way
            return
        except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.BlockingIOError):
            faults += 1
            if faults == _MOST_FAULTS:
                raise


def _near_zero(time: int) -> int:
    return time - round(time / _FLV_WRAP) * _FLV_WRAP


def decoded(packets: Iterable[Any]) -> Iterator[VideoFrame]:
    """Yields the frames of packets that have a time; skips what is damaged."""
    waiting: list[int] | None = None  # times of packets whose frames are still to come
    for packet in packets:
        if waiting is None:
            in_coding_order, waiting = _timed_in_coding_order(packet.stream), []
        if in_coding_order and packet.pts is not None:
            heapq.heappush(waiting, packet.pts)
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise
        except av.FFmpegError:  # what decoders say of damage is not only that data is invalid
            continue
        for frame in frames:
            if in_coding_order and waiting:
                frame.pts = heapq.heappop(waiting)
            if frame.pts is not None:
                yield frame


def _timed_in_coding_order(stream: VideoStream) -> bool:
    """Returns whether a track has no presentation times: AVI does not, and FFmpeg works them out
    for codecs before H.264 alone."""
    return (
        stream.container.format.name == "avi"
        and stream.codec_context.name in _REORDERING
        and bool(stream.codec_context.has_b_frames)
    )


def packets_from(container: InputContainer, stream: VideoStream, start: int) -> Iterator[Packet]:
    """Yields the packets of a film from the one with the time `start`, in the stream's time base,
    on; none where no packet has that time.

    Seeking is not exact. An index may list fewer random access points than there are, so that the
    demuxer lands further back. A transport stream has no index and is sought by decoding times, so
    that it may land too late; then it is sought again, further back. A program stream states few
    times, and FFmpeg guesses the others differently after each seek: it is read on from the current
    position, else from its start.
    """
    places = [start - round(back / (stream.time_base or 1)) for back in _SEEK_BACK]
    for place in places if container.format.name != "mpeg" else (None, 0):
        if place is not None:
            with suppress(av.FFmpegError):  # before the film's start, or nothing can be sought
                container.seek(place, stream=stream)
        rest = packets(container, stream)
        for packet in rest:
            if packet.pts == start:
                yield packet
                yield from rest
                return
            if packet.dts is not None and packet.dts > start:
                break


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """Returns the first frame of a film just opened: keyframes' times count from its time.

    Raises VideoError where none can be decoded, and for an encrypted film, which FFmpeg would
    decode to grey pictures.
    """
    for packet in packets(container, stream):
        if packet.has_sidedata("encryption_info"):
            raise VideoError("it is encrypted: only a copy without protection can be read")
        for frame in decoded([packet]):
            return frame
    raise VideoError("no frame can be decoded")
