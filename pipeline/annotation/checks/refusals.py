"""Finds answers in which the model declines to write, in English, German, French and Spanish."""

from __future__ import annotations

import re

from pipeline.annotation import words
from pipeline.annotation.checks.patterns import any_of

_MODEL_SPEAKS = any_of(  # words that no character has
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
_REFUSAL = any_of(
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
# A line that begins with a dash is speech in French and Spanish.
_SPEECH_LINE = re.compile(r"^\s*[—–].*$", re.MULTILINE)


def refusal(text: str) -> str:
    """Returns the fault of a text in which the model declines to write, "" for none.

    Characters may be sorry, or unable to do a thing, in quotation marks and out of them.
    """
    text = text.replace("’", "'")
    narration = _SPEECH_LINE.sub("", words.without_quotations(text))
    # A text that is one quotation is speech, and refuses only in words that no character has.
    has_narration = bool(words.tokenize(narration))
    if _REFUSAL.search(narration) or _MODEL_SPEAKS.search(narration if has_narration else text):
        return "the text is a refusal, not a story"
    return ""
