"""Makes up the episodes of the sample cartoon: who does what where, and what they say.

An episode is a quest. Something is missing at home; the friends visit places, ask whom they meet,
find it at sunset and end the day together. The seed chooses the hero, the thing, the places, the
words and how each shot is framed; `write(seed, number)` always gives the same episode.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.sample.actions import ACTIONS
from pipeline.sample.figures import CAST
from pipeline.sample.places import INDOORS

SERIES = "Pip and Momo"
Rng = np.random.Generator


@dataclass(frozen=True)
class Line:
    """A line of dialogue; seconds count from the start of its shot."""

    speaker: str
    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Actor:
    """A figure of a shot: where it stands (halfway through), which way, what it does."""

    name: str
    action: str
    x: float
    y: float
    facing: int
    beat: float
    colour: str
    mood: str = ""
    look: str = ""  # of `figures.LOOKS`, where it is not the usual one


@dataclass(frozen=True)
class Shot:
    """A shot: everything that its picture depends on.

    `camera` is the world point in the middle and the zoom, `move` how far it pans in the shot and
    by which part it zooms, `seed` what stands where in the place, `into` how the next shot begins
    (cut, dissolve or fade), `text` the words of a title or of the credits.
    """

    kind: str
    seconds: float
    place: str
    time: str
    scale: str
    camera: tuple[float, float, float]
    move: tuple[float, float]
    actors: tuple[Actor, ...]
    lines: tuple[Line, ...] = ()
    weather: str = ""
    seed: int = 0
    into: str = "cut"
    text: tuple[str, ...] = ()


@dataclass(frozen=True)
class Episode:
    """An episode: its title and its shots: intro, title card, story, credits."""

    title: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class _Quest:
    """What is missing, what its owner does with it, where it may be found, what is said of it."""

    thing: str
    title: str
    use: str
    where: tuple[str, ...]
    lost: str


@dataclass(frozen=True)
class _Stop:
    """A visit on the way: where, when, who lives there, and where the way leads next."""

    place: str
    time: str
    host: str
    following: str


_QUESTS = (
    _Quest(
        "kite",
        "The Runaway Kite",
        "flies a kite",
        ("hilltop", "meadow", "beach"),
        "The wind took it away!",
    ),
    _Quest(
        "balloon",
        "The Red Balloon",
        "holds a balloon",
        ("hilltop", "mountain", "meadow"),
        "It flew out of the window!",
    ),
    _Quest(
        "storybook",
        "The Lost Storybook",
        "reads a book",
        ("forest", "pond", "meadow"),
        "It is not on the shelf!",
    ),
    _Quest(
        "ball",
        "The Bouncing Ball",
        "plays with a ball",
        ("beach", "village", "pond"),
        "It rolled down the hill!",
    ),
    _Quest(
        "guitar",
        "The Missing Guitar",
        "plays the guitar",
        ("forest", "hilltop", "beach"),
        "Somebody borrowed it!",
    ),
    _Quest(
        "umbrella",
        "The Flying Umbrella",
        "holds an umbrella",
        ("pond", "mountain", "village"),
        "The storm carried it off!",
    ),
    _Quest(
        "fishing rod",
        "The Magic Fishing Rod",
        "fishes",
        ("pond", "beach"),
        "I forgot it somewhere!",
    ),
    _Quest(
        "spade",
        "The Secret Treasure",
        "digs",
        ("beach", "forest", "mountain"),
        "I cannot dig without it!",
    ),
)
_HOBBIES = {
    "meadow": (
        "dances",
        "flies a kite",
        "holds a balloon",
        "plays with a ball",
        "eats an apple",
        "plays the guitar",
    ),
    "forest": (
        "digs",
        "reads a book",
        "sleeps",
        "eats an apple",
        "searches with a magnifying glass",
    ),
    "beach": ("digs", "fishes", "plays with a ball", "flies a kite", "holds an umbrella"),
    "village": (
        "plays the guitar",
        "holds a balloon",
        "eats an apple",
        "dances",
        "holds an umbrella",
    ),
    "hilltop": ("flies a kite", "reads a book", "sleeps", "holds a balloon", "plays the guitar"),
    "mountain": ("jumps", "digs", "dances", "holds an umbrella", "plays with a ball"),
    "pond": ("fishes", "sleeps", "reads a book", "eats an apple", "holds an umbrella"),
}
_AT = {
    "meadow": "in",
    "forest": "in",
    "beach": "at",
    "village": "in",
    "hilltop": "on",
    "mountain": "on",
    "pond": "at",
}
_COLOURS = ("#e8453c", "#f2a63c", "#8a5bd6", "#2fa3a0", "#ee6f97", "#3f7fd6", "#58a84a")
_WEATHER = {
    "mountain": ("snow",),
    "forest": ("leaves", ""),
    "meadow": ("petals", "", ""),
    "hilltop": ("petals", ""),
    "village": ("", "", "rain"),
    "pond": ("", "", "rain"),
}
_LONG = frozenset({"fishes", "digs", "flies a kite"})  # what they hold would hit a neighbour
_TALL = frozenset(
    {"flies a kite", "holds a balloon", "jumps", "plays with a ball", "cheers", "holds an umbrella"}
)


@dataclass
class _Desk:
    """The state of writing an episode: random numbers, the current scene, the shots so far."""

    rng: Rng
    shots: list[Shot] = field(default_factory=list)
    place: str = "meadow"
    time: str = "day"
    weather: str = ""
    seed: int = 0
    colours: dict[str, str] = field(default_factory=dict)


def _pick(rng: Rng, options: tuple[str, ...] | list[str]) -> str:
    return str(options[int(rng.integers(0, len(options)))])


def _scene(desk: _Desk, place: str, time: str) -> None:
    """Begins a scene; the transition from the last one is decided here."""
    if desk.shots:
        into = str(desk.rng.choice(["dissolve", "fade", "cut"], p=[0.45, 0.4, 0.15]))
        desk.shots[-1] = replace(desk.shots[-1], into=into)
    desk.place, desk.time, desk.seed = place, time, int(desk.rng.integers(1, 1 << 31))
    desk.weather = _pick(desk.rng, list(_WEATHER.get(place, ("",))))
    if time == "night" and place not in INDOORS and place != "mountain":
        desk.weather = "fireflies"
    if desk.weather == "rain" and time != "day":
        desk.weather = ""


def _shot(
    desk: _Desk,
    scale: str,
    cast: list[tuple[str, str]],
    *said: tuple[str, str],
    mood: str = "",
    seconds: float = 0.0,
) -> None:
    """Frames and adds a shot: `cast` is who does what, left to right, `said` who says what."""
    rng = desk.rng
    lines, clock = [], 0.2
    for speaker, text in said:
        long = 0.55 + 0.036 * len(text)
        lines.append(Line(speaker, text, round(clock, 3), round(clock + long, 3)))
        clock += long + 0.12
    lasts = max(seconds, clock + 0.1 if said else float(rng.uniform(1.5, 2.2)))
    lasts = round(min(3.5, max(1.5, lasts)) * 12) / 12
    zoom = {
        "wide": rng.uniform(1.02, 1.28),
        "medium": rng.uniform(1.55, 1.9),
        "close-up": rng.uniform(2.7, 3.5),
    }[scale]
    if scale == "medium" and any(action in _TALL for _, action in cast):
        zoom = float(rng.uniform(1.4, 1.55))
    if len(cast) > 2:
        zoom = min(zoom, float(rng.uniform(1.3, 1.55)))
    gap = {"wide": rng.uniform(98, 150), "medium": rng.uniform(82, 100), "close-up": 70.0}[scale]
    middle = 320 + float(rng.uniform(-170, 170))
    by_water = any(action == "fishes" for _, action in cast)
    level = float(rng.uniform(302, 308) if by_water else rng.uniform(304, 326))
    way = int(rng.choice([-1, 1]))
    actors = []
    for i, (name, action) in enumerate(cast):
        place = i - (len(cast) - 1) / 2
        facing = way
        if len(cast) > 1 and place and not ACTIONS[action].speed:  # they look at each other,
            facing = (1 if place < 0 else -1) * (-1 if action in _LONG else 1)  # rods look outward
        hue = desk.colours.get(action) or desk.colours.setdefault(
            f"{desk.seed} {name} {action}", _pick(rng, list(_COLOURS))
        )  # the same all scene long
        actors.append(
            Actor(
                name,
                action,
                middle + gap * place + float(rng.uniform(-8, 8)),
                level + float(rng.uniform(-7, 7)),
                facing,
                float(rng.uniform(0, 1)),
                hue,
                mood,
            )
        )
    desk.shots.append(
        Shot(
            "story",
            lasts,
            desk.place,
            desk.time,
            scale,
            *_framing(rng, scale, float(zoom), actors, lasts),
            tuple(actors),
            tuple(lines),
            desk.weather,
            desk.seed,
            "dissolve" if rng.random() < 0.05 else "cut",
        )
    )


def _framing(
    rng: Rng, scale: str, zoom: float, actors: list[Actor], seconds: float
) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """Returns where the camera stands for these actors, and how it moves."""
    x = sum(actor.x for actor in actors) / len(actors)
    travel = max(
        (ACTIONS[a.action].speed * CAST[a.name].size * seconds * a.facing for a in actors), key=abs
    )
    if scale == "close-up":
        first = actors[0]
        size = CAST[first.name].size
        return (
            (first.x + 8 * first.facing, first.y - 62 * size, zoom / size**0.75),
            (travel, float(rng.choice([0, 0, 0.07]))),
        )
    room = 60.0 if scale == "wide" else 12.0
    x += float(rng.uniform(-room, room)) + sum(
        22 * a.facing for a in actors if a.action in ("flies a kite", "fishes")
    )
    way = float(rng.choice([-1, 1]))
    move = [(0.0, 0.0), (26 * way, 0.0), (0.0, 0.1 * way)][int(rng.integers(0, 3))]
    if travel:
        move = (travel * (0.85 if scale == "medium" else 0.4), 0.0)
    return (x, 352 - 180 / zoom, zoom), move


def _home(desk: _Desk, hero: str, friend: str, quest: _Quest) -> None:
    rng, thing = desk.rng, quest.thing
    home = _pick(rng, ["kitchen", "bedroom"])
    _scene(desk, _pick(rng, ["village", "meadow", "pond"]), "morning")
    _shot(
        desk,
        "wide",
        [(friend, "walks")],
        (friend, _pick(rng, ["What a lovely morning!", "Good morning, world!"])),
    )
    _scene(desk, home, "morning")
    _shot(desk, "wide", [(hero, "sleeps" if home == "bedroom" else "eats an apple")])
    _shot(desk, "medium", [(friend, "waves"), (hero, "stands")], (friend, f"Good morning, {hero}!"))
    _shot(desk, "close-up", [(hero, "waves")], (hero, f"Hello, {friend}! Come in!"))
    _shot(
        desk,
        "medium",
        [(hero, "searches with a magnifying glass")],
        (hero, f"Where is my {thing}?"),
    )
    _shot(
        desk, "close-up", [(hero, "talks")], (hero, f"My {thing} is gone! {quest.lost}"), mood="sad"
    )
    _shot(
        desk,
        "medium",
        [(hero, "cries"), (friend, "talks")],
        (friend, _pick(rng, [f"Do not cry, {hero}.", f"Oh no, poor {hero}!"])),
    )
    _shot(desk, "close-up", [(friend, "points")], (friend, "I have an idea! Let us look for it!"))
    _shot(
        desk,
        "wide",
        [(hero, "jumps"), (friend, "cheers")],
        (hero, f"Thank you, {friend}! Let us go!"),
    )


def _visit(desk: _Desk, stop: _Stop, party: list[str], quest: _Quest) -> None:
    rng, hero, friend, host, thing = desk.rng, party[0], party[1], stop.host, quest.thing
    hobby = _pick(rng, [hobby for hobby in _HOBBIES[stop.place] if hobby != quest.use])
    _scene(desk, stop.place, stop.time)
    there = f"{_AT[stop.place]} the {stop.place}"
    onward = f"{_AT[stop.following]} the {stop.following}"
    here = [f"Look, {hero}! The {stop.place}!", f"Here we are {there}.", f"Who lives {there}?"]
    _shot(
        desk,
        "wide",
        [(hero, _pick(rng, ["walks", "runs"])), (friend, "walks")],
        (friend, _pick(rng, here)),
    )
    _shot(desk, _pick(rng, ["wide", "medium"]), [(host, hobby)])
    _shot(
        desk,
        "medium",
        [(hero, _pick(rng, ["talks", "waves"])), (host, _pick(rng, ["listens", hobby]))],
        (hero, f"{host}, have you seen my {thing}?"),
    )
    clues = [
        f"No, {hero}. Try the {stop.following}!",
        f"I saw it {onward}!",
        f"I think it is {onward}.",
        f"Yes! It went to the {stop.following}!",
    ]
    _shot(desk, "close-up", [(host, _pick(rng, ["talks", "points"]))], (host, _pick(rng, clues)))
    _pastime(desk, hero, friend, host, quest)
    if rng.random() < 0.25:
        hopes = [f"We will find it, {hero}!", f"Thank you, {host}!", "What a nice day."]
        _shot(
            desk,
            "close-up",
            [(friend, _pick(rng, ["talks", "listens", "cheers"]))],
            (friend, _pick(rng, hopes)),
        )
    leave = rng.random()
    if leave < 0.35:
        _shot(
            desk,
            _pick(rng, ["wide", "medium"]),
            [(friend, "runs"), (hero, "runs")],
            (hero, f"To the {stop.following}!"),
        )
    elif leave < 0.6:
        _shot(desk, _pick(rng, ["wide", "medium"]), [(host, "waves")], (host, "Goodbye!"))


def _pastime(desk: _Desk, hero: str, friend: str, host: str, quest: _Quest) -> None:
    """Writes the shots of what the friends do before they go on."""
    pastimes = ["search", "eat", "dance"] + (["dig"] if quest.use != "digs" else [])
    match _pick(desk.rng, pastimes):
        case "search":
            _shot(
                desk,
                "medium",
                [(friend, "searches with a magnifying glass")],
                (friend, "Not under here."),
            )
        case "dig":
            _shot(
                desk,
                "wide",
                [(hero, "digs"), (friend, "listens")],
                (friend, f"Not here either, {hero}."),
            )
        case "eat":
            _shot(
                desk,
                "medium",
                [(friend, "eats an apple"), (host, "eats an apple")],
                (host, f"Have an apple, {friend}!"),
            )
        case _:
            _shot(
                desk,
                "wide",
                [(host, "dances"), (hero, "dances")],
                (host, f"Dance with me, {hero}!"),
            )


def _found(desk: _Desk, place: str, party: list[str], quest: _Quest) -> None:
    hero, friend, third = party[0], party[1], party[2]
    _scene(desk, place, "sunset")
    _shot(
        desk, "wide", [(hero, "walks"), (friend, "walks")], (friend, f"The sun goes down, {hero}.")
    )
    _shot(
        desk,
        "close-up",
        [(third, "points")],
        (third, f"Look over there! The {quest.thing}!"),
        mood="wide",
    )
    _shot(desk, "medium", [(hero, "runs")], (hero, f"My {quest.thing}! My {quest.thing}!"))
    _shot(desk, "wide", [(hero, quest.use)], (hero, "I am so happy!"))
    _shot(desk, "medium", [(friend, "cheers"), (third, "jumps")], (friend, "Hooray! We did it!"))
    _shot(
        desk,
        "close-up",
        [(hero, "talks")],
        (hero, f"Thank you, {friend}. Thank you, {third}."),
        mood="happy",
    )


def _evening(desk: _Desk, party: list[str], quest: _Quest) -> None:
    rng, hero, friend, third = desk.rng, *party[:3]
    _scene(desk, _pick(rng, ["hilltop", "meadow", "village"]), "night")
    _shot(
        desk,
        "wide",
        [(friend, "plays the guitar"), (hero, "dances"), (third, "dances")],
        (friend, "A song for my friends!"),
    )
    _shot(
        desk,
        "medium",
        [(third, "sits"), (hero, "sits")],
        (third, f"Look at all the stars, {hero}."),
    )
    _scene(desk, "bedroom", "night")
    _shot(
        desk,
        "medium",
        [(friend, "reads a book"), (hero, "sits")],
        (friend, "And they all lived happily."),
    )
    _shot(
        desk,
        "wide",
        [(hero, "sleeps"), (friend, "sleeps")],
        (friend, f"Good night, {hero}."),
        seconds=2.6,
    )


def _story(seed: int, number: int) -> tuple[str, list[Shot]]:
    order = np.random.default_rng([seed, 1]).permutation(len(_QUESTS))
    quest = _QUESTS[int(order[(number - 1) % len(_QUESTS)])]
    rng = np.random.default_rng([seed, 2, number])
    desk = _Desk(
        rng,
        colours={quest.use: "#e8453c" if quest.thing == "balloon" else _pick(rng, list(_COLOURS))},
    )
    hero, friend = ("Pip", "Momo") if rng.random() < 0.65 else ("Momo", "Pip")
    others = [str(name) for name in rng.permutation([n for n in CAST if n not in ("Pip", "Momo")])]
    final = _pick(rng, list(quest.where))
    open_air = [
        str(p) for p in rng.permutation([p for p in _HOBBIES if p not in INDOORS and p != final])
    ]
    way = [*open_air[:4], final]
    _home(desk, hero, friend, quest)
    party = [hero, friend]
    times = ("morning", "day", "day", "sunset" if rng.random() < 0.4 else "day")
    for i, time in enumerate(times):
        company = party if i % 2 == 0 or len(party) < 3 else [hero, party[-1]]
        _visit(desk, _Stop(way[i], time, others[i], way[i + 1]), company, quest)
        if len(party) < 4:
            party = [*party, others[i]]
    _found(desk, final, [hero, friend, party[2]], quest)
    _evening(desk, [hero, friend, party[3]], quest)
    return quest.title, desk.shots


def _intro() -> list[Shot]:
    """Returns the title sequence: the same in every episode of every sample."""
    desk = _Desk(np.random.default_rng(31))
    _scene(desk, "hilltop", "morning")
    _shot(desk, "wide", [("Momo", "walks"), ("Pip", "runs")], seconds=2.0)
    _scene(desk, "pond", "day")
    _shot(desk, "medium", [("Pip", "waves"), ("Momo", "cheers")], seconds=1.75)
    _scene(desk, "meadow", "day")
    crowd = []
    for i, name in enumerate(("Zuzu", "Otto", "Pip", "Momo", "Rosa", "Hugo", "Tilly")):
        action = ("waves", "cheers", "jumps", "waves", "dances", "waves", "cheers")[i]
        crowd.append(
            Actor(
                name,
                action,
                68 + 84 * i,
                318.0 + 10 * (i % 2),
                1 if i < 4 else -1,
                0.37 * i % 1,
                "#e8453c",
            )
        )
    logo = Shot(
        "intro",
        3.0,
        "meadow",
        "day",
        "wide",
        (320, 178, 1.0),
        (0.0, 0.0),
        tuple(crowd),
        weather="petals",
        seed=desk.seed,
        text=(SERIES,),
    )
    return [*(replace(shot, kind="intro", weather="", into="cut") for shot in desk.shots), logo]


def _title(title: str, first: Shot, number: int) -> Shot:
    hero = replace(first.actors[0], action="waves", x=430.0, y=326.0, facing=-1)
    return Shot(
        "title",
        2.5,
        "meadow",
        "morning",
        "medium",
        (320, 236, 1.45),
        (0.0, 0.06),
        (hero,),
        seed=first.seed + number,
        text=(title, f"Episode {number}"),
        into="fade",
    )


def _credits(title: str) -> Shot:
    text = (
        "The End",
        "",
        SERIES,
        f"\u201c{title}\u201d",
        "",
        "Starring",
        *CAST,
        "",
        "Written, drawn and animated",
        "by a few lines of Python",
        "",
        "Music",
        "A small music box",
        "",
        "StoryStream",
        "CC0 1.0",
    )
    return Shot(
        "credits", 6.5, "hilltop", "night", "wide", (320, 180, 1.0), (0.0, 0.0), (), text=text
    )


def write(seed: int, number: int, shots: int | None = None) -> Episode:
    """Writes episode `number` (from 1) of a series: intro, title card, story, credits.

    `shots` keeps only so many story shots from the beginning; a whole story has 38 to 45.
    """
    title, story = _story(seed, number)
    story = story[:shots]
    story[-1] = replace(story[-1], into="fade")
    return Episode(title, (*_intro(), _title(title, story[0], number), *story, _credits(title)))
