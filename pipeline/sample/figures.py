"""The cast of the sample cartoon: who they are, how they are drawn, what a pose is.

A figure stands with its feet at (0, 0), looks to the right and is about 100 units tall. One
skeleton serves everyone: a `Pose` says where hands, feet and head are, and each species adds its
own back (tail, spikes), chest (belly, clothes) and head. What they do is in `actions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.sample.pen import Pen, bend, mix

Spot = tuple[float, float]


@dataclass(frozen=True)
class Character:
    """A character of the cast. `looks` is how a caption would describe them."""

    name: str
    species: str
    looks: str
    size: float
    fur: str
    pale: str
    dark: str
    wear: str
    girth: float = 19.0
    iris: str = "#5a3a28"

    @property
    def line(self) -> str:
        """Returns the colour of the outline: the fur's own, deep and warm."""
        return mix(self.fur, "#2b1533", 0.68)


_CAST = (
    Character(
        "Pip",
        "fox",
        "a little red fox with a green scarf",
        1.0,
        "#f0703a",
        "#fff3e2",
        "#5b2f2c",
        "#3fae6a",
    ),
    Character(
        "Momo",
        "bear",
        "a big blue bear in yellow dungarees",
        1.24,
        "#5f9fe0",
        "#d6ebff",
        "#3c6fb4",
        "#f7c548",
        23.0,
    ),
    Character(
        "Tilly",
        "duck",
        "a small yellow duck with a straw hat",
        0.80,
        "#ffd84d",
        "#fff4c4",
        "#f2902f",
        "#e2574c",
        20.0,
    ),
    Character(
        "Otto",
        "owl",
        "a grey owl with round glasses and a plum bow tie",
        0.98,
        "#98a0b8",
        "#f0e9e0",
        "#6f7690",
        "#9a4f8f",
        23.0,
        "#b8741f",
    ),
    Character(
        "Rosa",
        "rabbit",
        "a white rabbit in a pink dress",
        0.92,
        "#fbf3f0",
        "#ffd3dc",
        "#f4a3b5",
        "#ee6f97",
        17.0,
        "#7a3b55",
    ),
    Character(
        "Hugo",
        "hedgehog",
        "a brown hedgehog with a striped teal shirt",
        0.84,
        "#f3d3a8",
        "#fdeccf",
        "#8a5a3c",
        "#2fa3a0",
        21.0,
    ),
    Character(
        "Zuzu",
        "frog",
        "a green frog with red boots and a purple cape",
        0.88,
        "#7cc850",
        "#e4f5b0",
        "#4f9a3b",
        "#7d5bc4",
        18.0,
        "#4a3a1a",
    ),
)
CAST = {who.name: who for who in _CAST}

# How else somebody may look, in variants of the sample.
LOOKS = {
    **CAST,
    "another fox": replace(CAST["Pip"], name="Hugo", wear="#7d5bc4"),
    "Pip, changed": replace(CAST["Pip"], wear="#4a6fd0"),
    "Momo, changed": replace(CAST["Momo"], wear="#d8484f"),
    "Rosa, changed": replace(CAST["Rosa"], wear="#3f7fd0"),
    "Hugo, changed": replace(CAST["Hugo"], wear="#e08a2f"),
}


@dataclass
class Pose:
    """Where a figure's parts are, in its own units.

    `hands` and `feet` are (far, near); hands count from the shoulder, feet from the ground below
    the hips. `lift` raises the whole figure, `drop` lowers its hips (sitting), `mouth` is one of
    smile, open, wide, small, sad, `eyes` one of open, shut, happy, sad, wide.
    """

    hands: tuple[Spot, Spot] = ((8.0, 19.0), (-9.0, 19.0))
    feet: tuple[Spot, Spot] = ((8.0, 0.0), (-8.0, 0.0))
    lift: float = 0.0
    drop: float = 0.0
    lean: float = 0.0
    squash: float = 0.0
    nod: float = 0.0
    gaze: Spot = (0.4, 0.0)
    mouth: str = "smile"
    eyes: str = "open"
    tail: float = 0.0
    front: bool = False  # the far arm is before the body, not behind it


