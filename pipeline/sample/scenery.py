"""What stands in the places of the sample cartoon: trees, houses, clouds, shelves.

Each function draws one thing at (x, y), the middle of its foot, unless it says otherwise. `rng`
makes two trees differ; `lit` says that it is dark and lamps are on.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.sample.pen import Pen, mix, smooth

Rng = np.random.Generator
LEFT, RIGHT = -260.0, 900.0  # how far a place goes in world units


def cloud(pen: Pen, x: float, y: float, size: float, top: str, low: str, rng: Rng) -> None:
    """Draws a cloud of five puffs around (x, y)."""
    puffs = [(-44, 4.0, 17), (-22, -7.0, 22), (4, -14.0, 27), (30, -5.0, 21), (50, 5.0, 15)]
    puffs = [(dx, dy + float(rng.uniform(-5, 5)), r) for dx, dy, r in puffs]
    pen = pen.at(x, y, 0, size)
    for dx, dy, r in puffs:
        pen.oval(dx, dy + 4, r, r * 0.8, low)
    pen.blob([(-62, 12), (-40, 5), (0, 4), (40, 5), (66, 13), (40, 19), (0, 20), (-40, 19)], low)
    for dx, dy, r in puffs:
        pen.oval(dx - 1, dy - 1, r * 0.92, r * 0.7, top)


def tree(pen: Pen, x: float, y: float, size: float, leaf: str, rng: Rng) -> None:
    """Draws a tree with a round crown, about 130 units tall at size 1."""
    pen.glow(x, y, 46 * size, 9 * size, "#12233a", 0.5)
    pen = pen.at(x, y, 0, size)
    bark, lean = "#8a5d42", float(rng.uniform(-5, 5))
    pen.poly([(-8, 2), (-5, -28), (lean - 4, -62), (lean + 5, -62), (5.5, -28), (9, 2)], bark)
    pen.poly(
        [(2, 2), (2.5, -28), (lean + 2, -62), (lean + 5, -62), (5.5, -28), (9, 2)],
        mix(bark, "#2b1533", 0.3),
    )
    puffs = [
        (lean + dx + float(rng.uniform(-4, 4)), dy + float(rng.uniform(-4, 4)), r)
        for dx, dy, r in (
            (-27, -60, 25),
            (25, -62, 26),
            (-14, -88, 28),
            (17, -92, 27),
            (0, -70, 30),
            (2, -112, 21),
        )
    ]
    for dx, dy, r in puffs:
        pen.oval(dx + 2, dy + 4, r, r, mix(leaf, "#17324a", 0.34))
    for dx, dy, r in puffs:
        pen.oval(dx - 2, dy - 2, r * 0.88, r * 0.86, leaf)
    for dx, dy, r in puffs[2:]:
        pen.oval(dx - 7, dy - 8, r * 0.5, r * 0.42, mix(leaf, "#fff6b0", 0.24))
    for _ in range(9):
        a, far = float(rng.uniform(0, 6.28)), float(rng.uniform(8, 34))
        pen.oval(
            lean + far * math.cos(a),
            -80 + far * math.sin(a),
            2.6,
            1.8,
            mix(leaf, "#fff6b0", 0.36),
            turn=float(rng.uniform(0, 180)),
        )


def pine(pen: Pen, x: float, y: float, size: float, leaf: str, snow: bool = False) -> None:
    """Draws a fir of three tiers, with snow on them or without."""
    pen.glow(x, y, 34 * size, 7 * size, "#12233a", 0.45)
    pen = pen.at(x, y, 0, size)
    pen.poly([(-5, 1), (-4, -22), (4, -22), (5, 1)], "#76503c")
    for row, (low, wide, tall) in enumerate(((-14, 36, 46), (-42, 29, 42), (-68, 21, 40))):
        shade = mix(leaf, "#17324a", 0.30 - 0.12 * row)
        pen.blob(
            [
                (-wide, low),
                (-wide * 0.42, low - tall * 0.5),
                (0, low - tall),
                (wide * 0.42, low - tall * 0.5),
                (wide, low),
                (wide * 0.4, low + 5),
                (0, low + 2),
                (-wide * 0.4, low + 5),
            ],
            shade,
        )
        light = "#ffffff" if snow else mix(shade, "#fff6b0", 0.22)
        pen.blob(
            [
                (-wide * 0.62, low - tall * 0.28),
                (-wide * 0.3, low - tall * 0.62),
                (0, low - tall),
                (wide * 0.3, low - tall * 0.62),
                (wide * 0.1, low - tall * 0.42),
                (-wide * 0.2, low - tall * 0.36),
            ],
            light,
        )


def bush(pen: Pen, x: float, y: float, size: float, leaf: str, rng: Rng, berry: str = "") -> None:
    """Draws a bush, with berries where a colour is given."""
    pen.glow(x, y, 34 * size, 6 * size, "#12233a", 0.45)
    pen = pen.at(x, y, 0, size)
    for dx, dy, r in ((-19, -9, 13), (0, -15, 18), (19, -9, 14)):
        pen.oval(dx, dy, r, r * 0.9, mix(leaf, "#17324a", 0.3))
    for dx, dy, r in ((-19, -9, 13), (0, -15, 18), (19, -9, 14)):
        pen.oval(dx - 2, dy - 3, r * 0.82, r * 0.7, leaf)
    pen.oval(-5, -23, 9, 6, mix(leaf, "#fff6b0", 0.26))
    for _ in range(7 if berry else 0):
        pen.oval(float(rng.uniform(-24, 24)), float(rng.uniform(-20, -4)), 2.3, 2.3, berry)


def tufts(pen: Pen, rng: Rng, many: int, colour: str, top: float = 256, low: float = 372) -> None:
    """Draws grass over the whole width of a place, larger towards the camera."""
    for _ in range(many):
        x, y = float(rng.uniform(LEFT, RIGHT)), float(rng.uniform(top, low))
        tall = 4 + 7 * (y - top) / (low - top)
        for dx, bent in ((-2.5, -3), (0, 0.5), (2.5, 3.4)):
            pen.poly(
                [
                    (x + dx - 1, y),
                    (x + dx + bent, y - tall * (1.2 if dx == 0 else 0.9)),
                    (x + dx + 1, y),
                ],
                mix(colour, "#fff6b0", 0.12 if dx > 0 else 0.0),
            )


def flowers(pen: Pen, rng: Rng, many: int, top: float = 258, low: float = 366) -> None:
    """Draws flowers of three colours over the whole width of a place."""
    petals = ("#ffffff", "#ff8fb1", "#ffd24d", "#b48ae8", "#ff7a5c")
    kinds = [str(petals[i]) for i in rng.integers(0, len(petals), 3)]
    for _ in range(many):
        x, y = float(rng.uniform(LEFT, RIGHT)), float(rng.uniform(top, low))
        size = 0.55 + 0.6 * (y - top) / (low - top)
        pen.line([(x, y), (x, y - 8 * size)], 1.1 * size, "#3f8f4a")
        kind = kinds[int(rng.integers(0, 3))]
        for a in range(5):
            turn = math.radians(72 * a)
            pen.oval(
                x + 2.7 * size * math.cos(turn),
                y - 9 * size + 2.7 * size * math.sin(turn),
                2.3 * size,
                2.3 * size,
                kind,
            )
        pen.oval(
            x, y - 9 * size, 1.7 * size, 1.7 * size, "#ffbe3d" if kind != "#ffd24d" else "#e8743c"
        )


def rock(pen: Pen, x: float, y: float, size: float, colour: str = "#9aa2b0") -> None:
    """Draws a rock."""
    pen.glow(x, y, 24 * size, 6 * size, "#12233a", 0.5)
    pen = pen.at(x, y, 0, size)
    pen.blob(
        [(-19, 1), (-16, -11), (-4, -18), (10, -14), (19, 1), (0, 3)], mix(colour, "#2b2a4a", 0.25)
    )
    pen.blob(
        [(-16, -2), (-13, -11), (-3, -16), (7, -13), (6, -5), (-6, -3)],
        mix(colour, "#ffffff", 0.15),
    )


def mushroom(pen: Pen, x: float, y: float, size: float, cap: str) -> None:
    """Draws a spotted mushroom."""
    pen = pen.at(x, y, 0, size)
    pen.glow(0, 0, 12, 3, "#12233a", 0.5)
    pen.blob([(-4, 0), (-3, -11), (3, -11), (4, 0), (0, 1)], "#fff0dc")
    pen.blob([(-12, -9), (-8, -18), (0, -21), (8, -18), (12, -9), (0, -7)], cap)
    for dx, dy, r in ((-5, -13, 2.1), (1, -17, 2.4), (6, -12, 1.8)):
        pen.oval(dx, dy, r, r * 0.8, "#fff8ee")


def fence(pen: Pen, y: float, first: float, last: float) -> None:
    """Draws a picket fence along y, from one x to another."""
    wood = "#fbf1e2"
    for dy in (-20, -10):
        pen.line([(first, y + dy), (last, y + dy)], 3.4, mix(wood, "#6a5568", 0.2))
    for x in np.arange(first, last, 17.0):
        pen.poly([(x, y), (x, y - 25), (x + 4.5, y - 30), (x + 9, y - 25), (x + 9, y)], wood)
        pen.poly(
            [(x + 6, y), (x + 6, y - 27), (x + 9, y - 25), (x + 9, y)], mix(wood, "#6a5568", 0.2)
        )


def trunk(pen: Pen, x: float, y: float, size: float) -> None:
    """Draws a tree so tall that its crown is out of the picture."""
    pen.glow(x, y, 60 * size, 11 * size, "#12233a", 0.5)
    pen = pen.at(x, y, 0, size)
    bark = "#7b5541"
    edge = [
        (-32, 6),
        (-19, -18),
        (-15, -80),
        (-17, -420),
        (17, -420),
        (15, -80),
        (20, -16),
        (34, 7),
        (12, 2),
        (-2, 8),
        (-14, 2),
    ]
    pen.poly(smooth(edge), bark)
    pen.poly(
        smooth([(8, 4), (8, -80), (9, -420), (17, -420), (15, -80), (20, -16), (34, 7), (14, 2)]),
        mix(bark, "#24153a", 0.3),
    )
    for dy, dx in ((-40, -6), (-95, 2), (-150, -7), (-205, 1)):
        pen.line([(dx, dy), (dx + 1, dy - 26)], 2.0, mix(bark, "#24153a", 0.28))
    pen.oval(-2, -66, 6, 9, mix(bark, "#24153a", 0.6))


def star(pen: Pen, x: float, y: float, size: float, colour: str) -> None:
    """Draws a five-pointed star around (x, y): a starfish, a sticker."""
    ring = [
        (
            x + size * (1 if i % 2 else 0.5) * math.sin(i * math.pi / 5),
            y - size * (1 if i % 2 else 0.5) * math.cos(i * math.pi / 5),
        )
        for i in range(10)
    ]
    pen.blob(ring, colour)


def boat(pen: Pen, x: float, y: float, size: float, colour: str) -> None:
    """Draws a sailing boat on its waterline."""
    pen = pen.at(x, y, 0, size)
    pen.line([(0, -6), (0, -52)], 2.4, "#7a5238")
    pen.blob([(2, -50), (14, -34), (26, -12), (2, -12)], "#fff8ea")
    pen.blob([(-3, -44), (-18, -12), (-3, -12)], mix(colour, "#ffffff", 0.4))
    pen.blob([(-30, -8), (0, -7), (32, -9), (22, 6), (0, 8), (-20, 6)], colour)
    pen.line([(-26, -3), (28, -4)], 2.2, "#fff8ea")


def palm(pen: Pen, x: float, y: float, size: float, rng: Rng) -> None:
    """Draws a palm that leans to one side."""
    pen.glow(x, y, 36 * size, 7 * size, "#4a2f1a", 0.4)
    pen = pen.at(x, y, 0, size, size)
    lean = float(rng.choice([-24.0, 24.0]))
    trunk = smooth([(0, 2), (lean * 0.3, -45), (lean, -98)], closed=False)
    pen.line(trunk, 10, mix("#b9814e", "#3a2030", 0.3))
    pen.line(trunk - (1.5, 0), 7, "#b9814e")
    for px, py in trunk[2:-1:3]:
        pen.line([(px - 4, py), (px + 4, py + 1.5)], 1.4, "#8a5a3a")
    for a in (-160, -128, -92, -55, -20, 8, 172):
        turn = math.radians(a)
        tip = (lean + 50 * math.cos(turn), -98 + 34 * math.sin(turn) + 16)
        middle = (lean + 27 * math.cos(turn), -104 + 25 * math.sin(turn))
        pen.blob(
            [(lean, -96), (middle[0], middle[1] - 5), tip, (middle[0], middle[1] + 9)],
            "#58ae58" if a % 3 else "#43945a",
        )
    for dx in (-5, 4):
        pen.oval(lean + dx, -94, 5, 5, "#7a4f34")


def parasol(pen: Pen, x: float, y: float, colour: str) -> None:
    """Draws a striped parasol, stuck in the sand."""
    pen.glow(x + 10, y, 50, 8, "#4a2f1a", 0.4)
    pen = pen.at(x, y, 9)
    pen.line([(0, 0), (0, -84)], 3, "#fff3de")
    top = smooth([(-52, -64), (-40, -84), (0, -100), (40, -84), (52, -64), (0, -70)])
    pen.poly(top, colour)
    pen.blob([(-17, -68), (-13, -86), (0, -99), (13, -86), (17, -68), (0, -70)], "#fff3de")


def house(
    pen: Pen,
    x: float,
    y: float,
    wide: float,
    tall: float,
    wall: str,
    roof: str,
    lit: bool,
    rng: Rng,
) -> None:
    """Draws a house whose front begins at x; it has one row of windows or two."""
    pen.glow(x + wide / 2, y, wide * 0.68, 9, "#12233a", 0.45)
    pen.gradient(
        [(x, y - tall), (x + wide, y - tall), (x + wide, y), (x, y)],
        mix(wall, "#ffffff", 0.2),
        wall,
    )
    if rng.random() < 0.6:
        pen.poly(
            [
                (x + wide * 0.7, y - tall - 10),
                (x + wide * 0.7, y - tall - 44),
                (x + wide * 0.82, y - tall - 44),
                (x + wide * 0.82, y - tall - 10),
            ],
            mix(roof, "#2b1533", 0.25),
        )
    pen.blob(
        [
            (x - 11, y - tall + 3),
            (x + wide * 0.2, y - tall - 25),
            (x + wide / 2, y - tall - 48),
            (x + wide * 0.8, y - tall - 25),
            (x + wide + 11, y - tall + 3),
            (x + wide / 2, y - tall + 6),
        ],
        roof,
    )
    for row in (8, 20, 31):
        part = 0.5 - row / 100
        pen.line(
            [(x + wide * (0.5 - part), y - tall - row), (x + wide * (0.5 + part), y - tall - row)],
            1.4,
            mix(roof, "#ffffff", 0.22),
        )
    door = x + wide * float(rng.uniform(0.12, 0.25))
    pen.blob(
        [(door, y), (door, y - 34), (door + 11, y - 42), (door + 22, y - 34), (door + 22, y)],
        mix(roof, "#3a2040", 0.3),
    )
    pen.oval(door + 17, y - 17, 1.8, 1.8, "#ffd86b")
    spots = [(0.62, 0.42)] + ([(0.2, 0.82), (0.62, 0.82)] if tall > 80 else [])
    for part, high in spots:
        wx, wy = x + wide * part, y - tall * high
        pane = "#ffdf7e" if lit else "#bfe8f7"
        glass = pen.flat() if lit else pen
        pen.poly(
            [(wx - 3, wy - 13), (wx + 25, wy - 13), (wx + 25, wy + 13), (wx - 3, wy + 13)],
            "#fff7ea",
        )
        if lit:
            glass.glow(wx + 11, wy, 42, 38, "#ffc85a", 0.5)
        glass.poly([(wx, wy - 10), (wx + 22, wy - 10), (wx + 22, wy + 10), (wx, wy + 10)], pane)
        pen.line([(wx + 11, wy - 10), (wx + 11, wy + 10)], 1.8, "#fff7ea")
        pen.line([(wx, wy), (wx + 22, wy)], 1.8, "#fff7ea")
        pen.poly(
            [(wx - 4, wy + 12), (wx + 26, wy + 12), (wx + 24, wy + 19), (wx - 2, wy + 19)],
            "#a9714a",
        )
        for i in range(4):
            pen.oval(wx + 1 + 7 * i, wy + 11, 3.4, 3.0, ("#ff7a8f", "#ffd24d", "#ffffff")[i % 3])


def lamp(pen: Pen, x: float, y: float, lit: bool) -> None:
    """Draws a street lamp."""
    pen.line([(x, y), (x, y - 84)], 3.6, "#3f4766")
    pen.line([(x - 6, y), (x + 6, y)], 4, "#3f4766")
    if lit:
        pen.flat().glow(x, y - 92, 74, 74, "#ffd987", 0.62)
        pen.flat().glow(x, y + 14, 90, 16, "#ffd987", 0.4)
    (pen.flat() if lit else pen).oval(x, y - 92, 8, 9, "#fff0b8")
    pen.poly([(x - 11, y - 99), (x, y - 108), (x + 11, y - 99)], "#3f4766")


def mill(pen: Pen, x: float, y: float) -> None:
    """Draws a windmill."""
    pen.glow(x, y, 60, 9, "#12233a", 0.45)
    pen.gradient(
        [(x - 17, y - 104), (x + 17, y - 104), (x + 29, y), (x - 29, y)], "#fff6e6", "#f0d9bd"
    )
    pen.blob(
        [
            (x - 23, y - 102),
            (x - 12, y - 122),
            (x, y - 130),
            (x + 12, y - 122),
            (x + 23, y - 102),
            (x, y - 99),
        ],
        "#d9604c",
    )
    pen.blob([(x - 9, y), (x - 9, y - 22), (x, y - 30), (x + 9, y - 22), (x + 9, y)], "#8f5a46")
    pen.oval(x, y - 62, 6, 7.5, "#8fb8d0")
    for i in range(4):
        sail = pen.at(x, y - 104, 90 * i + 24)
        sail.line([(0, 0), (0, -62)], 2.4, "#7a5238")
        sail.poly([(2, -18), (15, -18), (15, -61), (2, -61)], "#fffaf0")
        for dy in (-30, -40, -50):
            sail.line([(2, dy), (15, dy)], 1.0, "#c9a98a")
    pen.oval(x, y - 104, 4, 4, "#7a5238")


def peak(pen: Pen, x: float, y: float, tall: float, rng: Rng) -> None:
    """Draws a mountain with snow on top."""
    wide, ridge = tall * 0.95, float(rng.uniform(-12, 12))
    pen.poly([(x - wide, y), (x + ridge * 0.4, y - tall), (x + wide, y)], "#7f93c0")
    pen.poly(
        [
            (x + ridge * 0.4, y - tall),
            (x + wide, y),
            (x + ridge * 2, y),
            (x + ridge + 8, y - tall * 0.5),
        ],
        "#6479ad",
    )
    cap = tall * 0.36
    pen.poly(
        [
            (x + ridge * 0.4, y - tall),
            (x - cap * 0.95, y - tall + cap),
            (x - cap * 0.45, y - tall + cap * 0.8),
            (x - cap * 0.1, y - tall + cap * 1.15),
            (x + cap * 0.4, y - tall + cap * 0.8),
            (x + cap * 0.95, y - tall + cap),
        ],
        "#ffffff",
    )


def snowman(pen: Pen, x: float, y: float) -> None:
    """Draws a snowman with a red scarf."""
    pen.glow(x, y, 34, 7, "#2b3f70", 0.45)
    for dy, r in ((-17, 20), (-46, 15), (-69, 11)):
        pen.oval(x + 1.5, y + dy + 2, r, r, "#c3d5ec")
        pen.oval(x, y + dy, r * 0.94, r * 0.94, "#ffffff")
    for dx in (-4, 4):
        pen.oval(x + dx, y - 72, 1.7, 1.9, "#2b2a4a")
    pen.poly([(x, y - 68), (x + 12, y - 66), (x, y - 64.5)], "#f08a3c")
    pen.line([(x - 11, y - 58), (x + 11, y - 58)], 4.6, "#d9604c")


def hanging_lamp(pen: Pen, x: float, shade: str, lit: bool) -> None:
    """Draws a lamp that hangs from the ceiling at x."""
    pen.line([(x, -160), (x, 26)], 2, "#6a4a4a")
    (pen.flat() if lit else pen).oval(x, 46, 8, 7, "#fff3bf")
    pen.blob([(x - 30, 46), (x - 20, 28), (x, 21), (x + 20, 28), (x + 30, 46), (x, 44)], shade)


def shelf(pen: Pen, x: float, y: float, rng: Rng, books: bool) -> None:
    """Draws a shelf with books or with jars on it; (x, y) is the middle of its board."""
    pen.poly([(x - 56, y), (x + 56, y), (x + 56, y + 6), (x - 56, y + 6)], "#a9714a")
    at = x - 50
    while at < x + 42:
        wide, tall = float(rng.uniform(7, 12)), float(rng.uniform(20, 32))
        hue = str(rng.choice(["#e2574c", "#3fa7a0", "#f7c548", "#7d5bc4", "#5f9fe0", "#8fbf5a"]))
        if books:
            pen.poly([(at, y), (at, y - tall), (at + wide, y - tall), (at + wide, y)], hue)
            pen.line(
                [(at + 1, y - tall + 6), (at + wide - 1, y - tall + 6)],
                1.6,
                mix(hue, "#ffffff", 0.5),
            )
            at += wide + 1
        else:
            pen.blob(
                [
                    (at, y),
                    (at - 1, y - 18),
                    (at + 4, y - 23),
                    (at + 12, y - 23),
                    (at + 17, y - 18),
                    (at + 16, y),
                ],
                mix(hue, "#ffffff", 0.35),
            )
            pen.poly(
                [(at + 2, y - 21), (at + 14, y - 21), (at + 14, y - 26), (at + 2, y - 26)],
                "#a9714a",
            )
            at += 23


def picture(pen: Pen, x: float, y: float, rng: Rng) -> None:
    """Draws a small landscape in a frame around (x, y)."""
    pen.poly([(x - 25, y - 19), (x + 25, y - 19), (x + 25, y + 19), (x - 25, y + 19)], "#c98f52")
    pen.poly([(x - 21, y - 15), (x + 21, y - 15), (x + 21, y + 15), (x - 21, y + 15)], "#bfe3f2")
    pen.poly(
        [
            (x - 21, y + 15),
            (x - 21, y + 4),
            (x - 4, y - 5),
            (x + 10, y + 3),
            (x + 21, y - 1),
            (x + 21, y + 15),
        ],
        "#86c06a",
    )
    pen.oval(x + float(rng.uniform(-12, 12)), y - 8, 4, 4, "#ffd95c")


def fridge(pen: Pen, x: float, colour: str) -> None:
    """Draws a round-shouldered fridge that stands on the kitchen floor."""
    pen.glow(x, 278, 60, 8, "#3a2030", 0.5)
    pen.poly(
        [
            (x - 41, 274),
            (x - 41, 138),
            (x - 37, 129),
            (x - 29, 126),
            (x + 29, 126),
            (x + 37, 129),
            (x + 41, 138),
            (x + 41, 274),
        ],
        colour,
    )
    pen.line([(x - 30, 276), (x + 30, 276)], 4, mix(colour, "#3a2030", 0.5))
    pen.line([(x - 39, 182), (x + 39, 182)], 2.4, mix(colour, "#3a2030", 0.35))
    for y in (150.0, 196.0):
        pen.line([(x - 28, y), (x - 28, y + 22)], 4, "#fff7ea")
    for dx, dy, hue in ((8, 156, "#e2574c"), (20, 148, "#5f9fe0"), (14, 214, "#8fbf5a")):
        star(pen, x + dx, float(dy), 5.5, hue)
