"""A corpus of broken films, made on the spot: cut, zeroed, flipped, lying, misnamed, no films.

`sound` makes the film that the others are broken copies of. Each function writes one kind of damage
into a folder under names that say what was done; the same call gives the same bytes.
"""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2

from pipeline.testing.films import make_film, moving, scene, tone

FPS = 24
SHOTS = ((1, 24), (2, 24), (3, 24))  # the seed of each scene and its frames


def sound(path: Path, shots: Sequence[tuple[int, int]] = SHOTS, **options) -> bytes:
    """A film of several GOPs, as a rule of three seconds and three shots; returns its bytes."""
    frames = [frame for seed, n in shots for frame in moving(scene(seed), n)]
    make_film(path, frames, fps=FPS, gop=12, **options)
    return path.read_bytes()


def boxes(data: bytes) -> dict[str, tuple[int, int]]:
    """Where each top-level box of an MP4 lies: its name -> start and end."""
    found, at = {}, 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found[data[at + 4 : at + 8].decode()] = (at, at + size)
        at += size
    return found


def patched(data: bytes, box: str, offset: int, value: bytes) -> bytes:
    """The MP4 with `value` in its first box of that name, `offset` bytes after the name."""
    at = data.index(box.encode()) + 4 + offset
    return data[:at] + value + data[at + len(value) :]


