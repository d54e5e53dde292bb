"""Compares texts across languages by the things that they name.

The words of a text are looked up in Unicode's emoji annotations, which name some 1,200 things in
64 languages: an owl is 🦉, "Eule", "сова" and "猫头鹰". A text becomes a vector of emoji, and texts
of any two languages are compared by the cosine of theirs (explicit semantic analysis, Gabrilovich
and Markovitch 2007). The lists are short: most words are in none, and a metaphor counts as its
thing. `concepts/` is written by `tools/make_concepts.py`.
"""

from __future__ import annotations

import functools
import gzip
import math
from collections import Counter
from collections.abc import Mapping
from importlib import resources

import simplemma

from pipeline.annotation import words

_TOO_MANY = 40  # emoji of a word that says nothing: "animal", "face"
_SHORTEST = 3  # letters of a stem
_LONGEST_ENDING = 4
_LONGEST_WORD = 8  # characters of a word in a script without spaces
_NO_SPACES = frozenset(("zh", "ja", "th", "km", "lo", "my"))

Vector = Mapping[str, float]


def code(language: str) -> str:
    """Returns the language of a BCP 47 tag as its word list is named: "pt" of "pt-BR"."""
    primary = language.replace("_", "-").partition("-")[0].lower()
    return {"no": "nb", "nn": "nb", "tl": "fil"}.get(primary, primary)


@functools.lru_cache(maxsize=8)
def lexicon(language: str) -> Mapping[str, frozenset[str]]:
    """Maps the words of a language, and their lemmas, to emoji; empty for an unknown language."""
    file = resources.files(__package__).joinpath("concepts", f"{code(language)}.txt.gz")
    if not file.is_file():
        return {}
    found: dict[str, set[str]] = {}
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        emoji, *names = line.split()
        for name in names:
            found.setdefault(name, set()).add(emoji)
            found.setdefault(lemma(name, language), set()).add(emoji)
    return {name: frozenset(emoji) for name, emoji in found.items() if len(emoji) <= _TOO_MANY}


@functools.lru_cache(maxsize=50_000)
def lemma(word: str, language: str) -> str:
    """Returns the dictionary form of a word, or the word in a language without a dictionary."""
    try:
        return simplemma.lemmatize(word, lang=code(language)).casefold()
    except ValueError:
        return word


@functools.lru_cache(maxsize=4_000)
def named_things(text: str, language: str) -> tuple[str, ...]:
    """Finds the words of a text that the lexicon has, as it has them, each once."""
    known = lexicon(language)
    if code(language) in _NO_SPACES:
        return tuple(dict.fromkeys(_longest_matches(text, known)))
    found: dict[str, None] = {}
    for word in words.tokenize(text):
        if code(language) == "en" and word in words.STOP_WORDS:
            continue
        forms = [word, lemma(word, language)]
        shortest = max(_SHORTEST, len(word) - _LONGEST_ENDING)
        forms += [word[:length] for length in range(len(word) - 1, shortest - 1, -1)]
        if form := next((form for form in forms if form in known), ""):
            found[form] = None
    return tuple(found)


def vector(text: str, language: str) -> Vector:
    """Returns the emoji of a text's words; each word weighs 1, whatever the number of its emoji."""
    known, weights = lexicon(language), Counter[str]()
    for word in named_things(text, language):
        for emoji in known[word]:
            weights[emoji] += 1 / len(known[word])  # type: ignore[assignment]
    return weights


def cosine(first: Vector, second: Vector) -> float:
    """Returns the cosine of two vectors, 0..1; 0 if one is empty."""
    product = sum(weight * second[emoji] for emoji, weight in first.items() if emoji in second)
    if not product:
        return 0.0
    return product / math.sqrt(
        math.fsum(weight**2 for weight in first.values())
        * math.fsum(weight**2 for weight in second.values())
    )


def _longest_matches(text: str, known: Mapping[str, frozenset[str]]) -> list[str]:
    found, start = [], 0
    while start < len(text):
        lengths = range(_LONGEST_WORD, 0, -1)
        length = next((size for size in lengths if text[start : start + size] in known), 0)
        if length:
            found.append(text[start : start + length])
        start += length or 1
    return found
