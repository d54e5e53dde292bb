"""The pen that draws the sample cartoon: shapes in local units onto a canvas, lit and hazed.

A canvas is RGB (the frame) or RGBA with premultiplied alpha (a layer to lay over others). OpenCV's
anti-aliased drawing blends every channel alike, so drawing an opaque colour on an empty RGBA canvas
gives premultiplied alpha by itself: that is why one pen serves both.

Colours are "#rrggbb". The pen multiplies them by the light's tint and mixes them with its haze, so
night and distance cost nothing and no drawing function has to know about them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 360
_SHIFT = 4  # OpenCV takes coordinates in sixteenths of a pixel
_CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * np.pi, 41)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 41)[:-1])], axis=1
)
_ARC = np.stack(
    [
        (1 - np.linspace(0, 1, 8)) ** 2,
        2 * np.linspace(0, 1, 8) * (1 - np.linspace(0, 1, 8)),
        np.linspace(0, 1, 8) ** 2,
    ],
    axis=1,
)

Canvas = NDArray[np.uint8]
Points = Any  # whatever numpy reads as an [n, 2] array
Colour = tuple[int, int, int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@lru_cache(maxsize=4096)
def mix(first: str, second: str, part: float) -> str:
    """Returns the colour `part` of the way (0..1) from the first to the second."""
    pairs = zip(_rgb(first), _rgb(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@lru_cache(maxsize=8192)
def _lit(colour: str, tint: tuple[float, ...], haze: str, fog: float) -> Colour:
    lit = [min(255.0, c * t) for c, t in zip(_rgb(colour), tint, strict=True)]
    r, g, b = (round(c + (h - c) * fog) for c, h in zip(lit, _rgb(haze), strict=True))
    return r, g, b, 255


@lru_cache(maxsize=4096)
def _spline(points: tuple[tuple[float, float], ...], closed: bool) -> NDArray[np.float64]:
    given = np.asarray(points, dtype=np.float64)
    if not closed:
        given = np.concatenate([given[:1] * 2 - given[1:2], given, given[-1:] * 2 - given[-2:-1]])
    t = np.linspace(0, 1, 7)[:-1, None, None]
    if closed:
        a, b, c, d = (np.roll(given, shift, axis=0) for shift in (1, 0, -1, -2))
    else:
        a, b, c, d = given[:-3], given[1:-2], given[2:-1], given[3:]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    flat = curve.transpose(1, 0, 2).reshape(-1, 2)
    return flat if closed else np.concatenate([flat, given[-2:-1]])


def smooth(points: Points, closed: bool = True) -> NDArray[np.float64]:
    """Returns a Catmull-Rom curve through [n, 2] points, as [m, 2] points, 6 to a span."""
    return _spline(tuple(map(tuple, points)), closed)


@lru_cache(maxsize=4096)
def _outward(points: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """Returns the unit normals out of a smooth closed shape at each point of its curve."""
    curve = _spline(points, True)
    along = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    across = along[:, ::-1] * (1, -1)  # to the left of the way
    across /= np.maximum(np.hypot(*across.T), 1e-9)[:, None]
    following = np.roll(curve, -1, axis=0)
    turns = curve[:, 0] * following[:, 1] - following[:, 0] * curve[:, 1]
    return across if turns.sum() > 0 else -across


def bend(start: Points, end: Points, bow: float) -> NDArray[np.float64]:
    """Returns an arc of 8 points from start to end, `bow` units to the right of its way; just
    the two where it does not."""
    (ax, ay), (bx, by) = start, end
    if not bow:
        return np.array([[ax, ay], [bx, by]])
    far = 2 * bow / (math.hypot(bx - ax, by - ay) or 1.0)
    control = (ax + bx) / 2 - (by - ay) * far, (ay + by) / 2 + (bx - ax) * far
    return _ARC @ np.array([[ax, ay], control, [bx, by]])


@lru_cache(maxsize=1)
def _soft_disc() -> NDArray[np.float32]:
    y, x = np.mgrid[-1:1:129j, -1:1:129j]
    inside = np.clip(1 - np.hypot(x, y), 0, 1)
    return (inside * inside * (3 - 2 * inside)).astype(np.float32)


@lru_cache(maxsize=256)
def _soft_spot(
    wide: int, tall: int, colour: Colour, strength: int, channels: int
) -> tuple[Canvas, Canvas]:
    """Returns a soft disc of 2 x wide by 2 x tall pixels, `strength` of 255 in its middle: what to
    multiply the pixels under it by (of 255), and what to add to them."""
    part = cv2.resize(_soft_disc(), (2 * wide, 2 * tall), interpolation=cv2.INTER_LINEAR)
    keep = cv2.convertScaleAbs(part, alpha=-strength, beta=255)
    add = [
        cv2.convertScaleAbs(part, alpha=strength / 255 * channel) for channel in colour[:channels]
    ]
    return cv2.merge([keep] * channels), cv2.merge(add)


@dataclass(frozen=True)
class Pen:
    """Draws onto `canvas` (uint8 [h, w, 3 or 4]); `matrix` [2, 3]: local units to its pixels."""

    canvas: Canvas
    matrix: NDArray[np.float64]
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    haze: str = "#ffffff"
    fog: float = 0.0

    def at(
        self, x: float, y: float, turn: float = 0.0, sx: float = 1.0, sy: float | None = None
    ) -> Pen:
        """Returns the pen with its origin at (x, y), turned clockwise by degrees and scaled."""
        sy = sx if sy is None else sy
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        local = np.array([[c * sx, -s * sy, x], [s * sx, c * sy, y], [0, 0, 1]])
        return Pen(self.canvas, self.matrix @ local, self.tint, self.haze, self.fog)

    def flat(self) -> Pen:
        """Returns the pen without light and haze, for what shines by itself."""
        return replace(self, tint=(1.0, 1.0, 1.0), fog=0.0)

    @cached_property
    def scale(self) -> float:
        """Returns how many pixels of the canvas a local unit has."""
        m = self.matrix
        return math.sqrt(abs(m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]))

    def colour(self, colour: str) -> Colour:
        """Returns a colour as the canvas gets it, in light and haze."""
        return _lit(colour, self.tint, self.haze, self.fog)

    def to_pixels(self, points: Points) -> NDArray[np.float64]:
        """Converts [n, 2] local points to [n, 2] pixels."""
        return np.asarray(points, dtype=float) @ self.matrix[:, :2].T + self.matrix[:, 2]

    @cached_property
    def _to_fixed(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.matrix[:, :2].T * (1 << _SHIFT), self.matrix[:, 2] * (1 << _SHIFT) + 0.5

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        turn, move = self._to_fixed
        return (np.asarray(points, dtype=float) @ turn + move).astype(np.int32)

    def poly(self, points: Points, fill: str, line: str | None = None, width: float = 1.6) -> None:
        """Draws a filled polygon, with an outline `width` units wide where `line` is a colour."""
        fixed = self._fixed(points)
        cv2.fillPoly(self.canvas, [fixed], self.colour(fill), cv2.LINE_AA, _SHIFT)
        if line:
            cv2.polylines(
                self.canvas,
                [fixed],
                True,
                self.colour(line),
                max(1, round(width * self.scale)),
                cv2.LINE_AA,
                _SHIFT,
            )

    def blob(self, points: Points, fill: str, line: str | None = None, width: float = 1.6) -> None:
        """Draws a filled smooth shape through the points, outlined as `poly` does."""
        curve = smooth(points)
        if not line:
            self.poly(curve, fill)
            return
        # Two filled shapes cost a third of one filled and one stroked. OpenCV's strokes, which
        # limbs have, come out a pixel and a half wider than asked.
        edge = _outward(tuple(map(tuple, points))) * ((width + 1.5 / self.scale) / 2)
        self.poly(curve + edge, line)
        self.poly(curve - edge, fill)

    def oval(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: str,
        line: str | None = None,
        turn: float = 0.0,
        width: float = 1.6,
    ) -> None:
        """Draws a filled ellipse around (x, y)."""
        size = max(rx, ry) * self.scale
        circle = _CIRCLE if size > 12 else _CIRCLE[::2] if size > 3 else _CIRCLE[::4]
        c, s = (math.cos(math.radians(turn)), math.sin(math.radians(turn))) if turn else (1.0, 0.0)
        matrix, move = self._to_fixed
        move = (x, y) @ matrix + move
        if line:
            edge = width / 2
            a, b = rx + edge, ry + edge
            self._fill(circle @ (((a * c, a * s), (-b * s, b * c)) @ matrix) + move, line)
            rx, ry = max(0.1, rx - edge), max(0.1, ry - edge)
        self._fill(circle @ (((rx * c, rx * s), (-ry * s, ry * c)) @ matrix) + move, fill)

    def _fill(self, fixed: NDArray[np.float64], fill: str) -> None:
        cv2.fillPoly(self.canvas, [fixed.astype(np.int32)], self.colour(fill), cv2.LINE_AA, _SHIFT)

    def line(self, points: Points, width: float, colour: str) -> None:
        """Draws an open line with round ends."""
        cv2.polylines(
            self.canvas,
            [self._fixed(points)],
            False,
            self.colour(colour),
            max(1, round(width * self.scale)),
            cv2.LINE_AA,
            _SHIFT,
        )

    def limb(self, points: Points, width: float, fill: str, line: str, edge: float = 1.5) -> None:
        """Draws a line with an outline: an arm, a leg, a rope."""
        self.line(points, width + 2 * edge, line)
        self.line(points, width, fill)

    def gradient(self, points: Points, top: str, bottom: str) -> None:
        """Fills a polygon from its top colour to its bottom colour; not anti-aliased, so for
        layers that are drawn larger and scaled down."""
        pixels = self.to_pixels(points)
        height, width = self.canvas.shape[:2]
        low, high = float(pixels[:, 1].min()), float(pixels[:, 1].max())
        first, last = max(0, math.floor(low)), min(height, math.ceil(high) + 1)
        left = max(0, math.floor(pixels[:, 0].min()))
        right = min(width, math.ceil(pixels[:, 0].max()) + 1)
        if first >= last or left >= right:
            return
        mask = np.zeros((last - first, right - left), np.uint8)
        cv2.fillPoly(mask, [self._fixed_at(pixels, left, first)], 255, cv2.LINE_8, _SHIFT)
        part = np.clip((np.arange(first, last) - low) / max(1.0, high - low), 0, 1)[:, None]
        ends = np.array([self.colour(top), self.colour(bottom)], dtype=float)
        rows = np.rint(ends[0] * (1 - part) + ends[1] * part).astype(np.uint8)
        rows = rows[:, None, : self.canvas.shape[2]]
        filled = cv2.resize(
            np.ascontiguousarray(rows),
            (right - left, last - first),
            interpolation=cv2.INTER_NEAREST,
        )
        cv2.copyTo(filled, mask, self.canvas[first:last, left:right])

    @staticmethod
    def _fixed_at(pixels: NDArray[np.float64], left: int, top: int) -> NDArray[np.int32]:
        return np.rint((pixels - (left, top)) * (1 << _SHIFT)).astype(np.int32)

    def glow(self, x: float, y: float, rx: float, ry: float, colour: str, strength: float) -> None:
        """Draws a soft spot that fades to nothing at its rim: light, shadow, blush, mist."""
        ((px, py),) = self.to_pixels([(x, y)])
        wide, tall = max(2, round(rx * self.scale)), max(2, round(ry * self.scale))
        height, width, channels = self.canvas.shape
        first, above = round(px) - wide, round(py) - tall  # soft as it is, whole pixels will do
        left, right = max(0, first), min(width, first + 2 * wide)
        top, bottom = max(0, above), min(height, above + 2 * tall)
        if left >= right or top >= bottom:
            return
        spot = _soft_spot if wide * tall < 20_000 else _soft_spot.__wrapped__  # large ones are rare
        inside = slice(top - above, bottom - above), slice(left - first, right - first)
        keep, add = (
            picture[inside]
            for picture in spot(
                wide, tall, self.colour(colour), round(strength * 50) * 255 // 50, channels
            )
        )
        region = self.canvas[top:bottom, left:right]
        cv2.add(cv2.multiply(region, keep, scale=1 / 255), add, region)


@dataclass(frozen=True)
class Ruler(Pen):
    """Measures what a pen would draw, but for soft spots, and draws nothing."""

    ends: list[NDArray[np.float64]] = field(default_factory=list)  # corners of what it measured

    def at(
        self, x: float, y: float, turn: float = 0.0, sx: float = 1.0, sy: float | None = None
    ) -> Ruler:
        """Returns the ruler with its origin at (x, y), turned and scaled as a pen is."""
        return replace(self, matrix=super().at(x, y, turn, sx, sy).matrix)

    def poly(self, points: Points, fill: str, line: str | None = None, width: float = 1.6) -> None:
        """Measures a polygon with its outline."""
        self._measure(self.to_pixels(points), width / 2 * self.scale if line else 0.0)

    def line(self, points: Points, width: float, colour: str) -> None:
        """Measures an open line."""
        self._measure(self.to_pixels(points), width / 2 * self.scale)

    def glow(self, x: float, y: float, rx: float, ry: float, colour: str, strength: float) -> None:
        """Measures nothing: a soft spot has no border."""

    def _fill(self, fixed: NDArray[np.float64], fill: str) -> None:
        self._measure(fixed / (1 << _SHIFT), 0.0)

    def _measure(self, pixels: NDArray[np.float64], edge: float) -> None:
        self.ends.extend((pixels.min(axis=0) - edge, pixels.max(axis=0) + edge))

    def box(self) -> Box:
        """Returns left, top, right and bottom of all that was measured, in pixels."""
        ends = np.array(self.ends)
        (left, top), (right, bottom) = ends.min(axis=0), ends.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


def view(canvas: Canvas, x: float, y: float, zoom: float) -> Pen:
    """Returns a pen in the units of the world, with the point (x, y) in the canvas's middle."""
    height, width = canvas.shape[:2]
    return Pen(canvas, view_matrix(width, height, x, y, zoom))


