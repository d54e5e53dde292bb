"""Finds the places that a text names: a market, a library, a vineyard.

`places/kinds.txt` lists the kinds of places at which a scene can play; `places/LANGUAGE.txt.gz`,
written by `tools/make_places.py` from OpenStreetMap's tagging schema, has the words for them, and
`places/more.txt` those that it lacks. A word is found in any form: from the language's dictionary,
without what Arabic and Hebrew write before it, or with an ending that the dictionary lacks.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources

from pipeline.annotation import concepts, words
from pipeline.runtime import word_lists

_LONGEST_PHRASE = 4  # words
_LONGEST_WORD = 12  # characters of a word in a script without spaces
_SHORTEST_STEM = 4  # letters that a form and the name have in common
_ALTERED = 2  # last letters of a name that another form may not have
_LONGEST_ENDING = 5
# Endings are short where words are compounded: a school's way is no school.
_SHORT_ENDINGS = frozenset(
    ("de", "nl", "sv", "da", "nb", "is", "en", "fr", "es", "pt", "it", "ca", "gl", "ro", "cy", "ga")
)
_SHORT_ENDING = 2
_JOINED_ENDING = 10  # of languages that join "and", "of", "into" to a word
_JOINING = ("ta", "te", "ml", "kn")
_PARTICLE = re.compile(
    r"(들)?(에서|에게|에|으로|로|은|는|이|가|을|를|의|과|와|도|까지|만|엔|안|이나|나|부터|마다)*"
    r"(는|도|만|의|요|입니다|이?(?:다|지|네|야|던|었|였|더|에요|예요|잖아|라고|라는).*)?$"
)
_CITIES = ("a city",)  # kinds that hold many others
_RIGHT_BEFORE = 2  # words from "after" to a place: "after the school"
_MANY_LETTERS, _MANY_CHARACTERS = 9, 3  # of a name that is hardly another word
_WITHIN = 4  # words from "in" to a place: "in the old public library"
_NEAR_CHARACTERS = 10  # the same in scripts without spaces
_JOINED = {"ar": ("ب", "ل"), "he": ("ב", "ל")}  # "in" and "to", which are joined to a word
_NEAR = 5  # words from "like" to a place: "like the nave of a cathedral"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of places at which a scene can play."""

    presets: tuple[str, ...]  # of the schema, with those under them
    named: frozenset[str]  # emoji named as it is
    seen: frozenset[str]  # emoji of what is there
    told_by: frozenset[str]  # English lemmas of which a description of it has one
    goes_with: frozenset[str]  # those of which it has two, these among them


@functools.cache
def kinds() -> Mapping[str, Kind]:
    """Returns the kinds of places by what they are called: a library."""
    lines = word_lists.read(__package__, "places/kinds.txt")
    groups = {
        name: others
        for name, _, others in (line.partition(" ") for line in lines if "|" not in line)
    }
    found = {}
    for line in lines:
        if "|" in line:
            name, presets, named, seen, near = (part.strip() for part in line.split("|"))
            own = [word for word in (*near.split(), *name.split()) if word not in groups]
            others = [word for group in near.split() for word in groups.get(group, "").split()]
            told_by, goes_with = (
                frozenset(map(words.lemma, listed)) - words.STOP_WORDS
                for listed in (own, own + others)
            )
            found[name] = Kind(
                tuple(presets.split()),
                frozenset(named.split()),
                frozenset(seen.split()),
                told_by,
                goes_with,
            )
    return found


@functools.cache
def lexicon(language: str) -> Mapping[str, str]:
    """Maps the words of a language to kinds of places; empty for an unknown language."""
    found: dict[str, str] = {}
    file = resources.files(__package__).joinpath("places", f"{concepts.code(language)}.txt.gz")
    lines = gzip.decompress(file.read_bytes()).decode().splitlines() if file.is_file() else []
    for line in (*lines, *_listed("more", language)):
        kind, *names = line.split(",")
        found.update(
            (unicodedata.normalize("NFC", name.strip().casefold()), kind) for name in names
        )
    for word in ambiguous(language):
        found.pop(word, None)
    return found


@functools.cache
def ambiguous(language: str) -> frozenset[str]:
    """Returns the words of a language that may name a place, or be a form of such a name, and are
    mostly something else."""
    return frozenset(
        word.strip() for line in _listed("ambiguous", language) for word in line.split(",")
    )


