"""Copies: finds films that show the same, in another container, resolution, cut or folder.

Most of the middle of the shorter one is in the longer one, at the same distance in time. Episodes
have no more than their ends in common, and sets that come back now and then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.keyframes.near_duplicates import distances, max_distance

COPY = "copy"  # the reason of the rejects

_LIKENESS = 0.72  # of two frames of a shot, in other encodings and crops
_SHARE = 0.5  # of the shorter film's middle that is in the longer one
_SAMPLES = 12  # of its frames are looked for in all films; the rest only where these are found
_SAMPLE_SHARE = 0.3
_QUARTER = 24  # bits of the first 64 that differ at most: unrelated frames have 32, copies 18
_LEAST = 4  # frames at one distance; films with fewer tell too little
_PIECE = 0.1  # of its middle that lies at one distance in time from the same in the longer one
_SECONDS = 2.0  # between the frames that two encodings give for a shot
_SPEED = 0.06  # films for television run up to so much faster
_AS_LONG = 0.9  # of the longest copy: of those as long, the one with the largest picture is kept


@dataclasses.dataclass(frozen=True)
class Pictures:
    """What is compared of a film: its keyframes, and what tells which copy is the best."""

    video: str
    pixels: int  # of a keyframe, bars aside
    duration: float  # seconds
    bytes: int
    times: NDArray[np.float64]  # of its keyframes
    words: NDArray[np.uint64]  # [n, 4], their perceptual hashes
    edge: float  # seconds at either end that many films of a series may share


def find_copies(films: Sequence[Pictures]) -> dict[str, str]:
    """Finds films that show the same as a better one: id -> id of that one.

    The best is the one with the largest picture of those about as long as the longest.
    """
    films = sorted(films, key=lambda film: film.video)
    root = list(range(len(films)))

    def top(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for number, other in _likely(films):
        if top(number) != top(other) and _same(films[number], films[other]):
            root[top(other)] = top(number)
    copies = {}
    for group in {top(number) for number in range(len(films))}:
        members = [film for number, film in enumerate(films) if top(number) == group]
        longest = max(film.duration for film in members)
        best = max(
            members,
            key=lambda film: (
                film.duration >= _AS_LONG * longest,
                film.pixels,
                film.duration,
                film.bytes,
                film.video,
            ),
        )
        copies.update({film.video: best.video for film in members if film is not best})
    return dict(sorted(copies.items()))


def _middle(film: Pictures) -> NDArray[np.int64]:
    """Returns which keyframes of a film do not lie at its ends; all where there are too few."""
    inside = np.flatnonzero((film.times >= film.edge) & (film.times <= film.duration - film.edge))
    return inside if len(inside) >= _LEAST else np.arange(len(film.times))


def _likely(films: Sequence[Pictures]) -> list[tuple[int, int]]:
    """Returns pairs of films, each in order of their numbers, that have some frames in common."""
    words = np.concatenate([film.words for film in films] or [np.zeros((0, 4), np.uint64)])
    owner = np.repeat(np.arange(len(films)), [len(film.times) for film in films])
    pairs = set()
    for number, film in enumerate(films):
        middle = _middle(film)
        if not len(middle):
            continue
        places = np.unique(np.linspace(0, len(middle) - 1, _SAMPLES).round().astype(int))
        hits = np.zeros(len(films), int)
        for index in middle[places]:
            word = film.words[index]
            quarter = np.bitwise_count(words[:, 0] ^ word[0])
            some = np.flatnonzero(quarter <= _QUARTER)
            near = some[distances(words[some], word) <= max_distance(_LIKENESS)]
            hits[np.unique(owner[near])] += 1
        for other in np.flatnonzero(hits >= _SAMPLE_SHARE * len(places)):
            if other != number:
                pairs.add((min(number, int(other)), max(number, int(other))))
    return sorted(pairs)


def _same(film: Pictures, other: Pictures) -> bool:
    """Returns whether two films show the same."""
    short, long = sorted((film, other), key=lambda each: (each.duration, each.video))
    middle = _middle(short)
    ratio = long.duration / short.duration if short.duration else 0.0
    if len(middle) < _LEAST:
        return False
    apart_by = distances(short.words[middle, None], long.words)
    twins = apart_by.argmin(axis=1)  # the best alone: what is like many frames tells nothing
    alike = apart_by.min(axis=1) <= max_distance(_LIKENESS)
    # Where scenes were cut out, there are several distances in time, each of many frames.
    least = max(_LEAST, _PIECE * len(middle))
    for speed in (1.0, ratio) if 1 < ratio <= 1 + _SPEED else (1.0,):
        later = long.times[twins[alike]] - speed * short.times[middle[alike]]
        together = np.abs(later[:, None] - later) <= _SECONDS
        if (together.sum(axis=1) >= least).sum() >= _SHARE * len(middle):
            return True
    return False
