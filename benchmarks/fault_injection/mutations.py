"""Makes small films and mutates them: bytes cut, flipped, moved and spliced."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pipeline.testing.films import make_film, moving, scene

_HEADER = 1024  # bytes at the start of a film that contain most of its header
_HUGE = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_TALK = [(0.1, 0.5, "Pip: Hello!"), (0.6, 1.0, "<i>Who</i> is there?"), (1.1, 1.4, "{\\b1}Me.")]


def make_films(folder: Path) -> dict[str, bytes]:
    """Makes the films that are mutated, by name: short, of many containers and codecs."""
    kinds: dict[str, dict[str, Any]] = {
        "h264.mp4": {"subtitles": {"eng": _TALK}, "audio": True, "bframes": 2},
        "h264-faststart.mp4": {"container_options": {"movflags": "faststart"}, "rotation": 90},
        "h264-fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
        "h264.mkv": {"subtitles": {"eng": _TALK}, "audio": True},
        "hevc.mkv": {
            "codec": "libx265",
            "options": {"x265-params": "log-level=none", "preset": "ultrafast"},
        },
        "hevc.mp4": {
            "codec": "libx265",
            "options": {"x265-params": "log-level=none", "preset": "ultrafast"},
        },
        "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "13"}},
        "mpeg4.avi": {"codec": "mpeg4"},
        "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
        "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
        "mpeg2.ts": {"codec": "mpeg2video"},
        "h264.ts": {"audio": True},
        "mpeg2.mpg": {"codec": "mpeg2video"},
        "flv.flv": {"codec": "flv"},
        "wmv.wmv": {"codec": "wmv2"},
        "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
        "gif.gif": {"codec": "gif", "pix_fmt": "rgb8"},
        "ffv1.nut": {"codec": "ffv1"},
    }
    os.environ["SVT_LOG"] = "0"  # what SVT-AV1 says while it encodes
    made = {}
    for number, (name, options) in enumerate(kinds.items()):
        frames = [
            frame
            for seed in range(3)
            for frame in moving(scene(10 * number + seed, height=96, width=160), 24)
        ]
        path = folder / name
        make_film(path, frames, gop=6, **options)
        made[name] = path.read_bytes()
        path.unlink()
    return made


def _few(chance: random.Random, most: int) -> int:
    """Returns a number from 1 to `most`; small ones are as likely as large ones."""
    return max(1, min(most, round(most ** chance.random())))


def _range(chance: random.Random, data: bytes) -> tuple[int, int]:
    """Returns begin and end of a part of a film, at most a quarter of it."""
    begin = chance.randrange(len(data))
    return begin, begin + _few(chance, max(1, len(data) // 4))


def _truncate(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(1, len(data) + 1)]


def _zeros(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _range(chance, data)
    return data[:begin] + bytes(len(data[begin:end])) + data[end:]


def _flip_bits(chance: random.Random, data: bytes, other: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(_few(chance, 2000)):
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _insert(chance: random.Random, data: bytes, other: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(_few(chance, 4096)) + data[at:]


def _delete(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _range(chance, data)
    return data[:begin] + data[end:] or data


def _swap(chance: random.Random, data: bytes, other: bytes) -> bytes:
    first, second, third = sorted(chance.randrange(len(data)) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def _repeat(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _range(chance, data)
    return data[:end] + data[begin:end] * _few(chance, 8) + data[end:]


def _header(chance: random.Random, data: bytes, other: bytes) -> bytes:
    edited = bytearray(data)
    for _ in range(_few(chance, 32)):
        edited[chance.randrange(min(_HEADER, len(data)))] = chance.randrange(256)
    return bytes(edited)


def _number(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Replaces a number of four bytes by 0, 1 or a huge one, half the time near one end: in a
    header or index."""
    edited = bytearray(data)
    for _ in range(_few(chance, 4)):
        near = min(2 * _HEADER, len(data))
        at = chance.choice(
            (
                chance.randrange(near),
                len(data) - 1 - chance.randrange(near),
                chance.randrange(len(data)),
                chance.randrange(len(data)),
            )
        )
        order: Literal["big", "little"] = chance.choice(("big", "little"))
        edited[at : at + 4] = chance.choice(_HUGE).to_bytes(4, order)[: len(data) - at]
    return bytes(edited)


def _splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: chance.randrange(1, len(data))] + other[chance.randrange(len(other)) :]


def _join(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data + other


MUTATIONS: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    _truncate,
    _zeros,
    _flip_bits,
    _insert,
    _delete,
    _swap,
    _repeat,
    _header,
    _number,
    _splice,
    _join,
)


def mutate_film(sound: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Returns the name of mutated film `number` and its content. The same seed gives the same
    films."""
    chance = random.Random(f"{seed}/{number}")
    name = chance.choice(sorted(sound))
    data = sound[name]
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        mutation = chance.choice(MUTATIONS)
        # Another film of the same kind of file gets further than one of another kind.
        alike = [other for other in sound if Path(other).suffix == Path(name).suffix]
        data = mutation(chance, data, sound[chance.choice((*sorted(sound), *sorted(alike) * 6))])
        done.append(mutation.__name__.strip("_"))
    stem, ending = os.path.splitext(name)
    return f"{number:05}-{stem}-{'-'.join(done)}{ending}", data
