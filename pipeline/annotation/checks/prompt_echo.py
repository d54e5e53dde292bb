"""Finds answers that repeat the prompt, or hold what models write around an answer."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from pipeline.annotation import words
from pipeline.annotation.checks.patterns import any_of

_NGRAM = 8  # words of the prompt in a row that no text has by chance
_MIN_LINE = 5  # words of a line of the prompt, likewise

# Code fences, special tokens, JSON keys, "Picture 3:", "Here is the story", "I hope this helps".
_WRAPPING = any_of(
    r"```",
    r"</?(?:think|answer|text|story|s)>",
    r"<\|\w+\|>",
    r"\[/?INST\]",
    r"[{\[]\s*\"\w+\"\s*:",
    r"\"(?:sentences|frame|text|plain)\"\s*:",
    r"^[^\w\n]*(?:picture|image|frame|page|scene|caption|sentence|text)s?\s*#?\d+\s*[\])*]*\s*[:.)–—-]",
    r"^[^\w\n]*(?:title|story|narrative|caption|description|dialogue|text|note|output|answer)[^\w\n]*:",
    r"\bstory so far\W*:",
    r"^[^\w\n]*sure!",
    r"^[^\w\n]*(?:sure|certainly|of course|okay|absolutely|great)[!,.:]+ "
    r"(?:here|i\b|i'll|let me|below)",
    r"\bhere(?:'s| is| are) (?:the|your|my|an?) (?:[\w-]+ ){0,4}?(?:story|texts?|sentences?"
    r"|narrative|rewrite|json|answer|continuation|version)\b(?! (?:of|a)\b)",
    r"\blet me know if (?:you|there)\b",
    r"\bi hope this (?:helps|works|meets)\b",
)


def echo(text: str, instructions: Sequence[str]) -> str:
    """Returns the fault of a text that repeats the prompt or holds parts of another format.

    `instructions` are the prompt's own lines, without data: see `prompts.instructions`.
    """
    lines, ngrams = _of_prompt(tuple(instructions))
    tokens = words.tokenize(text)
    padded = f" {' '.join(tokens)} "
    if any(f" {line} " in padded for line in lines) or not ngrams.isdisjoint(
        words.ngrams(tokens, _NGRAM)
    ):
        return "the text repeats the question"
    if found := _WRAPPING.search(text.replace("’", "'")):
        return f"the text holds {found[0].strip()!r}, which is no part of a story"
    return ""


@functools.lru_cache(maxsize=16)
def _of_prompt(instructions: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the longer lines of a prompt, and its n-grams across lines."""
    lines = [words.normalize(line) for line in instructions]
    return (
        frozenset(line for line in lines if len(line.split()) >= _MIN_LINE),
        frozenset(words.ngrams(" ".join(lines).split(), _NGRAM)),
    )
