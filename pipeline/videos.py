"""What is in a film: opening it, its picture track, its fingerprint, and what its header tells.

`probe` fills in what only a film's content tells of it. `open_video` and `video_stream` are how
every other module gets at a film's pictures.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from schemas.rows import Video

_SAMPLE = 1 << 20  # bytes of a film's start and of its end that its fingerprint covers
_BLOCK = 1 << 16  # bytes of each of the blocks between them
_BLOCKS = 14
# Formats that are a list of other files: FFmpeg would open whatever they name, a pipe, another film
# or an address on the network. A film is one file.
_LISTS = {"concat", "dash", "hls", "image2", "imf", "lavfi", "rtp", "rtsp", "sap", "sdp", "vobsub",
          "webm_dash_manifest"}
_OPTIONS = {"format_whitelist": ",".join(sorted(av.formats_available - _LISTS))}
_NARROWEST = 8  # height of a pixel over its width, and the other way round; beyond it is a mistake
_COVER = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


class VideoError(ValueError):
    """One film cannot be used; the message says why."""


# --- opening -------------------------------------------------------------------------------------


@contextmanager
def _bytes_of(uri: str) -> Iterator[Any]:
    with FileSystems.open(uri, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        yield file


@contextmanager
def open_video(uri: str) -> Iterator[InputContainer]:
    """A film, open for demuxing and decoding, closed when the block ends.

    Raises OSError where there is no such file and av.FFmpegError where FFmpeg does not know it.
    """
    if "://" not in uri:
        # A path such as "concat:a|b" or "-" would mean something else to FFmpeg.
        with av.open("file:" + uri, options=_OPTIONS, metadata_errors="replace") as container:
            yield container
        return
    with _bytes_of(uri) as file, av.open(file, options=_OPTIONS,
                                         metadata_errors="replace") as container:
        yield container


def video_stream(container: InputContainer) -> VideoStream:
    """The track that is the film: the largest picture, cover art and thumbnails left aside.

    The order is that of FFmpeg's own choice of a video track. Raises VideoError where none is left.
    """
    real = [stream for stream in container.streams.video
            if not stream.disposition & _COVER and stream.codec_context is not None]
    if not real:
        raise VideoError("no video track")
    # A single picture has no frame rate: Matroska keeps covers as tracks without marking them.
    return max(real, key=lambda stream: (bool(stream.average_rate), stream.width * stream.height,
                                         bool(stream.disposition & Disposition.default),
                                         -stream.index))


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Width of a pixel over its height; 1 where the film does not say or tells what cannot be."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return aspect if Fraction(1, _NARROWEST) <= aspect <= _NARROWEST else Fraction(1)


def fingerprint(uri: str) -> str:
    """A hex digest that tells one film's content from another without reading all of it.

    SHA-256 over the size in bytes, the first and last MiB and 14 blocks of 64 KiB evenly spaced
    between them; over everything where the file is no larger than that. Raises OSError.
    """
    digest = hashlib.sha256()
    with _bytes_of(uri) as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        digest.update(str(size).encode())
        for start, length in _sampled(size):
            file.seek(start)
            digest.update(file.read(length))
    return digest.hexdigest()


def content_of(path: str) -> str:
    """A hex digest of a model's files on this machine, by their names and fingerprints; "" for what
    is no file or folder here, such as the id of a model on a hub."""
    if not os.path.exists(path):
        return ""
    files = [path] if os.path.isfile(path) else sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    lines = [f"{os.path.relpath(file, path)} {fingerprint(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _sampled(size: int) -> list[tuple[int, int]]:
    """Start and length of each part of a file that its fingerprint covers."""
    if size <= 2 * _SAMPLE + _BLOCKS * _BLOCK:
        return [(0, size)]
    step = (size - 2 * _SAMPLE) / (_BLOCKS + 1)
    middle = [(round(_SAMPLE + step * (i + 1)) - _BLOCK // 2, _BLOCK) for i in range(_BLOCKS)]
    return [(0, _SAMPLE), *middle, (size - _SAMPLE, _SAMPLE)]


# --- probing -------------------------------------------------------------------------------------


def probe(video: Video) -> Video:
    """The row with what only the film's content tells: size, fingerprint, duration, picture.

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
            seconds = _duration(container, stream, frame.time)
            rate = stream.average_rate or stream.guessed_rate or 0
        if seconds is None:
            seconds = _measured(video.uri)
    except (av.FFmpegError, EOFError) as error:
        raise VideoError(f"cannot be read as video: {error}") from error
    return dataclasses.replace(
        video, size=video.size or _size(video.uri), fingerprint=digest, duration=round(seconds, 6),
        width=width, height=height, fps=round(float(rate), 6), rotation=rotation)


def _size(uri: str) -> int:
    with _bytes_of(uri) as file:
        return int(file.seek(0, os.SEEK_END))


def decoded(packets: Iterable[Any]) -> Iterator[VideoFrame]:
    """The frames of packets, those with a time; a damaged packet costs its own frames only."""
    for packet in packets:
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        yield from (frame for frame in frames if frame.pts is not None)


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """The first frame of a film just opened: its time is where all times of ours start.

    Raises VideoError where none can be decoded.
    """
    for frame in decoded(container.demux(stream)):
        return frame
    raise VideoError("no frame can be decoded")


def _duration(container: InputContainer, stream: VideoStream, start: float) -> float | None:
    """Seconds from the first frame, at `start`, on: as the track or the file says, if one does."""
    # Matroska counts from zero, the others from the film's first frame.
    zero = start if "matroska" in container.format.name else 0.0
    if stream.duration:
        return float(stream.duration * (stream.time_base or 1)) - zero
    return container.duration / av.time_base - zero if container.duration else None


def _measured(uri: str) -> float:
    """Seconds from the first packet's time to the last one's end, all packets read."""
    with open_video(uri) as container:
        stream = video_stream(container)
        spans = [(packet.pts, packet.pts + (packet.duration or 0))
                 for packet in container.demux(stream) if packet.pts is not None]
        ticks = max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0
        return float(ticks * (stream.time_base or 1))
