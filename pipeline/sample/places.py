"""Where the sample cartoon plays: each place painted in layers, in the light of a time of day.

World units: the widest shot sees 640 x 360 of them, x grows to the right, y downward; figures stand
between y = 292 and y = 334. A place asks for one layer after the other, from the sky to the ground,
each with its depth (0: so far that it never moves, 1: where the figures are) and draws on it. The
`rng` says what stands where, so the same seed paints the same place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.sample.pen import Pen, mix, smooth
from pipeline.sample.scenery import (
    LEFT,
    RIGHT,
    Rng,
    boat,
    bush,
    cloud,
    fence,
    flowers,
    fridge,
    hanging_lamp,
    house,
    lamp,
    mill,
    mushroom,
    palm,
    parasol,
    peak,
    picture,
    pine,
    rock,
    shelf,
    snowman,
    star,
    tree,
    trunk,
    tufts,
)

Layer = Callable[[float], Pen]
HORIZON, BOTTOM = 246.0, 560.0


@dataclass(frozen=True)
class Light:
    """A time of day: the sky from top to bottom, what distance fades to, and how colours look."""

    name: str
    sky: tuple[str, str, str]
    haze: str
    tint: tuple[float, float, float]
    figures: tuple[float, float, float]
    sun: str
    cloud: str
    lamps: bool = False


_LIGHTS = (
    Light(
        "morning",
        ("#6cc0f0", "#c8eaf4", "#ffe3bd"),
        "#ffe9cf",
        (1.0, 0.985, 0.92),
        (1.0, 0.99, 0.95),
        "#fff3c4",
        "#fffaf0",
    ),
    Light(
        "day",
        ("#3fa6ee", "#8fd3f8", "#dff4fb"),
        "#cdeaf7",
        (1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
        "#fff6b8",
        "#ffffff",
    ),
    Light(
        "sunset",
        ("#5a4fa8", "#ef7a8e", "#ffcf7a"),
        "#ffb48c",
        (1.0, 0.80, 0.74),
        (1.0, 0.91, 0.86),
        "#fff0b0",
        "#ffc9b0",
    ),
    Light(
        "night",
        ("#0d1645", "#26357c", "#5967b4"),
        "#34479a",
        (0.40, 0.50, 0.80),
        (0.74, 0.79, 0.98),
        "#fdf6d8",
        "#5a68ac",
        lamps=True,
    ),
)
LIGHTS = {light.name: light for light in _LIGHTS}


def light_of(place: str, time: str, weather: str) -> Light:
    """Returns the light of a time of day in a place: grey in the rain, warm by lamplight."""
    light = LIGHTS[time]
    if place in INDOORS and time == "night":
        return replace(light, tint=(0.80, 0.68, 0.68), figures=(0.98, 0.90, 0.86))
    if place in INDOORS:
        return replace(light, tint=(1.0, 0.97, 0.94) if time == "sunset" else light.tint)
    if weather == "rain":
        top, middle, low = (mix(colour, "#7f93ab", 0.62) for colour in light.sky)
        return replace(
            light,
            sky=(top, middle, low),
            haze="#aebccb",
            tint=(0.80, 0.86, 0.92),
            figures=(0.92, 0.95, 1.0),
            sun=mix(light.sun, middle, 0.8),
            cloud="#c9d3de",
        )
    return light


def _sky(layer: Layer, light: Light, rng: Rng) -> None:
    pen = layer(0.04).flat()
    top, middle, low = light.sky
    pen.gradient([(LEFT, -200), (RIGHT, -200), (RIGHT, 121), (LEFT, 121)], top, middle)
    pen.gradient([(LEFT, 120), (RIGHT, 120), (RIGHT, 300), (LEFT, 300)], middle, low)
    pen.poly([(LEFT, 299), (RIGHT, 299), (RIGHT, BOTTOM), (LEFT, BOTTOM)], low)
    x = float(rng.uniform(90, 550))
    if light.name == "night":
        for _ in range(70):
            sx, sy = rng.uniform(-40, 680), rng.uniform(-20, 210)
            size = float(rng.choice([0.6, 0.9, 1.4]))
            pen.oval(sx, sy, size, size, "#ffffff" if sy < 120 else "#d6dcff")
        pen.glow(x, 62, 110, 110, "#b9c6ff", 0.5)
        pen.oval(x, 62, 25, 25, light.sun)
        for dx, dy, r in ((-8, -6, 5), (7, 4, 6.5), (-4, 11, 3.4)):
            pen.oval(x + dx, 62 + dy, r, r, "#eadfb6")
    else:
        y = {"morning": 128, "day": 56, "sunset": 176}[light.name]
        pen.glow(x, y, 230, 200, light.sun, 0.75)
        pen.oval(x, y, 27, 27, mix(light.sun, "#ffffff", 0.35))
    for _ in range(int(rng.integers(3, 6))):
        cloud(
            pen,
            float(rng.uniform(-60, 700)),
            float(rng.uniform(28, 128)),
            float(rng.uniform(0.55, 1.15)),
            light.cloud,
            mix(light.cloud, middle, 0.45),
            rng,
        )


def _ridge(rng: Rng, y: float, swell: float, step: float = 120.0) -> list[tuple[float, float]]:
    first = float(rng.uniform(0, step))
    return [
        (x, y + float(rng.uniform(-swell, swell)))
        for x in np.arange(LEFT - 2 * step + first, RIGHT + 2 * step, step)
    ]


def _hills(
    pen: Pen, rng: Rng, y: float, swell: float, top: str, low: str, step: float = 120.0
) -> list[tuple[float, float]]:
    """Draws rolling land from its ridge to the bottom; returns the ridge, where things stand."""
    crest = [(float(px), float(py)) for px, py in smooth(_ridge(rng, y, swell, step), closed=False)]
    pen.gradient([*crest, (crest[-1][0], BOTTOM), (crest[0][0], BOTTOM)], top, low)
    return crest


def _height(crest: list[tuple[float, float]], x: float) -> float:
    return float(np.interp(x, [p[0] for p in crest], [p[1] for p in crest]))


def _ground(pen: Pen, rng: Rng, top: str, low: str, y: float = HORIZON, swell: float = 7.0) -> None:
    crest = [(float(px), float(py)) for px, py in smooth(_ridge(rng, y, swell, 150), closed=False)]
    pen.gradient([*crest, (crest[-1][0], 380), (crest[0][0], 380)], top, low)
    pen.poly([(LEFT, 379), (RIGHT, 379), (RIGHT, BOTTOM), (LEFT, BOTTOM)], low)
    for _ in range(26):  # soft patches, so that the ground is not one flat colour
        shade = mix(top, "#ffffff", 0.3) if rng.random() < 0.5 else mix(low, "#1d3340", 0.22)
        pen.glow(
            float(rng.uniform(LEFT, RIGHT)),
            float(rng.uniform(y + 22, 372)),
            float(rng.uniform(50, 120)),
            float(rng.uniform(7, 17)),
            shade,
            0.4,
        )


def _far_land(
    layer: Layer,
    rng: Rng,
    colours: tuple[str, str],
    depths: tuple[float, float] = (0.25, 0.5),
    trees: str = "",
) -> None:
    far = layer(depths[0])
    _hills(far, rng, 200, 20, mix(colours[0], "#ffffff", 0.12), mix(colours[0], "#ffffff", 0.35))
    near = layer(depths[1])
    crest = _hills(near, rng, 226, 15, colours[1], mix(colours[1], "#ffffff", 0.25))
    for _ in range(int(rng.integers(7, 14)) if trees else 0):
        x = float(rng.uniform(LEFT, RIGHT))
        if rng.random() < 0.4:
            pine(near, x, _height(crest, x) + 5, float(rng.uniform(0.35, 0.55)), trees)
        else:
            tree(near, x, _height(crest, x) + 5, float(rng.uniform(0.28, 0.45)), trees, rng)


def _meadow(layer: Layer, light: Light, rng: Rng) -> None:
    _sky(layer, light, rng)
    _far_land(layer, rng, ("#86bfa8", "#7cc069"), trees="#4f9f5c")
    pen = layer(1.0)
    _ground(pen, rng, "#a5d862", "#63b04d")
    if rng.random() < 0.6:
        first = float(rng.uniform(-200, 300))
        fence(pen, 270, first, first + float(rng.uniform(150, 420)))
    for x in rng.uniform(LEFT, RIGHT, 3):
        tree(
            pen,
            float(x),
            float(rng.uniform(256, 276)),
            float(rng.uniform(0.95, 1.35)),
            str(rng.choice(["#5fb04f", "#79bd4c", "#e79ab0"])),
            rng,
        )
    for x in rng.uniform(LEFT, RIGHT, 4):
        bush(
            pen,
            float(x),
            float(rng.uniform(262, 282)),
            float(rng.uniform(0.7, 1.1)),
            "#57a552",
            rng,
        )
    tufts(pen, rng, 90, "#4d9a45")
    flowers(pen, rng, 90)


def _forest(layer: Layer, light: Light, rng: Rng) -> None:
    _sky(layer, light, rng)
    for depth, leaf, size, y in ((0.3, "#74ad92", 1.0, 238.0), (0.6, "#4f9170", 1.3, 248.0)):
        pen = layer(depth)
        _hills(pen, rng, y - 14, 8, mix(leaf, "#ffffff", 0.15), leaf)
        for x in np.arange(LEFT, RIGHT, 42.0 if depth < 0.5 else 74.0):
            spot = float(x + rng.uniform(-18, 18))
            if rng.random() < 0.6:
                pine(pen, spot, y + 4, size * float(rng.uniform(0.85, 1.35)), leaf)
            else:
                tree(pen, spot, y + 4, size * float(rng.uniform(0.8, 1.15)), leaf, rng)
    pen = layer(1.0)
    _ground(pen, rng, "#6fae58", "#3f7f4c")
    pen.blob(
        [
            (x, 312 + 9 * math.sin(x / 90) + s * (10 + 2 * math.sin(x / 50)))
            for s, xs in ((-1, range(-300, 960, 60)), (1, range(940, -320, -60)))
            for x in xs
        ],
        "#b98e5e",
    )
    for x in np.arange(LEFT, RIGHT, 190.0):
        spot = float(x + rng.uniform(-60, 60))
        if rng.random() < 0.75:
            trunk(pen, spot, float(rng.uniform(262, 282)), float(rng.uniform(0.9, 1.3)))
        else:
            tree(pen, spot, 272, 1.5, "#4b9a52", rng)
    for x in rng.uniform(LEFT, RIGHT, 7):
        bush(
            pen,
            float(x),
            float(rng.uniform(262, 288)),
            float(rng.uniform(0.7, 1.2)),
            "#3f8a4e",
            rng,
            "#e2574c" if rng.random() < 0.4 else "",
        )
    for x in rng.uniform(LEFT, RIGHT, 12):
        mushroom(
            pen,
            float(x),
            float(rng.uniform(270, 368)),
            float(rng.uniform(0.6, 1.2)),
            str(rng.choice(["#e2574c", "#e8913c", "#c46a9c"])),
        )
    tufts(pen, rng, 80, "#347a45")


def _beach(layer: Layer, light: Light, rng: Rng) -> None:
    _sky(layer, light, rng)
    pen = layer(0.22)
    side = float(rng.choice([-60.0, 420.0]))
    pen.blob(
        [
            (side - 130, 216),
            (side - 60, 186),
            (side + 10, 170),
            (side + 90, 192),
            (side + 170, 216),
        ],
        "#7fae9a",
    )
    pen = layer(0.45)
    pen.gradient([(LEFT, 204), (RIGHT, 204), (RIGHT, 300), (LEFT, 300)], "#3f9fd0", "#7fdbd6")
    for _ in range(60):
        x, y = float(rng.uniform(LEFT, RIGHT)), float(rng.uniform(208, 262))
        long = 5 + (y - 204) * 0.45
        pen.line([(x - long, y), (x + long, y)], 1.3, mix("#7fdbd6", "#ffffff", 0.55))
    if rng.random() < 0.7:
        boat(
            pen,
            float(rng.uniform(60, 580)),
            224,
            float(rng.uniform(0.6, 0.9)),
            str(rng.choice(["#e2574c", "#f7c548"])),
        )
    pen = layer(1.0)
    _ground(pen, rng, "#fbe6b3", "#eec684", y=268, swell=6)
    for x in rng.uniform(LEFT, RIGHT, 3):
        palm(pen, float(x), float(rng.uniform(272, 284)), float(rng.uniform(0.95, 1.3)), rng)
    if rng.random() < 0.7:
        parasol(
            pen,
            float(rng.uniform(60, 580)),
            286,
            str(rng.choice(["#e2574c", "#3fa7a0", "#7d5bc4"])),
        )
    for x in rng.uniform(LEFT, RIGHT, 14):
        spot, y = float(x), float(rng.uniform(284, 368))
        if rng.random() < 0.5:
            pen.blob(
                [(spot - 5, y), (spot, y - 7), (spot + 5, y), (spot, y + 2)],
                "#ffc2b0",
                "#d98a7a",
                0.8,
            )
        else:
            star(pen, spot, y, 6, "#ff8a5c")
    for x in rng.uniform(LEFT, RIGHT, 3):
        rock(pen, float(x), float(rng.uniform(276, 290)), float(rng.uniform(0.7, 1.2)), "#c4a98c")


def _village(layer: Layer, light: Light, rng: Rng) -> None:
    _sky(layer, light, rng)
    _far_land(layer, rng, ("#8fbcb4", "#84bd7c"), trees="#5a9f66")
    pen = layer(1.0)
    _ground(pen, rng, "#a8d274", "#7fb85c")
    walls = ("#fbe3c0", "#f6c6b4", "#cfe3ee", "#f4efe2", "#d8ecc8", "#f3d5e3")
    roofs = ("#d9604c", "#5b7fb8", "#8f5f9e", "#4f9a80", "#c9823c")
    x = LEFT + float(rng.uniform(0, 60))
    while x < RIGHT:
        wide, tall = float(rng.uniform(92, 138)), float(rng.choice([66.0, 78.0, 104.0, 116.0]))
        house(
            pen,
            x,
            270,
            wide,
            tall,
            str(rng.choice(walls)),
            str(rng.choice(roofs)),
            light.lamps,
            rng,
        )
        x += wide + float(rng.uniform(24, 78))
        if rng.random() < 0.5:
            tree(pen, x - 18, 272, float(rng.uniform(0.7, 0.95)), "#66b058", rng)
    pen.gradient([(LEFT, 286), (RIGHT, 286), (RIGHT, 352), (LEFT, 352)], "#e9d6bd", "#d3b799")
    for _ in range(150):
        y = float(rng.uniform(290, 348))
        pen.oval(
            float(rng.uniform(LEFT, RIGHT)), y, 4 + (y - 286) / 11, 1.6 + (y - 286) / 30, "#c5a684"
        )
    for x in np.arange(LEFT, RIGHT, 210.0):
        lamp(pen, float(x + rng.uniform(-40, 40)), 284, light.lamps)
    tufts(pen, rng, 24, "#5b9e4c", 354, 376)
    flowers(pen, rng, 20, 356, 376)


def _hilltop(layer: Layer, light: Light, rng: Rng) -> None:
    _sky(layer, light, rng)
    far = layer(0.18)
    _hills(far, rng, 252, 14, "#8aa9c8", "#b4cfdc", 90)
    near = layer(0.4)
    crest = _hills(near, rng, 278, 14, "#7fb884", "#a4cf96")
    for x in rng.uniform(LEFT, RIGHT, 16):
        pine(
            near, float(x), _height(crest, float(x)) + 3, float(rng.uniform(0.18, 0.32)), "#5a9878"
        )
    for x in rng.uniform(60, 600, 5):
        spot = float(x)
        near.poly(
            [
                (spot, _height(crest, spot) + 4),
                (spot, _height(crest, spot) - 7),
                (spot + 6, _height(crest, spot) - 13),
                (spot + 12, _height(crest, spot) - 7),
                (spot + 12, _height(crest, spot) + 4),
            ],
            "#f6e2cc",
        )
    pen = layer(1.0)
    crest = [(x, 274 + ((x - 320) / 340) ** 2 * 34) for x in np.arange(LEFT, RIGHT + 1, 20.0)]
    pen.gradient([*crest, (RIGHT, 430), (LEFT, 430)], "#9fd66a", "#549c50")
    for _ in range(18):
        pen.glow(
            float(rng.uniform(LEFT, RIGHT)), float(rng.uniform(310, 372)), 90, 12, "#d4ef8f", 0.3
        )
    mill_x, x = [(110.0, 540.0), (530.0, 90.0)][int(rng.integers(0, 2))]
    mill(pen, mill_x, _height(crest, mill_x) + 4)
    x += float(rng.uniform(-30, 30))
    tree(
        pen,
        x,
        _height(crest, x) + 4,
        float(rng.uniform(1.3, 1.7)),
        str(rng.choice(["#63b355", "#e79ab0", "#e8a34a"])),
        rng,
    )
    rock(pen, float(rng.uniform(0, 640)), 296, 1.1)
    tufts(pen, rng, 80, "#4a9648", 306)
    flowers(pen, rng, 46, 312)


def front(pen: Pen, place: str, x: float, rng: Rng) -> None:
    """Draws leaves and flowers close to the camera, at both sides of the world's `x`."""
    leaf = {"mountain": "#5f8f93", "beach": "#58ae58", "forest": "#2f7a48"}.get(place, "#4a9648")
    for side in (-1, 1):
        if rng.random() < 0.25:
            continue
        for _ in range(11):
            px = x + side * float(rng.uniform(215, 345))
            tall, lean = float(rng.uniform(26, 74)), float(rng.uniform(-16, 16))
            shade = mix(
                leaf, str(rng.choice(["#12333f", "#fff6b0"])), float(rng.uniform(0.05, 0.3))
            )
            pen.blob(
                [
                    (px - 7, 372),
                    (px - 6 + lean * 0.4, 362 - tall * 0.5),
                    (px + lean, 362 - tall),
                    (px + 6 + lean * 0.4, 362 - tall * 0.5),
                    (px + 7, 372),
                ],
                shade,
            )
        for _ in range(3 if place not in ("mountain", "beach", "forest") else 0):
            px, py = x + side * float(rng.uniform(225, 320)), float(rng.uniform(300, 345))
            hue = str(rng.choice(["#ff8fb1", "#ffd24d", "#ffffff", "#b48ae8"]))
            pen.line([(px, 372), (px, py)], 2.4, "#3f8f4a")
            for a in range(6):
                turn = math.radians(60 * a)
                pen.oval(px + 7 * math.cos(turn), py + 7 * math.sin(turn), 5.4, 5.4, hue)
            pen.oval(px, py, 4.6, 4.6, "#f2a63c")


