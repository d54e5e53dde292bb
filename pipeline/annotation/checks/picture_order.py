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

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.annotation import concepts, name_forms, words

_FEWEST = 5  # texts that tell of an order
_MANY = 8  # texts that tell of it well
_LEAST_SWAP = -0.75  # evidence that two names are swapped

_FEW_EMOJI = 6  # of a word that means one thing

_BEINGS = [
    (0x1F400, 0x1F43D), (0x1F466, 0x1F478), (0x1F47B, 0x1F47E), (0x1F981, 0x1F9AE),
    (0x1F98A, 0x1F98A), (0x1F9D9, 0x1F9DF), (0x1F916, 0x1F916), (0x1F385, 0x1F385),
    (0x1F936, 0x1F936), (0x1F934, 0x1F934), (0x1FABF, 0x1FACF),
]  # fmt: skip
_PLACES = {  # what is there, by place
    "the sea": "🏖🏝🌊🐚🐋🐳🐬🐙🦑🦀🦭🧜🪸🪼🏄🫍🦈🐡🦞🔱",
    "a city": "🏙🏢🚕🚦",
    "a desert": "🏜🐪🐫🌵",
    "a castle": "🏯🏰",
    "space": "🌌🚀🛰👽👾🪐🛸",
    "a school": "🏫🎒📚",
    "a hospital": "🏥🚑",
    "a circus": "🎪🤹",
    "a ship": "🚢🛳⛵",
    "a station": "🚉🚆🚂🚄🚅🛤",
    "high mountains": "🏔🗻",
    "a volcano": "🌋",
}


def disorder(
    texts: Sequence[str], captions: Sequence[Mapping[str, Any]], language: str, least: float
) -> str:
    """Returns the fault of texts that are about other pictures than theirs, "" for none.

    `least` is how well they must fit their own, as a share of the fit of each to its best one.
    """
    if len(texts) < _FEWEST:
        return ""
    fits = _fits(texts, captions, language)
    own = float(np.trace(fits))
    best = min(float(fits.max(axis=0).sum()), float(fits.max(axis=1).sum()))
    shifted = max(float(np.trace(fits, 1)), float(np.trace(fits, -1)))
    many = len(texts) >= _MANY
    if own < (least if many else least / 2) * best or (many and own < shifted):
        worst = int(np.argmin(fits.diagonal() - fits.max(axis=1)))
        return (
            "the texts are not about their pictures: each must tell of its own; the description's "
            f"{captions[worst]['sentence']!r} is not in its text"
        )
    return ""


def swapped(
    texts: Sequence[str], captions: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> str:
    """Returns the fault of texts in which two characters have each other's name, "" for none.

    Where a caption shows one of them alone, a text that names only the other speaks for it, as one
    that names it speaks against it; where it shows several, so does the one named first.
    """
    evidence = [
        _evidence(text, caption, names) for text, caption in zip(texts, captions, strict=True)
    ]
    if sum(evidence) > _LEAST_SWAP:
        return ""
    caption = captions[int(np.argmin(evidence))]
    called = ", ".join(f"{look!r} is {name}" for look, name in caption["who"].items())
    return f"characters have each other's names: {called}"


def newcomer(
    texts: Sequence[str],
    captions: Sequence[Mapping[str, Any]],
    known: str,
    told: str,
    language: str,
) -> str:
    """Returns the fault of texts that tell of somebody or somewhere no caption shows, "" for none.

    `known` are all words about the film, in English as captions are or in the story's language,
    and `told` is the story so far. Once may be a comparison; what is told of twice is not.
    """
    sources = [(known, "en"), (known, language), (told, language)]
    sources += [(_described(caption), "en") for caption in captions]
    beings = {emoji for source, of in sources for emoji in concepts.vector(source, of)}
    places = {place for source, of in sources[:3] for place in _places(source, of).values()}
    for caption in captions:
        things = " . ".join((*caption["characters"], caption["place"], *caption["objects"]))
        places.update(_places(things, "en").values())
        said = list(_places(caption["sentence"], "en").values())
        places.update(place for place in said if said.count(place) > 1)  # one may wave a hand
    lexicon = concepts.lexicon(language)
    met: dict[str, set[int]] = {}  # the texts that tell of it
    for number, text in enumerate(texts):
        narration = words.without_quotations(text)
        for word in concepts.named_things(narration, language):
            if _is_being(lexicon[word]) and beings.isdisjoint(lexicon[word]):
                met.setdefault(word, set()).add(number)
        for place in {*_places(narration, language).values()} - places:
            met.setdefault(place, set()).add(number)
    found = next((thing for thing, numbers in met.items() if len(numbers) > 1), "")
    return f"the texts tell of {found!r}, which no picture shows" if found else ""


def _is_being(emoji: Collection[str]) -> bool:
    """Returns whether a word means an animal or a person."""
    beings = sum(any(low <= ord(symbol) <= high for low, high in _BEINGS) for symbol in emoji)
    return len(emoji) <= _FEW_EMOJI and 2 * beings > len(emoji)


def _places(text: str, language: str) -> dict[str, str]:
    """Returns the places that words of a text belong to: beach -> the sea."""
    lexicon, found = concepts.lexicon(language), {}
    for word in concepts.named_things(text, language):
        for place, symbols in _PLACES.items():
            if 2 * len(lexicon[word].intersection(symbols)) >= len(lexicon[word]):
                found[word] = place
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


def _evidence(text: str, caption: Mapping[str, Any], names: Sequence[str]) -> float:
    """Returns the evidence for (positive) or against the names in a text, -1..1."""
    sentence = str(caption["sentence"]).casefold()
    places: dict[str, int] = {}
    for look, name in caption["who"].items():
        head = words.head(look)
        places[name] = sentence.find(head[-1]) if head else -1
    shown = sorted(places, key=lambda name: places[name])
    if not shown:
        return 0.0
    told, addressed = _named(text, names)
    if len(caption["characters"]) == 1:
        if not told:
            return 0.0
        return 1.0 if shown[0] in told else -1.0
    if len(shown) != 2 or not set(told + addressed) & set(shown):
        return 0.0
    if told:
        return 0.5 if told[0] == shown[0] else -0.5
    return 0.25 if addressed[0] != shown[0] else -0.25


def _named(text: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the names that a text tells of, and those that it only addresses, in order."""
    narration = words.without_quotations(text)
    told: dict[int, str] = {}
    addressed: dict[int, str] = {}
    for name in names:
        for place in name_forms.find(narration, name):
            called = re.search(r"[,，、،]\s*$", narration[:place]) and re.match(
                r"\S+?\s?[!?.,！？，。،…]", narration[place:]
            )
            (addressed if called else told)[place] = name
        if name not in (*told.values(), *addressed.values()):
            addressed.update({place: name for place in name_forms.find(text, name)})
    return (
        list(dict.fromkeys(told[place] for place in sorted(told))),
        list(dict.fromkeys(addressed[place] for place in sorted(addressed))),
    )
