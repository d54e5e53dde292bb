"""Finds places that the texts of a window tell of and that its pictures do not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from pipeline.annotation import concepts, place_words, words

_MANY = 8  # texts whose pictures show where the story plays
_SHORTEST_PART = 3  # letters of a word that is no part of a name
_SURELY, _MEANS, _HINTS = 0.75, 0.5, 0.25  # share of a word's emoji that are of a place


def elsewhere(
    narrations: Sequence[str],
    described: Sequence[str],
    things: Sequence[str],
    said: str,
    seen: frozenset[str],
    language: str,
) -> str:
    """Returns a place that nothing shows and that texts tell of, "" for none: two of them or, of
    many, one that says that somebody is there. Of few texts the pictures beside them may show it.

    `narrations` are texts without quotations and names, `described` what captions and descriptions
    of characters say, in English, `things` what they list, `said` the title, the dialogue and the
    story so far, and `seen` the emoji of all of these: a castle may be a lock that is seen. What
    hints at a place, as waves do at the sea, is enough beside its name; alone it must name
    something that is there, and not be one word that often means something else.
    """
    known = _known(described, things, said, language)
    for text in narrations if len(narrations) >= _MANY else ():
        named_here = _named(text, seen, language)
        for kind, names in place_words.entered(text, language).items():
            if kind not in known and kind in named_here and not names.isdisjoint(named_here[kind]):
                return kind
    named, hinted, told = (dict[str, dict[int, set[str]]]() for _ in range(3))
    for number, text in enumerate(narrations):
        literal = place_words.without_likenesses(text, language)
        for found, words_by_kind in (
            (named, _named(text, seen, language)),
            (hinted, _hints(literal, language, _MEANS)),
            (told, _told(literal, language, _MEANS)),
        ):
            for kind, words_of_it in words_by_kind.items():
                if kind not in known:
                    found.setdefault(kind, {})[number] = set(words_of_it)
    for kind in named:
        parts = _parts(set().union(*named[kind].values()), language)
        again = (n for n, text in enumerate(narrations) if parts & _lemmas(text, language))
        if len(named[kind].keys() | hinted.get(kind, {}).keys() | set(again if parts else ())) > 1:
            return kind
    for kind, hints in told.items():
        if len(hints) > 1 and not _is_vague(kind, set().union(*hints.values()), language):
            return kind
    return ""


def _known(described: Iterable[str], things: Iterable[str], said: str, language: str) -> set[str]:
    """Returns the kinds of places that may be those of the pictures or were told of before."""
    known = set(place_words.akin(frozenset(place_words.named(said, language))))
    known.update(_hints(said, language, _MEANS), _hints(said, "en", _MEANS))
    known.update(place_words.shown_together((*described, said)))
    for text in things:
        known.update(_hints(text, "en", _HINTS))
    return known


def _parts(names: Set[str], language: str) -> frozenset[str]:
    """Returns the words of names of several words, by which a place may be named again: ship of a
    space ship."""
    left_out = concepts.function_words(language)
    return frozenset(
        part
        for name in names
        if " " in name and left_out.isdisjoint(name.split())
        for part in name.split()
        if len(part) > _SHORTEST_PART
    )


def _lemmas(text: str, language: str) -> frozenset[str]:
    tokens = [concepts.bare(token, language) for token in words.tokenize(text)]
    return frozenset(tokens).union(concepts.lemma(token, language) for token in tokens)


def _is_vague(kind: str, hints: set[str], language: str) -> bool:
    surely = _told(" . ".join(hints), language, _SURELY).get(kind, set())
    return len(hints) == 1 and not hints <= surely


def _named(text: str, seen: frozenset[str], language: str) -> Mapping[str, frozenset[str]]:
    """Returns the places that a text names by words that mean nothing else that is seen."""
    lexicon, called = concepts.lexicon(language), concepts.titles(language)
    found = {}
    for kind, names in place_words.named(text, language).items():
        place = place_words.kinds()[kind]
        sure = set()
        for name in names:
            others = lexicon.get(name, frozenset()) - place.named - place.seen
            things = {emoji for emoji in others if name in " ".join(called.get(emoji, ())).split()}
            if 2 * len(things & seen) <= len(things):
                sure.add(name)
        if sure:
            found[kind] = frozenset(sure)
    return found


def _hints(text: str, language: str, least: float) -> dict[str, set[str]]:
    """Returns the words of a text that belong to a place by at least this share of their emoji, by
    place: wave -> the sea. Names of places are none: they may be in a comparison."""
    lexicon, found = concepts.lexicon(language), dict[str, set[str]]()
    never = concepts.ambiguous(language) | place_words.ambiguous(language)
    for word in concepts.named_in_any_form(text, language):
        if word in never or place_words.named(word, language):
            continue
        if len(word) == 1 and word < "\u3400":
            continue  # one character of Chinese may be a word
        for kind, place in place_words.kinds().items():
            if place.seen and len(lexicon[word] & place.seen) >= least * len(lexicon[word]):
                found.setdefault(kind, set()).add(word)
    return found


def _told(text: str, language: str, least: float) -> dict[str, set[str]]:
    """Returns `_hints` that name something of the place, or belong to several of its things or to
    one with a simple name: "small" is said of a small airplane, and of much else."""
    lexicon, names = concepts.lexicon(language), concepts.names(language)
    kinds, found = place_words.kinds(), dict[str, set[str]]()
    for kind, hints in _hints(text, language, least).items():
        for word in hints:
            of_place = lexicon[word] & kinds[kind].seen
            simple = of_place - concepts.compounds() - concepts.BEINGS
            if simple or any(word in names.get(symbol, ()) for symbol in of_place):
                found.setdefault(kind, set()).add(word)
    return found
