"""What the figures do: each action is a pose that changes with time, and for some a thing held.

`ACTIONS` maps the words of an action, as the truth and the captions say them, to its drawing. Times
are seconds since the shot began; a thing is drawn with the pen of the body that holds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.sample.figures import SHOULDERS, Character, Pose, Spot, body_pen, figure, shadow
from pipeline.sample.pen import Pen, Ruler, bend, lettering, mix, stamp

Move = Callable[[float], Pose]
Thing = Callable[[Pen, Pose, float, str], None]


def _wave(t: float, beats: float, shift: float = 0.0) -> float:
    return math.sin(2 * math.pi * (beats * t + shift))


def _idle(t: float) -> Pose:
    breath = _wave(t, 0.5)
    return Pose(
        squash=0.012 * breath,
        nod=2.0 * _wave(t, 0.23),
        tail=8 * _wave(t, 0.6),
        hands=((8 + breath, 19), (-9 - breath, 19)),
    )


def _listen(t: float) -> Pose:
    return replace(
        _idle(t), nod=4.0 * _wave(t, 0.7) - 1, gaze=(0.7, 0.0), hands=((4, 14), (-9, 19))
    )


def _talk(t: float) -> Pose:
    a, b = _wave(t, 0.9), _wave(t, 0.63, 0.2)
    return replace(
        _idle(t),
        hands=((19 + 3 * a, 3 + 7 * a), (-15 - 3 * b, 13 - 6 * b)),
        nod=4 * b,
        gaze=(0.7, -0.05),
        front=True,
    )


def _stride(t: float, beats: float, reach: float, rise: float) -> Pose:
    p = 2 * math.pi * beats * t
    c, s = math.cos(p), math.sin(p)
    return Pose(
        feet=((reach * c + 2, -rise * max(0.0, s)), (-reach * c - 2, -rise * max(0.0, -s))),
        hands=((-12 * c + 4, 17 - abs(c) * 3), (12 * c - 6, 17 - abs(c) * 3)),
        lift=2.4 * abs(s),
        tail=12 * c,
        nod=2.5 * s,
        gaze=(0.8, 0.1),
        front=c < 0,
    )


def _walk(t: float) -> Pose:
    return _stride(t, 1.35, 9, 6)


def _run(t: float) -> Pose:
    pose = _stride(t, 2.3, 16, 13)
    swing = math.cos(2 * math.pi * 2.3 * t)
    return replace(
        pose,
        lean=11,
        lift=7 * abs(math.sin(2 * math.pi * 2.3 * t)),
        mouth="open",
        hands=((12 - 12 * swing, 8 + 4 * swing), (-8 + 14 * swing, 9 - 4 * swing)),
        tail=-25 + 10 * swing,
        front=True,
    )


def _jump(t: float) -> Pose:
    p = (t * 1.25) % 1.0
    if p < 0.22:
        crouch = math.sin(p / 0.22 * math.pi)
        return Pose(squash=0.2 * crouch, drop=3 * crouch, hands=((12, 16), (-13, 16)), eyes="open")
    q = (p - 0.22) / 0.78
    height = 4 * q * (1 - q)
    return Pose(
        lift=46 * height,
        squash=-0.07 * height,
        hands=((24, -13 * height), (-24, -13 * height)),
        feet=((9 + 5 * height, -3 * height), (-10 - 6 * height, 4 * height)),
        mouth="wide",
        eyes="happy" if q > 0.3 else "open",
        tail=-20 * height,
    )


def _greet(t: float) -> Pose:
    sway = _wave(t, 1.9)
    return replace(
        _idle(t),
        hands=((9, 18), (-24 + 7 * sway, -19 - 2 * abs(sway))),
        mouth="open",
        eyes="happy" if _wave(t, 0.5) > 0.1 else "open",
        lean=1.5 * sway,
        gaze=(0.5, 0),
    )


def _cheer(t: float) -> Pose:
    up = abs(_wave(t, 1.1))
    return Pose(
        lift=13 * up,
        hands=((22 + 3 * up, -17 - 5 * up), (-23 - 3 * up, -17 - 5 * up)),
        mouth="wide",
        eyes="happy",
        squash=0.05 * (1 - up),
        tail=18 * _wave(t, 2.2),
    )


def _dance(t: float) -> Pose:
    a, b = _wave(t, 1.1), _wave(t, 2.2)
    return Pose(
        lean=9 * a,
        nod=-7 * a,
        lift=4 * abs(b),
        eyes="happy",
        mouth="open",
        hands=((21, -13 * a + 2), (-21, 13 * a + 2)),
        tail=22 * a,
        feet=((9 + 3 * a, -7 * max(0.0, a)), (-9 + 3 * a, -7 * max(0.0, -a))),
        front=True,
    )


def _sit(t: float) -> Pose:
    return replace(_idle(t), drop=9, feet=((20, 0), (9, 1)))


def _sleep(t: float) -> Pose:
    breath = _wave(t, 0.35)
    return replace(
        _sit(t),
        eyes="shut",
        mouth="small" if breath > 0.2 else "smile",
        nod=13 + 2 * breath,
        lean=-6,
        squash=0.025 * breath,
        hands=((5, 17), (-2, 17)),
        front=True,
        tail=0,
    )


def _read(t: float) -> Pose:
    return replace(
        _sit(t),
        hands=((10, 10), (17, 12)),
        nod=7 + 2 * _wave(t, 0.4),
        front=True,
        gaze=(0.5 + 0.35 * _wave(t, 0.5), 0.75),
    )


def _eat(t: float) -> Pose:
    bite = max(0.0, _wave(t, 0.8))
    return replace(
        _idle(t),
        hands=((12 - 3 * bite, 6 - 19 * bite), (-9, 17)),
        front=True,
        mouth="wide" if bite > 0.55 else ("small" if _wave(t, 3.2) > 0 else "smile"),
        eyes="happy" if bite < 0.2 else "open",
        gaze=(0.6, 0.4),
    )


def _hold_up(t: float) -> Pose:
    sway = _wave(t, 0.55)
    return replace(
        _idle(t),
        hands=((21 + sway, -4 + 2 * sway), (-10, 18)),
        gaze=(0.6, -0.7),
        lean=sway,
        mouth="open" if sway > 0.3 else "smile",
    )


def _fly(t: float) -> Pose:
    tug = _wave(t, 0.7)
    return replace(
        _idle(t),
        hands=((21 + 2 * tug, -6 + 4 * tug), (19 + 2 * tug, 4 + 4 * tug)),
        nod=-9,
        lean=-5 + 3 * tug,
        gaze=(0.8, -0.8),
        mouth="open",
        feet=((12, 0), (-11, 0)),
        front=True,
    )


def _fish(t: float) -> Pose:
    return replace(
        _sit(t),
        hands=((18, 9 + _wave(t, 0.5)), (22, 13 + _wave(t, 0.5))),
        front=True,
        gaze=(0.9, 0.3),
    )


def _dig(t: float) -> Pose:
    p = (t * 1.1) % 1.0
    push = math.sin(math.pi * min(1.0, p / 0.55)) if p < 0.55 else 0.0
    fling = math.sin(math.pi * (p - 0.55) / 0.45) if p >= 0.55 else 0.0
    return Pose(
        lean=10 + 9 * push - 8 * fling,
        hands=((17, 13 + 5 * push - 11 * fling), (20, 17 + 4 * push - 8 * fling)),
        feet=((11, 0), (-11, 0)),
        gaze=(0.6, 0.9),
        nod=6,
        mouth="small" if push > 0 else "open",
        front=True,
        tail=10 * fling,
    )


def _play_ball(t: float) -> Pose:
    p = abs(_wave(t, 0.75))
    return replace(
        _idle(t),
        hands=((19, -1 - 9 * (1 - p)), (-13 + 24 * (1 - p), 8)),
        front=True,
        gaze=(0.6, -0.8 * p),
        mouth="open",
        squash=0.04 * (1 - p),
        nod=-5 * p,
    )


def _search(t: float) -> Pose:
    pose = _stride(t, 0.8, 6, 4)
    return replace(
        pose,
        lean=13,
        hands=((20, 5 + 2 * _wave(t, 0.4)), (-8, 16)),
        gaze=(0.9, 0.5),
        mouth="small",
        front=True,
    )


def _cry(t: float) -> Pose:
    sob = _wave(t, 1.6)
    return replace(
        _idle(t),
        hands=((3, -1 + sob), (-3, -1 + sob)),
        eyes="sad",
        mouth="sad",
        nod=9 + 2 * sob,
        squash=0.02 * sob + 0.03,
        gaze=(0.1, 0.8),
    )


def _point(t: float) -> Pose:
    jab = _wave(t, 1.0)
    return replace(
        _idle(t),
        hands=((27 + 2 * jab, -7), (-10, 18)),
        gaze=(0.9, -0.3),
        mouth="open",
        eyes="wide",
        lean=3,
    )


def _strum(t: float) -> Pose:
    beat = _wave(t, 2.0)
    return replace(
        _idle(t),
        hands=((22, 5), (8, 14 + 4 * beat)),
        front=True,
        mouth="open",
        eyes="happy" if _wave(t, 0.3) > 0 else "open",
        lean=4 * _wave(t, 0.5),
        nod=6 * _wave(t, 1.0),
        feet=((10, -3 * max(0, beat)), (-9, 0)),
    )


# Things ------------------------------------------------------------------------------------------


def _hand(pose: Pose, side: int = 0) -> Spot:
    return SHOULDERS[side][0] + pose.hands[side][0], SHOULDERS[side][1] + pose.hands[side][1]


def _deep(colour: str) -> str:
    return mix(colour, "#2b1533", 0.6)


def _balloon(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    x, y = _hand(pose)
    top = pen.at(x + 6 + 4 * _wave(t, 0.4), y - 66 + 2 * _wave(t, 0.7), 5 * _wave(t, 0.4))
    pen.line(bend((x, y), (x + 6 + 4 * _wave(t, 0.4), y - 42), 4), 1.0, "#f7f3ea")
    top.blob(
        [(-17, -6), (-11, -22), (0, -27), (11, -22), (17, -6), (8, 13), (0, 20), (-8, 13)],
        colour,
        _deep(colour),
    )
    top.poly([(0, 19), (-4, 25), (4, 25)], colour, _deep(colour), 1.1)
    top.oval(-6, -14, 4, 7, mix(colour, "#ffffff", 0.55), turn=25)


def _kite(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    x, y = _hand(pose)
    kx, ky = x + 62 + 9 * _wave(t, 0.35), y - 92 + 6 * _wave(t, 0.55)
    pen.line(bend((x, y), (kx, ky), 9), 0.9, "#fdf8ec")
    kite = pen.at(kx, ky, 28 + 8 * _wave(t, 0.5))
    tail = [(0, 27), (5 + 4 * _wave(t, 1), 38), (-4 + 4 * _wave(t, 1, 0.3), 50), (3, 62)]
    kite.line(tail, 1.4, "#fdf8ec")
    for i, (tx, ty) in enumerate(tail[1:]):
        bow = mix(colour, "#ffd84d", 0.3 + 0.3 * i)
        kite.poly([(tx, ty), (tx - 6, ty - 3), (tx - 6, ty + 3)], bow, _deep(colour), 0.8)
        kite.poly([(tx, ty), (tx + 6, ty - 3), (tx + 6, ty + 3)], bow, _deep(colour), 0.8)
    kite.poly([(0, -28), (19, -4), (0, 27), (-19, -4)], colour, _deep(colour))
    kite.poly([(0, -26), (17, -4), (0, -4)], mix(colour, "#ffffff", 0.45))
    kite.poly([(0, 25), (-17, -4), (0, -4)], mix(colour, "#ffd84d", 0.5))
    kite.line([(0, -27), (0, 26)], 1.1, _deep(colour))
    kite.line([(-18, -4), (18, -4)], 1.1, _deep(colour))


def _apple(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    x, y = _hand(pose)
    pen.blob(
        [
            (x - 8, y - 6),
            (x - 4, y - 11),
            (x, y - 9),
            (x + 4, y - 11),
            (x + 8, y - 6),
            (x + 5, y + 3),
            (x, y + 2),
            (x - 5, y + 3),
        ],
        "#e8453c",
        "#6b1626",
        1.2,
    )
    pen.line([(x, y - 9), (x + 2, y - 14)], 1.4, "#5a3a22")
    pen.oval(x + 6, y - 13, 4.4, 2.2, "#6cbf4a", turn=-25)
    pen.oval(x - 4, y - 6, 1.6, 2.4, "#ffb3a6")


def _book(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    pen = pen.at(15, -30, -4)
    pen.poly([(-15, -12), (0, -9), (15, -12), (15, 8), (0, 11), (-15, 8)], colour, _deep(colour))
    pen.poly(
        [(-13, -13), (0, -10), (13, -13), (13, -11), (0, -8), (-13, -11)],
        "#fffaf0",
        _deep(colour),
        0.8,
    )
    pen.line([(0, -9), (0, 10)], 1.2, _deep(colour))
    star = [
        (
            8 + 4.4 * (1 if i % 2 else 0.45) * math.sin(i * math.pi / 5),
            -1 - 4.4 * (1 if i % 2 else 0.45) * math.cos(i * math.pi / 5),
        )
        for i in range(10)
    ]
    pen.poly(star, "#ffe08a")


def _rod(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    x, y = _hand(pose)
    tip = (x + 46, y - 46 + 2 * _wave(t, 0.5))
    pen.limb(bend((x - 10, y + 8), tip, 4), 2.0, "#b9824a", "#5f3b22", 0.8)
    float_at = (tip[0] + 12, -38 + 1.5 * _wave(t, 0.6))
    pen.line(bend(tip, float_at, 3), 0.8, "#fdf8ec")
    pen.oval(*float_at, 8 + 2 * _wave(t, 0.6), 2.2, "#e8fbff")
    pen.oval(float_at[0], float_at[1] - 2, 3, 3.4, "#e8453c", "#6b1626", width=0.9)
    pen.oval(float_at[0], float_at[1] - 3.8, 2, 1.5, "#ffffff")


def _shovel(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    far, near = _hand(pose, 0), _hand(pose, 1)
    grip = (near[0] - 6, near[1] - 18)
    blade = (far[0] + 8, far[1] + 25)
    pen.limb([grip, blade], 2.6, "#c98f52", "#5f3b22", 0.9)
    tool = pen.at(*blade, math.degrees(math.atan2(blade[1] - grip[1], blade[0] - grip[0])) - 90)
    tool.blob([(-7, -3), (7, -3), (7.5, 7), (0, 15), (-7.5, 7)], "#b9c4d4", "#4a4f68", 1.2)
    p = (t * 1.1) % 1.0
    if p > 0.6:
        for i in range(7):
            age = (p - 0.6) / 0.4
            pen.oval(
                blade[0] + 6 + (6 + 4 * i) * age,
                blade[1] - 46 * age * (1 - 0.8 * age) - i,
                2.4,
                2.2,
                "#8a5d3a",
            )


def _mound(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    pen.blob([(26, 3), (34, -7), (44, -12), (56, -8), (66, 3), (46, 6)], "#9a6a42", "#5a3a28")
    pen.oval(42, -4, 3, 2, "#b98555")
    pen.oval(53, -2, 2.4, 1.7, "#b98555")


def _ball(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    rise = 54 * abs(_wave(t, 0.75))
    ball = pen.at(26, -55 - rise, 150 * t)
    ball.oval(0, 0, 12, 12, colour, _deep(colour))
    ball.blob([(-11, -3), (0, -4), (11, -3), (11, 3), (0, 2), (-11, 3)], "#fff6e6")
    ball.oval(-3, -7, 2.6, 1.8, mix(colour, "#ffffff", 0.6))


def _lens(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    x, y = _hand(pose)
    pen.limb([(x, y), (x + 9, y - 10)], 3.0, "#b9824a", "#5f3b22", 0.8)
    pen.oval(x + 17, y - 19, 12, 12, "#d8f3ff", "#5b4a86", width=3.0)
    pen.line([(x + 11, y - 18), (x + 18, y - 26)], 2.2, "#ffffff")


def _umbrella(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    x, y = _hand(pose)
    top = pen.at(x, y, 3 * _wave(t, 0.55) - 6)
    top.limb([(0, 6), (0, -62)], 2.2, "#b9824a", "#5f3b22", 0.8)
    top.blob(
        [
            (-50, -42),
            (-38, -60),
            (-16, -71),
            (0, -73),
            (16, -71),
            (38, -60),
            (50, -42),
            (34, -46),
            (17, -43),
            (0, -47),
            (-17, -43),
            (-34, -46),
        ],
        colour,
        _deep(colour),
    )
    top.blob(
        [(-17, -44), (-13, -62), (0, -72), (13, -62), (17, -44), (0, -48)],
        mix(colour, "#ffffff", 0.4),
    )
    top.oval(0, -74, 2.6, 2.6, colour, _deep(colour), width=1.0)


def _guitar(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    pen = pen.at(3, -25, -22)
    pen.limb([(4, 0), (42, 0)], 4.0, "#8a5a34", "#45291c", 1.0)
    pen.poly([(40, -4), (51, -5), (51, 5), (40, 4)], "#6d4428", "#45291c", 1.1)
    pen.blob(
        [
            (-17, -4),
            (-11, -13),
            (-1, -9),
            (8, -10),
            (14, -3),
            (14, 3),
            (8, 10),
            (-1, 9),
            (-11, 13),
            (-17, 4),
        ],
        colour,
        _deep(colour),
    )
    pen.oval(2, 0, 4.4, 4.4, "#45291c")
    for y in (-1.2, 1.2):
        pen.line([(-10, y), (48, y)], 0.5, "#fdf0d8")


def _tears(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    for side, shift in ((-1, 0.0), (1, 0.5)):
        p = (t * 1.2 + shift) % 1.0
        pen.oval(6 + side * 13, -62 + 30 * p, 2.2, 3.2, "#8fd6ff", "#3f83c4", width=0.8)


def _dreams(pen: Pen, pose: Pose, t: float, colour: str) -> None:
    for i in range(3):
        p = (t * 0.35 + i / 3) % 1.0
        ((x, y),) = pen.to_pixels([(30 + 14 * p + 5 * math.sin(6 * p), -84 - 44 * p)])
        picture = lettering("z", 60, "#ffffff", "#5a6fb0", 5)
        stamp(
            pen.canvas,
            picture,
            x,
            y,
            8,
            pen.scale * (0.14 + 0.2 * p),
            min(1.0, 4 * p * (1 - p) + 0.1),
        )


@dataclass(frozen=True)
class Action:
    """How an action looks; `speed` is in units per second."""

    move: Move
    thing: Thing | None = None
    before: Thing | None = None  # drawn behind the figure
    speed: float = 0.0


ACTIONS: dict[str, Action] = {
    "stands": Action(_idle),
    "listens": Action(_listen),
    "talks": Action(_talk),
    "walks": Action(_walk, speed=42),
    "runs": Action(_run, speed=112),
    "jumps": Action(_jump),
    "waves": Action(_greet),
    "cheers": Action(_cheer),
    "dances": Action(_dance),
    "sits": Action(_sit),
    "sleeps": Action(_sleep, _dreams),
    "reads a book": Action(_read, _book),
    "eats an apple": Action(_eat, _apple),
    "holds a balloon": Action(_hold_up, before=_balloon),
    "flies a kite": Action(_fly, before=_kite),
    "fishes": Action(_fish, _rod),
    "digs": Action(_dig, _shovel, _mound),
    "plays with a ball": Action(_play_ball, _ball),
    "searches with a magnifying glass": Action(_search, _lens, speed=16),
    "cries": Action(_cry, _tears),
    "points": Action(_point),
    "holds an umbrella": Action(_hold_up, before=_umbrella),
    "plays the guitar": Action(_strum, _guitar),
}


def act(
    pen: Pen,
    who: Character,
    action: str,
    t: float,
    *,
    colour: str,
    beat: float,
    speaking: bool = False,
    mood: str = "",
) -> None:
    """Draws one character doing an action at `t` seconds, feet at the pen's origin, looking right.

    `beat` (0..1) sets characters apart in time, so that two who do the same do not move as one;
    `colour` is that of the thing held; `mood` is one of the eyes of a `Pose`, or empty.
    """
    how = ACTIONS[action]
    pose = _pose(action, t, beat, speaking, mood)
    shadow(pen, who, pose)
    body = body_pen(pen.at(0, 0, 0, who.size), who, pose)
    if how.before:
        how.before(body, pose, t + beat, colour)
    figure(pen, who, pose)
    if how.thing:
        how.thing(body, pose, t + beat, colour)
        if how.thing not in (_dreams, _tears, _book):
            _fingers(body, who, pose)


def _pose(action: str, t: float, beat: float, speaking: bool, mood: str) -> Pose:
    """Returns the pose of an action at a time, as `act` draws it."""
    pose = ACTIONS[action].move(t + beat * 1.7)
    if mood and pose.eyes == "open":
        pose = replace(pose, eyes=mood)
    if pose.eyes in ("open", "wide", "sad") and (t + beat * 2.3) % 2.3 < 0.13:
        pose = replace(pose, eyes="shut")
    if speaking:
        pose = replace(
            pose, mouth=("open", "small", "wide", "open", "smile")[int(t * 8 + beat * 5) % 5]
        )
    elif pose.mouth == "open" and action == "talks":
        pose = replace(pose, mouth="smile")
    return pose


def measure(
    pen: Ruler, who: Character, action: str, t: float, *, beat: float, speaking: bool, mood: str
) -> None:
    """Measures a character as `act` draws it, without its shadow and without what it holds."""
    figure(pen, who, _pose(action, t, beat, speaking, mood))


def _fingers(pen: Pen, who: Character, pose: Pose) -> None:
    skin = {"fox": who.dark, "duck": mix(who.fur, who.dark, 0.25)}.get(who.species, who.fur)
    wide = 5.4 if who.species == "bear" else 4.2
    for side in (0, 1):
        if side == 0 or pose.front:
            pen.oval(*_hand(pose, side), wide, wide, skin, who.line)
