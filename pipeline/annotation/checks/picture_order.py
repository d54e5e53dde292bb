"""Checks that the texts of a window are about its pictures, in their order, and nothing else.

Words decide nothing about a text alone: a good one may have none in common with its caption. But
the texts of a window together fit their own pictures better than each other's, in every style and
language that `annotation.concepts` has words of. So a window is refused whose texts would fit much
better in another order, or one picture earlier or later, or that keeps telling of somebody, or
somewhere, that no caption shows. Windows of fewer texts than five are too short for the first, and
nothing is held against them. Where the captions of a window are alike, or a language has no word
list, disorder is not found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.annotation import concepts, name_forms, words
from pipeline.annotation.checks import companions, places

_FEWEST, _MANY = 5, 8  # texts that tell of an order: a little, much
_LEAST_SAID = 0.6  # fit of all texts to their best pictures, which tells of an order
_CHANCE = 2.25  # standard deviations above orders by chance that are no chance
# The same where texts say so little of their pictures, a text, that any order fits about as well.
_KINDS = frozenset(("bird", "animal"))  # of which groups of synonyms name several
_LITTLE, _LITTLE_CHANCE = 0.13, 1.25


def disorder(
    texts: Sequence[str], captions: Sequence[Mapping[str, Any]], language: str, least: float
) -> str:
    """Returns the fault of texts that are about other pictures than theirs, "" for none.

    `least` is how well they must fit their own, as a share of how much better than by chance each
    fits its best one. What is no worse than by chance is let pass where texts say little.
    """
    if len(texts) < _FEWEST:
        return ""
    fits = _fits(texts, captions, language)
    own = float(np.trace(fits))
    best = min(float(fits.max(axis=0).sum()), float(fits.max(axis=1).sum()))
    shifted = max(float(np.trace(fits, 1)), float(np.trace(fits, -1)))
    if best < _LEAST_SAID:
        return ""
    mean, deviation = _by_chance(fits)
    few = len(texts) < _MANY
    gained = own - mean < (least / 2 if few else least) * (best - mean)
    chance = _LITTLE_CHANCE if best - mean < _LITTLE * len(texts) else _CHANCE
    if own < shifted or (gained and own - mean < chance * deviation):
        worst = int(np.argmin(fits.diagonal() - fits.max(axis=1)))
        return (
            "the texts are not about their pictures: each must tell of its own; the description's "
            f"{captions[worst]['sentence']!r} is not in its text"
        )
    return ""


def _by_chance(fits: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Returns mean and standard deviation of the fit of all texts over all orders of pictures."""
    count = len(fits)
    centred = fits - fits.mean(axis=0) - fits.mean(axis=1, keepdims=True) + fits.mean()
    return float(fits.sum()) / count, float(np.sqrt((centred**2).sum() / (count - 1)))


def newcomer(
    texts: Sequence[str],
    captions: Sequence[Mapping[str, Any]],
    cast: str,
    said: str,
    language: str,
    names: Sequence[str] = (),
) -> str:
    """Returns the fault of texts that tell of somebody or somewhere no caption shows, "" for none.

    `cast` are the words about characters, in English as captions are, `said` those of the title,
    the dialogue and the story so far, `names` those of characters, which may be words too: Suri is
    a ride in Urdu. Once may be a comparison; what is told of twice is not.
    """
    described = [_described(caption) for caption in captions]
    seen = {*concepts.means(said, language), *_with_synonyms(said), *_with_synonyms(cast)}
    seen.update(emoji for text in described for emoji in _with_synonyms(text))
    narrations = [_without_names(words.without_quotations(text), names, language) for text in texts]
    look_like = [look for caption in captions for look in caption["characters"]]
    said_of = frozenset().union(*concepts.children(said, language).values())
    children = said_of | companions.children(" . ".join(described))
    found = companions.unseen(
        narrations, seen, [*look_like, *cast.split(" . ")], language, children
    )
    things = [
        " . ".join((*caption["characters"], caption["place"], *caption["objects"]))
        for caption in captions
    ]
    found = found or places.elsewhere(
        narrations, [*described, cast], [*things, cast], said, frozenset(seen), language
    )
    return f"the texts tell of {found!r}, which no picture shows" if found else ""


def _without_names(text: str, names: Sequence[str], language: str) -> str:
    """Returns a text without the words that are spelt as a name is."""
    if concepts.code(language) in ("zh", "ja", "th"):
        return text
    starts = {
        start
        for name in names
        for start in name_forms.find(text, name)
        if name_forms.is_spelt_alike(words.first(text[start:]), name)
    }
    for start in sorted(starts, reverse=True):
        text = text[:start] + text[start + len(words.first(text[start:])) :]
    return text


def _with_synonyms(text: str) -> set[str]:
    """Returns the emoji of the words of an English text, and of their synonyms.

    A kind of animal may be any of the kind, but an animal is no other of its kind: who sees a bird
    may tell of an owl; who sees an owl may tell of a bird, and of no parrot.
    """
    found = set(concepts.shown(text))
    lemmas = words.content(text)
    for group in words.SYNONYMS:
        members = set(group.split())
        if members.isdisjoint(lemmas):
            continue
        for kind in members & _KINDS - set(lemmas):
            members = {kind}
            found.update(emoji for emoji, names in concepts.titles("en").items() if kind in names)
        if members.isdisjoint(_KINDS) or not members.isdisjoint(lemmas):
            found.update(emoji for word in members for emoji in concepts.shown(word))
    return found


def _described(caption: Mapping[str, Any]) -> str:
    return " . ".join(
        [
            *caption["characters"],
            caption["place"],
            caption["action"],
            *caption["objects"],
            caption["sentence"],
        ]
    )


def _fits(
    texts: Sequence[str], captions: Sequence[Mapping[str, Any]], language: str
) -> npt.NDArray[np.float64]:
    """Returns how well each text (row) fits each caption (column), 0..1."""
    shown = [concepts.vector(_described(caption), "en") for caption in captions]
    said = [concepts.vector(text, language) for text in texts]
    return np.array([[concepts.cosine(text, caption) for caption in shown] for text in said])
