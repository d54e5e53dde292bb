"""Does a picture show what its text says? By towers that were trained on pictures with texts.

`clip_score` says how well each goes with its own text, `nearest` whether it goes better with that
than with the other texts of its story. The second is the one to trust where towers are weak: what
all pictures of a film share raises every cosine, and tells nothing of this picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import statistics
from benchmarks.metrics import embeddings
from benchmarks.metrics.embeddings import Towers
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.stories import Story

Floats = NDArray[np.floating]

CHANCE = Column("chance", unit="%", digits=1)


def cosines(seen: Floats, said: Floats) -> Floats:
    """Of pictures' features [n, width] with those of their texts [n, width], of length 1: [n]."""
    return (np.asarray(seen, np.float64) * said).sum(1)


def clip_score(seen: Floats, said: Floats) -> Floats:
    """CLIPScore of each picture with its text: 2.5 * max(cosine, 0), [n].

    Comparable only between figures of the same towers. It counts words rather than their order or
    number, it cannot read what a story calls somebody whom the towers have never seen, and texts
    beyond the towers' length are cut.

    Source: Hessel et al. 2021 (arXiv 2104.08718).
    """
    return 2.5 * np.maximum(cosines(seen, said), 0)


def nearest(seen: Floats, said: Floats) -> Floats:
    """1 for each picture of a story whose own text is, of the story's, the nearest to it, else 0.

    Where several texts are equally near, they share: a story that says one thing again and again
    gets what chance gets, 1 / n. Recall at 1, from picture to text.
    """
    likeness = np.asarray(seen, np.float64) @ np.asarray(said, np.float64).T
    first = np.isclose(likeness, likeness.max(1, keepdims=True), rtol=0, atol=1e-6)
    return np.diag(first) / first.sum(1)


def tables(
    stories: Mapping[str, Sequence[Story]],
    towers: Sequence[Towers],
    size: int,
    seed: int = 0,
    cache: str | Path | None = None,
) -> list[Table]:
    """Each generator's pictures with its own texts, by all of the towers.

    The first picture and text of a story are given and count nowhere. Pictures are squashed to
    `size` pixels first.
    """
    cells: dict[str, dict[str, Cell]] = {name: {} for name in stories}
    for pair in towers:
        known = embeddings.by_path(
            pair.pictures,
            ([path for one in row for path in one.images[1:]] for row in stories.values()),
            size,
            cache,
        )
        for name, row in stories.items():
            found = [_measured(one, pair, known) for one in row if len(one.images) > 1]
            for at, column in enumerate(_columns(pair)):
                values = np.concatenate([one[at] for one in found]) if found else np.zeros(0)
                cells[name][column.name] = statistics.mean(values.tolist(), _groups(row), seed)
    for name, row in stories.items():
        chances = [1 / (len(one.images) - 1) for one in row for _ in one.images[1:]]
        cells[name][CHANCE.name] = Figure(
            float(np.mean(chances)) if chances else None, len(chances)
        )
    return [
        Table(
            "image-text",
            "Pictures and their texts",
            "generator",
            (*(column for pair in towers for column in _columns(pair)), CHANCE),
            cells,
            _text(towers),
            {
                "pixels": size,
                "seed": seed,
                "interval": "95 %, a bootstrap over stories",
                **{one.pictures.name: f"weights {one.pictures.version}" for one in towers},
            },
        )
    ]


def _groups(row: Sequence[Story]) -> list[str]:
    return [one.id for one in row for _ in one.images[1:]]


def _measured(
    story: Story, pair: Towers, known: Mapping[str, Floats]
) -> tuple[Floats, Floats, Floats]:
    seen = np.stack([known[path] for path in story.images[1:]])
    said = pair.texts(story.texts[1:])
    return clip_score(seen, said), cosines(seen, said), nearest(seen, said)


def _columns(pair: Towers) -> tuple[Column, Column, Column]:
    name = pair.pictures.name
    score = "CLIPScore" if pair.pictures.kind == "clip" else "CLIPScore's formula"
    return (
        Column(f"{score} ({name})", "higher"),
        Column(f"cosine ({name})", "higher"),
        Column(f"own text is the nearest ({name})", "higher", "%", 1),
    )


def _text(towers: Sequence[Towers]) -> str:
    said = (
        "How well pictures go with their own texts, by the cosine of features, and how often a "
        "picture goes better with its own text than with the others of its story. The latter "
        "has a chance level and is the one to look at: cosines of towers that know a film's "
        "style are high for any two of its pictures and texts. A generator is measured with "
        "the texts that it tells, so a dull text that fits every picture does well in the "
        "cosine, and at chance in the other."
    )
    if any(one.pictures.kind == "towers" for one in towers):
        said += (
            "\n\nThe sample-trained towers are no CLIP: they know the words and faces of the "
            "training films alone, and a story model that was trained on their features is at "
            "an advantage with them."
        )
    return said