HEAD = (2.0, -70.0)
SHOULDERS = ((11.0, -42.0), (-12.0, -42.0))


def shadow(pen: Pen, who: Character, pose: Pose) -> None:
    """Draws the soft spot on the ground below a figure; it shrinks as the figure leaps."""
    near = max(0.35, 1 - pose.lift / 90)
    pen.glow(0, 1, 36 * who.size * near, 9 * who.size * near, "#1c2440", 0.62 * near)


def body_pen(pen: Pen, who: Character, pose: Pose) -> Pen:
    """Returns the pen for what is above the legs, lifted, leaned, squashed; origin at the feet."""
    stretch = 1 - pose.squash
    return pen.at(0, -pose.lift + pose.drop, pose.lean, 1 + pose.squash * 0.6, stretch)


def figure(pen: Pen, who: Character, pose: Pose) -> None:
    """Draws one figure with its feet at the pen's origin; turn the pen's x scale to look left."""
    pen = pen.at(0, 0, 0, who.size)
    body = body_pen(pen, who, pose)
    back, chest, head = _SPECIES[who.species]
    far, near = SHOULDERS
    back(body, who, pose)
    for side in (0, 1):
        _leg(pen, who, pose, side)
    raised = [hand[1] < 2 for hand in pose.hands]
    if not pose.front and not raised[0]:
        _arm(body, who, far, pose.hands[0])
    _trunk(body, who)
    chest(body, who, pose)
    if pose.front and not raised[0]:
        _arm(body, who, far, pose.hands[0])
    if not raised[1]:
        _arm(body, who, near, pose.hands[1])
    head(body.at(*HEAD, pose.nod), who, pose)
    for shoulder, hand, up in zip(SHOULDERS, pose.hands, raised, strict=True):
        if up:  # a raised arm passes before the head
            _arm(body, who, shoulder, hand)


def _trunk(pen: Pen, who: Character) -> None:
    w, top = who.girth, who.girth * 0.68
    pen.blob(
        [
            (-top, -44),
            (0, -52),
            (top, -44),
            (w, -24),
            (w * 0.8, -10),
            (0, -5),
            (-w * 0.8, -10),
            (-w, -24),
        ],
        who.fur,
        who.line,
    )


def _belly(pen: Pen, who: Character) -> None:
    pen.oval(3, -24, who.girth * 0.62, 16, who.pale)


def _arm(pen: Pen, who: Character, shoulder: Spot, hand: Spot) -> None:
    end = (shoulder[0] + hand[0], shoulder[1] + hand[1])
    slack = max(0.0, 24 - math.hypot(*hand)) * 0.45 + 1.5
    side = 1 if shoulder[0] < 0 else -1
    arc = bend(shoulder, end, slack * side)
    wide = {"bear": 9.5, "frog": 6.0}.get(who.species, 7.5)
    sleeve = {"hedgehog": who.wear, "rabbit": who.wear}.get(who.species)
    pen.limb(arc, wide, who.fur, who.line)
    if sleeve:
        pen.limb(arc[:5], wide, sleeve, mix(sleeve, "#2b1533", 0.55))
    tip = {"fox": who.dark, "duck": mix(who.fur, who.dark, 0.25)}.get(who.species, who.fur)
    pen.oval(*end, wide * 0.62, wide * 0.62, tip, who.line)
    if not sleeve:
        pen.line(arc[-4:-1], wide - 1, who.fur)


