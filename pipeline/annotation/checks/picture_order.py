"""Checks that the texts of a window are about its pictures, in their order, and nothing else.

Words decide nothing about a text alone: a good one may have none in common with its caption. But
the texts of a window together fit their own pictures better than each other's, in every style and
language that `annotation.concepts` has words of. So a window is refused whose texts would fit much
better in another order, or one picture earlier or later; whose characters stand where the other
one should; or that keeps telling of somebody, or somewhere, that no caption shows. Windows of fewer
texts than five are too short for the first, and nothing is held against them. Where the captions of
a window are alike, or a language has no word list, disorder is not found.
"""

from __future__ import annotations

import itertools
import re
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
_LITTLE, _LITTLE_CHANCE = 0.13, 1.25
_FEW = 3  # texts that tell of swapped names
_LEAST_SWAP = -0.75  # evidence that two names are swapped
_LEAST_AGREED = -0.5  # the same where no text speaks for the names

_SENTENCE = re.compile(r"(?<=[.!?…。！？؟।])")
_ONE_THING = 4  # emoji of a word at most
_MOST_WEAK = 0.5  # evidence from who is named first


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


def swapped(
    texts: Sequence[str],
    captions: Sequence[Mapping[str, Any]],
    looks: Mapping[str, str],
    forms: Mapping[str, Sequence[str]],
    language: str,
) -> str:
    """Returns the fault of texts in which two characters have each other's name, "" for none.

    `looks` and the known `forms` of their names are the characters' by name. Where a caption shows
    one of the two alone, a text that names only the other speaks for it, as one that names it
    speaks against it; where it shows both, so does the one named first. A text that names one of
    them beside what the other wears ("Tilda in a red scarf") speaks for it too.
    """
    if len(texts) < _FEW:
        return ""
    named = [_named(text, forms, language) for text in texts]
    for first, second in itertools.combinations(looks, 2):
        marks = _marks(looks[first], looks[second]), _marks(looks[second], looks[first])
        evidence = [
            _evidence(text, caption, told, (first, second), marks, forms, language)
            for text, caption, told in zip(texts, captions, named, strict=True)
        ]
        weak = [value for value in evidence if abs(value) < _MOST_WEAK]
        strong = sum(evidence) - sum(weak)
        least = _LEAST_SWAP if max(evidence) > 0 else _LEAST_AGREED
        if sum(map(bool, evidence)) > 1 and strong + max(-_MOST_WEAK, sum(weak)) <= least:
            caption = captions[int(np.argmin(evidence))]
            called = ", ".join(f"{look!r} is {name}" for look, name in caption["who"].items())
            return f"{first} and {second} have each other's names: {called}"
    return ""


def _marks(look: str, other: str) -> frozenset[str]:
    """Returns the emoji of what one wears and another does not."""
    own, others = (concepts.means(text, "en", _ONE_THING) for text in (look, other))
    return own - others - concepts.BEINGS - concepts.PERSONS  # who may be there too


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
    found = companions.unseen(narrations, seen, [*look_like, cast], language)
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
    """Returns the emoji of the words of an English text, and of their synonyms."""
    found = set(concepts.shown(text))
    lemmas = words.content(text)
    for group in words.SYNONYMS:
        if not set(group.split()).isdisjoint(lemmas):
            found.update(emoji for word in group.split() for emoji in concepts.shown(word))
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


def _evidence(
    text: str,
    caption: Mapping[str, Any],
    named: tuple[list[str], list[str]],
    pair: tuple[str, str],
    marks: tuple[frozenset[str], frozenset[str]],
    forms: Mapping[str, Sequence[str]],
    language: str,
) -> float:
    """Returns the evidence for (positive) or against two names in a text, -1.75..1.75."""
    told, addressed = ([name for name in names if name in pair] for names in named)
    if not told and not addressed:
        return 0.0
    sentence = str(caption["sentence"]).casefold()
    places = {name: _place(look, sentence) for look, name in caption["who"].items()}
    shown = sorted((name for name in places if name in pair), key=lambda name: places[name])
    evidence = 0.0
    if len(shown) == 1 and len(told) == 1:
        evidence = 1.0 if shown[0] in told else -1.0
    elif len(shown) == 2 and told and min(places[name] for name in shown) >= 0:
        sure = len(told) == 2 or addressed  # who speaks to whom is hardly told by chance
        evidence = (0.5 if sure else 0.25) * (1 if told[0] == shown[0] else -1)
    elif len(shown) == 2 and not told:
        evidence = 0.5 if addressed[0] != shown[0] else -0.5
    if len(told) == 1:
        near = [
            part
            for part in _SENTENCE.split(text)
            if any(_places_of(part, form, language) for form in forms[told[0]])
        ]
        seen = concepts.means(" . ".join(near), language, _ONE_THING)
        own, others = (not mark.isdisjoint(seen) for mark in marks)
        if own != others:
            evidence += 0.75 if own == (told[0] == pair[0]) else -0.75
    return evidence


def _place(look: str, sentence: str) -> int:
    """Returns where a sentence says who looks so."""
    head = words.head(look)
    return sentence.find(head[-1]) if head else -1


def _named(
    text: str, forms: Mapping[str, Sequence[str]], language: str
) -> tuple[list[str], list[str]]:
    """Returns the names that a text tells of, and those that it only addresses, in order."""
    narration = words.without_quotations(text)
    told: dict[int, str] = {}
    addressed: dict[int, str] = {}
    for name, written in forms.items():
        for place in (place for form in written for place in _places_of(narration, form, language)):
            called = re.search(r"[,，、،]\s*$", narration[:place]) and re.match(
                r"\S+?\s?[!?.,！？，。،…]", narration[place:]
            )
            (addressed if called else told)[place] = name
        if name not in (*told.values(), *addressed.values()):
            spoken = [place for form in written for place in _places_of(text, form, language)]
            addressed.update(dict.fromkeys(spoken, name))
    return (
        list(dict.fromkeys(told[place] for place in sorted(told))),
        list(dict.fromkeys(addressed[place] for place in sorted(addressed))),
    )


def _places_of(text: str, name: str, language: str) -> list[int]:
    """Returns where a text has a name in any form.

    Πέρα (far) is no Pebble, though it sounds so; Тильда is Tilda, though it is a word (tilde); and
    a name that is spelt as "to him" is tells nothing.
    """
    found = []
    for place in name_forms.find(text, name):
        word = words.first(text[place:])
        lower = word.lower()
        if lower in concepts.function_words(language):
            continue
        if (
            lower == word
            or word.startswith(name)
            or name_forms.is_spelt_alike(word, name)
            or not concepts.is_entry(lower, language)
        ):
            found.append(place)
    return found
