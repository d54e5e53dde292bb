"""A small music box for the sample cartoon: one quiet voice that wanders over five notes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

RATE = 24000
_NOTES = (261.6, 293.7, 329.6, 392.0, 440.0, 523.3, 587.3, 659.3)


def _melody(seconds: float, seed: int) -> np.ndarray:
    """Composes the tune as float32 [samples], never louder than about a fifth of full scale."""
    rng = np.random.default_rng([seed, 77])
    beat, ring = 0.26, 1.1
    sound = np.zeros(int((seconds + 2) * RATE), np.float32)
    t = np.arange(int(ring * RATE)) / RATE
    fade = np.exp(-3.6 * t)
    tones = [fade * (np.sin(2 * np.pi * f * t) + 0.3 * np.sin(6 * np.pi * f * t)) for f in _NOTES]
    place = 3
    for step in range(int(seconds / beat)):
        if rng.random() < (0.9 if step % 4 == 0 else 0.55):
            place = int(np.clip(place + rng.integers(-2, 3), 0, len(_NOTES) - 1))
            at = int(step * beat * RATE)
            sound[at : at + len(t)] += 0.07 * tones[place]
            if step % 8 == 0:
                sound[at : at + len(t)] += 0.06 * tones[place % 4]
    return sound[: int(seconds * RATE)]


def tune(seconds: float, seed: int) -> Iterator[av.AudioFrame]:
    """Yields the tune in frames of 1024 samples, for an AAC encoder of 24 kHz mono."""
    sound = _melody(seconds, seed)
    for at in range(0, len(sound), 1024):
        frame = av.AudioFrame.from_ndarray(
            sound[None, at : at + 1024].copy(), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        yield frame