def _leg(pen: Pen, who: Character, pose: Pose, side: int) -> None:
    x, y = pose.feet[side]
    hip = (6.5 if side == 0 else -6.5, -13 + pose.drop - pose.lift)
    foot = (x, y - 3 - pose.lift)
    stretch = math.hypot(foot[0] - hip[0], foot[1] - hip[1])
    knee = bend(hip, foot, -max(0.0, 13 - stretch) * 0.5)
    if who.species in ("duck", "owl"):
        pen.limb(knee, 3.6, "#f2902f", "#8a4a20", 1.1)
        pen.blob(
            [
                (foot[0] - 5, foot[1] + 2),
                (foot[0] + 2, foot[1] - 3),
                (foot[0] + 11, foot[1]),
                (foot[0] + 10, foot[1] + 4),
                (foot[0] - 3, foot[1] + 4),
            ],
            "#f2902f",
            "#8a4a20",
        )
        return
    skin = {"fox": who.dark, "bear": who.wear}.get(who.species, who.fur)
    shoe = {"fox": who.dark, "frog": "#d9473f", "bear": who.fur}.get(who.species, who.fur)
    pen.limb(knee, 8.5 if who.species == "bear" else 7.0, skin, who.line)
    pen.blob(
        [
            (foot[0] - 5.5, foot[1] + 2),
            (foot[0] - 3, foot[1] - 4),
            (foot[0] + 4, foot[1] - 3.5),
            (foot[0] + 10, foot[1]),
            (foot[0] + 8, foot[1] + 4),
            (foot[0] - 3, foot[1] + 4),
        ],
        shoe,
        who.line,
    )


# Faces -------------------------------------------------------------------------------------------


def _eyes(
    pen: Pen,
    who: Character,
    pose: Pose,
    y: float = -2.0,
    gap: float = 10.5,
    shift: float = 4.0,
    size: float = 1.0,
) -> None:
    ink = mix(who.line, "#1d1026", 0.6)
    for side in (-1, 1):
        x = shift + side * gap * (0.94 if side > 0 else 1.0)
        narrow = 0.9 if side > 0 else 1.0
        if pose.eyes in ("shut", "happy"):
            bow = -3.6 if pose.eyes == "happy" else 3.2
            pen.line(bend((x - 5.2 * size, y + 1), (x + 5.2 * size, y + 1), bow), 2.4, ink)
            continue
        rx, ry = 6.2 * size * narrow, 7.8 * size
        if pose.eyes == "wide":
            rx, ry = rx * 1.1, ry * 1.12
        pen.oval(x, y, rx, ry, "#ffffff", ink, width=1.5)
        gx, gy = x + pose.gaze[0] * 2.4 * size, y + pose.gaze[1] * 2.6 * size + 0.6
        pen.oval(gx, gy, rx * 0.70, ry * 0.74, who.iris)
        pen.oval(gx, gy - 0.5, rx * 0.46, ry * 0.52, "#17101f")
        pen.oval(gx - 1.9 * size, gy - 2.8 * size, 1.9 * size, 2.2 * size, "#ffffff")
        pen.oval(gx + 2.0 * size, gy + 2.6 * size, 0.95 * size, 1.0 * size, "#ffffff")
        if pose.eyes == "sad":
            pen.line([(x - side * 5, y - ry - 1), (x + side * 5, y - ry + 2.4)][::side], 2.0, ink)
        else:
            raised = 3.6 if pose.eyes == "wide" else 2.2
            pen.line(bend((x - 4, y - ry - raised), (x + 4, y - ry - raised), -1.2), 1.3, ink)


def _blush(
    pen: Pen, y: float = 8.0, gap: float = 17.0, shift: float = 3.5, colour: str = "#ff6f7d"
) -> None:
    for side in (-1, 1):
        pen.glow(shift + side * gap * (0.93 if side > 0 else 1), y, 8.0, 5.6, colour, 0.62)


def _mouth(
    pen: Pen, who: Character, pose: Pose, x: float = 6.0, y: float = 14.0, size: float = 1.0
) -> None:
    ink = mix(who.line, "#1d1026", 0.5)
    if pose.mouth in ("open", "wide", "small"):
        rx, ry = {"open": (5.0, 4.4), "wide": (6.4, 6.2), "small": (2.6, 2.8)}[pose.mouth]
        rx, ry = rx * size, ry * size
        pen.blob(
            [
                (x - rx, y - ry * 0.5),
                (x, y - ry * 0.7),
                (x + rx, y - ry * 0.5),
                (x + rx * 0.7, y + ry * 0.7),
                (x, y + ry),
                (x - rx * 0.7, y + ry * 0.7),
            ],
            "#7c2438",
            ink,
        )
        if pose.mouth != "small":
            pen.oval(x, y + ry * 0.5, rx * 0.55, ry * 0.36, "#ff8a94")
    else:
        bow = 2.4 if pose.mouth == "smile" else -2.0
        pen.line(bend((x - 5.5 * size, y), (x + 5.5 * size, y), bow * size), 1.9, ink)


