"""Finds capitalised words that stand where a person's name does: after a trade, beside a verb.

The words of a language that tell so are in `person_words.txt` and `person_verbs.txt`, and frequent
given names in `frequent_names.txt`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from pipeline.annotation import concepts
from pipeline.annotation.checks.capitals import TOKEN, base, may_open_sentence
from pipeline.annotation.checks.place_names import NAMES_OF
from pipeline.runtime import word_lists

_WORDS = word_lists.by_language(__package__, "person_words.txt")
_VERBS = word_lists.by_language(__package__, "person_verbs.txt")
_NAMES = word_lists.by_language(__package__, "frequent_names.txt")
_DETERMINERS = word_lists.by_language(__package__, "determiners.txt")
_CYRILLIC = ("bg", "mk", "ru", "sr", "uk")
_WORDS_AFTER = ("hu", "tr")  # languages whose titles stand after names
_ELISION = re.compile(r"^[ldLD]['’](?=[^\W\d_])")  # L'Arnau
_PARTICLES = frozenset("von van zu de del della af av di da".split())  # noqa: SIM905
_SOUND = re.compile(r"(.)\1\1|^(.+)\2$|^[bcdfghjklmnpqrstvwxz]+$")  # Buaaa, Mrrr
_COLOURS = frozenset("💙💚💛💜🖤🤍🤎🧡")
_PERSONAL = ("en", "na", "el", "la")  # articles of Catalan names
_SHORTEST = 3


def named(text: str, language: str) -> list[str]:
    """Returns the words of a text that are persons' names by where they stand, each once."""
    code = concepts.code(language)
    if code not in _WORDS:
        return []
    tokens = list(TOKEN.finditer(text))
    found = (
        name
        for number, token in enumerate(tokens)
        if (name := _name(token[0], code))
        and not is_person_word(name, code)
        and _is_named(text, tokens, number, name, code)
    )
    return list(dict.fromkeys(found))


def is_person_word(word: str, code: str) -> bool:
    """Returns whether a word is a trade, a rank or the like, in any form."""
    lower = concepts.bare(word.casefold().replace("’", "'"), code)
    return lower in _words(code) or concepts.lemma(lower, code) in _words(code)


def is_frequent_name(name: str, language: str) -> bool:
    """Returns whether a word is a frequent given name in the countries of a language."""
    return name in _names(concepts.code(language))


def is_foreign(name: str, language: str) -> bool:
    """Returns whether a language's dictionary has no word of which this is a form, and this is no
    sound: Mrrr."""
    code, lower = concepts.code(language), name.casefold()
    if code not in _WORDS or "'" in lower or "’" in lower or _SOUND.search(lower):
        return False
    return not (
        concepts.is_word(lower, code)
        or lower in concepts.lexicon(code)
        or lower in concepts.function_words(code)
    )


def _name(token: str, code: str) -> str:
    """Returns a word as a name, "" if it cannot be one."""
    name = base(_ELISION.sub("", token) if code in ("ca", "fr", "it") else token)
    if code == "tr":
        name = re.split("['’]", name)[0]
    capital = name[:1].isupper() and not name.isupper()
    return name if capital and len(name) >= _SHORTEST else ""


def _is_named(
    text: str, tokens: Sequence[re.Match[str]], number: int, name: str, code: str
) -> bool:
    """Returns whether a capitalised word is somebody's name where it stands."""
    before, after = _beside(text, tokens, number, -1), _beside(text, tokens, number, 1)
    if code == "de" and is_person_word(before, code):  # Frau Doktor Wagenknecht
        before = (
            _beside(text, tokens, number - 1, -1) if _is_titled(text, tokens, number) else before
        )
    opens = may_open_sentence(text[: tokens[number].start()])
    if before in _PARTICLES and number > 1:
        before = _beside(text, tokens, number - 1, -1)
    listed = name in _names(code)
    foreign = not is_german_noun(name) if code == "de" else is_foreign(name, code)
    if name.casefold() in concepts.function_words(code):
        return False
    if before and is_person_word(before, code) and _may_follow(name, before, code):
        return True
    if code in _WORDS_AFTER and is_person_word(after, code) and after not in ("sultan",):
        sure = after[:1].isupper() or not opens
        return foreign or listed or (sure and before not in _determiners(code))
    acts = after in _verbs(code) or (not opens and before in _verbs(code))
    if foreign:
        return listed or (acts and (opens or code == "de"))
    personal = code == "ca" and (before in _PERSONAL or _ELISION.match(tokens[number][0]))
    return listed and bool(
        personal
        or (acts and before not in _determiners(code))
        or (not opens and code != "de" and _is_alone(before, after, code))
    )


def _is_alone(before: str, after: str, code: str) -> bool:
    """Returns whether a capitalised word has a word without capital before it that is no article,
    and none with a capital after it."""
    return before.islower() and before not in _determiners(code) and not after[:1].isupper()


def _is_titled(text: str, tokens: Sequence[re.Match[str]], number: int) -> bool:
    """Returns whether two words for a person stand before a name."""
    return is_person_word(_beside(text, tokens, number - 1, -1), "de")


def _may_follow(name: str, before: str, code: str) -> bool:
    """Returns whether a word after one for a person is a name: in German, which capitalises all
    nouns, it may be an object ("dem Koch Brot")."""
    if code != "de":  # where Señora Azul is a house
        return _COLOURS.isdisjoint(concepts.lexicon(code).get(name.casefold(), ()))
    if before.casefold() in ("herr", "herrn", "frau", "fräulein"):
        return True
    return name in _names(code) or not is_german_noun(name)


@functools.lru_cache(maxsize=10_000)
def is_german_noun(name: str) -> bool:
    """Returns whether a German word is a noun, or made of two words: Honigruf."""
    if concepts.is_entry(name, NAMES_OF) and not concepts.is_entry(name.lower(), NAMES_OF):
        return concepts.is_entry(name.lower(), "de") or name.lower() in concepts.lexicon("de")
    last = name.partition("-")[2]
    if last:
        return is_german_noun(last)
    return concepts.is_word(name, "de") or any(
        concepts.is_word(name[:at].title(), "de") and concepts.is_word(name[at:].title(), "de")
        for at in range(_SHORTEST, len(name) - 2)
    )


def _beside(text: str, tokens: Sequence[re.Match[str]], number: int, step: int) -> str:
    """Returns the word before or after another, "" where more than a space is between them."""
    if not 0 <= number + step < len(tokens):
        return ""
    first, second = sorted((number, number + step))
    between = text[tokens[first].end() : tokens[second].start()]
    return tokens[number + step][0] if between == " " else ""


@functools.cache
def _words(code: str) -> frozenset[str]:
    return frozenset(_WORDS.get(code, "").split())


@functools.cache
def _verbs(code: str) -> frozenset[str]:
    return frozenset(_VERBS.get(code, "").split())


@functools.cache
def _names(code: str) -> frozenset[str]:
    foreign = _NAMES["cyrillic" if code in _CYRILLIC else "latin"]
    return frozenset(f"{_NAMES.get(code, '')} {foreign}".split())


@functools.cache
def _determiners(code: str) -> frozenset[str]:
    return frozenset(_DETERMINERS.get(code, "").split())
