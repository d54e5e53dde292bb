"""Scores the quality of stories, and drops those that miss a threshold.

Each score is a pure function of the story's texts (or of what earlier stages noted about them) and
documents its range, its direction and its source. `score` computes all of them, `gate` compares
them with the thresholds of the configuration. The scores stay with the story, so users of the
dataset can filter by them again. The defaults are wide: plain stories pass, and only garbage does
not (a loop, another language, many made-up names).

A score that cannot be computed is None: no weights to compare pictures with, no formula or no
dictionary for the language. None never fails a gate.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

import simplemma

from pipeline.annotation import concepts
from pipeline.annotation.words import dictionary_words
from pipeline.config import QualityConfig
from pipeline.runtime import storage, word_lists
from schemas.rows import Scores

# Codes of simplemma's dictionaries that are not those of BCP 47.
_DICTIONARIES = {"no": "nb", "hr": "hbs", "bs": "hbs", "sr": "hbs", "fil": "tl"}

# Characters that are tokens by themselves, as no space tells words apart.
_SOUTH_EAST_ASIAN = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_CHINESE_OR_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")

# Each score, the setting that is its threshold, and the reject's reason if it fails.
GATES = (
    ("repetition", "max_repetition", "repetitive"),
    ("reading_grade", "max_reading_grade", "hard to read"),
    ("language_share", "min_language_share", "other language"),
    ("toxic_words", "max_toxic_words", "toxic"),
    ("name_consistency", "min_name_consistency", "unknown names"),
    ("repaired_share", "max_repaired", "repaired"),
    ("grounding", "min_grounding", "ungrounded"),
    ("similarity", "min_similarity", "unlike pictures"),
)


def score(
    texts: Sequence[str],
    *,
    language: str,
    names: Iterable[str] = (),
    toxic: Collection[str] | None = None,
    strangers: Sequence[Sequence[str]] = (),
    repaired: Sequence[bool] = (),
    grounding: Sequence[float] = (),
    similarity: Sequence[float] = (),
    naming: Sequence[bool] = (),
) -> Scores:
    """Computes all scores of one story, rounded to 4 decimals as last bits differ by machine.

    `names` are all names of the series' characters, `toxic` is the result of `word_list`. The
    others hold an item per text: `strangers` the unknown names in it, `repaired` whether it was
    asked for twice, `grounding` the share of its caption that it keeps, `similarity` how well it
    fits its picture; empty if that was not measured. `naming` has an item for each character that
    is seen by name in a picture: whether its text names it.
    """
    names = list(names)
    return Scores(
        repetition=_rounded(repetition(texts)),
        reading_grade=_rounded(reading_grade(texts, language)),
        language_share=_rounded(language_share(texts, language, names)),
        toxic_words=None if toxic is None else toxic_words(texts, toxic, names),
        name_consistency=_rounded(name_consistency(strangers)),
        repaired_share=_rounded(mean(repaired)),
        grounding=_rounded(mean(grounding)),
        similarity=_rounded(mean(similarity)),
        naming=_rounded(mean(naming)),
    )


def gate(scores: Scores, thresholds: QualityConfig) -> list[tuple[str, str]]:
    """Returns a reason and its figures for each threshold that a story misses, [] if it passes."""
    misses = []
    for name, setting, reason in GATES:
        value, limit = getattr(scores, name), getattr(thresholds, setting)
        if value is None or limit is None:
            continue
        if value < limit if setting.startswith("min_") else value > limit:
            label = name.replace("_", " ")
            misses.append((reason, f"{label} is {value:g}, and quality.{setting} is {limit:g}"))
    return misses


def repetition(texts: Sequence[str], n: int = 4) -> float | None:
    """Returns the share of repeated n-grams of words, 0..1; None if the texts have no n-gram.

    This is seq-rep-4 of Welleck et al. 2019 (arXiv 1908.04319): 1 - distinct n-grams / all n-grams.
    An n-gram stays within one text. In scripts without spaces it has as many characters as so many
    words have on average: two a word in Chinese and Japanese, four in Thai, Lao, Burmese and Khmer.
    Prose has less than 0.02, a story of set phrases 0.1 to 0.3, a model in a loop 0.8 and more.
    """
    texts_words = [dictionary_words(text) for text in texts]
    n *= _characters_per_word([word for words in texts_words for word in words])
    ngrams = [
        tuple(words[start : start + n])
        for words in texts_words
        for start in range(len(words) - n + 1)
    ]
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else None


def _characters_per_word(tokens: Sequence[str]) -> int:
    """Returns how many tokens make a word: 1 where words are tokens, more where characters are."""
    for characters, size in ((_SOUTH_EAST_ASIAN, 4), (_CHINESE_OR_JAPANESE, 2)):
        if 2 * sum(characters.match(token) is not None for token in tokens) > len(tokens):
            return size
    return 1


def reading_grade(texts: Sequence[str], language: str) -> float | None:
    """Returns the Flesch-Kincaid grade (Kincaid et al. 1975), US school years; None if not English.

    0.39 words per sentence + 11.8 syllables per word - 15.59, so it can be below 0 and has no upper
    bound. Other languages have formulas too, but each has its own scale, and one threshold would
    not fit them.
    """
    words = [word for text in texts for word in dictionary_words(text)]
    if _code(language) != "en" or not words:
        return None
    sentences = sum(len(simplemma.split_sentences(text, "en")) for text in texts)
    return 0.39 * len(words) / sentences + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def language_share(texts: Sequence[str], language: str, names: Iterable[str] = ()) -> float | None:
    """Returns the share of words, without names, in simplemma's dictionary of the language, 0..1.

    Function words are known, and so are words that Arabic and Hebrew join to "and", "in" or "the".
    None for a language without a dictionary. Good prose has 0.93 and more. Related languages share
    words (English scores 0.65 as German), and a third of made-up words are known by chance.
    """
    code = _DICTIONARIES.get(_code(language), _code(language))
    skipped = {word for name in names for word in dictionary_words(name)}
    words = [word for text in texts for word in dictionary_words(text) if word not in skipped]
    function_words = concepts.function_words(language)

    def is_known(word: str) -> bool:
        return word in function_words or any(
            simplemma.is_known(part, code) for part in (word, *concepts.without_prefix(word, code))
        )

    try:
        return mean(list(map(is_known, words)))
    except ValueError:  # no dictionary
        return None


def toxic_words(texts: Sequence[str], words: Collection[str], names: Iterable[str] = ()) -> int:
    """Counts the uses of a word or phrase of the list, as whole words in any case.

    An entry that is also part of a name is not counted: Moby Dick may keep his.
    """
    skipped = {word for name in names for word in dictionary_words(name)}
    wanted = {
        phrase
        for phrase in (" ".join(dictionary_words(entry)) for entry in words)
        if phrase and phrase not in skipped
    }
    longest = max((phrase.count(" ") + 1 for phrase in wanted), default=0)
    return sum(
        " ".join(tokens[start : start + size]) in wanted
        for tokens in map(dictionary_words, texts)
        for size in range(1, longest + 1)
        for start in range(len(tokens) - size + 1)
    )


def name_consistency(strangers: Sequence[Sequence[str]]) -> float | None:
    """Returns the share of texts without an unknown name, 0..1; `strangers` are those per text."""
    return mean([not names for names in strangers])


def mean(values: Sequence[float]) -> float | None:
    """Returns the arithmetic mean, None for no values."""
    return sum(values) / len(values) if values else None


def word_list(language: str, path: str = "") -> frozenset[str] | None:
    """Reads the words that `toxic_words` counts, from a file or else `toxic_words_en.txt`.

    None for languages other than English without a file: there "dick" may mean fat. Blank lines and
    those that begin with # are no entries. Raises OSError for a file that cannot be read and
    UnicodeDecodeError for one that is not UTF-8.
    """
    if path:
        return frozenset(word_lists.parse(storage.read_bytes(path).decode("utf-8-sig")))
    if _code(language) == "en":
        return frozenset(word_lists.read(__package__, "toxic_words_en.txt"))
    return None


def _syllables(word: str) -> int:
    """Counts the syllables of an English word: its groups of vowels, without a silent e.

    Measured on stories against the CMU pronouncing dictionary: right for 96% of words, 2% off in
    total. Hyphenation patterns (pyphen) are 4% off: they never split "a-way" or "ver-y".
    """
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = re.search(r"[^aeiouyl]e$|[^aeiouydt]ed$|[^aeiouy]es$", word)
    return max(groups - bool(silent), 1)


def _code(language: str) -> str:
    """Returns the language of a BCP 47 tag: "en" of "en-GB"."""
    return language.partition("-")[0].lower()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
