"""Tells subtitles that say everything in two languages at once, and takes one of them.

Two scripts are told apart by their letters. Of one script each cue has a row, or two, in one
language and as many in the other, which share few words; which is which is told by how often
letters are used.
"""

from __future__ import annotations

import collections
import re
import unicodedata
from collections.abc import Sequence
from typing import TypeAlias

import langcodes
from charset_normalizer.cd import characters_popularity_compare
from charset_normalizer.constant import FREQUENCIES

_TWO_SCRIPTS = 0.3  # share of the cues, in a file that says everything in two scripts
_DOUBLED = 0.7  # share of the cues with two halves, in one that says everything in two languages
_ENDS_ALIKE = 0.6  # of these: both halves end as a sentence does; of one that goes on the first not
# Share of the words of either half that the other has too, at most, per word of it, and however
# many there are: names in two languages; halves in one share 0.08 of 45 words, 0.4 of 200 or more.
_SHARED_PER_WORD, _SHARED = 0.0015, 0.3
_LEAST = 40  # words in each, to tell
_STRANGE = 3.0  # what a letter that a language does not have counts
_WORD = re.compile(r"[^\W\d_]+")
_ENDS = (".", "!", "?", "…", "¿", "¡", '"', "”", "»", ":")

Cue: TypeAlias = tuple[float, float, tuple[str, ...]]  # start, end, rows


def in_one_language(cues: Sequence[Cue], language: str) -> list[tuple[str, ...]]:
    """Returns the rows of each cue; where everything is said in two languages those of one, so that
    a cue may have none.

    The language is taken that is asked for: two letters and what follows, "" for English.
    """
    by_script = _in_one_script(cues, language)
    return _in_one_tongue(cues, language) if by_script is None else by_script


def _in_one_script(cues: Sequence[Cue], language: str) -> list[tuple[str, ...]] | None:
    """Returns the rows in one script; None where they are in one, or in a mixture."""
    scripts: dict[tuple[float, float], set[str]] = {}
    for start, end, rows in cues:
        scripts.setdefault((start, end), set()).update(map(_script, rows))
    shown = [found - {""} for found in scripts.values()]
    doubled = sum(len(found) > 1 for found in shown)
    if doubled < 2 or doubled < _TWO_SCRIPTS * len(shown):
        return None
    wanted = _script_of(language) or "LATIN"
    return [
        tuple(
            row for row in rows if wanted not in scripts[start, end] or _script(row) in ("", wanted)
        )
        for start, end, rows in cues
    ]


def _script(text: str) -> str:
    """Returns the script of most letters, "" for none; those of Japanese and Chinese are one."""
    names = collections.Counter(
        unicodedata.name(letter, "?").partition(" ")[0] for letter in text if letter.isalpha()
    )
    script = names.most_common(1)[0][0] if names else ""
    return "CJK" if script in ("HIRAGANA", "KATAKANA", "FULLWIDTH", "HALFWIDTH") else script


def _script_of(language: str) -> str:
    """Returns the script that a language is written in, "" where it is not known."""
    if not language:
        return ""
    script = langcodes.Language.get(language).maximize().script_name("en").upper()
    return (
        "CJK"
        if script.startswith(("JAPANESE", "HAN", "SIMPLIFIED", "TRADITIONAL"))
        else ("HANGUL" if script == "KOREAN" else script.partition(" ")[0])
    )


def _in_one_tongue(cues: Sequence[Cue], language: str) -> list[tuple[str, ...]]:
    """Returns the rows in one of two languages of one script; all rows where there are not two."""
    every = [rows for _, _, rows in cues]
    together: dict[tuple[float, float], list[str]] = {}  # what is shown at once, in its order
    for start, end, rows in cues:
        together.setdefault((start, end), []).extend(rows)
    halves = [
        (rows[: len(rows) // 2], rows[len(rows) // 2 :])
        for rows in together.values()
        if rows and len(rows) % 2 == 0 and not any(row.startswith(("-", "–", "—")) for row in rows)
    ]
    if len(halves) < _DOUBLED * len(together):
        return every
    alike = sum(
        first[-1].endswith(_ENDS) and second[-1].endswith(_ENDS) for first, second in halves
    )
    if alike < _ENDS_ALIKE * len(halves):
        return every
    first, second = (
        collections.Counter(word for half in halves for row in half[side] for word in _words(row))
        for side in (0, 1)
    )
    count = min(first.total(), second.total())
    shared = max(_shared(first, second), _shared(second, first)) if count else 1.0
    if count < _LEAST or shared > min(_SHARED, _SHARED_PER_WORD * count):
        return every
    of_first, of_second = (_likeness(words, language or "en") for words in (first, second))
    mine, others = (first, second) if of_first >= of_second else (second, first)
    return [tuple(row for row in rows if _of(row, mine) >= _of(row, others)) for rows in every]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _shared(words: collections.Counter[str], others: collections.Counter[str]) -> float:
    """Returns the share of the words that are also among the others."""
    return sum(count for word, count in words.items() if word in others) / words.total()


def _of(row: str, words: collections.Counter[str]) -> int:
    return sum(word in words for word in _words(row))


def _likeness(words: collections.Counter[str], language: str) -> float:
    """Returns how much the letters of words are those of a language; 0 where it is not known."""
    name = langcodes.Language.get(language).language_name("en")
    if name not in FREQUENCIES:
        return 0.0
    letters: collections.Counter[str] = collections.Counter()
    for word, count in words.items():
        for letter in word:
            letters[letter] += count
    usual = [letter for letter, _ in letters.most_common() if letter in FREQUENCIES[name]]
    strange = sum(count for letter, count in letters.items() if letter not in FREQUENCIES[name])
    return characters_popularity_compare(name, usual) - _STRANGE * strange / letters.total()
