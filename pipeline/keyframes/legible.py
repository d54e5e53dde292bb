"""Legible text: which of the lines that OCR reads are told to captioner and writer.

OCR reads letters in stairs, windows and leaves too, mostly one or two, or with doubt. A line is
told if it has three letters or more and is read with confidence, or again on another image. Two
Chinese characters are a word, and are told in a film that has longer lines of them. The thresholds
were set on the sample cartoon and on "Big Buck Bunny" and its trailer, a frame every 1 to 3 s.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pipeline.keyframes.ocr import Line, ScreenText

_SURE = 0.85  # confidence; lines of titles and credits have 0.87 or more, but for small letters
_LETTERS = 3
_HAN_WORD = 2
_ALIKE = 0.8  # similarity of two readings of a line


def legible(screens: Sequence[ScreenText]) -> list[list[str]]:
    """Returns the texts on each of a film's images that are surely text."""
    longer = [
        (number, _letters(line.text))
        for number, screen in enumerate(screens)
        for line in screen.lines
        if len(_letters(line.text)) >= _LETTERS
    ]
    han = any(
        _is_sure(line) and _is_han(_letters(line.text)) and len(_letters(line.text)) >= _LETTERS
        for screen in screens
        for line in screen.lines
    )

    def is_told(number: int, line: Line) -> bool:
        letters = _letters(line.text)
        if len(letters) >= _LETTERS:
            return _is_sure(line) or any(
                other != number and _is_alike(letters, text) for other, text in longer
            )
        return han and _is_sure(line) and _is_han(letters) and len(letters) == _HAN_WORD

    return [
        [line.text for line in screen.lines if line.text and is_told(number, line)]
        for number, screen in enumerate(screens)
    ]


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _is_sure(line: Line) -> bool:
    return line.confidence >= _SURE


def _is_han(letters: str) -> bool:
    return bool(letters) and all("\u3040" <= letter <= "\u9fff" for letter in letters)


def _is_alike(text: str, other: str) -> bool:
    return text == other or difflib.SequenceMatcher(None, text, other).ratio() >= _ALIKE