# Species: back, chest, head ----------------------------------------------------------------------


def _fox_back(pen: Pen, who: Character, pose: Pose) -> None:
    tail = pen.at(-12, -16, pose.tail)
    tail.blob(
        [(2, 4), (-14, 7), (-30, 0), (-40, -18), (-38, -36), (-29, -26), (-18, -14), (0, -6)],
        who.fur,
        who.line,
    )
    tail.blob([(-37, -12), (-41, -22), (-38.5, -35), (-31, -27), (-28, -20), (-32, -17)], who.pale)


def _fox_chest(pen: Pen, who: Character, pose: Pose) -> None:
    _belly(pen, who)


def _scarf(pen: Pen, colour: str, flap: float) -> None:
    edge = mix(colour, "#12303a", 0.55)
    loose = pen.at(-11, -46, 14 + flap)
    loose.blob([(-4, 0), (4, 0), (5.5, 12), (5, 23), (-4, 23), (-5, 12)], colour, edge)
    loose.line([(-4, 16), (4.4, 16)], 2.0, mix(colour, "#ffffff", 0.55))
    pen.blob(
        [(-17, -51), (0, -46), (19, -51), (20, -46), (15, -41), (0, -38.5), (-14, -41), (-18, -46)],
        colour,
        edge,
    )
    pen.line(bend((-12, -47), (15, -47), -1.6), 1.5, mix(colour, "#ffffff", 0.4))


def _fox_head(pen: Pen, who: Character, pose: Pose) -> None:
    for x, tip in ((-17, -24), (17, 22)):
        pen.blob(
            [(x - 9, -12), (x * 0.9 + tip * 0.1, -44), (x + 4, -38), (x + 10, -14)],
            who.fur,
            who.line,
        )
        pen.blob(
            [(x - 5, -17), (x * 0.93 + tip * 0.1, -36), (x + 6, -17)],
            mix(who.dark, "#ff8f7d", 0.25),
        )
    pen.blob(
        [
            (-37, 10),
            (-29, -4),
            (-23, -17),
            (-9, -25),
            (9, -25),
            (24, -17),
            (31, -4),
            (38, 10),
            (26, 14),
            (16, 21),
            (3, 24),
            (-13, 21),
            (-25, 15),
        ],
        who.fur,
        who.line,
    )
    pen.blob(
        [
            (-35, 10),
            (-22, 4),
            (-9, 6),
            (3, 0),
            (14, 6),
            (26, 4),
            (36, 10),
            (25, 13.5),
            (15, 20),
            (3, 23),
            (-13, 20),
            (-24, 14),
        ],
        who.pale,
    )
    pen.blob([(-4, -24), (2, -33), (3, -25), (9, -31), (9, -23), (3, -19)], who.fur)
    _blush(pen)
    _eyes(pen, who, pose)
    _mouth(pen, who, pose, 6, 15)
    pen.blob([(1.5, 7.5), (6, 6), (10.5, 7.5), (6, 11.5)], "#2c1824")
    pen.oval(5, 7.8, 1.4, 0.9, "#ffffff")
    _scarf(pen.at(-HEAD[0], -HEAD[1], -pose.nod), who.wear, -pose.tail * 0.5)


def _bear_back(pen: Pen, who: Character, pose: Pose) -> None:
    pen.oval(-22, -14, 6, 6, who.fur, who.line)


