"""Finds the character that a captioner's description means: "a brown monkey" is George.

A series has a list of its characters (`annotation.characters`). A captioner seldom knows a name and
says what it sees; `resolve` finds the one character that a description fits, and `misnamed` what a
writer says in place of a name. In doubt both find nothing: a wrong name spoils a story, a missing
one does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.annotation import words
from pipeline.runtime import word_lists
from schemas.rows import Character

_ARTICLES = frozenset(("a", "an", "the"))
TITLES = frozenset(word_lists.read(__package__, "titles.txt"))
_PLURAL = frozenset(word_lists.read(__package__, "plural_words.txt"))


def resolve(descriptors: Sequence[str], characters: Sequence[Character]) -> list[str]:
    """Replaces each descriptor that fits exactly one character by that character's name.

    What equals a name or an alias of a character, or contains the name ("George the monkey"), is
    that character. Otherwise its noun must be one that the list has for the character, and at least
    half of its words must be in the list's descriptions: "a brown monkey" is George, who is "a
    small brown monkey", and "a white monkey" is not. Several at once ("two monkeys") are nobody.
    """
    return [_character(descriptor, characters) or descriptor for descriptor in descriptors]


def misnamed(
    text: str, descriptors: Iterable[str], characters: Sequence[Character]
) -> dict[str, str]:
    """Finds the descriptors that a text uses instead of a character's name: {descriptor: name}.

    Only descriptors of several words count ("brown monkey"): to say "the monkey" of George now and
    then is good style. Characters may say what they like in quotation marks.
    """
    narration = f" {' '.join(_key(words.without_quotations(text)))} "
    misnamed = {}
    for descriptor in descriptors:
        name = _character(descriptor, characters)
        key = _key(descriptor)
        if name and len(key) > 1 and f" {' '.join(key)} " in narration and not says(text, name):
            misnamed[re.sub(r"^(?:an?|the)\s+", "", descriptor.strip(), flags=re.IGNORECASE)] = name
    return misnamed


def says(text: str, name: str) -> bool:
    """Returns whether a text says a name, or a part that is one by itself: Quint for Mr. Quint."""
    if f" {' '.join(_key(name))} " in f" {' '.join(_key(text))} ":
        return True
    parts = [
        word
        for word in re.findall(r"[^\W_]+", name)
        if word[:1].isupper() and word.casefold() not in TITLES | _ARTICLES
    ]
    return any(re.search(rf"\b{re.escape(word)}\b", text) for word in parts)


def _key(text: str) -> list[str]:
    """Returns the words by which descriptors and names are compared: all but articles."""
    return [word for word in words.tokenize(text) if word not in _ARTICLES]


def _only(names: Iterable[str]) -> str:
    """Returns the name if there is exactly one, else ""."""
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else ""


def _character(descriptor: str, characters: Sequence[Character]) -> str:
    """Returns the name of the one character that a descriptor means, else ""."""
    key = _key(descriptor)
    by_name = [character.name for character in characters if _key(character.name) == key]
    by_alias = [character.name for character in characters if key in map(_key, character.called)]
    if by_name or by_alias:
        return _only(by_name or by_alias)
    if not key or key[_head_length(key) :][:1] in (["and"], ["or"]):
        return ""
    contained = [
        character.name for character in characters if _contains_name(descriptor, character.name)
    ]
    return _only(contained) if contained else _best_description(descriptor, characters)


def _head_length(key: Sequence[str]) -> int:
    """Returns how many words of a descriptor come before "with", "in" and the like."""
    return next((place for place, word in enumerate(key) if word in words.PHRASE_BREAKS), len(key))


def _contains_name(descriptor: str, name: str) -> bool:
    """Returns whether a descriptor means this name: "Curious George", "George the monkey".

    "George's friend" and "a man with George" are not.
    """
    key, wanted = _key(descriptor), _key(name)
    if _untitled(key) == _untitled(wanted) != []:
        return True  # "Mister Quint" is Mr. Quint
    if re.search(rf"\b{re.escape(name)}['’]s\b", descriptor, re.IGNORECASE):
        return False
    return any(key[start : start + len(wanted)] == wanted for start in range(_head_length(key)))


def _untitled(key: Sequence[str]) -> list[str]:
    return [word for word in key if word not in TITLES]


def _phrases(character: Character) -> list[str]:
    """Returns the descriptions of a character, split at punctuation."""
    return [
        part
        for text in (character.name, character.look, character.role, *character.called)
        for part in re.split(r"[,;.:]", text)
        if part.strip()
    ]


def _noun(phrase: str) -> str:
    """Returns the noun of a phrase: "monkey" of "a small monkey in bed"; "" for a plural."""
    head = words.head(phrase)
    if (
        not head
        or not _PLURAL.isdisjoint(words.tokenize(phrase))
        or not words.lemma(head[-1]).startswith(head[-1])
    ):
        return ""  # "monkeys", "men"; but "hippo" for a hippopotamus is singular
    return head[-1]


def _colours(phrases: Iterable[str]) -> dict[str, set[str]]:
    """Returns the colours of things: "a brown monkey in a red cap" -> monkey: brown, cap: red."""
    colours: dict[str, set[str]] = {}
    for phrase in phrases:
        pending: set[str] = set()
        for word in words.tokenize(phrase):
            if word in words.COLOURS:
                pending.add(word)
            elif word not in words.COMMON_WORDS and word not in words.STOP_WORDS:
                colours.setdefault(words.lemma(word), set()).update(pending)
                pending = set()
    return colours


def _best_description(descriptor: str, characters: Sequence[Character]) -> str:
    """Returns the name of the one character whose descriptions fit best, else ""."""
    noun = _noun(descriptor)
    if not noun or noun in words.COMMON_WORDS:
        return ""
    lemmas, coloured = words.content(descriptor), _colours([descriptor])
    owners = re.findall(r"(\w+)['’]s\b", descriptor.casefold())
    scores: dict[str, float] = {}
    for character in characters:
        phrases = _phrases(character)
        described = words.with_synonyms(words.content(" ".join(phrases)))
        colours = _colours(phrases)
        if (
            not words.with_synonyms([noun]) & words.with_synonyms(map(_noun, phrases))
            or not described.issuperset(owners)
            or any(
                of and colours.get(thing) and not of & colours[thing]
                for thing, of in coloured.items()
            )
        ):
            continue  # another kind, another's friend, a white monkey where George is brown
        shared = sum(
            words.weight(word) for word in lemmas if words.with_synonyms([word]) & described
        )
        if 2 * shared >= sum(map(words.weight, lemmas)):
            scores[character.name] = shared
    best = max(scores.values(), default=0.0)
    return _only(name for name, score in scores.items() if score == best)
