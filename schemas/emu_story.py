"""The file in which Emu3.5 keeps a story of texts and pictures: a Protocol Buffers message `Story`.

A story has clips, a clip has segments, and a segment has a text (`asr`) and the pictures behind it,
as whole files. Fields that we do not use are left out, and skipped in files of others.

Source: the descriptor in `src/proto/emu_pb.py` of github.com/baaivision/Emu3.5, which has numbers
and types of all fields, and `ProtoWriter` in its `src/utils/painting_utils.py`, which begins a clip
at each text; protobuf.dev/programming-guides/encoding on the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_JPEG, _PNG = 1, 2  # of the enum ImageFormat

_Value = int | float | str | bytes


@dataclass(frozen=True)
class Picture:
    """A picture of a segment: its file, and what is known of it."""

    file: bytes  # JPEG or PNG
    id: str = ""
    width: int = 0
    height: int = 0
    caption: str = ""
    time: float = 0.0  # seconds


@dataclass(frozen=True)
class Segment:
    """A text and the pictures behind it; `start` and `end` are seconds in a film."""

    text: str
    pictures: tuple[Picture, ...]
    start: float = 0.0
    end: float = 0.0


def encode(name: str, segments: Sequence[Segment]) -> bytes:
    """Encodes a story, with a clip per segment, as Emu3.5 writes its own."""
    clips = [
        _message(
            (1, f"clip_{number:04d}"),
            (2, _message((1, segment.start), (2, segment.end))),
            (101, _segment(segment)),
        )
        for number, segment in enumerate(segments)
    ]
    return _message((1, name), *((2, clip) for clip in clips))


def decode(data: bytes) -> list[Segment]:
    """Decodes the texts and pictures of a story. Raises ValueError for what is no such message."""
    found = []
    for clip in _all(data, 2):
        for segment in _all(clip, 101):
            text = b"".join(_all(segment, 2)).decode()
            images = [image for meta in _all(segment, 101) for image in _all(meta, 11)]
            files = [b"".join(_all(image, 4)) for image in images]
            found.append(Segment(text, tuple(Picture(file) for file in files if file)))
    return found


def _segment(segment: Segment) -> bytes:
    return _message(
        (1, _message((1, segment.start), (2, segment.end))),
        (2, segment.text),
        *((101, _picture(picture)) for picture in segment.pictures),
    )


def _picture(picture: Picture) -> bytes:
    kind = _JPEG if picture.file.startswith(b"\xff\xd8") else _PNG
    image = _message((1, picture.width), (2, picture.height), (3, kind), (4, picture.file))
    return _message(
        (1, picture.id),
        (2, _message((1, picture.time), (2, picture.time))),
        (3, picture.caption),
        (11, image),
    )


def _message(*fields: tuple[int, _Value]) -> bytes:
    """Encodes a message of numbered fields; those with their default value are left out."""
    encoded = b""
    for number, value in fields:
        if not value:
            continue
        if isinstance(value, float):
            encoded += _varint(number << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, int):
            encoded += _varint(number << 3) + _varint(value)
        else:
            held = value.encode() if isinstance(value, str) else value
            encoded += _varint(number << 3 | 2) + _varint(len(held)) + held
    return encoded


def _varint(value: int) -> bytes:
    """Encodes a number of 0 or more, seven bits to a byte, the lowest first."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def _all(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yields the texts, bytes or messages of a field. Raises ValueError for bytes cut short."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == 0:
            _, at = _read_varint(message, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _read_varint(message, at)
            if key >> 3 == wanted:
                yield message[at : at + length]
            at += length
        else:
            raise ValueError(f"it has a field of the kind {kind}")
        if at > len(message):
            raise ValueError("it ends within a field")


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(message):
            break
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
    raise ValueError("it ends within a number")
