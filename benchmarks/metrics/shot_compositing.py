"""Composes films of real shots by every family of transition, all known exactly.

Spans of a film without a boundary of their own are joined by hard cuts, dissolves, fades, wipes,
slides, irises and so on, while both shots keep playing, as an editing program does. What is true is
known by construction, as for OmniShotCut; a film that is given decides what is on the pictures.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [height, width, 3]
SIZE = (640, 360)  # width, height of composed films
BODY = (1.0, 2.5)  # seconds of a shot between its transitions, least and most


@dataclasses.dataclass(frozen=True)
class Family:
    """One way from a shot to the next."""

    kind: str  # "cut", "dissolve", "fade", "wipe"
    seconds: tuple[float, float]  # least and most that it lasts
    mix: Callable[[Image, Image, float], Image] | None = None  # of both, at a share in 0..1


@dataclasses.dataclass(frozen=True)
class Span:
    """A part of a film without a boundary, in seconds from its first frame."""

    film: str
    start: float
    end: float


# --- families ------------------------------------------------------------------------------------


def _dissolve(one: Image, other: Image, share: float) -> Image:
    return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0), np.uint8)


def _fade(level: int) -> Callable[[Image, Image, float], Image]:
    def mix(one: Image, other: Image, share: float) -> Image:
        flat = np.full_like(one, level)
        if share < 0.5:
            return _dissolve(one, flat, 2 * share)
        return _dissolve(flat, other, 2 * share - 1)

    return mix


def _mask(order: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]], soft: float) -> Any:
    """Returns a mix that shows the other shot where `order` (of x and y in -1..1) is least first;
    soft: width of the edge, as a share of the range of `order`."""

    def mix(one: Image, other: Image, share: float) -> Image:
        height, width = one.shape[:2]
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        value = order(x, y)
        value = (value - value.min()) / (value.max() - value.min())
        weight = np.clip((share * (1 + soft) - value) / soft, 0, 1)[..., None]
        return (one + (other.astype(np.float32) - one) * weight).astype(np.uint8)

    return mix


def _slide(x: int, y: int, both: bool) -> Callable[[Image, Image, float], Image]:
    """Returns a mix in which the other shot comes from a side: from the right for x = 1, from below
    for y = 1; `both`: it pushes the first out."""

    def mix(one: Image, other: Image, share: float) -> Image:
        height, width = one.shape[:2]
        across, down = round(width * (1 - share)) * x, round(height * (1 - share)) * y
        result = one
        if both:
            result = _shifted(one, one, across - width * x, down - height * y)
        return _shifted(result, other, across, down)

    return mix


def _shifted(under: Image, picture: Image, across: int, down: int) -> Image:
    """Returns `under` with a picture over it that is moved to the right and down."""
    height, width = under.shape[:2]
    result = under.copy()
    top, left = max(0, down), max(0, across)
    bottom, right = min(height, height + down), min(width, width + across)
    if bottom > top and right > left:
        result[top:bottom, left:right] = picture[
            top - down : bottom - down, left - across : right - across
        ]
    return result


_EDGE = 0.01  # softness of a hard edge
FAMILIES: dict[str, Family] = {
    "cut": Family("cut", (0.0, 0.0)),
    "dissolve": Family("dissolve", (0.3, 2.0), _dissolve),
    "long dissolve": Family("dissolve", (3.0, 5.0), _dissolve),
    "fade through black": Family("fade", (0.5, 2.5), _fade(0)),
    "fade through white": Family("fade", (0.5, 2.0), _fade(255)),
    "wipe right": Family("wipe", (0.3, 1.5), _mask(lambda x, y: x, _EDGE)),
    "wipe left": Family("wipe", (0.3, 1.5), _mask(lambda x, y: -x, _EDGE)),
    "wipe up": Family("wipe", (0.3, 1.5), _mask(lambda x, y: -y, _EDGE)),
    "wipe diagonal": Family("wipe", (0.3, 1.5), _mask(lambda x, y: x + y, _EDGE)),
    "wipe smooth": Family("wipe", (0.4, 2.0), _mask(lambda x, y: x, 0.5)),
    "wipe smooth down": Family("wipe", (0.4, 2.0), _mask(lambda x, y: y, 0.5)),
    "radial": Family("wipe", (0.4, 1.5), _mask(lambda x, y: np.arctan2(x, y), _EDGE)),
    "iris open": Family("wipe", (0.4, 1.5), _mask(lambda x, y: np.hypot(x, y), _EDGE)),
    "iris close": Family("wipe", (0.4, 1.5), _mask(lambda x, y: -np.hypot(x, y), _EDGE)),
    "blinds": Family("wipe", (0.4, 1.2), _mask(lambda x, y: (x * 4) % 1.0, _EDGE)),
    "push left": Family("wipe", (0.3, 1.2), _slide(1, 0, True)),
    "push up": Family("wipe", (0.3, 1.2), _slide(0, 1, True)),
    "cover right": Family("wipe", (0.3, 1.2), _slide(-1, 0, False)),
    "cover down": Family("wipe", (0.3, 1.2), _slide(0, -1, False)),
}


# --- composing -----------------------------------------------------------------------------------


def compose(
    path: str, spans: Sequence[Span], families: Sequence[str], fps: int, seed: int
) -> dict[str, Any]:
    """Writes a film of the spans joined by the families, in order, and `<path>.truth.json`.

    families: one fewer than spans, names of `FAMILIES`. Returns what is true: `fps`, `frames`,
    `cuts` with the first `frame` of the next shot, and `gradual` with `kind`, `family` and the
    `first` and `last` frame that shows both.
    """
    rng = np.random.default_rng(seed)
    lengths = [round(float(rng.uniform(*FAMILIES[name].seconds)) * fps) for name in families]
    bodies = [round(float(rng.uniform(*BODY)) * fps) for _ in spans]
    truth: dict[str, Any] = {"fps": fps, "cuts": [], "gradual": []}
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=fps, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.thread_count = 1
        written = 0

        def write(picture: Image) -> None:
            nonlocal written
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = written, Fraction(1, fps)
            out.mux(stream.encode(frame))
            written += 1

        playing = _playing(spans[0], fps)
        for number, body in enumerate(bodies):
            for _ in range(body):
                write(next(playing))
            if number == len(families):
                break
            family, length = FAMILIES[families[number]], lengths[number]
            following = _playing(spans[number + 1], fps)
            if family.mix is None:
                truth["cuts"].append({"frame": written})
            else:
                truth["gradual"].append(
                    {
                        "kind": family.kind,
                        "family": families[number],
                        "first": written,
                        "last": written + length - 1,
                    }
                )
                for at in range(length):
                    write(family.mix(next(playing), next(following), (at + 1) / (length + 1)))
            playing = following
        out.mux(stream.encode(None))
    truth["frames"] = written
    Path(path).with_suffix(".truth.json").write_text(json.dumps(truth, indent=1))
    return truth


def _playing(span: Span, fps: int) -> Iterator[Image]:
    """Yields the pictures of a span at a frame rate without end: at its ends it plays backwards.

    Decodes no more of the span than is asked for.
    """
    with av.open(span.film) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        start = float((stream.start_time or 0) * (stream.time_base or 1))
        container.seek(round((span.start + start) * 1e6))
        shown = _shown(container.decode(stream), span, start)
        rate = float(stream.average_rate or fps)
        pictures: list[Image] = []
        for number in range(1 << 30):
            wanted = int(number * rate / fps)
            while len(pictures) <= wanted and (picture := next(shown, None)) is not None:
                pictures.append(picture)
            at = wanted % max(1, 2 * (len(pictures) - 1))
            yield pictures[min(at, 2 * (len(pictures) - 1) - at)]


def _shown(frames: Iterator[av.VideoFrame], span: Span, start: float) -> Iterator[Image]:
    """Yields the pictures of a span from decoded frames, whose times count from `start`."""
    for frame in frames:
        time = float(frame.time or 0) - start
        if time >= span.end:
            return
        if time >= span.start - 1e-3:
            picture = frame.to_ndarray(format="rgb24", width=SIZE[0], height=SIZE[1])
            yield picture.astype(np.uint8, copy=False)
