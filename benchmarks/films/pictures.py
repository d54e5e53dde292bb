"""Kinds of films by what is in their pictures: codecs, rates, scans, colours, shapes, overlays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from benchmarks.films.kinds import (
    ALL,
    FPS,
    SHOT,
    Image,
    Kind,
    barred,
    each,
    film,
    frames,
    scenes,
    written,
)
from pipeline.testing.films import (
    HLG,
    PQ,
    card,
    drawing,
    field_coded,
    hdr,
    interlaced,
    make_film,
    moving,
    scene,
    still,
    telecined,
    trimmed,
)

_X265 = {"preset": "ultrafast", "x265-params": "log-level=none", "crf": "18"}
_VP9 = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"}
_AV1 = {"preset": "12", "crf": "20", "svtav1-params": "lp=1"}
_QUALITY = {"qscale": "2", "flags": "+qscale", "global_quality": "236"}


def _x264(parameters: str = "", **options: str) -> dict[str, str]:
    return {"preset": "ultrafast", "crf": "16", "x264-params": parameters, **options}


CODECS = [
    Kind("H.264 in MP4", film("a.mp4")),
    Kind("H.264 in Matroska, B-frames", film("a.mkv", bframes=3)),
    Kind("H.264 in QuickTime", film("a.mov", bframes=2)),
    Kind("H.264 in a transport stream", film("a.ts", bframes=2)),
    Kind("H.264 in M2TS", film("a.m2ts")),
    Kind("H.264 in Flash Video", film("a.flv", bframes=2)),
    Kind("H.264 in AVI, B-frames", film("a.avi", bframes=2)),
    Kind(
        "H.264 in fragments (DASH, recorders)",
        film("a.mp4", container_options={"movflags": "frag_keyframe+empty_moov"}),
    ),
    Kind(
        "H.264, intra refresh, one random access point",
        film("a.mp4", gop=250, options=_x264("intra-refresh=1")),
    ),
    Kind(
        "H.264, intra only, 4:2:2, 10 bit",
        film("a.mov", pix_fmt="yuv422p10le", gop=1, options=_x264()),
    ),
    Kind("HEVC in MP4", film("a.mp4", codec="libx265", options=_X265)),
    Kind(
        "HEVC in Matroska, 10 bit",
        film("a.mkv", codec="libx265", pix_fmt="yuv420p10le", options=_X265),
    ),
    Kind("HEVC in a transport stream", film("a.ts", codec="libx265", options=_X265)),
    Kind("VP8 in WebM", film("a.webm", codec="libvpx", options={"b": "2M"})),
    Kind("VP9 in WebM", film("a.webm", codec="libvpx-vp9", options=_VP9)),
    Kind("VP9 in MP4", film("a.mp4", codec="libvpx-vp9", options=_VP9)),
    Kind("AV1 in MP4", film("a.mp4", codec="libsvtav1", options=_AV1)),
    Kind(
        "AV1 in WebM, 10 bit",
        film("a.webm", codec="libsvtav1", pix_fmt="yuv420p10le", options=_AV1),
    ),
    Kind(
        "MPEG-1 in a program stream", film("a.mpg", codec="mpeg1video", options=_QUALITY, bframes=2)
    ),
    Kind("MPEG-2 in VOB", film("a.vob", codec="mpeg2video", options=_QUALITY, bframes=2)),
    Kind(
        "MPEG-2 in a transport stream",
        film("a.ts", codec="mpeg2video", options=_QUALITY, bframes=2),
    ),
    Kind("MPEG-2 in MXF", film("a.mxf", codec="mpeg2video", options=_QUALITY, fps=25)),
    Kind("MPEG-4 part 2 in AVI", film("a.avi", codec="mpeg4", options=_QUALITY, bframes=2)),
    Kind("MPEG-4 part 2 in 3GP", film("a.3gp", codec="mpeg4", options=_QUALITY)),
    Kind("Windows Media Video in ASF", film("a.wmv", codec="wmv2", options=_QUALITY)),
    Kind("Motion JPEG in AVI", film("a.avi", codec="mjpeg", pix_fmt="yuvj420p", options=_QUALITY)),
    Kind("Sorenson H.263 in Flash Video", film("a.flv", codec="flv", options=_QUALITY)),
    Kind(
        "ProRes 4444 with alpha in QuickTime",
        film("a.mov", codec="prores_ks", pix_fmt="yuva444p10le"),
    ),
    Kind("FFV1 in Matroska", film("a.mkv", codec="ffv1")),
    Kind("HuffYUV in AVI", film("a.avi", codec="huffyuv", pix_fmt="yuv422p")),
    Kind("QuickTime Animation", film("a.mov", codec="qtrle", pix_fmt="rgb24")),
    Kind("Cinepak in QuickTime", film("a.mov", codec="cinepak", pix_fmt="rgb24", fps=12)),
    Kind("raw YUV4MPEG", film("a.y4m", codec="rawvideo")),
    Kind("GIF", film("a.gif", codec="gif", pix_fmt="rgb8", fps=25), levels=30),
    Kind(
        "GIF that shows a picture for seconds",
        film("a.gif", lambda: list(scenes()), codec="gif", pix_fmt="rgb8", fps=0.5),
        levels=30,
    ),
]

# --- rates ---------------------------------------------------------------------------------------


def _pictures(count: int, first: int) -> Callable[[], list[Image]]:
    """Returns what draws so many scenes, from a seed on; films that share more than three would be
    copies of each other."""
    return lambda: [scene(seed) for seed in range(first, first + count)]


def _held(name: str, file: str, seconds: float, first: int, **options: Any) -> Kind:
    """Returns a film in which each of 12 pictures is one frame, shown for some seconds."""
    fps = Fraction(1 / seconds).limit_denominator(100)
    drawn = _pictures(12, first)
    return Kind(name, film(file, drawn, fps=fps, **options), "12 of 12 pictures", pictures=drawn)


def _without_duplicates(folder: Path) -> None:
    """Writes what `mpdecimate` leaves of three shots that stand still and then move."""
    drawn, times = [], []
    for number, picture in enumerate(scenes()):
        rolling = moving(picture, 12, size=0.1, step=(0.02, 0))
        drawn += [rolling[0], *rolling]
        times += [3.0 * number, *(3.0 * number + 2 + at / 24 for at in range(12))]
    make_film(folder / "a.mkv", drawn, pts=times)


def _on_threes() -> list[Image]:
    return [frame for frame in frames()[::3] for _ in range(3)]


RATES = [
    Kind("24000/1001 frames per second", film("a.mp4", fps=Fraction(24000, 1001))),
    Kind(
        "60 frames per second", film("a.mp4", lambda: [f for f in frames() for _ in (0, 1)], fps=60)
    ),
    Kind(
        "120 frames per second",
        film("a.mkv", lambda: [f for f in frames() for _ in range(5)], fps=120),
    ),
    Kind("12 frames per second", film("a.mp4", lambda: frames()[::2], fps=12)),
    Kind("drawn on threes", film("a.mp4", _on_threes)),
    _held("animatic, 2 pictures per second", "a.mp4", 0.5, 100),
    _held("slideshow, a picture each second", "a.mp4", 1, 120),
    _held("slideshow, a picture each 5 s", "a.mkv", 5, 140),
    _held("slideshow in Motion JPEG", "a.avi", 1, 160, codec="mjpeg", pix_fmt="yuvj420p"),
    Kind(
        "slideshow at 25 frames per second",
        film("a.mp4", lambda: [f for p in _pictures(6, 180)() for f in still(p, 50)], fps=25),
        "6 of 6 pictures",
        pictures=_pictures(6, 180),
    ),
    Kind("without duplicate frames, rate varies", _without_duplicates),
]

# --- cuts ----------------------------------------------------------------------------------------

_GOPS: dict[str, Any] = {"gop": 24, "bframes": 2}
_OPEN: dict[str, Any] = {
    "gop": 24,
    "bframes": 2,
    "options": _x264("open-gop=1:scenecut=0:b-adapt=0"),
}


def _trimmed(name: str, begin: float, **options: Any) -> Callable[[Path], None]:
    """Returns what writes four shots and cuts off the beginning without encoding it again."""

    def make(folder: Path) -> None:
        first = moving(scene(9), SHOT, size=0.1, step=(0.01, 0))
        whole = make_film(folder / ".whole.mp4", [*first, *frames()], **options)
        trimmed(folder / name, whole, begin)
        Path(whole).unlink()

    return make


def _cut_off(name: str, share: float, **options: Any) -> Callable[[Path], None]:
    """Returns what writes a film and cuts off the end of its file."""

    def make(folder: Path) -> None:
        path = Path(make_film(folder / name, frames(), gop=12, **options))
        path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])

    return make


def _recorded(
    starts: Sequence[float], change: Callable[[int, bytes], bytes] = lambda number, data: data
) -> Callable[[Path], None]:
    """Returns what joins transport streams of a shot each, whose clocks begin at some times.

    change: makes something else of the bytes of a shot, given its number.
    """

    def make(folder: Path) -> None:
        data = b""
        for number, (start, picture) in enumerate(zip(starts, scenes(), strict=True)):
            part = folder / ".part.ts"
            drawn = moving(picture, SHOT, size=0.1, step=(0.01, 0))
            make_film(part, drawn, gop=8, pts=[start + at / FPS for at in range(SHOT)])
            data += change(number, part.read_bytes())
            part.unlink()
        (folder / "a.ts").write_bytes(data)

    return make


_PACKET = 188  # bytes, of a transport stream


def _begun_late(number: int, data: bytes) -> bytes:
    """Returns the first recording from within its first group of pictures on."""
    return data if number else data[len(data) // 8 // _PACKET * _PACKET :]


def _with_losses(number: int, data: bytes) -> bytes:
    """Returns a recording without some packets of its first group of pictures."""
    return data[: 14 * _PACKET] + data[17 * _PACKET :]


_FRONT: dict[str, Any] = {"container_options": {"movflags": "faststart"}}
CUTS = [
    Kind("cut without encoding again, in MP4 with an edit list", _trimmed("a.mp4", 1.0, **_GOPS)),
    Kind("the same, in the middle of a group of pictures", _trimmed("a.mp4", 1.4, **_GOPS)),
    Kind("the same, in Matroska", _trimmed("a.mkv", 1.0, **_GOPS)),
    Kind("the same, of open groups of pictures", _trimmed("a.mp4", 1.0, **_OPEN)),
    Kind(
        "times that begin below zero",
        film(
            "a.mkv",
            pts=[at / FPS - 0.5 for at in range(3 * SHOT)],
            bframes=2,
            container_options={"avoid_negative_ts": "disabled"},
        ),
    ),
    Kind(
        "the same, in Flash Video",
        film(
            "a.flv",
            pts=[at / FPS - 0.5 for at in range(3 * SHOT)],
            bframes=2,
            container_options={"avoid_negative_ts": "disabled"},
        ),
    ),
    Kind(
        "times that begin after hours",
        film("a.ts", pts=[at / FPS + 36_000 for at in range(3 * SHOT)]),
    ),
    Kind("recording that begins within a group of pictures", _recorded((0, 1, 2), _begun_late)),
    Kind(
        "recording with lost packets",
        _recorded((0, 1, 2), _with_losses),
        f"{ALL}; reject: damaged (3)",
    ),
    Kind("recordings joined, clock goes on", _recorded((0, 1, 2))),
    Kind("recordings joined, clock starts again", _recorded((0, 1, 0)), "reject: unreadable"),
    Kind(
        "download without its end, Matroska",
        _cut_off("a.mkv", 0.6),
        "2 of 3 pictures; reject: cut short",
    ),
    Kind(
        "download without its end, MP4 with its index in front",
        _cut_off("a.mp4", 0.6, **_FRONT),
        "2 of 3 pictures; reject: cut short",
    ),
    Kind(
        "download without its end, MP4 with its index behind",
        _cut_off("a.mp4", 0.6),
        "reject: unreadable",
    ),
]

# --- scans ---------------------------------------------------------------------------------------


def _fast() -> list[Image]:
    """Returns frames with a large ball that moves fast, at twice the usual rate."""
    return [
        frame
        for picture in scenes()
        for frame in moving(picture, 48, size=0.35, step=(0.012, 0), color=(250, 250, 250))
    ]


_MPEG2: dict[str, Any] = {
    "codec": "mpeg2video",
    "bframes": 2,
    "gop": 12,
    "options": {"flags": "+ilme+ildct+qscale", "global_quality": "236"},
}


def _woven(top_first: bool) -> Callable[[], list[Image]]:
    return lambda: interlaced(_fast(), top_first)


def _broken_pulldown() -> list[Image]:
    """Returns telecined shots, each with the cycle begun anew, as after an edit on tape."""
    parts = (telecined(_fast()[48 * at : 48 * at + 48])[: 59 - 2 * at] for at in range(3))
    return [frame for part in parts for frame in part]


def _half_interlaced() -> list[Image]:
    return [*frames()[: 2 * SHOT], *interlaced(_fast()[96:])]


def _striped(picture: Image) -> Image:
    """Returns a picture with a blind of rows that are lighter by turns."""
    striped = picture.copy()
    striped[40:140:2, 180:300] = 255 - striped[40:140:2, 180:300] // 4
    return striped


SCANS = [
    Kind(
        "interlaced MPEG-2, top field first",
        film("a.mpg", _woven(True), fps=25, **_MPEG2),
        f"{ALL}; interlaced",
    ),
    Kind(
        "interlaced MPEG-2, bottom field first",
        film("a.vob", _woven(False), fps=25, **_MPEG2),
        f"{ALL}; interlaced",
    ),
    Kind(
        "interlaced H.264 (MBAFF)",
        film("a.ts", _woven(True), fps=25, bframes=2, options=_x264("tff=1")),
        f"{ALL}; interlaced",
    ),
    Kind(
        "interlaced H.264, fields coded apart (PAFF)",
        lambda folder: field_coded(folder / "a.ts", _woven(True)()),
        f"{ALL}; interlaced",
    ),
    Kind(
        "interlaced, encoded as if it were not",
        film("a.mp4", _woven(True), fps=25, bframes=2),
        f"{ALL}; interlaced",
    ),
    Kind(
        "telecined by 3:2 pulldown",
        film("a.mpg", lambda: telecined(_fast()), fps=Fraction(30000, 1001), **_MPEG2),
        f"{ALL}; interlaced",
    ),
    Kind(
        "telecined, the cycle broken by edits",
        film("a.mkv", _broken_pulldown, fps=Fraction(30000, 1001), bframes=2),
        f"{ALL}; interlaced",
    ),
    Kind("film at 25 frames per second, stated to be interlaced", film("a.mpg", fps=25, **_MPEG2)),
    Kind(
        "interlaced in a part",
        film("a.mkv", _half_interlaced, fps=25, bframes=2),
        f"{ALL}; interlaced",
    ),
    Kind(
        "fine stripes and dots in the picture",
        film("a.mp4", each(_striped), options=_x264()),
        pictures=lambda: list(map(_striped, scenes())),
    ),
]


# --- colours -------------------------------------------------------------------------------------


def _coded(name: str, pix_fmt: str, matrix: str, full: bool, **tags: int) -> Callable[[Path], None]:
    """Returns what writes a film whose colours are coded by a matrix, in full range or limited."""

    def make(folder: Path) -> None:
        with av.open(str(folder / name), "w") as out:
            stream = out.add_stream("libx264", rate=FPS, options=_x264())
            stream.width, stream.height, stream.pix_fmt = 320, 180, pix_fmt
            for tag, value in ({"color_range": 2 if full else 1} | tags).items():
                setattr(stream.codec_context, tag, value)
            for number, picture in enumerate(frames()):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                    format=pix_fmt,
                    dst_colorspace=matrix,
                    dst_color_range="JPEG" if full else "MPEG",
                )
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))

    return make


def _grey(picture: Image) -> Image:
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


@functools.cache
def _night() -> list[Image]:
    """Returns a lit ship in the dark, a second of black and a moon over a hill."""
    ship, moon = np.full((180, 320, 3), 4, np.uint8), np.full((180, 320, 3), 10, np.uint8)
    cv2.rectangle(ship, (130, 90), (190, 104), (230, 230, 210), -1)
    cv2.circle(ship, (160, 84), 7, (250, 120, 80), -1)
    cv2.circle(moon, (250, 40), 14, (240, 240, 220), -1)
    cv2.ellipse(moon, (100, 190), (140, 70), 0, 0, 360, (40, 50, 60), -1)
    return [*still(ship, SHOT), *still(np.zeros_like(ship), SHOT), *still(moon, SHOT)]


COLOURS = [
    Kind(
        "BT.601, limited range", _coded("a.mp4", "yuv420p", "ITU601", False, colorspace=5), levels=5
    ),
    Kind(
        "BT.709, limited range", _coded("a.mp4", "yuv420p", "ITU709", False, colorspace=1), levels=5
    ),
    Kind("BT.709, full range", _coded("a.mkv", "yuv420p", "ITU709", True, colorspace=1), levels=5),
    Kind(
        "full range of phones and webcams (yuvj420p)", film("a.mp4", pix_fmt="yuvj420p"), levels=5
    ),
    Kind(
        "BT.601 in 10 bit", _coded("a.mkv", "yuv420p10le", "ITU601", False, colorspace=5), levels=5
    ),
    Kind(
        "BT.2020 in 10 bit, not HDR",
        _coded(
            "a.mkv", "yuv420p10le", "BT2020", False, colorspace=9, color_primaries=9, color_trc=14
        ),
        levels=12,
    ),
    Kind("4:4:4", film("a.mkv", pix_fmt="yuv444p", options=_x264()), levels=5),
    Kind("RGB", film("a.mkv", codec="libx264rgb", pix_fmt="rgb24", options=_x264()), levels=5),
    Kind("grey", film("a.mkv", pix_fmt="gray"), pictures=lambda: list(map(_grey, scenes()))),
    Kind(
        "black and white in colour",
        film("a.mp4", each(_grey)),
        pictures=lambda: list(map(_grey, scenes())),
    ),
    Kind(
        "HDR in PQ",
        film("a.mp4", each(lambda picture: hdr(picture, PQ)), transfer=PQ),
        f"{ALL}; HDR (PQ)",
        levels=10,
    ),
    Kind(
        "HDR in HLG",
        film("a.mkv", each(lambda picture: hdr(picture, HLG)), transfer=HLG),
        f"{ALL}; HDR (HLG)",
        levels=10,
    ),
    Kind(
        "HDR in PQ, HEVC in 10 bit",
        film(
            "a.mp4",
            each(lambda picture: hdr(picture, PQ)),
            transfer=PQ,
            codec="libx265",
            pix_fmt="yuv420p10le",
            options=_X265,
        ),
        f"{ALL}; HDR (PQ)",
        levels=10,
    ),
    Kind(
        "night with something lit",
        film("a.mp4", lambda: _night()),
        "2 of 2 pictures",
        pictures=lambda: [_night()[0], _night()[-1]],
    ),
]


# --- shapes --------------------------------------------------------------------------------------


def _stretched(picture: Image) -> Image:
    return np.asarray(cv2.resize(picture, (240, 180), interpolation=cv2.INTER_AREA), np.uint8)


def _bars_in_a_part() -> list[Image]:
    return [
        barred(frame[30:150], above=30, below=30) if number < SHOT else frame
        for number, frame in enumerate(frames())
    ]


def _changing() -> list[Image]:
    """Returns shots in three shapes: wide, whole, narrow."""
    return [
        (barred(frame[20:160], 20, 20), frame, barred(frame[:, 40:280], 0, 0, 40, 40))[
            number // SHOT
        ]
        for number, frame in enumerate(frames())
    ]


def _turned(times: int) -> Callable[[], list[Image]]:
    return lambda: [np.ascontiguousarray(np.rot90(frame, times)) for frame in frames()]


def _two_sizes(folder: Path) -> None:
    data = b""
    for number, (size, picture) in enumerate(zip((1, 1, 2), scenes(), strict=True)):
        part = folder / ".part.ts"
        large = cv2.resize(picture, None, fx=size, fy=size)
        make_film(
            part,
            moving(np.asarray(large, np.uint8), SHOT, size=0.1, step=(0.01, 0)),
            gop=8,
            pts=[number + at / FPS for at in range(SHOT)],
        )
        data += part.read_bytes()
        part.unlink()
    (folder / "a.ts").write_bytes(data)


SHAPES = [
    Kind(
        "anamorphic, pixels of 4:3",
        film(
            "a.mpg",
            each(_stretched),
            codec="mpeg2video",
            options=_QUALITY,
            fps=25,
            sample_aspect_ratio=Fraction(4, 3),
        ),
    ),
    Kind("anamorphic in MP4", film("a.mp4", each(_stretched), sample_aspect_ratio=Fraction(4, 3))),
    Kind("phone video, to be turned by 90 degrees", film("a.mp4", _turned(1), rotation=90)),
    Kind("phone video, to be turned by 180 degrees", film("a.mp4", _turned(2), rotation=180)),
    Kind("phone video, to be turned by 270 degrees", film("a.mov", _turned(3), rotation=270)),
    Kind(
        "portrait",
        film("a.mp4", each(lambda picture: picture[:, 110:210])),
        pictures=lambda: [picture[:, 110:210] for picture in scenes()],
    ),
    Kind(
        "letterbox",
        film("a.mp4", each(lambda picture: barred(picture, 40, 40))),
        f"{ALL}; bars cut off",
    ),
    Kind(
        "pillarbox",
        film("a.mp4", each(lambda picture: barred(picture, 0, 0, 60, 60))),
        f"{ALL}; bars cut off",
    ),
    Kind(
        "windowbox",
        film("a.mp4", each(lambda picture: barred(picture, 30, 30, 40, 40))),
        f"{ALL}; bars cut off",
    ),
    Kind(
        "letterbox that is anamorphic",
        film(
            "a.mkv",
            each(lambda picture: barred(_stretched(picture), 24, 24)),
            sample_aspect_ratio=Fraction(4, 3),
        ),
        f"{ALL}; bars cut off",
    ),
    Kind(
        "letterbox with subtitles in the bar",
        film(
            "a.mp4",
            each(
                lambda picture: written(
                    barred(picture, 40, 40), "Where is the kite?", 0.3, 0.95, 0.05
                )
            ),
        ),
        f"{ALL}; bars cut off",
    ),
    Kind(
        "white bars above and below",
        film("a.mp4", each(lambda picture: barred(picture, 40, 40, level=255))),
        f"{ALL}; bars cut off",
    ),
    Kind(
        "grey bars at the sides",
        film("a.mp4", each(lambda picture: barred(picture, 0, 0, 60, 60, level=128))),
        f"{ALL}; bars cut off",
    ),
    Kind(
        "bars in a part of the film",
        film("a.mp4", _bars_in_a_part),
        pictures=lambda: _bars_in_a_part()[::SHOT],
    ),
    Kind(
        "shape that changes from shot to shot",
        film("a.mp4", _changing),
        pictures=lambda: _changing()[::SHOT],
    ),
    Kind("size that changes", lambda folder: _two_sizes(folder)),
    Kind(
        "64 x 36 pixels",
        film(
            "a.mp4",
            each(
                lambda picture: np.asarray(
                    cv2.resize(picture, (64, 36), interpolation=cv2.INTER_AREA), np.uint8
                )
            ),
        ),
    ),
]


# --- overlays ------------------------------------------------------------------------------------


@functools.cache
def _drawings(first: int) -> tuple[Image, ...]:
    return tuple(drawing(seed) for seed in range(first, first + 6))


def _cartoon(first: int, change: Callable[[Image, int], Image]) -> list[Image]:
    """Returns six shots of a flat cartoon, each frame changed, given its second."""
    return [
        change(frame, number)
        for number, picture in enumerate(_drawings(first))
        for frame in moving(picture, SHOT, size=0.06, step=(0.004, 0))
    ]


def _overlaid(
    name: str, first: int, change: Callable[[Image, int], Image], comes: str = "6 of 6 pictures"
) -> Kind:
    return Kind(
        name,
        film("a.mp4", lambda: _cartoon(first, change)),
        comes,
        pictures=lambda: [
            change(picture, number) for number, picture in enumerate(_drawings(first))
        ],
    )


def _ident(picture: Image, second: int) -> Image:
    drawn = picture.copy()
    cv2.rectangle(drawn, (500, 20), (620, 70), (200, 30, 60), -1)
    return written(drawn, "TV 4", 0.8, 0.15, 0.08)


_WORDS = ("Hello", "Somewhere", "Run", "Underneath", "Everybody", "Home")
_CREDITS = ("Directed by A. Miller", "Music by B. Carter", "Drawn by C. Fischer", "The End")


def _with_cards(first: int, *cards: tuple[int, Sequence[str]]) -> Callable[[], list[Image]]:
    """Returns what draws a flat cartoon with title cards, each before the shot of a number."""

    def draw() -> list[Image]:
        drawn = []
        for number, picture in enumerate(_drawings(first)):
            for lines in (lines for at, lines in cards if at == number):
                drawn += still(card(lines, 360, 640, background=(20, 30, 90)), SHOT)
            drawn += moving(picture, SHOT, size=0.06, step=(0.004, 0))
        for lines in (lines for at, lines in cards if at == len(_drawings(first))):
            drawn += still(card(lines, 360, 640), SHOT)
        return drawn

    return draw


def _rolled(first: int) -> list[Image]:
    """Returns a cartoon that ends in a shot with credits that roll over it."""
    roles = ("Story", "Voice", "Colour", "Sound")
    lines = [f"{role} {name}" for role in roles for name in ("Anna Miller", "Ben Carter")]
    rolled = []
    for number, frame in enumerate(moving(drawing(first + 6), 2 * SHOT, size=0.06)):
        for at, line in enumerate(lines):
            frame = written(frame, line, 0.3, 0.25 + 0.1 * at - 0.003 * number, 0.05)
        rolled.append(frame)
    return [*_cartoon(first, lambda picture, second: picture), *rolled]


OVERLAYS = [
    _overlaid(
        "channel's logo in a corner",
        200,
        lambda picture, second: written(picture, "KIDS TV", 0.8, 0.1, 0.05),
    ),
    _overlaid("large ident of a channel", 210, _ident),
    _overlaid(
        "clock",
        220,
        lambda picture, second: written(picture, f"10:07:{second:02d}", 0.04, 0.1, 0.05),
    ),
    _overlaid(
        "time code of a dailies copy",
        230,
        lambda picture, second: written(
            picture, f"01:00:{second:02d}:00  SHOT {second:03d}", 0.3, 0.97, 0.045
        ),
    ),
    _overlaid(
        "subtitles burned in",
        240,
        lambda picture, second: written(
            picture, _WORDS[second], 0.5 - 0.016 * len(_WORDS[second]), 0.93, 0.06
        ),
        f'6 of 6 pictures; text "{" / ".join(_WORDS)}"',
    ),
    _overlaid(
        "shop sign in each picture",
        250,
        lambda picture, second: written(picture, "BAKERY", 0.5, 0.45, 0.06),
    ),
    _overlaid(
        "number on a shirt",
        260,
        lambda picture, second: written(picture, "23", 0.25, 0.75, 0.06),
    ),
    Kind(
        "title card and credits on cards",
        film("a.mp4", _with_cards(270, (0, ["The Kite"]), (6, _CREDITS[:2]), (6, _CREDITS[2:]))),
        "6 of 6 pictures; reject: text (3)",
        pictures=lambda: _drawings(270),
    ),
    Kind(
        "cards between the scenes of a silent film",
        film("a.mp4", _with_cards(280, (2, ['"Where is my kite?"']), (4, ["The next morning"]))),
        "6 of 6 pictures; reject: text (2)",
        pictures=lambda: _drawings(280),
    ),
    Kind(
        "credits that roll over pictures",
        film("a.mp4", lambda: _rolled(290)),
        "6 of 6 pictures; reject: text",
        pictures=lambda: _drawings(290),
    ),
]