def _bear_chest(pen: Pen, who: Character, pose: Pose) -> None:
    edge = mix(who.wear, "#4a2412", 0.6)
    w = who.girth
    pen.oval(3, -36, 11, 9, who.pale)
    pen.blob(
        [
            (-w * 0.55, -33),
            (2, -34),
            (w * 0.72, -33),
            (w * 0.98, -20),
            (w * 0.78, -9.5),
            (0, -4.5),
            (-w * 0.78, -9.5),
            (-w * 0.98, -20),
        ],
        who.wear,
        edge,
    )
    for x in (-10, 13):
        pen.limb([(x * 1.1, -47), (x, -32)], 4.2, who.wear, edge, 1.1)
        pen.oval(x, -31, 2.3, 2.3, "#fff7df", edge, width=1.0)
    pen.blob(
        [(-5, -26), (11, -26), (10, -17), (3, -14.5), (-4, -17)],
        mix(who.wear, "#ffffff", 0.28),
        edge,
        1.1,
    )


def _bear_head(pen: Pen, who: Character, pose: Pose) -> None:
    for x in (-21, 23):
        pen.oval(x, -20, 10, 10, who.fur, who.line)
        pen.oval(x, -19.5, 5.8, 5.8, "#f7b7c2")
    pen.blob(
        [
            (-30, 4),
            (-26, -13),
            (-12, -24),
            (10, -25),
            (26, -14),
            (31, 4),
            (22, 18),
            (2, 23),
            (-20, 18),
        ],
        who.fur,
        who.line,
    )
    pen.blob([(-11, -23), (4, -25), (-2, -18), (-16, -14)], mix(who.fur, "#ffffff", 0.22))
    _blush(pen, gap=18.5)
    pen.oval(7, 10, 13, 10, who.pale)
    _eyes(pen, who, pose, gap=11.5)
    _mouth(pen, who, pose, 7, 14)
    pen.blob([(1.5, 4.5), (7, 2.5), (12.5, 4.5), (7, 9.5)], "#2a2340")
    pen.oval(5.5, 5, 1.8, 1.1, "#ffffff")


def _duck_back(pen: Pen, who: Character, pose: Pose) -> None:
    pen.at(-15, -16, pose.tail).blob(
        [(4, 6), (-10, 2), (-18, -12), (-8, -9), (-6, -15), (4, -8)], who.fur, who.line
    )


def _duck_chest(pen: Pen, who: Character, pose: Pose) -> None:
    _belly(pen, who)
    pen.line(bend((-13, -44), (15, -44), -3), 3.4, who.wear)


def _duck_head(pen: Pen, who: Character, pose: Pose) -> None:
    pen.blob(
        [
            (-27, 2),
            (-22, -15),
            (-6, -25),
            (14, -23),
            (27, -9),
            (29, 6),
            (19, 19),
            (2, 23),
            (-19, 18),
        ],
        who.fur,
        who.line,
    )
    _blush(pen, 7, 17.5, colour="#ff8a4d")
    _eyes(pen, who, pose, y=-2)
    beak, edge = who.dark, mix(who.dark, "#5b1d10", 0.6)
    if pose.mouth in ("open", "wide", "small"):
        gape = {"small": 4, "open": 6, "wide": 9}[pose.mouth]
        pen.blob(
            [(-3, 10), (7, 12), (19, 10), (15, 12 + gape), (7, 14 + gape), (0, 12 + gape)],
            "#7c2438",
            edge,
        )
        pen.blob(
            [
                (0, 11 + gape * 0.5),
                (7, 12.5 + gape * 0.4),
                (16, 11 + gape * 0.5),
                (13, 13 + gape),
                (7, 15 + gape),
                (2, 13 + gape),
            ],
            mix(beak, "#b83b1d", 0.2),
            edge,
        )
    pen.blob(
        [(-6, 10), (0, 6), (7, 4.5), (15, 6), (23, 9.5), (15, 13), (7, 12), (0, 13)], beak, edge
    )
    pen.oval(4, 7.8, 1.0, 0.7, edge)
    pen.oval(10, 7.8, 1.0, 0.7, edge)
    straw, rim = "#f2d58a", "#9a6a2c"
    pen.blob(
        [(-36, -12), (-20, -17), (2, -19), (24, -17), (38, -11), (20, -11), (2, -13), (-20, -11)],
        straw,
        rim,
    )
    pen.blob([(-19, -16), (-17, -31), (0, -37), (18, -31), (21, -16), (2, -18.5)], straw, rim)
    pen.blob([(-19.5, -17), (-18.5, -23), (2, -26), (20, -23), (21, -17), (2, -20)], who.wear)
    for x in (-8, 3, 13):
        pen.line([(x, -34), (x + 1, -27)], 1.0, mix(straw, rim, 0.45))


