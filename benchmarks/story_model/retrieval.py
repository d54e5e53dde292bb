"""Recall@1 of the true picture's features among those of other keyframes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.array_types import Floats
from benchmarks.attributes.labels import Labels

CANDIDATES = 32  # keyframes that the true one is looked for among


def draw_candidates(
    true: Labels, previous: str, known: Iterable[Labels], dice: np.random.Generator
) -> list[str]:
    """Draws up to 31 keyframes of other shots of the true one's episode, without the previous
    picture.

    The previous picture would always be the answer of the baseline that nothing changes.
    """
    others = [
        label.image
        for label in known
        if label.video == true.video and label.shot != true.shot and label.image != previous
    ]
    some = dice.permutation(len(others))[: CANDIDATES - 1]
    return [others[i] for i in sorted(some)]


def mean_token_cosine(features: Floats, other: Floats) -> Floats:
    """Computes the mean over tokens of their cosine: [..., tokens, width] twice to [...]."""
    lengths = np.linalg.norm(features, axis=-1) * np.linalg.norm(other, axis=-1)
    return ((features * other).sum(-1) / np.maximum(lengths, 1e-12)).mean(-1)


def recall_at_1(guess: Floats, true: Floats, others: Floats) -> float:
    """Returns 1 where the true features [tokens, width] are nearer to the prediction than all
    others [k, tokens, width], 0 where another is, and the share of a draw where several are equally
    near."""
    near = mean_token_cosine(guess[None], np.concatenate([true[None], others]))
    first = np.isclose(near, near.max(), rtol=0, atol=1e-7)
    return float(first[0]) / int(first.sum())
