"""Scores the attribute classifier's answers, and the majority baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.array_types import Flags, Pictures
from benchmarks.attributes.classifier import AttributeClassifier
from benchmarks.attributes.labels import CLASSES, Labels


def correct_answers(
    classifier: AttributeClassifier, seen: Pictures, true: Sequence[Labels]
) -> dict[str, Flags]:
    """Returns by attribute whether each of the pictures [n] is classified as its label says.

    "there" is whether the one that is read as the main character is at least somebody there.
    """
    said = {
        name: [CLASSES[name][i] for i in found.argmax(1)]
        for name, found in classifier.predict(seen).items()
    }
    return _compare(said, true)


def majority_baseline(true: Sequence[Labels]) -> dict[str, Flags]:
    """Returns the same of the majority baseline: the constant answers that are correct most
    often."""
    said = {name: Counter(getattr(label, name) for label in true) for name in CLASSES}
    there = Counter(name for label in true for name in label.characters)
    found = _compare(
        {name: _most_common(counts) * len(true) for name, counts in said.items()}, true
    )
    often = _most_common(there)
    return {**found, "there": np.array([often[0] in label.characters for label in true], bool)}


def _most_common(counts: Counter[Any]) -> list[Any]:
    return [answer for answer, _ in counts.most_common(1)]


def _compare(said: Mapping[str, Sequence[Any]], true: Sequence[Labels]) -> dict[str, Flags]:
    found = {
        name: np.array(
            [answer == getattr(label, name) for answer, label in zip(answers, true, strict=True)],
            bool,
        )
        for name, answers in said.items()
    }
    return {
        **found,
        "there": np.array(
            [answer in label.characters for answer, label in zip(said["main"], true, strict=True)],
            bool,
        ),
    }
