"""Reads the embedded captioner's captions back as facts, for the embedded writer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

# What follows the facts of the picture in a caption's sentence, or comes before them.
_SPEECH = re.compile(r', and [^",]+ (?:says, ".*"|speaks)\.?$')
_READ = re.compile(r'^The words ".*" are on the screen while ')
_CAMERA = re.compile(r" while the camera moves .*$")
_LIGHT = re.compile(r",(?: in \w+(?:, \w+)? light| and it is dark)$")

_AMID = r"with (?P<colours>.+) around it"
_SIDE = r"(?P<side>(?:on|in) the \w+)"
_WAY = r"(?:quickly )?(?:to the \w+|up|down)"
_MOVES = r"moves?"
_AROUND = rf",?(?: (?:{_AMID}|(?:on|under) .+))?"
_SENTENCES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"A close-up shows (?P<who>.+?){_AROUND}",
        rf"In a close-up, (?P<who>.+?) {_MOVES} {_WAY}{_AROUND}",
        rf"{_SIDE} of the picture, (?P<who>.+?) {_MOVES} {_WAY}{_AROUND}",
        rf"(?P<who>.+?) (?:is|are) {_SIDE} of the picture{_AROUND}",
        rf"(?P<who>.+?) are together{_AROUND}",
        rf"(?P<who>.+?) is seen {_AMID}",
        r"(?P<ground>.+) lies under (?P<sky>.+)",
        r"Most of the picture is filled with (?P<colours>.+)",
        r"(?P<words>Words) are written in front of (?P<colours>.+)",
    )
]
_LISTED = re.compile(r", | and ")
_PLACE = re.compile(r"(?:on (?P<ground>.+?))? ?(?:under an? (?P<sky>.+))?")


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a picture shows, as far as a story tells it; "" for what was not seen."""

    who: str = ""  # "grey animal", "something orange", "Pip and Momo"
    names: tuple[str, ...] = ()  # of the characters that `who` says, from the left to the right
    side: str = ""  # "on the left"
    motion: str = ""  # "to the left", "quickly up"
    ground: str = ""  # "green grass"
    sky: str = ""  # "light blue sky"
    colours: str = ""  # "green and brown"
    light: str = ""  # "bright and warm"
    close: bool = False  # the picture is a close-up
    pans: bool = False  # the camera moves
    lettering: bool = False  # the picture is of words


def read(caption: dict[str, Any]) -> Scene | None:
    """Returns the facts of a caption, None for one that the embedded captioner has not written."""
    text = bare(caption)
    match = next(filter(None, (pattern.fullmatch(text) for pattern in _SENTENCES)), None)
    place = _PLACE.fullmatch(caption["place"])
    if match is None or place is None:
        return None
    seen = {name: value or "" for name, value in match.groupdict().items()}
    names = _names(seen.get("who", ""), caption["characters"])
    who = re.sub(r"^an? ", "", seen.get("who", "").casefold())
    if who and not names and who not in (thing.casefold() for thing in caption["objects"]):
        return None
    return Scene(
        who=" and ".join(sorted(names)) or who,
        names=names,
        side=seen.get("side", "").casefold(),
        motion=caption["action"].removeprefix("moves ") if who else "",
        ground=place["ground"] or "",
        sky=place["sky"] or "",
        colours=seen.get("colours", ""),
        light=caption["mood"],
        close=caption["camera"].startswith("close-up"),
        pans="camera moves" in caption["camera"],
        lettering="words" in seen,
    )


def _names(who: str, characters: Sequence[str]) -> tuple[str, ...]:
    """Returns the characters of a caption that a text lists, none where it lists others too."""
    called = {name.casefold(): name for name in characters}
    listed = [re.sub(r"^an? ", "", name.casefold()) for name in _LISTED.split(who) if name]
    return tuple(called[name] for name in listed) if all(name in called for name in listed) else ()


def bare(caption: dict[str, Any]) -> str:
    """Returns a caption's sentence without dialogue, text on the screen, motion and light."""
    text = " ".join(caption["sentence"].split())
    text = _READ.sub("", _SPEECH.sub("", text).rstrip(".!? "))
    return _LIGHT.sub("", _CAMERA.sub("", text))