def _owl_back(pen: Pen, who: Character, pose: Pose) -> None:
    pen.at(-14, -14, pose.tail * 0.6).blob(
        [(2, -6), (-10, 0), (-20, 8), (-6, 9), (6, 4)], who.dark, who.line
    )


def _owl_chest(pen: Pen, who: Character, pose: Pose) -> None:
    pen.oval(3, -24, who.girth * 0.7, 18, who.pale)
    for row, y in enumerate((-31, -24, -17)):
        for x in ((-6, 3, 12), (-9, -1, 7, 14), (-5, 3, 11))[row]:
            pen.line(bend((x - 3, y), (x + 3, y), 1.8), 1.5, mix(who.pale, who.dark, 0.55))


def _bow_tie(pen: Pen, colour: str) -> None:
    edge = mix(colour, "#24102c", 0.6)
    for side in (-1, 1):
        pen.blob([(3, -46), (3 + side * 11, -51), (3 + side * 12, -41)], colour, edge, 1.2)
    pen.oval(3, -46, 3, 3, mix(colour, "#ffffff", 0.25), edge, width=1.1)


def _owl_head(pen: Pen, who: Character, pose: Pose) -> None:
    for side in (-1, 1):
        pen.blob(
            [(2 + side * 12, -17), (2 + side * 27, -34), (2 + side * 28, -10)], who.dark, who.line
        )
    pen.blob(
        [
            (-30, 4),
            (-27, -13),
            (-12, -23),
            (2, -21),
            (16, -23),
            (31, -13),
            (33, 4),
            (22, 19),
            (2, 24),
            (-19, 19),
        ],
        who.fur,
        who.line,
    )
    pen.blob([(-9, -22), (3, -12), (14, -22), (3, -18)], who.dark)
    for x, wide in ((-8.0, 14.5), (15.0, 13.5)):
        pen.oval(x, 0, wide, 15, who.pale)
    _blush(pen, 13, 19)
    _eyes(pen, who, pose, y=0, gap=11.8, shift=3.5, size=1.06)
    for x, wide in ((-8.3, 11.4), (14.7, 10.6)):
        ring = [
            (x + wide * math.cos(a / 6 * math.pi), 11.8 * math.sin(a / 6 * math.pi))
            for a in range(13)
        ]
        pen.line(ring, 2.0, "#5a3b2a")
    pen.line(bend((2.6, -1), (4.6, -1), -0.6), 2.0, "#5a3b2a")
    beak = "#f2a63c"
    if pose.mouth in ("open", "wide", "small"):
        pen.blob([(-1, 12), (4, 14), (9, 12), (4, 22)], "#7c2438", who.line, 1.1)
    pen.blob([(-1.5, 11), (4, 8), (9.5, 11), (4, 18)], beak, mix(beak, "#5b1d10", 0.6), 1.2)
    _bow_tie(pen.at(-HEAD[0], -HEAD[1], -pose.nod), who.wear)


def _rabbit_back(pen: Pen, who: Character, pose: Pose) -> None:
    pen.oval(-19, -15, 8, 8, who.fur, who.line)


def _rabbit_chest(pen: Pen, who: Character, pose: Pose) -> None:
    edge = mix(who.wear, "#3c0f2c", 0.55)
    flare = 25 + pose.tail * 0.12
    pen.blob(
        [
            (-11, -45),
            (2, -42),
            (13, -45),
            (17, -26),
            (flare, -10),
            (10, -6.5),
            (0, -8.5),
            (-10, -6.5),
            (-flare, -10),
            (-16, -26),
        ],
        who.wear,
        edge,
    )
    for x, y in ((-9, -18), (4, -15), (15, -19), (-3, -27), (9, -29)):
        pen.oval(x, y, 1.7, 1.7, "#fff0f4")
    pen.blob(
        [(-12, -46), (2, -42), (14, -46), (12, -39), (3, -37), (-10, -39)], "#fff3f5", edge, 1.1
    )


