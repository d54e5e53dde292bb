"""Reads tales: texts of good stories for the pictures of a film, in many styles and languages.

A file of `films/` holds the film's `captions`, its `characters`, the places that are `here`, and
its `tales`: a text for every caption, the forms that characters' `names` have in them and, if it
has its own, the `phrases` of its corruptions. Films that are `held_out` are not to be looked at
while the checks are worked on. All are free to use (CC0).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import yaml

from schemas.rows import Caption, Character, Keyframe


@dataclasses.dataclass(frozen=True)
class Tale:
    """A good story: a text for each of a film's pictures."""

    film: str
    style: str
    language: str
    held_out: bool
    texts: list[str]
    names: Mapping[str, Sequence[str]]  # the forms of two characters' names in the texts
    frames: list[tuple[Keyframe, Caption]]
    characters: list[Character]
    here: Sequence[str]  # places that are no other place
    phrases: Mapping[str, Any]  # for corruptions; those of the language if empty


def read_tales() -> list[Tale]:
    """Reads all tales."""
    files = resources.files(__package__).joinpath("films").iterdir()
    return [
        tale
        for file in sorted(files, key=lambda file: file.name)
        for tale in _film(file.name.removesuffix(".yaml"), yaml.safe_load(file.read_bytes()))
    ]


def _film(name: str, film: dict[str, Any]) -> list[Tale]:
    frames = [_frame(number, caption) for number, caption in enumerate(film["captions"])]
    cast = [Character(series="film", source="given", **entry) for entry in film["characters"]]
    return [
        Tale(
            name,
            style,
            tale["language"],
            film.get("held_out", False),
            tale["texts"].splitlines(),
            tale["names"],
            frames,
            cast,
            film["here"],
            tale.get("phrases", {}),
        )
        for style, tale in film["tales"].items()
    ]


def _frame(number: int, caption: dict[str, Any]) -> tuple[Keyframe, Caption]:
    key = f"film_keyframe_{number:02d}"
    keyframe = Keyframe(
        key, "film", "film", f"{key}.jpg", float(number), number, float(number), number + 1.0,
        640, 360, [0, 0, 640, 360], 0, "", "", 0.0, 0.0, [0.0, 0.0], [0.0, 0.0],
    )  # fmt: skip
    return keyframe, Caption(keyframe=key, video="film", model="given", **caption)
