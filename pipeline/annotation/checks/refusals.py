"""Finds answers in which the model declines to write, in the languages that have phrases.

A narrator may be sorry, or unable to tell, see and describe things; so may a character. A refusal
speaks of the question: the request, the picture, being a model. So a text is one where it has a
phrase that no story has; where a sentence of its narration says both that something cannot be done
and that it is what was asked for; or where it says little but that, is short and names no
character.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.annotation import name_forms, words
from pipeline.annotation.checks import patterns

_FAULT = "the text is a refusal, not a story"
_FEWEST_WORDS = 5  # "But I can't."
_SHORT = 160  # characters of a text that says little else
_LONGEST = 260  # characters of a refusal with its reason and an offer of something else
_VOCABULARY = ("cannot", "asked", "work", "topic", "do", "whole", "sorry", "plain")
# How much of a text is words of refusals.
_HALF = 0.5
_MOST = 0.65
_NEARLY_ALL = 0.87


def refusal(text: str, names: Sequence[str] = ()) -> str:
    """Returns the fault of a text in which the model declines to write, "" for none.

    Characters, who have these names, may be sorry, or unable to do a thing, in quotation marks and
    out of them.
    """
    narration = patterns.narration(text)
    if not words.tokenize(narration):  # all speech: a refusal only in words that no character has
        return _FAULT if patterns.find("alone", patterns.folded(text)) else ""
    sentences = [patterns.folded(sentence) for sentence in patterns.sentences(narration)]
    whole = " ".join(sentences)
    if patterns.find("alone", whole):
        return _FAULT
    for language in patterns.languages():
        cannot, asked = (patterns.pattern(language, name) for name in ("cannot", "asked"))
        if (
            cannot
            and asked
            and any(cannot.search(sentence) and asked.search(sentence) for sentence in sentences)
        ):
            return _FAULT
        if _is_nothing_else(whole, language) or _declines_work(whole, language):
            return _FAULT
        if _says_little_else(sentences, language) and not _names_character(text, names):
            return _FAULT
    return ""


def _says_little_else(sentences: list[str], language: str) -> bool:
    """Returns whether a short text says that it cannot, and what it was asked for, and has few
    words that refusals do not have: "This is not something I can write about"."""
    cannot, asked, work, topic, do = (
        patterns.pattern(language, name) for name in ("cannot", "asked", "work", "topic", "do")
    )
    declining = [sentence for sentence in sentences if cannot and cannot.search(sentence)]
    text = f" {' '.join(' '.join(sentences).split())} "
    if not (declining and topic and do) or len(text) > _LONGEST:
        return False
    share = patterns.share(text, language, _VOCABULARY)
    if (topic.search(text) and do.search(text) and share >= _MOST) or (
        asked and asked.search(text) and share >= _HALF
    ):
        return True
    return share >= _MOST and any(
        any(found and found.search(sentence) for found in (do, work, topic))
        and patterns.share(sentence, language, _VOCABULARY) >= _NEARLY_ALL
        for sentence in declining
    )


def _names_character(text: str, names: Sequence[str]) -> bool:
    """Returns whether a text has one of the names, where its script tells that by sounds or, where
    many words sound like a name, as it is written."""
    return any(
        name in text
        or any(not name_forms.is_doubtful(text[place:]) for place in name_forms.find(text, name))
        for name in names
    )


def _declines_work(text: str, language: str) -> bool:
    """Returns whether a short text begins by being sorry, and says that it cannot help, write or
    tell: "I'm sorry, but I'm not comfortable continuing this story"."""
    sorry, cannot, work = (patterns.pattern(language, name) for name in ("sorry", "cannot", "work"))
    if not (sorry and cannot and work) or len(text) > _SHORT:
        return False
    begins = sorry.match(text) or sorry.match(text.lstrip())
    rest = begins.string[begins.end() :] if begins else ""
    return bool(cannot.search(f" {rest.strip()} ") and work.search(f" {rest.strip()} "))


def _is_nothing_else(text: str, language: str) -> bool:
    """Returns whether a text only says that it is sorry and cannot help, in these words or, where
    spaces tell words apart, in another order of them: "s tímto vám pomoci nemohu"."""
    whole, sorry, cannot = (
        patterns.pattern(language, name) for name in ("whole", "sorry", "cannot")
    )
    if not (whole and sorry and sorry.search(text)):
        return False
    if whole.search(text) and not patterns.strip_phrases(text, (whole, sorry)).strip():
        return True
    return (
        bool(cannot and cannot.search(text))
        and len(words.tokenize(text)) >= _FEWEST_WORDS
        and patterns.share(text, language, _VOCABULARY) >= _NEARLY_ALL
    )