def _mountain(layer: Layer, light: Light, rng: Rng) -> None:
    _sky(layer, light, rng)
    pen = layer(0.2)
    for x in np.arange(-120, 800, 165.0):
        peak(pen, float(x + rng.uniform(-45, 45)), 262, float(rng.uniform(120, 190)), rng)
    near = layer(0.5)
    crest = _hills(near, rng, 232, 13, "#d8e7f5", "#f4f9fd")
    for x in rng.uniform(LEFT, RIGHT, 22):
        pine(
            near,
            float(x),
            _height(crest, float(x)) + 6,
            float(rng.uniform(0.4, 0.66)),
            "#5f8f93",
            True,
        )
    pen = layer(1.0)
    _ground(pen, rng, "#f8fcff", "#cfe0f2", swell=11)
    for x in rng.uniform(LEFT, RIGHT, 5):
        pine(
            pen,
            float(x),
            float(rng.uniform(258, 276)),
            float(rng.uniform(1.0, 1.5)),
            "#3f7f78",
            True,
        )
    for x in rng.uniform(LEFT, RIGHT, 5):
        spot, y = float(x), float(rng.uniform(262, 285))
        rock(pen, spot, y, float(rng.uniform(0.7, 1.2)), "#8c98b4")
        pen.blob(
            [(spot - 12, y - 12), (spot - 2, y - 19), (spot + 9, y - 13), (spot, y - 10)], "#ffffff"
        )
    if rng.random() < 0.7:
        snowman(pen, float(rng.uniform(40, 600)), 284)


