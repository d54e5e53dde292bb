"""Reads the phrases by which checks know what a text is, a file per language, and compiles them.

A file of the folder `phrases` has sections, with a phrase per line:

- alone: said by a model and by nobody in a story: "as an AI", "please provide"
- cannot and asked: a refusal where one sentence has both: "I cannot", "this request"
- work: what a model is asked for: "help", "story"; a refusal where a sentence that begins with a
  phrase of `sorry` has one of `cannot` too
- topic: the same, in words that stories have too, or an offer: "photos", "another idea"
- do: how it would be done: "write", "decline"; a refusal in a text that says little else
- plain: other words of refusals, which tell nothing by themselves: "because", "possible"
- whole: a refusal where a text is nothing else and has one of `sorry`: "I can't help with that"
- sorry: what a refusal is wrapped in: "I'm sorry", "but"
- placeholder: a text that is nothing else is none: "to be determined", "text here"
- label: before a colon, a number or none, no part of a story: "picture", "note"
- note: a note to the reader, before a colon: "here is the next part of the story"
- attack: speaks to a model of its instructions, its role or its output, and is said in films
- picture: speaks of the picture or the camera, not of what happens: "in this picture"

A phrase is in lower case and without punctuation. `…` stands for up to six words (15 characters of
a script without spaces), `*` at either end of a word for any letters, `^` for the start of a
sentence. A new language is a new file.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from importlib import resources

from pipeline.annotation import words
from pipeline.runtime import word_lists

# Thai, Lao, Burmese, Khmer, kana, Han and Hangul: no spaces, or endings that no list can hold.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_ENDINGS = re.compile("[\uac00-\ud7a3]")
_ENDING = "[^ ]{0,4}"  # of a Korean word
_SHORTEST_STEM = 3  # letters of a word that may go on
_SHORT_VOWELS = re.compile("[\u064b-\u0652]")  # of Arabic, which few write
_PUNCTUATION = re.compile(r"(?!['*])[\W_]")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？।۔؟])(?:\s+|(?<=[。！？।۔؟]))|\n+|;\s|；")

# A line, or a sentence, that begins with a dash is speech in many languages.
_SPEECH = re.compile(r"(?:^|(?<=[.!?…:]\s))\s*[—–].*$", re.MULTILINE)


def any_of(*patterns: str) -> re.Pattern[str]:
    """Compiles several patterns into one that matches any of them.

    Case is ignored; ^ and $ match at the start and end of each line.
    """
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


@functools.cache
def languages() -> tuple[str, ...]:
    """Returns the codes of the languages that have a file of phrases."""
    folder = resources.files(__package__).joinpath("phrases")
    names = (file.name for file in folder.iterdir())
    return tuple(sorted(name.removesuffix(".txt") for name in names if name.endswith(".txt")))


@functools.cache
def phrases(language: str, section: str) -> tuple[str, ...]:
    """Returns the phrases of a section; none where the language has no such section."""
    found: list[str] = []
    inside = False
    for line in word_lists.read(__package__, f"phrases/{language}.txt"):
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside:
            found.append(line)
    return tuple(found)


@functools.cache
def pattern(language: str, section: str) -> re.Pattern[str] | None:
    """Compiles the phrases of a section, to be searched in a text that is `folded`; None for no
    phrases."""
    found = phrases(language, section)
    return re.compile("|".join(map(_regex, found))) if found else None


def find(section: str, text: str) -> str:
    """Returns the phrase of a section, in any language, in a text that is `folded`; "" for none."""
    for language in languages():
        compiled = pattern(language, section)
        if compiled and (found := compiled.search(text)):
            return found[0].strip()
    return ""


def folded(text: str) -> str:
    """Returns a text as phrases are written: lower case, words with single spaces around them."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    text = text.replace("i\u0307", "i")  # the Turkish capital
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    text = _SHORT_VOWELS.sub("", text)
    # Vowel signs of Indic scripts are no letters to `re`, and punctuation is.
    spaced = "".join(
        " " if _PUNCTUATION.match(char) and unicodedata.category(char)[0] != "M" else char
        for char in text
    )
    return f" {' '.join(spaced.split())} "


def narration(text: str) -> str:
    """Returns what the narrator says, without what characters say in quotation marks or after a
    dash."""
    return _SPEECH.sub("", words.without_quotations(text))


def sentences(text: str) -> list[str]:
    """Splits a text of any script into its sentences."""
    return [part for part in _SENTENCE_END.split(text) if part and part.strip()]


def share(text: str, language: str, sections: tuple[str, ...]) -> float:
    """Returns how much of a text that is `folded` is words of these sections, from 0 to 1."""
    letters = len(text.replace(" ", ""))
    known = _words_of(language, sections)
    return 1 - len(known.sub("", text).replace(" ", "")) / letters if letters else 0.0


@functools.cache
def _words_of(language: str, sections: tuple[str, ...]) -> re.Pattern[str]:
    """Compiles the words of phrases, the longest first; those of unspaced scripts are found
    anywhere, others as whole words."""
    found = {
        word
        for section in sections
        for phrase in phrases(language, section)
        for word in folded(phrase.replace("^", "").replace("…", " ")).split()
        if "*" not in word or len(word.replace("*", "")) >= _SHORTEST_STEM
    }
    unspaced = sorted(filter(_UNSPACED.search, found), key=len, reverse=True)
    spaced = [
        _word(word) + (_ENDING if _ENDINGS.search(word) else "")
        for word in sorted(found.difference(unspaced), key=len, reverse=True)
    ]
    return re.compile("|".join([*map(re.escape, unspaced), f"(?<= )(?:{'|'.join(spaced)})(?= )"]))


def strip_phrases(text: str, removed: Iterable[re.Pattern[str]]) -> str:
    """Removes what the patterns find from a text that is `folded`."""
    for found in removed:
        before = ""
        while before != text:
            before, text = text, found.sub(" ", text)
    return text


def _regex(phrase: str) -> str:
    """Returns the regular expression of one phrase."""
    if phrase.startswith("^"):
        return "^ ?" + _regex(phrase[1:])
    parts = [folded(part).split() for part in phrase.split("…")]
    if _UNSPACED.search(phrase):
        return ".{0,15}?".join(" ?".join(map(_word, words)) for words in parts)
    ending = "[^ ]*" if _ENDINGS.search(phrase) else ""
    gap = "(?: [^ ]+){0,6}?"
    return (
        gap.join("".join(f" {_word(word)}" for word in words) for words in parts) + f"{ending}(?= )"
    )


def _word(word: str) -> str:
    return re.escape(word).replace(r"\*", "[^ ]*")
