"""Finds texts in another language than the story's.

The language is identified by py3langid, a naive Bayes classifier over byte n-grams, whose model is
in its wheel (Lui and Baldwin 2012, doi:10.18653/v1/P12-3005). What it says of a few words is doubt,
and doubt is no fault: a text by itself is at fault where another language is far more likely, and a
whole window of texts where it is more likely, which also tells pairs such as Danish and Norwegian
apart.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import langcodes
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from pipeline.annotation import words
from pipeline.runtime import word_lists

# Differences in log-likelihood, measured over good prose in 45 languages: no text is below -10 and
# no window below 5.
_TEXT, _FEWEST = -15.0, 4  # for a text with so many different words, or characters of Chinese
_WINDOW, _FEWEST_IN_WINDOW = -5.0, 15

_WRITTEN = " ".join(word_lists.read(__package__, "written_languages.txt")).split()
# Codes of the model that a language goes by.
_LABELS = {
    "nb": ("no", "nn"),
    "no": ("no", "nn"),
    "nn": ("nn", "no"),
    "fil": ("tl",),
    "ar": ("ar", "arz", "ary"),
    "bs": ("bs", "hr", "sr"),
    "sh": ("hr", "bs", "sr"),
    "yue": ("yue", "zh"),
    "prs": ("fa",),
}


def wrong_languages(
    texts: Sequence[str], language: str, names: Iterable[str] = ()
) -> dict[int, str]:
    """Returns the faults of texts that are not in a story's language, by the text's place.

    `language` is a BCP 47 tag, `texts` are those of a window, `names` belong to all languages.
    None is at fault in a language that the model does not know.
    """
    code = langcodes.standardize_tag(language.partition("-")[0])
    accepted = _LABELS.get(code, (code,))
    if accepted[0] not in _identifier().labels:
        return {}
    window = " ".join(texts)
    all_wrong = _lead(window, accepted, names, _FEWEST_IN_WINDOW)[1] < _WINDOW
    faults = {}
    for place, text in enumerate(texts):
        narration = words.without_quotations(text)
        said = narration if words.tokenize(narration) else text
        other, lead = _lead(said, accepted, names, 1 if all_wrong else _FEWEST)
        if lead < (0 if all_wrong else _TEXT):
            faults[place] = other
    return {
        place: f"the text is in {_name(other)}, and must be in {_name(code)} ({language})"
        for place, other in faults.items()
    }


def _name(code: str) -> str:
    return langcodes.get(code).language_name()


def _lead(
    text: str, accepted: Sequence[str], names: Iterable[str], fewest: int
) -> tuple[str, float]:
    """Returns the most likely other language, and how much more likely an accepted one is.

    That is 0 for a text with fewer different words. Names belong to all languages, and a word says
    nothing new the second time: "la la la" is not Spanish.
    """
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " ")
    text = " ".join(dict.fromkeys(text.split()))
    if len(set(words.dictionary_words(text))) < fewest:
        return "", 0.0
    scores = dict(_identifier().rank(text))
    best = max(scores[label] for label in accepted if label in scores)
    other = max((label for label in _WRITTEN if label not in accepted), key=scores.__getitem__)
    return other, best - scores[other]


@functools.cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE)