def _pond(layer: Layer, light: Light, rng: Rng) -> None:
    _sky(layer, light, rng)
    _far_land(layer, rng, ("#7fb8a4", "#6fb573"), trees="#4a9a66")
    pen = layer(1.0)
    _ground(pen, rng, "#9fd36a", "#5da652", y=238)
    middle = float(rng.uniform(260, 380))
    shore = [
        (middle + 345 * math.cos(a) * (1 + 0.05 * math.sin(3 * a)), 268 + 21 * math.sin(a))
        for a in np.arange(0, 6.28, 0.35)
    ]
    pen.blob([(x, y + 2.5) for x, y in shore], "#c9b27c")
    pen.gradient(
        smooth([(middle + (x - middle) * 0.985, y) for x, y in shore]), "#5cb8d8", "#8fdfe0"
    )
    for _ in range(24):
        x, y = middle + float(rng.uniform(-270, 270)), float(rng.uniform(254, 284))
        pen.line([(x - 12, y), (x + 12, y)], 1.2, "#d5f6f5")
    for _ in range(9):
        x, y = middle + float(rng.uniform(-280, 280)), float(rng.uniform(255, 282))
        pen.oval(x, y, 13, 4, "#3f9a58")
        pen.poly([(x, y), (x + 14, y - 3), (x + 14, y + 2)], "#7ccfdc")
        if rng.random() < 0.5:
            pen.oval(x - 3, y - 3, 4.4, 3.4, "#ff9fbd")
            pen.oval(x - 3, y - 4, 2.2, 1.8, "#fff0f4")
    for side in (-1, 1):
        for _ in range(9):
            x, y = middle + side * float(rng.uniform(270, 350)), float(rng.uniform(262, 286))
            tall = float(rng.uniform(34, 62))
            pen.line([(x, y), (x + 3, y - tall)], 1.8, "#4a8f4a")
            pen.line([(x + 3, y - tall), (x + 3.4, y - tall - 13)], 4.6, "#8a5a38")
    for x in rng.uniform(LEFT, RIGHT, 2):
        tree(pen, float(x), 252, float(rng.uniform(0.9, 1.2)), "#69b455", rng)
    tufts(pen, rng, 60, "#4b9648", 296)
    flowers(pen, rng, 34, 298)


