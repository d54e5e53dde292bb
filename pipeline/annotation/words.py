"""Splits texts into words and compares them: tokens, lemmas, synonyms, n-grams.

A caption says "a boy runs across a field", a story "the lad dashed through the grass". To compare
the two, a text becomes its `content`: the lemmas of its words without stop words. `with_synonyms`
adds to a lemma the groups of synonyms it belongs to, so that "dash" matches "run". The groups are
short and made for what children's films show; they are no dictionary. Lemmas, stop words and
synonyms are English; the rest works in any language.

There are two tokenizations, as comparing and counting need different words:

- `tokenize`, to compare texts: every run of letters or digits counts, case-folded; Chinese or Thai
  without spaces stays in one piece.
- `dictionary_words`, to count and look up words: without numbers, in lower case as dictionaries
  have them, and a character of a script without spaces counts as a word.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence

import simplemma

from pipeline.runtime import word_lists

# Vowel signs of Indic scripts and accents that stand alone are parts of words, and no \w.
_MARKS = "".join(
    char for char in map(chr, range(0x300, 0x1100)) if unicodedata.category(char)[0] == "M"
)
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}])*(?:['’][^\W_](?:[^\W_]|[{_MARKS}])*)*")
_POSSESSIVE = re.compile(r"['’]s$")
_QUOTATION = re.compile(
    r'"[^"]*"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|»[^«»]*«|「[^」]*」|『[^』]*』'
    r"|(?<!\w)['‘](?=\w).+?[^\w\s]?['’](?!\w)"
)  # 'I can't swim,' ends where no letter follows
_NO_SPACES = re.compile(  # Thai, Lao, Burmese, Khmer, kana and Han: written without spaces
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff])"
)

STOP_WORDS = frozenset(word_lists.read(__package__, "stop_words.txt"))
DETERMINERS = frozenset(word_lists.read(__package__, "determiners.txt"))
COLOURS = frozenset(word_lists.read(__package__, "colours.txt"))
COMMON_WORDS = COLOURS.union(word_lists.read(__package__, "common_words.txt"))
PHRASE_BREAKS = frozenset(word_lists.read(__package__, "phrase_breaks.txt"))
SYNONYMS = word_lists.read(__package__, "synonyms.txt")  # a group is one string of words


def tokenize(text: str) -> list[str]:
    """Returns the words case-folded, without a possessive 's: "George's hat" -> george, hat."""
    return [word for word, _ in located(text)]


def located(text: str) -> list[tuple[str, int]]:
    """Returns the words of `tokenize` with their places in the text, composed (NFC)."""
    text = unicodedata.normalize("NFC", text)
    return [
        (_POSSESSIVE.sub("", match[0]).casefold().replace("’", "'"), match.start())
        for match in _WORD.finditer(text)
    ]


def first(text: str) -> str:
    """Returns the first word of a text as it is written, "" for none."""
    found = _WORD.search(text)
    return found[0] if found else ""


def dictionary_words(text: str) -> list[str]:
    """Returns the words in lower case, without a possessive 's and without numbers.

    Parts of a compound are words, and so is each character of a script without spaces.
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("-", " ").lower()
    tokens = simplemma.simple_tokenizer(_NO_SPACES.sub(r" \1 ", text))
    return [token.removesuffix("'s") for token in tokens if any(map(str.isalpha, token))]


def ngrams(words: Sequence[str], n: int) -> set[str]:
    """Returns all runs of `n` words: "a b", "b c" of a, b, c for n = 2."""
    return {" ".join(words[start : start + n]) for start in range(len(words) - n + 1)}


def normalize(text: str) -> str:
    """Returns a text without case, punctuation and line breaks, to compare it with another."""
    return " ".join(tokenize(text))


def quotations(text: str) -> list[tuple[int, int]]:
    """Returns where the quotations of a text begin and end."""
    return [match.span() for match in _QUOTATION.finditer(text)]


def without_quotations(text: str) -> str:
    """Returns a text without quotations: what the narrator says, not what the characters say."""
    return _QUOTATION.sub(" ", text)


@functools.lru_cache(maxsize=50_000)
def lemma(word: str) -> str:
    """Returns the dictionary form of an English word in lower case: "dashed" -> "dash"."""
    found = simplemma.lemmatize(word, lang="en").casefold()
    if found.endswith("ing") and len(found) > 6:  # "building" is also a verb
        stem = found[:-3]
        verbs = [stem, stem + "e", *([stem[:-1]] if stem[-1] == stem[-2] else [])]
        return next((verb for verb in verbs if simplemma.is_known(verb, lang="en")), found)
    return found


def content(text: str) -> list[str]:
    """Returns the lemmas of an English text without stop words, each once, in order."""
    lemmas = (lemma(word) for word in tokenize(text) if word not in STOP_WORDS)
    return list(dict.fromkeys(word for word in lemmas if word not in STOP_WORDS))


def head(phrase: str) -> list[str]:
    """Returns the noun of a description with its adjectives.

    "small", "boy" of "a small boy holding a kite in a park".
    """
    words: list[str] = []
    for word in tokenize(phrase):
        participle = word.endswith("ing") and words and words[-1] not in COMMON_WORDS
        if words and (word in PHRASE_BREAKS or participle):
            break  # but "a big flying squirrel" is one noun
        if word not in STOP_WORDS:
            words.append(word)
    return words


@functools.cache
def _groups_of_words(groups: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Maps each word to its groups, each named "like WORDS"."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for word in group.split():
            found.setdefault(word, set()).add(f"like {group}")
    return {word: frozenset(names) for word, names in found.items()}


def with_synonyms(lemmas: Iterable[str], groups: tuple[str, ...] = SYNONYMS) -> frozenset[str]:
    """Returns lemmas and the groups of synonyms they belong to; those of like meaning share one."""
    groups_of = _groups_of_words(groups)
    return frozenset(entry for word in lemmas for entry in (word, *groups_of.get(word, ())))


def weight(word: str) -> float:
    """Returns how much a lemma says of a picture: 1, or 0.5 if many pictures share it."""
    return 0.5 if word in COMMON_WORDS else 1.0
