"""TF-IDF vectors of texts, and the most similar of known texts."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from benchmarks.array_types import Floats


def most_similar(texts: Sequence[str], known: Sequence[str]) -> list[int]:
    """Finds for each text the index of the most similar known text, the first of equals.

    Similarity is the cosine of their vectors (`tfidf_vectors`).
    """
    return tfidf_vectors(texts, known).dot(tfidf_vectors(known, known).T).argmax(axis=1).tolist()


def tfidf_vectors(texts: Sequence[str], known: Sequence[str]) -> Floats:
    """Computes TF-IDF vectors of length 1 [n, terms], float32, 0 where no term is known.

    Terms are words and pairs of adjacent words of the known texts, which also give their document
    frequencies; term counts are damped by a logarithm.
    """
    found_in = Counter(term for text in known for term in set(_terms(text)))
    numbers = {term: number for number, term in enumerate(sorted(found_in))}
    rarity = {term: np.log((1 + len(known)) / (1 + times)) + 1 for term, times in found_in.items()}
    vectors = np.zeros((len(texts), len(numbers)), np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for term, times in Counter(_terms(text)).items():
            if term in numbers:
                row[numbers[term]] = (1 + np.log(times)) * rarity[term]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _terms(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return [*words, *(" ".join(pair) for pair in itertools.pairwise(words))]