def _listed(name: str, language: str) -> list[str]:
    """Returns the lines of a list that are of a language, which they begin with: "de: Bank"."""
    lines = (line.partition(":") for line in word_lists.read(__package__, f"places/{name}.txt"))
    return [words_.strip() for of, _, words_ in lines if of == concepts.code(language)]


@functools.lru_cache(maxsize=4_000)
def named(text: str, language: str) -> Mapping[str, frozenset[str]]:
    """Returns the words of a text that name a place, as they are listed, by kind.

    What only a comparison has, or tells a time ("after school"), is left out.
    """
    return _by_kind((name for name, _ in _found(text, language)), language)


@functools.lru_cache(maxsize=4_000)
def entered(text: str, language: str) -> Mapping[str, frozenset[str]]:
    """Returns those of `named` of which a text says that somebody is there or comes there (in the
    library, to the harbour), or whose name is too long to be another word or a figure of speech."""
    return _by_kind(
        (name for name, there in _found(text, language) if there or _is_long(name)), language
    )


def _is_long(name: str) -> bool:
    """Returns whether a name has many letters; characters of Chinese and Japanese count more."""
    return len(name) >= (_MANY_CHARACTERS if "\u3000" <= name[:1] <= "\ud7ff" else _MANY_LETTERS)


def _by_kind(names: Iterable[str], language: str) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name in names:
        found.setdefault(lexicon(language)[name], set()).add(name)
    return {kind: frozenset(names) for kind, names in found.items()}


def _found(text: str, language: str) -> Iterator[tuple[str, bool]]:
    """Yields the names of places in a text, and whether somebody is there."""
    if not lexicon(language):
        return iter(())
    unspaced = concepts.code(language) in ("zh", "ja", "th", "km")
    return (_in_characters if unspaced else _in_words)(text, language)


def _in_words(text: str, language: str) -> Iterator[tuple[str, bool]]:
    known, (likenesses, before, after) = lexicon(language), _no_places(language)
    for sentence in re.split(r"[.!?…;:।؟,،—–]", text):
        tokens, start = words.tokenize(sentence), 0
        while start < len(tokens):
            for length in range(min(_LONGEST_PHRASE, len(tokens) - start), 0, -1):
                stop = start + length
                if name := _entry(tokens[start:stop], language, known):
                    if (
                        likenesses.isdisjoint(tokens[max(0, start - _NEAR) : start])
                        and before.isdisjoint(tokens[max(0, start - _RIGHT_BEFORE) : start])
                        and after.isdisjoint(tokens[stop : stop + 1])
                    ):
                        yield name, _is_there(tokens, start, stop, name, language)
                    start = stop - 1
                    break
            start += 1


def _is_there(tokens: Sequence[str], start: int, stop: int, name: str, language: str) -> bool:
    """Returns whether what stands beside the name of a place, or its ending, tells that somebody is
    there."""
    before, after, endings = _locatives(language)
    if not before.isdisjoint(tokens[max(0, start - _WITHIN) : start]):
        return True
    if not after.isdisjoint(tokens[stop : stop + 1]):
        return True
    last = tokens[stop - 1]
    joined = _JOINED.get(concepts.code(language), ())
    return (last != name and last.endswith(tuple(endings))) or (
        tokens[start] != name.split()[0] and tokens[start].startswith(joined)
    )


@functools.cache
def _locatives(language: str) -> tuple[frozenset[str], ...]:
    """Returns what tells that a scene plays at a place: words before it, after it, endings."""
    lines = [line.split("|") for line in _listed("locatives", language)] or [["", "", ""]]
    return tuple(frozenset(listed.split()) for listed in lines[0])


def _entry(tokens: Sequence[str], language: str, known: Mapping[str, str]) -> str:
    """Returns the listed name of which words are a form, "" for none."""
    phrase = " ".join(tokens)
    if phrase in known:
        return phrase
    if len(tokens) > 1:
        tokens = [concepts.bare(token, language) for token in tokens]
        last = tokens[-1]
        phrases = [tokens, [concepts.lemma(token, language) for token in tokens]]
        if concepts.code(language) == "ko":
            stems = (last[:stop] for stop in range(len(last) - 1, 1, -1))
            phrases += [[*tokens[:-1], stem] for stem in stems if _is_form(last, stem, language)]
        return next((name for name in map(" ".join, phrases) if name in known), "")
    return _word(tokens[0], language)


