"""The lettering of the sample cartoon: the logo of the intro, the title card, the credits."""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.sample.film import Picture
from pipeline.sample.pen import HEIGHT, WIDTH, Canvas, lettering, overlay, stamp, view
from pipeline.sample.script import SERIES, Shot

_HUES = ("#ff6b4a", "#ffc93c", "#5cc86a", "#4fb3f0", "#b07be8", "#ff7fae")
_INK = "#3a1f4d"


def _bounce(frame: Canvas, text: str, x: float, y: float, size: float, t: float) -> None:
    """Draws letters in many colours that hop into place one after the other and then sway."""
    pictures = [
        lettering(letter, size, _HUES[i % len(_HUES)], _INK, size / 9) if letter != " " else None
        for i, letter in enumerate(text)
    ]
    steps = [size * 0.36 if p is None else p.shape[1] - size * 0.24 for p in pictures]
    at = x - sum(steps) / 2
    for i, (picture, step) in enumerate(zip(pictures, steps, strict=True)):
        age = t - 0.07 * i
        if picture is not None and age > 0:
            grown = 1 - math.exp(-5 * age) * math.cos(9 * age)
            low = (
                size * 0.16
                if text[i] in "pqgy"
                else -size * 0.08
                if text[i].isupper() or text[i] in "dlkbht"
                else 0.0
            )
            stamp(
                frame,
                picture,
                at + step / 2,
                y + low + 2.6 * math.sin(3 * t + 0.8 * i) + 40 * (1 - grown),
                5 * math.sin(2.2 * t + i),
                max(0.05, grown),
            )
        at += step


def logo(shot: Shot, picture: Picture) -> Picture:
    """Draws the shot of the intro that shows the name of the series."""

    def drawn(t: float) -> Canvas:
        frame = picture(t).copy()
        _bounce(frame, shot.text[0], WIDTH / 2, 92, 62, t - 0.15)
        return frame

    return drawn


def title_card(shot: Shot, picture: Picture) -> Picture:
    """Draws the episode's title beside a waving hero, on the softened place."""
    title, number = shot.text
    dark = np.linspace(0.62, 0.0, WIDTH)[None, :, None] * np.array([52, 28, 78, 255])
    veil = np.repeat(np.rint(dark).astype(np.uint8), HEIGHT, axis=0)

    def drawn(t: float) -> Canvas:
        frame = picture(t).copy()
        overlay(frame, veil)
        rise = 1 - math.exp(-6 * t)
        words = title.rsplit(" ", 1)
        for i, line in enumerate(words):
            word = lettering(line, 44 if len(line) < 12 else 36, "#fff6dc", _INK, 5)
            stamp(
                frame,
                word,
                36 + word.shape[1] / 2,
                140 + 58 * i + 30 * (1 - rise),
                -2,
                1.0,
                min(1.0, 5 * t),
            )
        small = lettering(number, 19, "#ffd76a", _INK, 3)
        stamp(frame, small, 42 + small.shape[1] / 2, 90, -2, 1.0, min(1.0, 4 * t))
        return frame

    return drawn


def credits_card(shot: Shot) -> Picture:
    """Draws the credits, scrolling up a starry sky."""
    sky = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pen = view(sky, WIDTH / 2, HEIGHT / 2, 1.0)
    pen.gradient([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], "#141a4a", "#433a86")
    rng = np.random.default_rng(3)
    for x, y, r in zip(
        rng.uniform(0, WIDTH, 90),
        rng.uniform(0, HEIGHT, 90),
        rng.choice([0.6, 1.0, 1.5], 90),
        strict=True,
    ):
        pen.oval(x, y, r, r, "#c9ccff")
    sky = cv2.GaussianBlur(sky, (0, 0), 0.6)
    bold = {"The End": 40, SERIES: 30, "StoryStream": 30}
    height = sum(bold.get(line, 17) + 14 for line in shot.text)

    def drawn(t: float) -> Canvas:
        frame = sky.copy()
        y = HEIGHT * 0.42 - (height - HEIGHT * 0.62) * max(0.0, t - 0.6) / (shot.seconds - 0.9)
        for line in shot.text:
            size = bold.get(line, 17)
            if line and -40 < y < HEIGHT + 40:
                word = lettering(line, size, "#ffd76a" if line in bold else "#f4f1ff", _INK, 3)
                stamp(frame, word, WIDTH / 2, y)
            y += size + 14
        return frame

    return drawn
