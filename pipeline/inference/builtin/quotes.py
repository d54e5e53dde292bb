"""Tells a film's dialogue, word for word: who said, asked, called or answered what."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.ingest.subtitles import split_speaker

_MAX_WORDS = 24  # of all that is quoted with one picture, unless a single line is longer


@dataclasses.dataclass(frozen=True)
class Quote:
    """What one speaker says in one go."""

    speaker: str  # "" if nobody knows
    words: str
    verb: str = "said"

    def leading(self) -> str:
        """Returns it with the speaker first: 'Pip said, "Look."'"""
        end = "" if self.words[-1] in ".!?…" else "."
        return f'{self.speaker or "someone"} {self.verb}, "{self.words}{end}"'

    def trailing(self) -> str:
        """Returns it with the speaker last and no full stop: '"Look," said Pip'."""
        words = self.words
        if words[-1] not in ".!?…" or (words[-1] == "." and not words.endswith("..")):
            words = words.removesuffix(".") + ","
        return f'"{words}" {self.verb} {self.speaker or "someone"}'


def read(dialogue: Sequence[str], asked_by: str | None = None) -> list[Quote]:
    """Returns the dialogue of a picture as quotes, lines of one speaker joined.

    `asked_by` is whose question came just before, "" for somebody's, None for no question. Lines
    after the first are left out if the quotes would be longer than 24 words.
    """
    lines: list[tuple[str, str]] = []
    count = 0
    for line in dialogue:
        speaker, words = split_speaker(line)
        count += len(words.split())
        if lines and count > _MAX_WORDS:
            break
        if not words:
            continue
        if lines and lines[-1][0] == speaker:
            before = lines.pop()[1]
            words = f"{before}{'' if before[-1] in '.!?…,;:-' else '.'} {words}"
        lines.append((speaker, words))
    quotes = []
    for speaker, words in lines:
        quotes.append(Quote(speaker, words, _verb(speaker, words, asked_by)))
        asked_by = asks(quotes[-1])
    return quotes


def asks(quote: Quote) -> str | None:
    """Returns who asks, "" if nobody knows, None if the quote does not end with a question."""
    return quote.speaker if quote.words.endswith("?") else None


def _verb(speaker: str, words: str, asked_by: str | None) -> str:
    if words.endswith("?"):
        return "asked"
    if asked_by and speaker and speaker != asked_by:
        return "answered"
    return "called" if words.endswith("!") else "said"
