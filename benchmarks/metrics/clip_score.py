"""CLIPScore: whether pictures match their texts, by an image and a text encoder.

`clip_score` measures how well each picture matches its own text, `recall_of_own_text` whether it
matches that better than the other texts of its story. The second is more reliable with weak
encoders: what all pictures of a film share raises every cosine without saying anything of one
picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.array_types import Floats
from benchmarks.metrics import feature_cache
from benchmarks.metrics.encoders import DualEncoder
from benchmarks.results import confidence_intervals
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.stories import Story

CHANCE = Column("chance", unit="%", digits=1)


def cosines(seen: Floats, said: Floats) -> Floats:
    """Computes the cosines of features of pictures [n, width] with those of their texts [n, width],
    both of length 1: [n]."""
    return (np.asarray(seen, np.float64) * said).sum(1)


def clip_score(seen: Floats, said: Floats) -> Floats:
    """Computes the CLIPScore of each picture with its text: 2.5 * max(cosine, 0), [n].

    Comparable only between figures of the same encoders. It captures words rather than their order
    or number, does not know names that the encoders were not trained on, and texts beyond the
    encoder's length are cut.

    Source: Hessel et al. 2021 (arXiv 2104.08718).
    """
    return 2.5 * np.maximum(cosines(seen, said), 0)


def recall_of_own_text(seen: Floats, said: Floats) -> Floats:
    """Computes recall at 1 from picture to text within a story: 1 where the own text is nearest,
    else 0.

    Texts that are equally near share the hit: a story that repeats one text gets chance, 1 / n.
    """
    likeness = np.asarray(seen, np.float64) @ np.asarray(said, np.float64).T
    first = np.isclose(likeness, likeness.max(1, keepdims=True), rtol=0, atol=1e-6)
    return np.diag(first) / first.sum(1)


def tables(
    stories: Mapping[str, Sequence[Story]],
    encoders: Sequence[DualEncoder],
    size: int,
    seed: int = 0,
    cache: str | Path | None = None,
) -> list[Table]:
    """Makes the table of each generator's pictures with its own texts, by each pair of encoders.

    The first picture and text of a story are given and are not scored. Pictures are squashed to
    `size` pixels first.
    """
    cells: dict[str, dict[str, Cell]] = {name: {} for name in stories}
    for pair in encoders:
        known = feature_cache.features_by_path(
            pair.pictures,
            ([path for story in row for path in story.images[1:]] for row in stories.values()),
            size,
            cache,
        )
        for name, row in stories.items():
            found = [_measure_story(story, pair, known) for story in row if len(story.images) > 1]
            for at, column in enumerate(_columns(pair)):
                values = (
                    np.concatenate([measures[at] for measures in found]) if found else np.zeros(0)
                )
                cells[name][column.name] = confidence_intervals.bootstrap_mean(
                    values.tolist(), _story_ids(row), seed
                )
    for name, row in stories.items():
        chances = [1 / (len(story.images) - 1) for story in row for _ in story.images[1:]]
        cells[name][CHANCE.name] = Figure(
            float(np.mean(chances)) if chances else None, len(chances)
        )
    return [
        Table(
            "clip-score",
            "Pictures and their texts",
            "generator",
            (*(column for pair in encoders for column in _columns(pair)), CHANCE),
            cells,
            _description(encoders),
            {
                "pixels": size,
                "seed": seed,
                "interval": "95 %, a bootstrap over stories",
                **{pair.pictures.name: f"weights {pair.pictures.version}" for pair in encoders},
            },
        )
    ]


def _story_ids(row: Sequence[Story]) -> list[str]:
    return [story.id for story in row for _ in story.images[1:]]


def _measure_story(
    story: Story, pair: DualEncoder, known: Mapping[str, Floats]
) -> tuple[Floats, Floats, Floats]:
    seen = np.stack([known[path] for path in story.images[1:]])
    said = pair.texts(story.texts[1:])
    return clip_score(seen, said), cosines(seen, said), recall_of_own_text(seen, said)


def _columns(pair: DualEncoder) -> tuple[Column, Column, Column]:
    name = pair.pictures.name
    score = "CLIPScore" if pair.pictures.kind == "clip" else "CLIPScore's formula"
    return (
        Column(f"{score} ({name})", "higher"),
        Column(f"cosine ({name})", "higher"),
        Column(f"recall@1 of own text ({name})", "higher", "%", 1),
    )


def _description(encoders: Sequence[DualEncoder]) -> str:
    said = (
        "How well pictures match their own texts, by the cosine of features, and how often a "
        "picture matches its own text better than the others of its story (recall@1). The "
        "latter has a chance level and is the more reliable: with encoders that know a film's "
        "style, cosines are high for any two of its pictures and texts. A generator is measured "
        "with its own texts, so a generic text that fits every picture has a high cosine and a "
        "recall at chance."
    )
    if any(pair.pictures.kind == "sample-trained" for pair in encoders):
        said += (
            "\n\nThe sample-trained encoders are not a CLIP: they know the words and faces of the "
            "training films only, and a story model that was trained on their features has an "
            "advantage with them."
        )
    return said