@functools.lru_cache(maxsize=50_000)
def _word(word: str, language: str) -> str:
    known, word = lexicon(language), concepts.bare(word, language)
    if word in ambiguous(language):
        return ""
    korean = concepts.code(language) == "ko"  # whose short stems may be other words
    if not korean and (found := concepts.entry((word,), language, known)):
        return found
    if concepts.code(language) == "en" or concepts.is_word(word, language):
        return ""
    return next(
        (
            name
            for name in _stems(language).get(word[: _first(word)], ())
            if _is_form(word, name, language)
        ),
        "",
    )


def _first(word: str) -> int:
    """Returns the letters that a stem begins with; a letter of Hangul is a syllable."""
    return 2 if "\u3000" <= word[:1] <= "\ud7ff" else _SHORTEST_STEM


@functools.cache
def _stems(language: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name in sorted(lexicon(language), key=len, reverse=True):
        if " " not in name and len(name) >= _first(name):
            found.setdefault(name[: _first(name)], []).append(name)
    return {stem: tuple(names) for stem, names in found.items()}


def _is_form(word: str, name: str, language: str) -> bool:
    """Returns whether a word that no dictionary has may be a name with another ending."""
    if concepts.code(language) == "ko":
        return word.startswith(name) and bool(_PARTICLE.match(word[len(name) :]))
    short = concepts.code(language) in _SHORT_ENDINGS
    altered = 1 if short or len(name) <= 5 else _ALTERED
    common = next(
        (place for place, pair in enumerate(zip(word, name, strict=False)) if pair[0] != pair[1]),
        min(len(word), len(name)),
    )
    least = max(_SHORTEST_STEM, len(name) - altered)
    joining = concepts.code(language) in _JOINING
    longest = _JOINED_ENDING if joining else _SHORT_ENDING if short else _LONGEST_ENDING
    return common >= least and len(word) - common <= longest


def _in_characters(text: str, language: str) -> Iterator[tuple[str, bool]]:
    known, others = lexicon(language), concepts.lexicon(language)
    likenesses, before, after = _no_places(language)
    start = 0
    while start < len(text):
        lengths = range(_LONGEST_WORD, 0, -1)
        parts = (text[start : start + length] for length in lengths)
        part = next((part for part in parts if part in known or part in others), "")
        stop = start + len(part)
        likened = text[:start].endswith((*likenesses, *before)) or text.startswith(
            tuple(after), stop
        )
        if part in known and not likened and concepts.is_apart(text, start, stop):
            ahead, behind, _ = _locatives(language)
            near = re.split(r"[，。、！？]", text[:start])[-1][-_NEAR_CHARACTERS:]
            yield part, any(word in near for word in ahead) or text.startswith(tuple(behind), stop)
        start = max(start + 1, stop)


@functools.cache
def _no_places(language: str) -> tuple[frozenset[str], ...]:
    """Returns the words that tell of a likeness or a time: before a place, right before, after."""
    lines = [line.split("|") for line in _listed("likenesses", language)] or [["", "", ""]]
    return tuple(frozenset(listed.split()) for listed in lines[0])


def without_likenesses(text: str, language: str) -> str:
    """Returns the words of a text without those of comparisons: of "The sheets hung like sails of
    a ship" the first three. A text without spaces stays as it is."""
    likenesses = _no_places(language)[0]
    if concepts.is_unspaced(language) or not likenesses:
        return text
    kept, near = [], 0
    for token in words.tokenize(text):
        near = _NEAR if token in likenesses else max(0, near - 1)
        if not near:
            kept.append(token)
    return " ".join(kept)


@functools.lru_cache(maxsize=4_000)
def shown(text: str) -> frozenset[str]:
    """Returns the kinds of places that an English text may tell of: of an altar, a church; of a
    tree and a path, a forest."""
    lemmas = frozenset(words.content(text))
    named_here = named(text, "en")
    return frozenset(
        name
        for name, kind in kinds().items()
        if name in named_here
        or not kind.told_by.isdisjoint(lemmas)
        or len(kind.goes_with & lemmas) > 1
    )


def shown_together(texts: Iterable[str]) -> frozenset[str]:
    """Returns the kinds of places that English texts tell of, those of a city in any of them: where
    there is a street in one picture and a canal in another, there may be a city."""
    texts = list(texts)
    lemmas = frozenset().union(*(words.content(text) for text in texts))
    cities = {kind for kind in _CITIES if len(kinds()[kind].goes_with & lemmas) > 1}
    return frozenset(cities).union(*map(shown, texts))


def akin(names: frozenset[str]) -> frozenset[str]:
    """Returns kinds of places and those that may be the same: a church and a monastery."""
    return frozenset().union(*(shown(name) for name in names))
