"""Finds places that the texts of a window tell of and that its pictures do not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.annotation import concepts, place_words


def elsewhere(
    narrations: Sequence[str], described: Sequence[str], said: str, seen: set[str], language: str
) -> str:
    """Returns a place that two texts or more name and nothing shows, "" for none.

    `narrations` are texts without quotations and names, `described` what the captions and the
    characters' descriptions say, in English, `said` the title, the dialogue and the story so far,
    and `seen` the emoji of all of these: a castle may be a lock that is seen.
    """
    known = {kind for text in (*described, said) for kind in place_words.shown(text)}
    known |= place_words.akin(frozenset(place_words.named(said, language)))
    told: dict[str, int] = {}
    for text in narrations:
        for kind, names in _named(text, seen, language).items():
            if kind not in known:
                told[kind] = told.get(kind, 0) + 1
                if told[kind] > 1:
                    return kind
    return ""


def _named(text: str, seen: set[str], language: str) -> Mapping[str, frozenset[str]]:
    """Returns the places that a text names by words that mean nothing else that is seen."""
    lexicon, kinds = concepts.lexicon(language), place_words.kinds()
    found = {}
    for kind, names in place_words.named(text, language).items():
        own = kinds[kind].named | kinds[kind].seen
        sure = frozenset(
            name for name in names if seen.isdisjoint(lexicon.get(name, frozenset()) - own)
        )
        if sure:
            found[kind] = sure
    return found