def _rabbit_head(pen: Pen, who: Character, pose: Pose) -> None:
    swing = -pose.tail * 0.45
    for x, turn in ((-11, -9 + swing), (14, 11 + swing)):
        ear = pen.at(x, -17, turn)
        ear.blob([(-7, 3), (-8.5, -20), (-4, -42), (4, -42), (8.5, -20), (7, 3)], who.fur, who.line)
        ear.blob([(-3.4, 0), (-4.4, -20), (-1, -36), (2, -36), (4.4, -20), (3.4, 0)], who.pale)
    pen.blob(
        [
            (-29, 6),
            (-25, -11),
            (-12, -22),
            (9, -23),
            (25, -12),
            (30, 6),
            (20, 18),
            (3, 22),
            (-18, 18),
        ],
        who.fur,
        who.line,
    )
    _blush(pen, 8, 18)
    _eyes(pen, who, pose)
    pen.oval(1.5, 11.5, 5.6, 4.6, "#fffafa")
    pen.oval(10.5, 11.5, 5.4, 4.6, "#fffafa")
    _mouth(pen, who, pose, 6, 15, 0.8)
    if pose.mouth in ("open", "wide", "smile"):
        pen.poly([(4, 14), (8.4, 14), (8.2, 18), (4.2, 18)], "#ffffff", who.line, 0.8)
    pen.blob([(3, 7), (6, 6), (9, 7), (6, 10.4)], "#f06f8e")
    flower = pen.at(-18, -15)
    for a in range(5):
        turn = a * 72 + 10
        flower.oval(
            4.6 * math.cos(math.radians(turn)),
            4.6 * math.sin(math.radians(turn)),
            3.8,
            3.8,
            "#ffffff" if a % 5 else "#fff1f4",
            mix(who.wear, "#3c0f2c", 0.4),
            width=0.9,
        )
    flower.oval(0, 0, 3.2, 3.2, "#ffc93c")


def _spikes(
    pen: Pen,
    x: float,
    y: float,
    reach: float,
    first: float,
    last: float,
    many: int,
    fill: str,
    line: str,
    root: float = 0.72,
) -> None:
    ring: list[Spot] = []
    for i in range(2 * many + 1):
        angle = math.radians(first + (last - first) * i / (2 * many))
        far = reach if i % 2 else reach * root
        ring.append((x + far * math.cos(angle), y + far * math.sin(angle)))
    pen.poly([*ring, (x, y)], fill, line)


def _hedgehog_back(pen: Pen, who: Character, pose: Pose) -> None:
    _spikes(pen, -3, -28, 33, 90, 275, 8, who.dark, who.line)
    _spikes(pen, -2, -28, 26, 95, 270, 6, mix(who.dark, "#ffffff", 0.16), who.dark)


def _hedgehog_chest(pen: Pen, who: Character, pose: Pose) -> None:
    w, edge = who.girth, mix(who.wear, "#0c2a33", 0.6)
    pen.blob(
        [
            (-w * 0.66, -44),
            (2, -42),
            (w * 0.68, -44),
            (w * 0.99, -24),
            (w * 0.88, -12),
            (0, -9),
            (-w * 0.88, -12),
            (-w * 0.99, -24),
        ],
        who.wear,
        edge,
    )
    for y, part in ((-35, 0.78), (-26.5, 0.93), (-18, 0.93)):
        pen.line(bend((-w * part, y), (w * part, y), 2.2), 3.2, "#f6fbf4")