def _room(layer: Layer, light: Light, rng: Rng, papers: tuple[str, ...]) -> tuple[Pen, str, float]:
    """Draws wallpaper, skirting, floor boards and a window on the sky outside.

    Returns the pen, the wallpaper's colour and where the window is, so that nothing hangs over it.
    """
    _sky(layer, light, rng)
    pen = layer(0.9)
    paper = str(rng.choice(papers))
    wx = float(rng.uniform(270, 370))
    hole = [(wx - 52, 70), (wx + 52, 70), (wx + 52, 168), (wx - 52, 168)]
    for wall in (
        [(LEFT, -160), (wx - 52, -160), (wx - 52, 272), (LEFT, 272)],
        [(wx + 52, -160), (RIGHT, -160), (RIGHT, 272), (wx + 52, 272)],
        [(wx - 53, -160), (wx + 53, -160), (wx + 53, 70), (wx - 53, 70)],
        [(wx - 53, 168), (wx + 53, 168), (wx + 53, 272), (wx - 53, 272)],
    ):
        pen.poly(wall, paper)
    for x in np.arange(LEFT, RIGHT, 34.0):
        for y in np.arange(-140, 250, 34.0):
            if not (wx - 66 < x < wx + 66 and 58 < y < 182):
                pen.oval(
                    float(x),
                    float(y) + (17 if round(x / 34) % 2 else 0),
                    2.6,
                    2.6,
                    mix(paper, "#ffffff", 0.42),
                )
    frame = "#fffaf0"
    pen.line([*hole, hole[0]], 7, frame)
    pen.line([(wx, 70), (wx, 168)], 4, frame)
    pen.line([(wx - 52, 118), (wx + 52, 118)], 4, frame)
    pen.poly([(wx - 62, 168), (wx + 62, 168), (wx + 66, 178), (wx - 66, 178)], frame)
    cloth = mix(paper, "#e2574c", 0.6)
    for side in (-1, 1):
        pen.blob(
            [
                (wx + side * 72, 54),
                (wx + side * 22, 54),
                (wx + side * 38, 110),
                (wx + side * 56, 140),
                (wx + side * 62, 196),
                (wx + side * 80, 196),
                (wx + side * 76, 120),
            ],
            cloth,
        )
        pen.line([(wx + side * 62, 62), (wx + side * 68, 186)], 2.4, mix(cloth, "#ffffff", 0.3))
    pen.line([(wx - 84, 54), (wx + 84, 54)], 4.4, "#a9714a")
    floor = layer(1.0)
    floor.gradient([(LEFT, 264), (RIGHT, 264), (RIGHT, 420), (LEFT, 420)], "#d9a06a", "#b97c4c")
    floor.poly([(LEFT, 419), (RIGHT, 419), (RIGHT, BOTTOM), (LEFT, BOTTOM)], "#b97c4c")
    for y in (282, 304, 332, 366):
        floor.line([(LEFT, y), (RIGHT, y)], 1.3, "#a56d42")
    for x in np.arange(LEFT, RIGHT, 90.0):
        floor.line([(320 + (x - 320) * 0.8, 266), (320 + (x - 320) * 1.2, 420)], 1.1, "#a56d42")
    floor.poly([(LEFT, 254), (RIGHT, 254), (RIGHT, 267), (LEFT, 267)], "#fff4e2")
    rug = str(rng.choice(["#7fb8c9", "#d98a9c", "#8fbf8a", "#b79ad6"]))
    rx = float(rng.uniform(250, 390))
    for part, shade in (
        (1.0, rug),
        (0.84, mix(rug, "#ffffff", 0.5)),
        (0.74, rug),
        (0.4, mix(rug, "#ffffff", 0.35)),
    ):
        floor.oval(rx, 318, 190 * part, 30 * part, shade)
    if light.lamps:
        pen.flat().glow(wx + 120, 60, 380, 300, "#ffd28a", 0.5)
        floor.flat().glow(rx, 310, 300, 60, "#ffd28a", 0.35)
    return floor, paper, wx