def cut_films(folder: Path, data: bytes, front: bytes, matroska: bytes) -> None:
    """The film cut off at each kind of place. data: its index (moov) at the end; front: at the
    beginning; matroska: the same in MKV."""
    start, end = boxes(data)["mdat"]
    body, _ = boxes(front)["mdat"]
    for name, content in {
        "cut-in-header.mp4": front[:20],
        "cut-in-index.mp4": front[: body // 2],
        "cut-in-first-gop.mp4": front[: body + 3000],
        "cut-in-middle.mp4": front[: (body + len(front)) // 2],
        "cut-in-last-packet.mp4": front[:-100],
        "cut-before-moov.mp4": data[:end],
        "cut-in-moov.mp4": data[: end + 200],
        "cut-in-mdat.mp4": data[: (start + end) // 2],
        "cut-in-header.mkv": matroska[:30],
        "cut-in-middle.mkv": matroska[: len(matroska) // 2],
        "cut-in-last-packet.mkv": matroska[:-100],
    }.items():
        (folder / name).write_bytes(content)


def damaged_films(folder: Path, front: bytes, matroska: bytes) -> None:
    """Ranges of zeros and single bits turned over."""
    for ending, data in (("mp4", front), ("mkv", matroska)):
        third = len(data) // 3
        (folder / f"zeros-in-middle.{ending}").write_bytes(
            data[:third] + bytes(third) + data[2 * third :]
        )
        (folder / f"zeros-at-start.{ending}").write_bytes(bytes(4096) + data[4096:])
        (folder / f"zeros-only.{ending}").write_bytes(bytes(len(data)))
        for seed in range(4):
            chance, flipped = random.Random(seed), bytearray(data)
            for _ in range(10 ** (seed + 1) // 2):
                flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            (folder / f"flipped-{seed}.{ending}").write_bytes(flipped)


def lying_films(folder: Path, front: bytes, unedited: bytes) -> None:
    """Sound pictures under a header that tells absurd times, rates and shapes. unedited: the film
    without an edit list, which would hide all but its first three seconds."""
    most, one = b"\xff" * 4, struct.pack(">I", 1)
    late = b"\x7f\xff\xff\xff"
    # mvhd and mdhd: version and flags, created, modified, timescale, duration; stts: version and
    # flags, entries, then count and delta of each. All have 4 bytes.
    for name, content in {
        "mvhd-duration.mp4": patched(front, "mvhd", 16, most),
        "mvhd-timescale-0.mp4": patched(front, "mvhd", 12, bytes(4)),
        "mdhd-duration.mp4": patched(front, "mdhd", 16, most),
        "mdhd-timescale-0.mp4": patched(front, "mdhd", 12, bytes(4)),
        "mdhd-timescale-most.mp4": patched(front, "mdhd", 12, most),
        "stts-count.mp4": patched(front, "stts", 8, most),
        "stts-delta-0.mp4": patched(front, "stts", 12, bytes(4)),
        "stts-delta-most.mp4": patched(front, "stts", 12, late),
        "stts-entries.mp4": patched(front, "stts", 4, most),
        "frame-in-an-hour.mp4": patched(unedited, "mdhd", 12, one),
        "frame-in-68-years.mp4": patched(patched(unedited, "stts", 12, late), "mdhd", 12, one),
    }.items():
        (folder / name).write_bytes(content)


def shaped_films(folder: Path) -> None:
    """Films of shapes that films do not have."""
    make_film(folder / "one-frame.mp4", [scene(7)])
    make_film(folder / "10000x16.mp4", moving(scene(8, height=16, width=10_000), 12, size=0.5))
    make_film(folder / "16x16.mp4", moving(scene(9)[40:56, 40:56], 24))
    for name, width, height in (("wide-pixels.mp4", 65_535, 1), ("tall-pixels.mp4", 1, 65_535)):
        data = sound(folder / name, [(10, 24)], sample_aspect_ratio=Fraction(3, 2))
        (folder / name).write_bytes(patched(data, "pasp", 0, struct.pack(">II", width, height)))
    parts = []
    for seed, height, width, start in ((2, 180, 320, 0), (3, 96, 128, 1), (3, 96, 128, 0)):
        path = folder / "part.ts"
        make_film(
            path,
            moving(scene(seed, height=height, width=width), 24),
            gop=6,
            pts=[start + i / FPS for i in range(24)],
        )
        parts.append(path.read_bytes())
        path.unlink()
    (folder / "two-sizes.ts").write_bytes(parts[0] + parts[1])
    (folder / "clock-starts-again.ts").write_bytes(parts[0] + parts[2])
    (folder / "100-million-pixels.gif").write_bytes(  # screen, two colours, pictures of 1x1
        b"GIF89a"
        + struct.pack("<HHBBB", 10_000, 10_000, 0x80, 0, 0)
        + b"\0\0\0\xff\xff\xff"
        + (b"\x21\xf9\4\4\4\0\0\0\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0")
        * 1000
        + b";"
    )
    with av.open(str(folder / "audio-only.mp4"), "w") as out:
        track = out.add_stream("aac", rate=16_000, layout="mono")
        for block in tone(1.0):
            out.mux(track.encode(block))
        out.mux(track.encode(None))


def no_films(folder: Path, matroska: bytes) -> None:
    """Things called .mp4 that are something else."""
    (folder / "zero-bytes.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("Once upon a time.\n" * 200)
    (folder / "subtitles.mp4").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    (folder / "picture.mp4").write_bytes(cv2.imencode(".png", scene(13))[1].tobytes())
    (folder / "photo.mp4").write_bytes(cv2.imencode(".jpg", scene(13))[1].tobytes())
    (folder / "really-matroska.mp4").write_bytes(matroska)
    (folder / "noise.mp4").write_bytes(random.Random(1).randbytes(50_000))
    (folder / "script.mp4").write_text("#!/bin/sh\necho harm\n")


def playlists(folder: Path, film: str) -> None:
    """Text that FFmpeg takes for a film made of other files."""
    (folder / "concat.mp4").write_text(f"ffconcat version 1.0\nfile {film}\n")
    (folder / "concat-itself.mp4").write_text("ffconcat version 1.0\nfile concat-itself.mp4\n")
    (folder / "concat-pipe.mp4").write_text("ffconcat version 1.0\nfile pipe.mp4\n")
    (folder / "concat-passwd.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    (folder / "hls.mp4").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film}\n#EXT-X-ENDLIST\n"
    )
    (folder / "hls-far.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"
    )


def no_files(folder: Path) -> None:
    """What is found under a film's name and is not a file; reading some of it never ends."""
    os.mkfifo(folder / "pipe.mp4")
    os.symlink(folder / "pipe.mp4", folder / "link-to-pipe.mp4")
    os.symlink("/dev/zero", folder / "zeros-for-ever.mp4")
    os.symlink(folder / "nowhere", folder / "dangling.mp4")
    os.symlink("loop.mp4", folder / "loop.mp4")
    os.symlink(folder, folder / "folder-loop")
    (folder / "directory.mp4").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(folder)  # the path of a socket may have 107 bytes
        try:
            listening.bind("socket.mp4")
        finally:
            os.chdir(here)


NAMES = (
    "Žluť ☃",
    "長い名前",
    "new\nline",
    "quote'\"",
    "%00",
    "%s%n",
    "-rf",
    "a|b",
    "concat:x",
    "$(touch harm)",
    "back\\slash",
    "<b>bold<",
    "a..b",
    " ",
    "film%03d",
    "{0}",
    "[1]",
    "a*b",
    "x" * 250,
    "\u202egnp",
    "\x1b[31m",
    "e99999999999999999999",
    "s99999999e99999999",
    "season 99999999999999999999999",
)


def named_films(folder: Path, data: bytes) -> None:
    """One film under names that a file can have and a program may trip over."""
    for name in NAMES:
        (folder / f"{name}.mp4").write_bytes(data)


def _srt(text: str) -> bytes:
    return f"1\n00:00:00,200 --> 00:00:00,800\n{text}\n".encode()


MEGABYTE = 1 << 20
SUBTITLES = {  # hostile content of a sidecar file; pysubs2 knows the format by the content
    "cp1252": _srt("Ça va très bien, garçon?").decode().encode("cp1252"),
    "not-text": random.Random(2).randbytes(5000),
    "script": _srt("<script>alert(1)</script>Hello"),
    "negative": b"1\n-00:00:05,000 --> -00:00:04,000\nHello\n",
    "late": b"1\n99:59:59,999 --> 99:59:59,999\nHello\n",
    "backwards": b"1\n00:00:02,000 --> 00:00:01,000\nHello\n",
    "one-long-line": _srt("word " * (MEGABYTE // 5)),
    "open-tags": _srt("<a" * (MEGABYTE // 2)),
    "open-braces": _srt("{" * MEGABYTE),
    "open-voice": _srt("<v.x" * (MEGABYTE // 4)),
    "spaces": _srt("<v " + " " * MEGABYTE + "x"),
    "empty-lines": _srt("Hello" + "\n" * MEGABYTE + "you"),
    "thousands-of-tags": _srt("<i>" * 9000 + "Hello" + "</i>" * 9000),
    "open-heading": b"[Script Info]\n\n[V4+ Styles]\n[" + b"a" * MEGABYTE,
    "huge-time": b"[1" + b"0" * 300 + b"][2]Hello\n",
    "json-deep": b'{"info": ' + b"[" * 100_000,
    "json-kinds": b'{"info": {}, "styles": {}, "events": [{"start": "x", "end": 3, "text": "a"}]}',
    "json-huge": b'{"info": {}, "styles": {}, "events": [{"start": 1' + b"0" * 400 + b"}]}",
    "json-nan": b'{"info": {}, "styles": {}, "events": [{"start": 1, "end": NaN, "text": "a"}]}',
    "xml-bomb": b'<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b']><tt xmlns="http://www.w3.org/ns/ttml"><body><p>&j;</p></body></tt>',
}


def subtitled_films(folder: Path, data: bytes) -> None:
    """One film, each time in a folder of its own beside hostile subtitles."""
    for name, content in SUBTITLES.items():
        (folder / name).mkdir()
        (folder / name / "film.mp4").write_bytes(data)
        (folder / name / "film.srt").write_bytes(content)
