"""Texts of stories for tests."""

from __future__ import annotations

import numpy as np

from benchmarks.stories import Story
from schemas.rows import Caption, Character

CAST = [Character("Pip", name, "", "", [], "given") for name in ("Pip", "Momo", "Mr. Quint")]


TOLD = (
    "Pip wakes up in the morning.",
    "Pip runs out of the house.",
    "Pip meets Momo at the gate.",
    "Momo has lost a red ball.",
    "Momo looks under the bench.",
    "Quint finds it in his hat.",
    "Mr. Quint laughs.",
    "Mr. Quint throws the ball up high.",
)


def story(name, told):
    return Story(name, tuple(told), tuple(f"{name}_{at}.jpg" for at in range(len(told))))


def shuffled(told, seed):
    return [
        told[0],
        *(told[at] for at in 1 + np.random.default_rng(seed).permutation(len(told) - 1)),
    ]


def caption(name, characters, action, sentence):
    return Caption(name, "v", characters, "", action, "", [], "", sentence, "m")
