"""What is in a film: opening it, its picture track, its fingerprint, and what its header tells.

`probe` fills in what only a film's content tells of it. `open_video` and `video_stream` are how
every other module gets at a film's pictures.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.runtime import storage
from schemas.rows import Video

_SAMPLE = 1 << 20  # bytes of a film's start and of its end that its fingerprint covers
_BLOCK = 1 << 16  # bytes of each of the blocks between them
_BLOCKS = 14
# Formats that are a list of other files: FFmpeg would open whatever they name, a pipe, another film
# or an address on the network. A film is one file.
_LISTS = {
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
_OPTIONS = {"format_whitelist": ",".join(sorted(av.formats_available - _LISTS))}
_FAULTS = 100  # damaged places without a packet between them, after which a film is given up
_BACK = (0.0, 1.0, 60.0)  # seconds to stand further back by, where a film was sought too far on
_AGAIN = 0.5  # seconds; a clock that goes back by more has started again, and not lost its way
_REORDERED = 8  # frames that a clock may go back by, as frames are not coded in their order
_NEAR = 5  # packets; fewer than half of them with wrong times do not make a clock start again
_NARROWEST = 8  # height of a pixel over its width, and the other way round; beyond it is a mistake
_MOST_PIXELS = 1 << 26  # of a picture: twice those of 8K film; more would take gigabytes to look at
_COVER = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


class VideoError(ValueError):
    """One film cannot be used; the message says why."""


# --- opening -------------------------------------------------------------------------------------


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
    with (
        storage.reading(uri) as file,
        av.open(file, "r", options=_OPTIONS, metadata_errors="replace") as container,
    ):
        yield container


def video_stream(container: InputContainer) -> VideoStream:
    """The track that is the film: the largest picture, cover art and thumbnails left aside.

    The order is that of FFmpeg's own choice of a video track. Raises VideoError where none is left
    or its pictures are far too large.
    """
    real = [
        stream
        for stream in container.streams.video
        if not stream.disposition & _COVER and stream.codec_context is not None
    ]
    if not real:
        raise VideoError("no video track")
    # A single picture has no frame rate: Matroska keeps covers as tracks without marking them.
    film = max(
        real,
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
    with storage.reading(uri) as file:
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
    files = (
        [path]
        if os.path.isfile(path)
        else sorted(
            os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
        )
    )
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
            seconds = stated_duration(container, stream, frame.time)
            rate = stream.average_rate or stream.guessed_rate or 0
        if seconds is None:
            seconds = _measured(video.uri)
    except (av.FFmpegError, EOFError) as error:
        raise VideoError(f"cannot be read as video: {error}") from error
    return dataclasses.replace(
        video,
        size=video.size or _size(video.uri),
        fingerprint=digest,
        duration=round(seconds, 6),
        width=width,
        height=height,
        fps=round(float(rate), 6),
        rotation=rotation,
    )


def _size(uri: str) -> int:
    with storage.reading(uri) as file:
        return int(file.seek(0, os.SEEK_END))


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The packets of a track, from where the demuxer stands; a damaged place costs what is there.

    Raises av.FFmpegError where there is nothing but damage, or the file cannot be read on.
    """
    faults = 0
    while True:
        try:
            for packet in container.demux(stream):
                yield packet
                faults = 0
            return
        except IndexError:  # at the end, where PyAV comes upon tracks that began on the way
            return
        except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.BlockingIOError):
            faults += 1
            if faults == _FAULTS:
                raise


def decoded(packets: Iterable[Any]) -> Iterator[VideoFrame]:
    """The frames of packets, those with a time; a damaged packet costs its own frames only."""
    for packet in packets:
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise
        except av.FFmpegError:  # what decoders say of damage is not only that data is invalid
            continue
        yield from (frame for frame in frames if frame.pts is not None)


def packets_from(container: InputContainer, stream: VideoStream, start: int) -> Iterator[Packet]:
    """The packets of a film from the one with the time `start`, in ticks, on; none where no packet
    has that time.

    An index may list fewer random access points than there are, so that the demuxer comes to stand
    further back. A transport stream has no index and is sought by the times of decoding, so that it
    may come to stand too far on; then it is sought once more, from further back. A program stream
    tells few times, and FFmpeg guesses the others in another way after each seek: that one is read
    on from where it stands, else from its start.
    """
    places = [start - round(back / (stream.time_base or 1)) for back in _BACK]
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


def check_clock(pts: Sequence[int], time_base: float) -> None:
    """Raises VideoError where a film's clock starts again, as in recordings that were put one after
    the other: such a film has two pictures of one time.

    pts: the times of its packets, in ticks of `time_base` seconds, in the order of the file.
    """
    if len(pts) < 2 * _NEAR:
        return
    times = np.array(pts) * time_base
    frame_time = float(np.median(np.diff(np.unique(times))))
    usual = np.median(np.lib.stride_tricks.sliding_window_view(times, _NEAR), axis=1)
    back = np.flatnonzero(usual[_NEAR:] < usual[:-_NEAR] - max(_AGAIN, _REORDERED * frame_time))
    if len(back):  # most of the packets of the second window are after it
        last = times[back[0] + _NEAR + _NEAR // 2 - 1]
        raise VideoError(
            f"its clock starts again after {max(last - times[0], 0.0):.1f} s, as if it were two "
            "films in one file: cut it there, or give it one clock with ffmpeg -i FILM -c copy NEW"
        )


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """The first frame of a film just opened: its time is where all times of ours start.

    Raises VideoError where none can be decoded.
    """
    for frame in decoded(packets(container, stream)):
        return frame
    raise VideoError("no frame can be decoded")


def stated_duration(container: InputContainer, stream: VideoStream, start: float) -> float | None:
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
        spans = [
            (packet.pts, packet.pts + (packet.duration or 0))
            for packet in packets(container, stream)
            if packet.pts is not None
        ]
        ticks = max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0
        return float(ticks * (stream.time_base or 1))
