"""What may be wrong with a written text whatever its pictures show: it is no story at all.

Each check returns "" or a fault in words, which the model reads when it is asked once more. A model
may decline to write, say the question back, wrap its answer in talk, or write a text twice. What
characters say stands in quotation marks, and may be anything. `orders` is about texts that follow
the film instead of the question, `grounding` about those that leave their picture out, `names`
about who is in them.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Sequence

from pipeline.annotation import words as w

_ECHO = 8  # so many words of the question in a row are no chance
_NEAR = 0.92  # of two texts' letters in common: one is the other with a word changed

_MODEL = w.any_of(
    r"\bas an? (?:ai|artificial intelligence|assistant)\b",
    r"\bi(?:'m| am) an ai\b",
    r"\blanguage model\b",
    r"\bchatgpt\b",
    r"\b(?:content|usage|safety) polic(?:y|ies)\b",
    r"\bcontent guidelines\b",
    r"\b(?:can't|cannot|can not) assist\b",
    r"\bals (?:eine? )?(?:ki|künstliche intelligenz|sprachmodell)\b",
    r"\ben tant qu(?:e modèle|'ia\b|'intelligence|'assistant)",
    r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje)\b",
)
_REFUSAL = w.any_of(
    r"\bi(?:'m| am) (?:very |so |really )?sorry,? (?:but )?(?:i\b|this|that|there|as\b|your|we)",
    r"^\W*(?:i(?:'m| am) )?sorry\b(?! for)",
    r"\bi (?:do )?apologi[sz]e\b",
    r"\bi(?:'m| am) (?:not able|unable) to\b",
    r"\bi(?:'m| am) not comfortable\b",
    r"\bi (?:can ?not|can't|won't|will not|could not|couldn't)(?: be able to)? (?:assist|help|write"
    r"|rewrite|create|provide|generate|continue|fulfil+|comply|describe|see|view|produce|complete"
    r"|process|share|engage|discuss|identify|answer|tell|do that|do this)\b",
    r"^\W*(?:unable|not able) to (?:assist|generate|fulfil|provide|process|describe|write|comply)",
    r"\b(?:my|our|the) (?:guidelines|policies) (?:prohibit|do not|don't|prevent)",
    r"\bno (?:caption|description|text|picture|image)s? (?:was|were|is|are) (?:given|provided)\b",
    r"\btut mir leid,? (?:aber )?(?:ich|das|dabei|diese)",
    r"\bich kann (?:\w+ ){0,4}nicht (?:helfen|schreiben|erstellen|erfüllen|beantworten|beschreiben"
    r"|erzeugen|generieren|weiterhelfen)",
    r"\bdésolée?,? (?:mais )?je ne (?:peux|puis)\b",
    r"\bje ne (?:peux|puis) pas (?:vous |t')?(?:aider|assister|écrire|fournir|générer|répondre"
    r"|créer|continuer|décrire)",
    r"\blo siento,? (?:pero )?no puedo\b",
    r"\bno puedo (?:ayudar|asistir|escribir|generar|crear|proporcionar|cumplir|continuar"
    r"|describir)",
)
_SPEECH_LINE = re.compile(r"^\s*[—–].*$", re.MULTILINE)  # how French and Spanish open a speech

_LEFT_OVER = w.any_of(
    r"```",
    r"</?(?:think|answer|text|story|s)>",
    r"<\|\w+\|>",
    r"\[/?INST\]",
    r"[{\[]\s*\"\w+\"\s*:",
    r"\"(?:sentences|frame|text|plain)\"\s*:",
    r"^\W*(?:picture|image|frame|page|scene|caption|sentence|text)s?\s*#?\d+\s*[\])*]*\s*[:.)–—-]",
    r"^\W*(?:title|story|narrative|caption|description|dialogue|text|note|output|answer)\W*:",
    r"\bstory so far\W*:",
    r"^\W*sure!",
    r"^\W*(?:sure|certainly|of course|okay|absolutely|great)[!,.:]+ (?:here|i\b|i'll|let me|below)",
    r"\bhere(?:'s| is| are) (?:the|your|my|an?) (?:[\w-]+ ){0,4}?(?:story|texts?|sentences?"
    r"|narrative|rewrite|json|answer|continuation|version)\b(?! (?:of|a)\b)",
    r"\blet me know if (?:you|there)\b",
    r"\bi hope this (?:helps|works|meets)\b",
)


def refusal(text: str) -> str:
    """A fault where the model declines to write; characters may be sorry, or unable to do a thing.

    English, and the usual words of German, French and Spanish.
    """
    text = text.replace("’", "'")
    told = _SPEECH_LINE.sub("", w.unquoted(text))
    # A text that is one quotation is speech, and refuses only in words that no character has.
    if _REFUSAL.search(told) or _MODEL.search(told if w.words(told) else text):
        return "the text is a refusal, not a story"
    return ""


def echo(text: str, instructions: Sequence[str]) -> str:
    """A fault where a text says the question back, or holds what stands around an answer.

    `instructions` are the question's own lines, without data: see `prompts.instructions`.
    """
    lines, runs = _question(tuple(instructions))
    own = w.words(text)
    told = f" {' '.join(own)} "
    if any(f" {line} " in told for line in lines) or not runs.isdisjoint(w.runs(own, _ECHO)):
        return "the text repeats the question"
    if found := _LEFT_OVER.search(text.replace("’", "'")):
        return f"the text holds {found[0].strip()!r}, which is no part of a story"
    return ""


def copied(text: str, other: str) -> str:
    """A fault where a text is the same as the one before it, or nearly so."""
    one, two = w.bare(text), w.bare(other)
    if one and one == two:
        return "the text is the same as the one before"
    if min(len(one), len(two)) <= 20:
        return ""
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    if min(matcher.real_quick_ratio(), matcher.quick_ratio()) > _NEAR < matcher.ratio():
        return "the text is nearly the same as the one before"
    return ""


@functools.lru_cache(maxsize=16)
def _question(instructions: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The lines of a question that no story has by chance, and its runs of words across lines."""
    lines = [w.bare(line) for line in instructions]
    return (
        frozenset(line for line in lines if len(line.split()) > 4),
        frozenset(w.runs(" ".join(lines).split(), _ECHO)),
    )
