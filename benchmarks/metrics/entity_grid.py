"""Entity coherence of texts: how names are carried from text to text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from pipeline.annotation.checks import described_characters
from schemas.rows import Character


def names_in_texts(texts: Iterable[str], cast: Iterable[Character]) -> list[set[str]]:
    """Finds the characters that each text names. Pronouns name nobody, so texts with many pronouns
    look as if nobody were in them."""
    known = sorted({character.name for character in cast})
    return [{name for name in known if described_characters.says(text, name)} for text in texts]


def adjacent_overlap(said: Sequence[Collection[str]]) -> float:
    """Computes the share of adjacent texts that name somebody in common; nan for a single text.

    The entity grid of Barzilay and Lapata (Modeling Local Coherence, 2008) reduced to its
    transitions of names from present to present: roles in the sentence would need a parser.
    """
    return _mean([bool(set(names) & set(others)) for names, others in itertools.pairwise(said)])


def overlap_above_chance(said: Sequence[Collection[str]]) -> float:
    """Computes how much more often adjacent texts share a name than any two texts of the story,
    -1..1.

    The latter is `adjacent_overlap` averaged over all orders of the texts: so a shuffled story has
    0 on average, and so has one that names the same characters in every text. nan for a single
    text.
    """
    pairs = itertools.combinations(said, 2)
    return adjacent_overlap(said) - _mean(
        [bool(set(names) & set(others)) for names, others in pairs]
    )


def run_lengths(said: Sequence[Collection[str]]) -> list[int]:
    """Returns for each run of consecutive texts that say a name how many they are, name by name.

    Long where a name is said everywhere, whatever else is told.
    """
    return [
        len(list(run))
        for name in sorted(set().union(*said))
        for there, run in itertools.groupby(name in names for names in said)
        if there
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
