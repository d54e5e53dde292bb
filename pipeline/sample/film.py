"""One shot of the sample cartoon as pictures: its place painted once, its figures drawn on twos.

A camera is a place in the world and a zoom. Each layer of a place moves and grows with it by its
depth. Layers are painted at twice the size and scaled down; the figures are drawn on a doubled
frame for the same reason: that is where soft edges come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from pipeline.sample.actions import ACTIONS, act, measure
from pipeline.sample.figures import LOOKS
from pipeline.sample.pen import HEIGHT, WIDTH, Box, Canvas, Pen, Ruler, overlay, view, view_matrix
from pipeline.sample.places import INDOORS, WATER, Light, front, light_of, paint
from pipeline.sample.script import Actor, Shot

FPS = 24  # drawings change on every second frame, as drawn animation does
Camera = tuple[float, float, float]  # world x, world y, zoom
Picture = Callable[[float], Canvas]  # seconds since the shot began -> RGB [360, 640, 3]


@dataclass(frozen=True)
class Layer:
    """A painted layer: RGBA of the world from `origin` on, `scale` pixels to a unit."""

    canvas: Canvas
    depth: float
    origin: tuple[float, float]
    scale: float


def _seen(camera: Camera, depth: float) -> Camera:
    """Returns what the camera sees of a layer of that depth: its middle and its zoom."""
    x, y, zoom = camera
    near = min(depth, 1.0)
    return 320 + (x - 320) * depth, 180 + (y - 180) * depth, 1 + (zoom - 1) * (0.3 + 0.7 * near)


@lru_cache(maxsize=1)
def _paper() -> Canvas:
    """Draws the grain of the paper, 128 where it changes nothing: RGBA [900, 1600, 4]."""
    rng = np.random.default_rng(7)
    grain = rng.normal(0, 0.006, (900, 1600)).astype(np.float32)
    for cell, strength in ((6, 0.006), (40, 0.014)):
        coarse = rng.normal(0, strength, (900 // cell + 2, 1600 // cell + 2)).astype(np.float32)
        grain += cv2.resize(coarse, (1600, 900), interpolation=cv2.INTER_CUBIC)
    paper = np.full((900, 1600, 4), 128, np.uint8)
    paper[..., :3] = np.rint(128 * (1 + grain))[..., None]
    return paper


def _layers(
    shot: Shot, light: Light, path: tuple[Camera, Camera]
) -> tuple[list[Layer], list[Layer]]:
    """Paints the shot's place as far as the camera will see it: what is behind the figures, and
    what, if anything, is before them."""
    layers: list[Layer] = []

    def begin(depth: float) -> Pen:
        ends = [_seen(camera, depth) for camera in path]
        scale = max(zoom for _, _, zoom in ends)
        left = min(x - WIDTH / 2 / zoom for x, _, zoom in ends) - 3
        right = max(x + WIDTH / 2 / zoom for x, _, zoom in ends) + 3
        top = min(y - HEIGHT / 2 / zoom for _, y, zoom in ends) - 3
        bottom = max(y + HEIGHT / 2 / zoom for _, y, zoom in ends) + 3
        size = (int((bottom - top) * scale) * 2, int((right - left) * scale) * 2)
        canvas = np.zeros((*size, 4), np.uint8)
        layers.append(Layer(canvas, depth, (left, top), scale))
        matrix = np.array([[2 * scale, 0, -left * 2 * scale], [0, 2 * scale, -top * 2 * scale]])
        return Pen(
            canvas,
            matrix,
            light.tint,
            light.haze,
            0.0 if shot.place in INDOORS else 0.62 * max(0.0, 1 - depth) ** 1.4,
        )

    paint(shot.place, light, np.random.default_rng(shot.seed), begin)
    blur = {"close-up": 2.6, "medium": 0.9}.get(shot.scale, 0.0)
    behind = [_finish(layer, blur) for layer in layers]
    layers.clear()
    if (
        shot.scale == "wide"
        and shot.place not in (*INDOORS, "village")
        and shot.camera[0] % 1 < 0.6
    ):
        rng = np.random.default_rng([shot.seed, int(shot.camera[0] * 100)])
        pen = begin(1.3)
        front(pen, shot.place, _seen(shot.camera, 1.3)[0], rng)
    return behind, [_finish(layer, 2.2) for layer in layers]


def _finish(layer: Layer, blur: float) -> Layer:
    canvas = cv2.resize(layer.canvas, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    soft = blur * (1.25 - min(layer.depth, 1.0) * 0.9) if layer.depth <= 1 else blur
    if soft > 0.3:
        canvas = cv2.GaussianBlur(canvas, (0, 0), soft, borderType=cv2.BORDER_REPLICATE)
    height, width = min(canvas.shape[0], 900), min(canvas.shape[1], 1600)
    inked = canvas[:height, :width]
    cv2.multiply(inked, _paper()[:height, :width], inked, 1 / 128)
    rows = np.flatnonzero(canvas[..., 3].any(axis=1))  # no need to lay what is empty
    first = max(0, int(rows[0]) - 1) if len(rows) else 0
    last = int(rows[-1]) + 2 if len(rows) else 1
    left, top = layer.origin
    return replace(
        layer,
        canvas=np.ascontiguousarray(canvas[first:last]),
        origin=(left, top + first / layer.scale),
    )


def _lay(layers: list[Layer], camera: Camera) -> Canvas:
    """Draws all layers as the camera sees them, in one RGB frame."""
    _, sky = _seen_through(layers[0], camera)  # it hides all
    frame = cv2.cvtColor(sky, cv2.COLOR_RGBA2RGB)
    for layer in layers[1:]:
        rows, picture = _seen_through(layer, camera)
        overlay(frame[rows], picture)
    return frame


def _seen_through(layer: Layer, camera: Camera) -> tuple[slice, Canvas]:
    """Returns the rows of the frame that a layer is seen in, and their RGBA, full width."""
    x, y, zoom = _seen(camera, layer.depth)
    grow = zoom / layer.scale
    above = (layer.origin[1] - y) * zoom + HEIGHT / 2
    top = min(HEIGHT - 1, max(0, math.floor(above)))
    bottom = min(HEIGHT, max(top + 1, math.ceil(above + layer.canvas.shape[0] * grow)))
    matrix = np.array([[grow, 0, (layer.origin[0] - x) * zoom + WIDTH / 2], [0, grow, above - top]])
    return slice(top, bottom), cv2.warpAffine(
        layer.canvas,
        matrix,
        (WIDTH, bottom - top),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _doubled(frame: Canvas) -> Canvas:
    """Doubles a frame in width and height; OpenCV is slow at it with three channels."""
    large = np.empty((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
    large[::2] = large[1::2] = cv2.resize(
        frame, (2 * WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST
    )
    return large


def _cameras(shot: Shot) -> tuple[Camera, Camera]:
    x, y, zoom = shot.camera
    dx, dzoom = shot.move
    return (x - dx / 2, y, zoom * (1 - min(dzoom, 0))), (x + dx / 2, y, zoom * (1 + max(dzoom, 0)))


def _camera(shot: Shot, t: float) -> Camera:
    """Returns where the camera of a shot is at a second of it."""
    part = min(1.0, max(0.0, t / shot.seconds))
    x, y, zoom = (a + (b - a) * part for a, b in zip(*_cameras(shot), strict=True))
    return x, y, zoom


def filmed(shot: Shot) -> Picture:
    """Paints the place of a story shot and returns a function that draws the shot at any second."""
    light = light_of(shot.place, shot.time, shot.weather)
    path = _cameras(shot)
    layers, near = _layers(shot, light, path)
    fixed = path[0] == path[1]
    behind = _doubled(_lay(layers, path[0])) if fixed else None
    before = [_seen_through(layer, path[0]) for layer in near] if fixed else None

    def picture(t: float) -> Canvas:
        camera = _camera(shot, t)
        large = _doubled(_lay(layers, camera)) if behind is None else behind.copy()
        pen = view(large, camera[0], camera[1], camera[2] * 2)
        _stir(pen, shot, light, t)
        figures = replace(pen, tint=light.figures)
        for actor in sorted(shot.actors, key=lambda actor: actor.y):
            _place(figures, actor, shot, t)
        _weather(view(large, 320, 180, 2), shot, light, t)
        frame = cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        for rows, seen in before or [_seen_through(layer, camera) for layer in near]:
            overlay(frame[rows], seen)
        return frame

    return picture


def _place(pen: Pen, actor: Actor, shot: Shot, t: float) -> None:
    act(
        pen.at(*_spot(actor, shot, t)),
        LOOKS[actor.look or actor.name],
        actor.action,
        t,
        colour=actor.colour,
        beat=actor.beat,
        speaking=_speaks(actor, shot, t),
        mood=actor.mood,
    )


def _spot(actor: Actor, shot: Shot, t: float) -> tuple[float, float, float, float, float]:
    """Returns where a figure stands in the world: x, y, turn and scales, as `Pen.at` takes them."""
    speed = ACTIONS[actor.action].speed * LOOKS[actor.look or actor.name].size
    x = actor.x + actor.facing * speed * (t - shot.seconds / 2)
    return x, actor.y, 0, actor.facing, 1


def _speaks(actor: Actor, shot: Shot, t: float) -> bool:
    return any(line.speaker == actor.name and line.start <= t < line.end for line in shot.lines)


def boxes(shot: Shot, t: float) -> dict[str, Box]:
    """Returns the box of each figure of a shot at a second of it: left, top, right, bottom in
    pixels of the frame, which it may exceed. What a figure holds and its shadow are no part of it.
    """
    x, y, zoom = _camera(shot, t)
    found = {}
    for actor in shot.actors:
        ruler = Ruler(np.empty((0, 0, 3), np.uint8), view_matrix(WIDTH, HEIGHT, x, y, zoom))
        measure(
            ruler.at(*_spot(actor, shot, t)),
            LOOKS[actor.look or actor.name],
            actor.action,
            t,
            beat=actor.beat,
            speaking=_speaks(actor, shot, t),
            mood=actor.mood,
        )
        found[actor.name] = ruler.box()
    return found


def _stir(pen: Pen, shot: Shot, light: Light, t: float) -> None:
    """Draws what moves behind the figures: the surf, the glints of the pond."""
    if shot.place not in WATER:
        return
    rng = np.random.default_rng(shot.seed + 5)
    wet = replace(pen, tint=light.tint)
    if shot.place == "beach":
        reach = 3.5 * np.sin(t * 1.5 + shot.seed % 7)
        xs = np.arange(-260, 901, 40.0)
        for low, colour in (
            (266 + reach, "#a9ece6"),
            (262 + reach, "#ffffff"),
            (259.5 + reach, "#7fdbd6"),
        ):
            crest = [(x, low + 2.6 * np.sin(x / 37 + t) + 1.6 * np.sin(x / 17)) for x in xs]
            wet.poly([(-260, 246), *crest, (900, 246)], colour)
        return
    for _ in range(12):
        x, y = rng.uniform(80, 560), rng.uniform(258, 281)
        long = 9 + 5 * np.sin(t * 2 + rng.uniform(0, 6))
        wet.line([(x - long, y), (x + long, y)], 1.1, "#eafcfb")


def _weather(pen: Pen, shot: Shot, light: Light, t: float) -> None:
    """Draws what drifts before the camera: snow, rain, petals, leaves, fireflies."""
    if not shot.weather:
        return
    rng = np.random.default_rng(shot.seed + 9)
    many = {"snow": 60, "rain": 90, "fireflies": 22}.get(shot.weather, 16)
    for x, y, near, phase in zip(
        rng.uniform(0, 700, many),
        rng.uniform(0, 400, many),
        rng.uniform(0.5, 1.3, many),
        rng.uniform(0, 6.28, many),
        strict=True,
    ):
        sway = 9 * np.sin(t * 1.3 + phase)
        if shot.weather == "rain":
            px, py = (x - 90 * t * near) % 700 - 30, (y + 520 * t * near) % 400 - 20
            pen.line([(px, py), (px - 2.4 * near, py + 14 * near)], 0.9 * near, "#cfe4f4")
        elif shot.weather == "snow":
            px, py = (x - 16 * t * near + sway) % 700 - 30, (y + 42 * t * near) % 400 - 20
            pen.oval(px, py, 2.3 * near, 2.3 * near, "#ffffff")
        elif shot.weather == "fireflies":
            shine = 0.5 + 0.5 * np.sin(t * 2.4 + phase * 3)
            pen.glow(
                x + sway,
                120 + y * 0.55 + 6 * np.cos(t + phase),
                9 * near,
                9 * near,
                "#f6ff9a",
                0.85 * shine,
            )
            pen.oval(x + sway, 120 + y * 0.55 + 6 * np.cos(t + phase), 1.2, 1.2, "#fbffd8")
        else:
            hues = (
                ("#ffc0d2", "#ffe1ea")
                if shot.weather == "petals"
                else ("#f0913c", "#e2b13c", "#c9603c")
            )
            px, py = (x - 30 * t * near + sway) % 700 - 30, (y + 30 * t * near) % 400 - 20
            replace(pen, tint=light.figures).oval(
                px, py, 4.2 * near, 2.1 * near, hues[int(x) % len(hues)], turn=70 * t + 57 * phase
            )