def view_matrix(width: int, height: int, x: float, y: float, zoom: float) -> NDArray[np.float64]:
    """Returns the matrix [2, 3] from the world to the pixels of a canvas whose middle is (x, y)."""
    return np.array([[zoom, 0, width / 2 - x * zoom], [0, zoom, height / 2 - y * zoom]])


@lru_cache(maxsize=512)
def lettering(text: str, size: float, fill: str, edge: str, border: float = 0.0) -> Canvas:
    """Draws text as a premultiplied RGBA picture with a rounded border, cut close around it."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(str(folder / "DejaVuSans-Bold.ttf"), round(size * 2))
    pad = round(border * 2) + 4
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad))
    ImageDraw.Draw(image).text((pad - left, pad - top), text, fill=255, font=font)
    inner = np.asarray(image)
    outer = inner
    if border:
        side = round(border * 2) * 2 + 1
        outer = cv2.dilate(inner, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    a, b = inner[..., None] / 255.0, outer[..., None] / 255.0
    colour = np.array(_rgb(fill)) * a + np.array(_rgb(edge)) * (b - a)
    picture = np.concatenate([colour, b * 255], axis=2)
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.rint(small).astype(np.uint8)


def stamp(
    frame: Canvas,
    picture: Canvas,
    x: float,
    y: float,
    turn: float = 0.0,
    scale: float = 1.0,
    part: float = 1.0,
) -> None:
    """Lays a premultiplied RGBA picture over an RGB frame, its middle at pixel (x, y)."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turn, scale)
    reach = math.ceil(math.hypot(width, height) * scale / 2) + 2
    left, top = max(0, math.floor(x - reach)), max(0, math.floor(y - reach))
    right = min(frame.shape[1], math.ceil(x + reach))
    bottom = min(frame.shape[0], math.ceil(y + reach))
    if left >= right or top >= bottom:
        return
    matrix[:, 2] += (x - width / 2 - left, y - height / 2 - top)
    laid = cv2.warpAffine(picture, matrix, (right - left, bottom - top))
    overlay(frame[top:bottom, left:right], cv2.convertScaleAbs(laid, alpha=part))


def overlay(frame: Canvas, layer: Canvas) -> None:
    """Lays a premultiplied RGBA layer over an RGB frame, or a part of one, of its size."""
    behind = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(layer, 3)), cv2.COLOR_GRAY2RGB)
    cv2.multiply(frame, behind, frame, 1 / 255)
    cv2.add(frame, cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), frame)