def _kitchen(layer: Layer, light: Light, rng: Rng) -> None:
    pen, paper, wx = _room(layer, light, rng, ("#f9e2b8", "#cfe6cf", "#f7d2c0", "#cfe3ee"))
    side = int(rng.choice([-1, 1]))  # the side of the window where the counter stands
    paint, wood, x = mix(paper, "#4f93a8", 0.62), "#c98f5c", 320.0 + 200 * side - 120
    for dx in (-44.0, 78.0):
        shelf(pen, x + 120 + dx, 118 + float(rng.uniform(-8, 8)), rng, False)
    pen.poly([(x, 196), (x + 240, 196), (x + 240, 278), (x, 278)], paint)
    for i in range(4):
        pen.poly(
            [
                (x + 8 + 58 * i, 208),
                (x + 56 + 58 * i, 208),
                (x + 56 + 58 * i, 270),
                (x + 8 + 58 * i, 270),
            ],
            mix(paint, "#ffffff", 0.25),
        )
        pen.oval(x + 48 + 58 * i, 238, 2.6, 2.6, "#ffe08a")
    pen.poly([(x - 6, 188), (x + 246, 188), (x + 246, 199), (x - 6, 199)], wood)
    pot = x + float(rng.uniform(20, 60))
    pen.blob(
        [(pot, 188), (pot - 3, 168), (pot + 14, 162), (pot + 32, 168), (pot + 29, 188)], "#e2574c"
    )
    pen.line([(pot, 167), (pot + 29, 167)], 3, "#fff3de")
    fruit = x + float(rng.uniform(118, 190))
    for i, hue in enumerate(("#e8453c", "#f7c548", "#8fbf5a")):
        pen.oval(fruit + 13 * i - 13, 181, 7.4, 7, hue)
    pen.blob(
        [(fruit - 29, 184), (fruit, 187), (fruit + 29, 184), (fruit + 19, 190), (fruit - 19, 190)],
        "#5f9fe0",
    )
    fridge(pen, 320.0 - 190 * side, str(rng.choice(["#f6a6a0", "#9fd3cf", "#f9dc8f"])))
    picture(pen, 320.0 - 300 * side, 118, rng)
    hanging_lamp(
        pen, wx + 118 * side, str(rng.choice(["#e2574c", "#3fa7a0", "#f2a63c"])), light.lamps
    )


