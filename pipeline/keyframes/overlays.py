"""Overlays: text that stays in one place through a film, such as a channel's logo or a clock.

It is not of the pictures, so it makes none of them a title card and is no part of their text.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.keyframes.ocr import Line, ScreenText
from pipeline.keyframes.title_cards import is_card

_TOLERANCE = 0.02  # shares of the image by which the sides of a line may move
_SHARE = 0.2  # of the images have the same text at the place,
_PLACE_SHARE = 0.4  # or any text that fills the same place, as a clock or an unknown script does
_LEAST = 3  # images
_ALIKE = 0.6  # similarity of two readings of the same text


def without_overlays(screens: Sequence[ScreenText]) -> list[ScreenText]:
    """Returns the text on each of a film's images without its overlays.

    Images that show nothing but text do not count: a card may come back as it is.
    """
    pictures = [(number, screen) for number, screen in enumerate(screens) if not is_card(screen)]
    images = len(pictures)
    lines = [(number, line) for number, screen in pictures for line in screen.lines]
    if images < _LEAST or not lines:
        return list(screens)
    owners = np.array([number for number, _ in lines])
    sides = np.array([_sides(line) for _, line in lines])
    found = []
    for _, line in lines:
        same_place = np.abs(sides - _sides(line)).max(axis=1) <= _TOLERANCE
        same_text = [
            at for at in np.flatnonzero(same_place) if _alike(line.text, lines[at][1].text)
        ]
        if len(np.unique(owners[same_text])) >= max(_LEAST, _SHARE * images) or len(
            np.unique(owners[same_place])
        ) >= max(_LEAST + 1, _PLACE_SHARE * images):
            found.append(_sides(line))
    if not found:
        return list(screens)
    places = np.unique(np.array(found), axis=0)
    return [
        dataclasses.replace(
            screen, lines=[line for line in screen.lines if not _within(line, places)]
        )
        for screen in screens
    ]


def _sides(line: Line) -> NDArray[np.float64]:
    """Returns the left, top, right and bottom side of a line."""
    half = np.array([line.width, line.height]) / 2
    centre = np.array([line.x, line.y])
    return np.concatenate([centre - half, centre + half])


def _within(line: Line, places: NDArray[np.float64]) -> bool:
    """Whether a line lies in one of the places, as an overlay that is read in part does."""
    left, top, right, bottom = _sides(line)
    return bool(
        (
            (left >= places[:, 0] - _TOLERANCE)
            & (top >= places[:, 1] - _TOLERANCE)
            & (right <= places[:, 2] + _TOLERANCE)
            & (bottom <= places[:, 3] + _TOLERANCE)
        ).any()
    )


@functools.lru_cache(maxsize=1 << 16)
def _alike(text: str, other: str) -> bool:
    """Whether two readings are of the same text; the figures of a clock may differ."""
    one, two = (
        "".join("0" if sign.isdigit() else sign for sign in each.casefold() if sign.isalnum())
        for each in (text, other)
    )
    return one == two or difflib.SequenceMatcher(None, one, two).ratio() >= _ALIKE
