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

import importlib.resources
import re
from collections.abc import Collection, Iterable, Sequence

import simplemma

from pipeline.annotation.words import dictionary_words
from pipeline.config import QualityConfig
from pipeline.runtime import storage
from schemas.rows import Scores

# Codes of simplemma's dictionaries that are not those of BCP 47.
_DICTIONARIES = {"no": "nb", "hr": "hbs", "bs": "hbs", "sr": "hbs", "fil": "tl"}

# What the word list of better-profanity also has, though a decent story may say it: animals and
# plants, things, names, mild oaths, the body, who people are, and phrases that arise by chance
# ("he sent Jack off to market"). Without these a flower-pot or Puss in Boots would be toxic.
_ORDINARY = """
    areole, arian, aryan, ass, asses, bestial, blue waffle, bondage, breasts, brown shower,
    brown showers, chink, cock, cocks, coon, cow girl, cow girls, cowgirl, cowgirls, crap, crotch,
    damn, deep throat, dick, dink, dinks, dogging, dong, doofus, dopey, drunk, dummy, dyke, dykes,
    enlargement, erect, erection, facial, fagot, fagots, fanny, fart, fat, fingering, fisted, fisty,
    flange, fondle, foobar, frigg, frigga, gae, gai, gay, gays, gey, god, golden shower, gringo,
    guido, hebe, hell, hemp, hitler, hiv, hoar, hoare, homey, homo, honky, hooch, hookah, hooter,
    hooters, horny, hump, humped, humping, hussy, inbred, jack off, jackass, jerk, jerked, junkie,
    junky, kill, kinky, knob, kummer, lech, len, leper, lesbians, lmao, loin, loins, lube, lust,
    lusting, lusty, mams, maxi, menses, menstruate, menstruation, moron, muff, murder, naked,
    napalm, nappy, nazi, nazism, niggle, nimrod, ninny, nipple, nipples, nob, nude, omg, opiate,
    opium, oral, orally, organ, ovary, ovum, ovums, paddy, pantie, panties, panty, pastie, pasty,
    pawn, pecker, pee, peepee, penetrate, penetration, playboy, pms, pollock, poop, pot, potty,
    prick, pricks, prig, prude, punky, puss, pussies, pussy, queer, queers, quicky, racy, reefer,
    reich, revue, rimming, rum, rump, sandbar, scantily, screw, screwed, screwing, scum, seaman,
    seamen, seduce, sex, shag, sissy, slave, sleazy, slope, smut, smutty, snatch, sniper, snuff,
    sodom, souse, soused, sperm, spick, spunk, steamy, stoned, strip, stroke, stupid, suck, sucked,
    sucking, tampon, tawdry, teat, three some, thrust, thug, tinkle, tit, titi, tits, toke, toots,
    tramp, transsexual, trashy, tush, ugly, undies, unwed, urinal, urine, uterus, uzi, valium,
    viagra, virgin, vixen, vodka, vomit, vulgar, wad, wang, wazoo, wedgie, weed, weenie, weewee,
    weiner, weirdo, wench, whitey, whiz, willies, willy, womb, woody, xx, xxx
"""


# Each score, the setting that is its threshold, and the reject's reason if it fails.
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
    """Computes all scores of one story, rounded to 4 decimals as last bits differ by machine.

    `names` are all names of the series' characters, `toxic` is the result of `word_list`. The
    others hold an item per text: `strangers` the unknown names in it, `repaired` whether it was
    asked for twice, `grounding` the share of its caption that it keeps, `similarity` how well it
    fits its picture; empty if that was not measured.
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
    An n-gram stays within one text. In scripts without spaces a character counts as a word. Prose
    has less than 0.02, a story of set phrases 0.1 to 0.3, a model in a loop 0.8 and more.
    """
    ngrams = [
        tuple(words[start : start + n])
        for words in map(dictionary_words, texts)
        for start in range(len(words) - n + 1)
    ]
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else None


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

    None for a language without a dictionary. Good prose has 0.93 and more. Related languages share
    words (English scores 0.65 as German), and a third of made-up words are known by chance.
    """
    code = _DICTIONARIES.get(_code(language), _code(language))
    skipped = {word for name in names for word in dictionary_words(name)}
    words = [word for text in texts for word in dictionary_words(text) if word not in skipped]
    try:
        return mean([simplemma.is_known(word, code) for word in words])
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
    """What `toxic_words` looks for: the lines of a file, or without one the list for English.

    That is the list of better-profanity without `_ORDINARY` and without what only its own matching
    understands ("sh1t"). None for other languages: there "dick" may mean fat. In a file, empty
    lines and those that begin with # do not count. Raises OSError for a file that cannot be read
    and UnicodeDecodeError for one that is not UTF-8.
    """
    if path:
        lines = storage.read_bytes(path).decode("utf-8-sig").splitlines()
        return frozenset(
            line.strip() for line in lines if line.strip() and not line.startswith("#")
        )
    if _code(language) != "en":
        return None
    source = importlib.resources.files("better_profanity") / "profanity_wordlist.txt"
    entries = {
        " ".join(dictionary_words(line))
        for line in source.read_text(encoding="utf-8").splitlines()
        if re.fullmatch("[A-Za-z -]+", line)
    }
    return frozenset(entries - {entry.strip() for entry in _ORDINARY.split(",")})


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
