"""Draws and encodes small films and pictures for tests, with PyAV.

`scene` draws a still background, `drawing` a flat cartoon, `moving` lets something cross it,
`shots` does so with one scene after the other, `make_film` writes any frames as a film. What is
drawn depends on its arguments alone.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet

PQ, HLG = 16, 18  # transfer functions, by their numbers in H.273
_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]])

TICKS = 90_000  # ticks per second in which frames are stamped: fine enough for any frame rate
_ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\n"
    b"Format: Name, Fontname, Fontsize\r\nStyle: Default,Arial,16\r\n\r\n"
    b"[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, "
    b"Text\r\n"
)


def scene(seed: int, height: int = 180, width: int = 320) -> np.ndarray:
    """Draws a colourful still background, height x width x 3 RGB uint8; another seed, another
    picture."""
    random = np.random.default_rng(seed)
    corners = random.integers(30, 226, (2, 2, 3)).astype(np.float32)
    picture = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    for _ in range(12):  # large shapes, by which scenes differ
        centre = (int(random.integers(width)), int(random.integers(height)))
        axes = random.integers(height // 12, height // 3, 2)
        cv2.ellipse(
            picture,
            centre,
            (int(axes[0]), int(axes[1])),
            float(random.uniform(0, 180)),
            0,
            360,
            random.integers(0, 256, 3).tolist(),
            -1,
        )
    grain = random.normal(0, 6, (height, width, 1))  # fine texture, so that motion can be measured
    return np.clip(picture + cv2.GaussianBlur(grain, (0, 0), 1)[..., None] * 3, 0, 255).astype(
        np.uint8
    )


def drawing(seed: int, height: int = 360, width: int = 640) -> np.ndarray:
    """Draws a flat cartoon, areas of one colour each: sky, ground, a house and somebody before it;
    height x width x 3 RGB uint8. Another seed, another picture."""
    random = np.random.default_rng(seed)
    colors = [tuple(map(int, color)) for color in random.integers(60, 250, (5, 3))]
    picture = np.full((height, width, 3), colors[0], np.uint8)
    horizon = round(height * random.uniform(0.5, 0.8))
    picture[horizon:] = colors[1]
    left = round(width * random.uniform(0.45, 0.6))
    roof = horizon - round(height * 0.3)
    picture[roof : horizon + height // 20, left : left + width // 3] = colors[2]
    peak = [(left, roof), (left + width // 6, roof - height // 6), (left + width // 3, roof)]
    cv2.fillPoly(picture, [np.array(peak, np.int32)], colors[3], cv2.LINE_AA)
    x, size = round(width * random.uniform(0.2, 0.35)), round(height * random.uniform(0.1, 0.16))
    y = round(height * 0.72)
    for shape, color in (((size, 2 * size), colors[4]), ((size // 2, size), (20, 20, 20))):
        cv2.ellipse(picture, (x, y), shape, 0, 0, 360, color, -1, cv2.LINE_AA)
    cv2.circle(picture, (x, y - 2 * size), size, (250, 215, 180), -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (x + side * size // 3, y - 2 * size)
        cv2.circle(picture, eye, max(size // 8, 1), (20, 20, 20), -1, cv2.LINE_AA)
    return picture


def moving(
    background: np.ndarray,
    n: int,
    *,
    size: float = 0.2,
    color: Sequence[int] = (255, 40, 40),
    start: Sequence[float] = (0.2, 0.5),
    step: Sequence[float] = (0.02, 0.0),
) -> list[np.ndarray]:
    """Draws n frames of a ball that moves over the background by `step` (shares of the width) per
    frame.

    start: its centre in the first frame, x and y as shares of width and height; size: its diameter
    as a share of the height.
    """
    height, width = background.shape[:2]
    frames = []
    for i in range(n):
        frame = background.copy()
        centre = (
            round(start[0] * width + i * step[0] * width),
            round(start[1] * height + i * step[1] * width),
        )
        radius = round(size * height / 2)
        cv2.circle(frame, centre, radius, tuple(map(int, color)), -1, cv2.LINE_AA)
        cv2.circle(
            frame,
            (centre[0] - radius // 3, centre[1] - radius // 3),
            max(radius // 4, 1),
            (255, 255, 255),
            -1,
            cv2.LINE_AA,
        )
        frames.append(frame)
    return frames


def shots(count: int, length: int = 24, *, seed: int = 0) -> list[np.ndarray]:
    """Draws frames of `count` shots, `length` of each, of the scenes from `seed` on."""
    return [
        frame for number in range(seed, seed + count) for frame in moving(scene(number), length)
    ]


def interlaced(frames: Sequence[np.ndarray], top_first: bool = True) -> list[np.ndarray]:
    """Weaves each two frames into one: a field of each."""
    woven = []
    for first, second in zip(frames[::2], frames[1::2], strict=True):
        frame = first.copy()
        field = slice(1 if top_first else 0, None, 2)
        frame[field] = second[field]
        woven.append(frame)
    return woven


def telecined(frames: Sequence[np.ndarray], top_first: bool = True) -> list[np.ndarray]:
    """Makes five frames of each four by 3:2 pulldown: three are whole."""
    made: list[np.ndarray] = []
    for a, b, c, d in zip(frames[::4], frames[1::4], frames[2::4], frames[3::4], strict=True):
        made += [a, b, *interlaced([b, c], top_first), *interlaced([c, d], top_first), d]
    return made


def still(picture: np.ndarray, n: int) -> list[np.ndarray]:
    """Returns the same picture n times."""
    return [picture] * n


def card(
    lines: Sequence[str],
    height: int = 180,
    width: int = 320,
    *,
    background: Sequence[int] = (0, 0, 0),
    color: Sequence[int] = (255, 255, 255),
    scale: float = 1.0,
) -> np.ndarray:
    """Draws a title card: lines of text in the middle of a plain picture; `scale` 1 fits the
    height."""
    picture = np.full((height, width, 3), background, np.uint8)
    size = scale * height / (len(lines) + 2) / 40
    for i, line in enumerate(lines):
        (text_width, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        at = ((width - text_width) // 2, round(height * (i + 1.6) / (len(lines) + 2)))
        cv2.putText(
            picture,
            line,
            at,
            cv2.FONT_HERSHEY_SIMPLEX,
            size,
            tuple(map(int, color)),
            max(1, round(size * 1.5)),
            cv2.LINE_AA,
        )
    return picture


def hdr(picture: np.ndarray, transfer: int) -> np.ndarray:
    """Returns an SDR picture, uint8 RGB, as an HDR film codes it: white at 203 cd/m2, primaries of
    BT.2020, in PQ or HLG."""
    light = 203 * (picture / 255.0) ** 2.4 @ _TO_2020.T
    if transfer == PQ:
        power = (light / 10000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        luminance = np.maximum(light @ [0.2627, 0.678, 0.0593], 1e-6)[..., None] / 1000
        scene_light = light / 1000 * luminance ** (1 / 1.2 - 1)
        high = 0.17883277 * np.log(np.maximum(12 * scene_light - 0.28466892, 1e-9)) + 0.55991073
        signal = np.where(scene_light <= 1 / 12, np.sqrt(3 * scene_light), high)
    return np.rint(255 * np.clip(signal, 0, 1)).astype(np.uint8)


@contextlib.contextmanager
def _own_scheduling() -> Iterator[None]:
    """Gives a process its scheduling back: SVT-AV1, run by root, makes it and all that it starts
    real-time processes, beside which nothing else gets a core."""
    if not hasattr(os, "sched_getscheduler"):  # macOS
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def make_film(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float | Fraction = 24,
    pts: Sequence[float] | None = None,
    rotation: int = 0,
    audio: bool = False,
    subtitles: Mapping[str, Sequence[tuple[float, float, str]]] | None = None,
    subtitle_codec: str | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int | None = None,
    bframes: int = 0,
    second_track: bool = False,
    cover: np.ndarray | None = None,
    sample_aspect_ratio: Fraction | None = None,
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    transfer: int | None = None,
) -> str:
    """Writes frames (height x width x 3 RGB uint8, even sides) as a film and returns its path.

    The file's ending chooses the container. pts: a presentation time in seconds for each frame
    (variable frame rate, or a film that does not start at 0); without it frames are 1/fps apart.
    rotation: degrees clockwise that a player turns the frames by. subtitles: lines (start, end,
    text) for each language, a track each; subtitle_codec: mov_text in MP4, else subrip.
    gop: frames between two decoder keyframes. second_track: a 64x48 grey video track before the
    film's own; cover: an attached picture, as in music files. transfer: the transfer function that
    the film states, by its number in H.273.
    """
    frames = iter(frames)
    first = next(frames)
    height, width = first.shape[:2]
    with (
        _own_scheduling(),
        av.open(str(path), "w", options=dict(container_options or {})) as out,
    ):
        out.metadata.update(metadata or {})
        small = _add_video(out, codec, 64, 48, fps, pix_fmt, {}) if second_track else None
        art = _add_cover(out, cover) if cover is not None else None  # before the film itself
        settings = {"preset": "ultrafast", "crf": "18"} if codec == "libx264" else {}
        stream = _add_video(out, codec, width, height, fps, pix_fmt, settings | dict(options or {}))
        if gop is not None:
            stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = bframes
        if sample_aspect_ratio is not None:
            stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if transfer is not None:
            stream.codec_context.color_trc = transfer
        if rotation:
            stream.set_display_rotation(-rotation)
        sound = out.add_stream("aac", rate=16_000, layout="mono") if audio else None
        text_codec = subtitle_codec or (
            "mov_text" if str(path).endswith((".mp4", ".mov", ".m4v")) else "subrip"
        )
        tracks = [
            (_add_text(out, text_codec, language), lines)
            for language, lines in (subtitles or {}).items()
        ]

        even = (i / Fraction(fps) for i in itertools.count())
        times: Iterator[float | Fraction] = even if pts is None else iter(pts)
        if art is not None:
            out.mux(art)
        for track, lines in tracks:
            _write_text(out, track, lines)
        last = 0.0
        for picture, time in zip(itertools.chain([first], frames), times, strict=False):
            last = float(time)
            out.mux(stream.encode(_frame(picture, last)))
            if small is not None:
                out.mux(small.encode(_frame(np.full((48, 64, 3), 128, np.uint8), last)))
        out.mux(stream.encode(None))
        if small is not None:
            out.mux(small.encode(None))
        if sound is not None:
            for block in tone(last + 1 / float(fps)):
                out.mux(sound.encode(block))
            out.mux(sound.encode(None))
    return str(path)


def field_coded(
    path: str | Path, frames: Sequence[np.ndarray], *, fps: int = 25, gop: int = 12
) -> str:
    """Writes frames as H.264 of which each field is a picture and a packet of its own (PAFF), as
    broadcasters do, and returns the film's path.

    No encoder of FFmpeg does so, so blocks are written as they are (I_PCM). No other frame refers
    to every second one.
    """
    height, width = frames[0].shape[:2]
    across, down = -(-width // 16), -(-height // 32)  # blocks of a field
    # Main profile, 8 bits of order, one reference; what is beyond the picture is cropped.
    crop = (0, (16 * across - width) // 2, 0, (32 * down - height) // 4)
    sequence = _nal(
        3,
        7,
        f"{77:08b}{0:08b}{40:08b}" + _ue(0, 0, 0, 4, 1) + "0" + _ue(across - 1, down - 1)
        # fields may be pictures; no more than that; cropped; nothing on how it is to be shown
        + "0" + "0" + "1" + "1" + _ue(*crop) + "0",
    )  # fmt: skip
    picture = _nal(3, 8, _ue(0, 0) + "00" + _ue(0, 0, 0) + "000" + _ue(0, 0, 0) + "100")
    units = []
    for number, frame in enumerate(frames):
        padded = cv2.copyMakeBorder(
            frame, 0, 32 * down - height, 0, 16 * across - width, cv2.BORDER_REPLICATE
        )
        place, is_reference = number % gop, number % gop % 2 == 0
        for bottom in (0, 1):
            is_first = place == bottom == 0
            header = _ue(0, 7, 0) + f"{(place + 1) // 2 % 16:04b}1{bottom}"
            header += _ue(number // gop % 2) if is_first else ""
            header += f"{2 * place + bottom:08b}"
            header += "00" if is_first else "0" if is_reference else ""
            unit = _nal(
                int(is_reference),
                5 if is_first else 1,
                header + _ue(0, 1),
                _blocks(padded[bottom::2]),
            )
            units.append(sequence + picture + unit if is_first else unit)
    with (
        av.open(io.BytesIO(b"".join(units[:2])), format="h264") as source,
        av.open(str(path), "w") as out,
    ):
        copy = out.add_stream_from_template(source.streams.video[0])
        for number, data in enumerate(units):
            packet = av.Packet(data)
            packet.stream, packet.time_base = copy, Fraction(1, 2 * fps)
            packet.pts = packet.dts = number
            packet.is_keyframe = number % (2 * gop) == 0
            out.mux(packet)
    return str(path)


def _ue(*values: int) -> str:
    """Returns the bits of numbers as H.264 writes those of any size (Exp-Golomb)."""
    return "".join(f"{value + 1:b}".zfill(2 * (value + 1).bit_length() - 1) for value in values)


def _nal(reference: int, kind: int, bits: str, blocks: Sequence[bytes] = ()) -> bytes:
    """Returns a unit of an H.264 stream: bits, and blocks as they are."""
    data = b""
    for number, block in enumerate(blocks):
        bits = (bits if number == 0 else "") + _ue(25)
        data += _packed(bits) + block
    data += b"\x80" if blocks else _packed(bits + "1")
    return (
        b"\0\0\0\1" + bytes([reference << 5 | kind]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", data)
    )


def _packed(bits: str) -> bytes:
    """Returns bits as bytes, the last filled up with zeros."""
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _blocks(picture: np.ndarray) -> list[bytes]:
    """Returns the luma and chroma of each block of 16 x 16 pixels of an RGB picture."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    planes = frame.reformat(format="yuv420p").to_ndarray()
    height, width = picture.shape[:2]
    luma, chroma = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
    return [
        luma[y : y + 16, x : x + 16].tobytes()
        + chroma[:, y // 2 : y // 2 + 8, x // 2 : x // 2 + 8].tobytes()
        for y in range(0, height, 16)
        for x in range(0, width, 16)
    ]


def trimmed(path: str | Path, film: str, begin: float) -> str:
    """Writes what is left of a film from a time on without encoding it again, and returns its path.

    The packets from the last random access point before that time on are copied, stamped so that it
    becomes zero: a player does not show those before it, which MP4 says in an edit list.
    """
    with av.open(film) as source, av.open(str(path), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        zero = round(begin / (stream.time_base or 1))
        source.seek(zero, stream=stream)
        for packet in source.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts, packet.dts, packet.stream = packet.pts - zero, packet.dts - zero, copy
            out.mux(packet)
    return str(path)


def _add_video(
    out: Any,
    codec: str,
    width: int,
    height: int,
    fps: float | Fraction,
    pix_fmt: str,
    options: Mapping[str, str],
) -> Any:
    stream = out.add_stream(
        codec, rate=Fraction(fps).limit_denominator(1001), options=dict(options)
    )
    stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
    if codec == "libx264":
        stream.codec_context.time_base = Fraction(1, TICKS)
    return stream


def _frame(picture: np.ndarray, time: float) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
    return frame


def _add_cover(out: Any, picture: np.ndarray) -> av.Packet:
    stream = out.add_mux_stream("mjpeg", width=picture.shape[1], height=picture.shape[0])
    stream.disposition = Disposition.attached_pic
    packet = av.Packet(cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes())
    packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, TICKS), True
    packet.pts = packet.dts = 0
    return packet


def _add_text(out: Any, codec: str, language: str) -> Any:
    stream = out.add_stream(codec)
    stream.codec_context.subtitle_header = _ASS_HEADER
    stream.codec_context.time_base = Fraction(1, 1000)
    stream.metadata["language"] = language
    return stream


def _write_text(out: Any, stream: Any, lines: Sequence[tuple[float, float, str]]) -> None:
    for i, (start, end, text) in enumerate(lines):
        event = f"{i},0,Default,,0,0,0,,{text}".encode()
        packet = stream.codec_context.encode_subtitle(
            SubtitleSet.create(event, 0, round((end - start) * 1000), round(start * 1000))
        )
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        out.mux(packet)


def tone(seconds: float, rate: int = 16_000) -> Iterator[av.AudioFrame]:
    """Yields a hum, mono, in blocks that an audio encoder takes."""
    wave = (3000 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(
        np.int16
    )
    for start in range(0, len(wave), 1024):
        block = av.AudioFrame.from_ndarray(
            wave[None, start : start + 1024], format="s16", layout="mono"
        )
        block.sample_rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
        yield block