def _bedroom(layer: Layer, light: Light, rng: Rng) -> None:
    pen, paper, wx = _room(layer, light, rng, ("#d9cdef", "#bfd9ee", "#f6cfd8", "#d3e6c4"))
    side = int(rng.choice([-1, 1]))
    bed = pen.at(320.0 + 205 * side, 0, 0, -side, 1)  # its head to the wall, its foot to the middle
    quilt = str(rng.choice(["#e2574c", "#5f9fe0", "#7d5bc4", "#3fa7a0"]))
    bed.glow(0, 286, 130, 10, "#3a2030", 0.5)
    bed.blob([(-122, 286), (-122, 184), (-105, 168), (-88, 184), (-88, 286)], "#a9714a")
    bed.blob([(96, 288), (96, 236), (106, 228), (116, 236), (116, 288)], "#a9714a")
    bed.blob([(-98, 284), (-98, 240), (-40, 234), (60, 234), (100, 246), (102, 284)], quilt)
    for i in range(12):
        bed.oval(-60 + 28 * (i % 6), 252 + 18 * (i // 6), 4.6, 3.6, mix(quilt, "#ffffff", 0.45))
    bed.blob([(-92, 240), (-88, 222), (-62, 218), (-42, 226), (-46, 240)], "#ffffff")
    case = 320.0 - 205 * side
    pen.glow(case, 274, 80, 8, "#3a2030", 0.5)
    pen.poly([(case - 62, 274), (case - 62, 128), (case + 62, 128), (case + 62, 274)], "#a9714a")
    for y in (170.0, 214.0, 258.0):
        pen.poly(
            [(case - 56, y - 36), (case + 56, y - 36), (case + 56, y), (case - 56, y)], "#7a4f38"
        )
        shelf(pen, case, y, rng, True)
    picture(pen, 320.0 + 200 * side, 112, rng)
    for _ in range(9):
        star(
            pen,
            float(rng.uniform(-100, 740)),
            float(rng.uniform(0, 44)),
            4.5,
            mix(paper, "#fff3a8", 0.8),
        )
    hanging_lamp(
        pen, wx - 122 * side, str(rng.choice(["#f7c548", "#e77fa0", "#5f9fe0"])), light.lamps
    )


PLACES: dict[str, Callable[[Layer, Light, Rng], None]] = {
    "meadow": _meadow,
    "forest": _forest,
    "beach": _beach,
    "village": _village,
    "hilltop": _hilltop,
    "mountain": _mountain,
    "pond": _pond,
    "kitchen": _kitchen,
    "bedroom": _bedroom,
}
INDOORS = frozenset({"kitchen", "bedroom"})
WATER = frozenset({"beach", "pond"})


def paint(place: str, light: Light, rng: Rng, layer: Layer) -> None:
    """Draws a place from back to front; `layer(depth)` begins a layer and returns its pen."""
    PLACES[place](layer, light, rng)
