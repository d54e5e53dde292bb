"""How good a story is, as numbers, and which stories are too bad to keep.

Each score is a pure function of the story's texts (or of what earlier stages noted about them) and
says its range, its direction and where it comes from. `score` works all of them out, `gate` holds
them against the thresholds of the config. The scores travel with the story, so whoever uses the
dataset can cut it by them again. The defaults are wide: plain stories pass and only rubbish does
not (a loop, another language, a stream of made-up names).

A score that cannot be had is None: no weights to compare pictures with, no formula or no dictionary
for the language. None never fails a gate.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from importlib import resources

import simplemma

from pipeline.config import QualityConfig
from pipeline.runtime import storage
from schemas.rows import Scores

_NO_SPACES = re.compile(  # Thai, Lao, Burmese, Khmer, kana and Han: written without spaces
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff])"
)
_DICTIONARIES = {"no": "nb", "hr": "hbs", "bs": "hbs", "sr": "hbs", "fil": "tl"}  # of simplemma

# Each score with the threshold it is held against and the reason it gives when it fails.
GATES = (
    ("repetition", "max_repetition", "repetitive"),
    ("reading_grade", "max_reading_grade", "hard to read"),
    ("language_share", "min_language_share", "other language"),
    ("toxic_words", "max_toxic_words", "toxic"),
    ("name_consistency", "min_name_consistency", "unknown names"),
    ("repaired", "max_repaired", "repaired"),
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
) -> Scores:
    """All scores of one story, to 4 decimals so that no machine's last bit shows.

    `names` are all names of the series' characters and `toxic` is what `word_list` gave. The others
    hold one item a text: the unknown names in it, whether it was asked for twice, how well it keeps
    to its caption, how well it fits its picture; empty where that was not looked at.
    """
    names = list(names)
    return Scores(
        repetition=_rounded(repetition(texts)),
        reading_grade=_rounded(reading_grade(texts, language)),
        language_share=_rounded(language_share(texts, language, names)),
        toxic_words=None if toxic is None else toxic_words(texts, toxic, names),
        name_consistency=_rounded(name_consistency(strangers)),
        repaired=_rounded(mean(repaired)),
        grounding=_rounded(mean(grounding)),
        similarity=_rounded(mean(similarity)),
    )


def gate(scores: Scores, thresholds: QualityConfig) -> list[tuple[str, str]]:
    """A reason and its figures for each threshold that a story misses; none where it may stay."""
    misses = []
    for name, setting, reason in GATES:
        value, limit = getattr(scores, name), getattr(thresholds, setting)
        if value is None or limit is None:
            continue
        if value < limit if setting.startswith("min_") else value > limit:
            label = name.replace("_", " ")
            misses.append((reason, f"{label} is {value:g}, and quality.{setting} is {limit:g}"))
    return misses


# ------------------------------------------------------------------------------ the scores


def repetition(texts: Sequence[str], n: int = 4) -> float | None:
    """Share of runs of `n` words that the story had before, 0..1; None without a run.

    This is seq-rep-4 of Welleck et al. 2019 (arXiv 1908.04319): 1 - distinct runs / all runs. A run
    stays within one text. In scripts without spaces a character counts as a word. Prose has less
    than 0.02, a story of set phrases 0.1 to 0.3, a model in a loop 0.8 and more.
    """
    runs = [
        tuple(words[at : at + n])
        for words in map(_words, texts)
        for at in range(len(words) - n + 1)
    ]
    return 1 - len(set(runs)) / len(runs) if runs else None


def reading_grade(texts: Sequence[str], language: str) -> float | None:
    """Flesch-Kincaid grade of English (Kincaid et al. 1975), US school years; else None.

    0.39 words a sentence + 11.8 syllables a word - 15.59, so it can fall below 0 and has no upper
    end. There is a formula for many a language, but each is its own scale, on which one threshold
    would mean nothing.
    """
    words = [word for text in texts for word in _words(text)]
    if _code(language) != "en" or not words:
        return None
    sentences = sum(len(simplemma.split_sentences(text, "en")) for text in texts)
    return 0.39 * len(words) / sentences + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def language_share(texts: Sequence[str], language: str, names: Iterable[str] = ()) -> float | None:
    """Share of words, names aside, that simplemma's dictionary of the language has, 0..1.

    None for a language without a dictionary. Good prose has 0.93 and more. Related languages share
    words (English scores 0.65 as German), made-up words are a third known by chance.
    """
    code = _DICTIONARIES.get(_code(language), _code(language))
    skipped = {word for name in names for word in _words(name)}
    words = [word for text in texts for word in _words(text) if word not in skipped]
    try:
        return mean([simplemma.is_known(word, code) for word in words])
    except ValueError:  # no dictionary
        return None


def toxic_words(texts: Sequence[str], words: Collection[str], names: Iterable[str] = ()) -> int:
    """How often the texts use a word or phrase of the list, as whole words in any case.

    An entry that is also a word of one of the names does not count: Moby Dick may keep his.
    """
    skipped = {word for name in names for word in _words(name)}
    wanted = {
        phrase
        for phrase in (" ".join(_words(entry)) for entry in words)
        if phrase and phrase not in skipped
    }
    longest = max((phrase.count(" ") + 1 for phrase in wanted), default=0)
    return sum(
        " ".join(said[at : at + size]) in wanted
        for said in map(_words, texts)
        for size in range(1, longest + 1)
        for at in range(len(said) - size + 1)
    )


def name_consistency(strangers: Sequence[Sequence[str]]) -> float | None:
    """Share of texts that name nobody unknown, 0..1, from the unknown names in each text."""
    return mean([not names for names in strangers])


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean, None of nothing."""
    return sum(values) / len(values) if values else None


def word_list(language: str, path: str = "") -> frozenset[str] | None:
    """What `toxic_words` looks for: the lines of a file, without one `toxic_words_en.txt`.

    None for other languages than English: there "dick" may mean fat. Empty lines and those that
    begin with # do not count. Raises OSError for a file that cannot be read and UnicodeDecodeError
    for one that is not UTF-8.
    """
    if path:
        text = storage.read_bytes(path).decode("utf-8-sig")
    elif _code(language) == "en":
        text = (resources.files(__package__) / "toxic_words_en.txt").read_text(encoding="utf-8")
    else:
        return None
    return frozenset(
        line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")
    )


# ------------------------------------------------------------------------------ words


def _words(text: str) -> list[str]:
    """The words in lower case, without the 's of a genitive; parts of a compound are words."""
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("-", " ").lower()
    tokens = simplemma.simple_tokenizer(_NO_SPACES.sub(r" \1 ", text))
    return [token.removesuffix("'s") for token in tokens if any(map(str.isalpha, token))]


def _syllables(word: str) -> int:
    """Of an English word, by its groups of vowels without a silent e.

    Measured on stories against the CMU pronouncing dictionary: 96% of words right, 2% off in all.
    Hyphenation patterns (pyphen) do worse, 4% off: they never part "a-way" or "ver-y".
    """
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = re.search(r"[^aeiouyl]e$|[^aeiouydt]ed$|[^aeiouy]es$", word)
    return max(groups - bool(silent), 1)


def _code(language: str) -> str:
    """The language alone of a BCP 47 tag: "en" of "en-GB"."""
    return language.partition("-")[0].lower()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