def _hedgehog_head(pen: Pen, who: Character, pose: Pose) -> None:
    _spikes(pen, -1, -1, 41, 125, 372, 13, who.dark, who.line, 0.76)
    _spikes(pen, -1, -1, 34, 130, 366, 11, mix(who.dark, "#ffffff", 0.16), who.dark, 0.76)
    for x in (-21, 24):
        pen.oval(x, -16, 6.5, 6.5, who.fur, who.line)
        pen.oval(x, -15.5, 3.4, 3.4, "#f3a28f")
    pen.blob(
        [
            (-27, 7),
            (-24, -8),
            (-13, -15),
            (-6, -11),
            (3, -19),
            (11, -11),
            (19, -15),
            (28, -7),
            (31, 7),
            (20, 18),
            (3, 22),
            (-17, 18),
        ],
        who.fur,
        who.line,
    )
    _blush(pen, 8, 17)
    pen.oval(8, 11, 11, 8.5, who.pale)
    _eyes(pen, who, pose, y=-1, gap=10, size=0.95)
    _mouth(pen, who, pose, 7, 15, 0.85)
    pen.oval(10, 7, 4.6, 3.9, "#33202a")
    pen.oval(8.6, 5.8, 1.5, 1.0, "#ffffff")


def _frog_back(pen: Pen, who: Character, pose: Pose) -> None:
    edge = mix(who.wear, "#160a2c", 0.6)
    swing = pose.tail * 0.5
    pen.blob(
        [
            (-10, -48),
            (10, -48),
            (22, -24),
            (20 - swing * 0.3, -5),
            (2, -3),
            (-24 - swing, -4),
            (-22 - swing * 0.4, -24),
        ],
        who.wear,
        edge,
    )


def _frog_chest(pen: Pen, who: Character, pose: Pose) -> None:
    _belly(pen, who)
    edge = mix(who.wear, "#160a2c", 0.6)
    pen.limb(bend((-13, -45), (14, -45), -3.4), 4.4, who.wear, edge, 1.0)
    pen.oval(3, -41.5, 3.4, 3.4, "#ffd34d", "#8a5a16", width=1.0)


def _frog_head(pen: Pen, who: Character, pose: Pose) -> None:
    for x in (-13, 17):
        pen.oval(x, -17, 12, 12, who.fur, who.line)
    pen.blob(
        [
            (-35, 6),
            (-29, -9),
            (-14, -16),
            (3, -15),
            (19, -16),
            (32, -9),
            (38, 6),
            (26, 18),
            (3, 22),
            (-22, 18),
        ],
        who.fur,
        who.line,
    )
    for x in (-13, 17):
        pen.oval(x, -16, 10.4, 10.4, who.fur)
    pen.blob(
        [(-28, 9), (-10, 8), (3, 9), (16, 8), (32, 9), (24, 17), (3, 20.5), (-20, 17)], who.pale
    )
    _blush(pen, 4, 23, colour="#ff8a5c")
    _eyes(pen, who, pose, y=-16, gap=14.2, shift=2.6, size=1.08)
    if pose.mouth in ("smile", "sad"):
        ink = mix(who.line, "#1d1026", 0.5)
        pen.line(bend((-14, 7), (24, 7), 4.2 if pose.mouth == "smile" else -2.4), 2.0, ink)
    else:
        _mouth(pen, who, pose, 5, 10, 1.45)
    for x in (2, 9):
        pen.oval(x, 0, 1.1, 0.9, who.line)
    for x, y in ((-24, -6), (-19, -9), (29, -5)):
        pen.oval(x, y, 1.9, 1.6, who.dark)


Part = Callable[[Pen, Character, Pose], None]
_SPECIES: dict[str, tuple[Part, Part, Part]] = {
    "fox": (_fox_back, _fox_chest, _fox_head),
    "bear": (_bear_back, _bear_chest, _bear_head),
    "duck": (_duck_back, _duck_chest, _duck_head),
    "owl": (_owl_back, _owl_chest, _owl_head),
    "rabbit": (_rabbit_back, _rabbit_chest, _rabbit_head),
    "hedgehog": (_hedgehog_back, _hedgehog_chest, _hedgehog_head),
    "frog": (_frog_back, _frog_chest, _frog_head),
}
