"""Reads tales: texts of good stories for the pictures of a film, in many styles and languages.

A file holds the film's `captions`, its `characters` and its `tales`, each with a text for every
caption: in `tales/` beside this module. Those of `held_out.json` are not to be looked at while the
checks are worked on. All are free to use (CC0).
"""

from __future__ import annotations

import dataclasses
import json
from importlib import resources

from schemas.rows import Caption, Character, Keyframe


@dataclasses.dataclass(frozen=True)
class Tale:
    """A good story: a text for each of a film's pictures."""

    style: str
    language: str
    held_out: bool
    texts: list[str]
    frames: list[tuple[Keyframe, Caption]]
    characters: list[Character]


def read_tales() -> list[Tale]:
    """Reads all tales, those of `held_out.json` last."""
    files = sorted(
        (file for file in resources.files(__package__).joinpath("tales").iterdir()),
        key=lambda file: (file.name == "held_out.json", file.name),
    )
    tales = []
    for file in files:
        film = json.loads(file.read_text(encoding="utf-8"))
        frames = [_frame(number, caption) for number, caption in enumerate(film["captions"])]
        cast = [Character(series="film", source="given", **entry) for entry in film["characters"]]
        held_out = file.name == "held_out.json"
        tales += [
            Tale(style, tale["language"], held_out, tale["texts"], frames, cast)
            for style, tale in film["tales"].items()
        ]
    return tales


def _frame(number: int, caption: dict[str, object]) -> tuple[Keyframe, Caption]:
    key = f"film_keyframe_{number:02d}"
    keyframe = Keyframe(
        key, "film", "film", f"{key}.jpg", float(number), number, float(number), number + 1.0,
        640, 360, [0, 0, 640, 360], 0, "", "", 0.0, 0.0, [0.0, 0.0], [0.0, 0.0],
    )  # fmt: skip
    return keyframe, Caption(keyframe=key, video="film", model="given", **caption)  # type: ignore[arg-type]
