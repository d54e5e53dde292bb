"""Turns the events of subtitles into lines of dialogue: plain text, a line for each speaker."""

from __future__ import annotations

import collections
import dataclasses
import html
import re
from collections.abc import Iterable, Sequence

import pysubs2

from pipeline.ingest import bilingual
from pipeline.ingest.subtitle_formats import can_be_speech, is_drawing

_REPEAT = 0.5  # seconds within which the same words are the same line, shown again
_AT_ONCE = 0.1  # seconds between captions of which the second scrolls on or grows

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_KARAOKE = re.compile(r"\\[kK][fo]?\d")
_SONG_EFFECT = re.compile(r"(?:karaoke|kara|fx|template|code)\b", re.IGNORECASE)
# Styles that fansubs give to songs, and to the translation of what is written in the picture.
_NOT_DIALOGUE = re.compile(
    r"(?:^|[\W_\d])(?:op|ed|opening|ending|songs?|lyrics|karaoke|kara|romaji|kanji|insert|signs?|ts"
    r"|typeset(?:ting)?|titles?|credits?|notes?|staff)(?:$|[\W_\d])",
    re.IGNORECASE,
)
_EFFECT = re.compile(r"\[[^\[\]]*\]|【[^【】]*】|\*[^*]+\*")
_ASIDE = re.compile(r"^\s*[(（][^()（）]*[)）]:?|(?:^|\s)[(（][^()（）]*[)）]\s*$|（[^（）]*）")
_DASH = re.compile(r"^\s*(?:[-‐‑‒–—]|>{2,3})\s*")
_SPEAKER = re.compile(
    r"^([^\W\d_][\w .'’-]{0,30}?)\s*(?:[(（][^()（）]*[)）]\s*)?[:：](?:\s+|(?<=：))(?=\S)"
)
_BRACKETED_SPEAKER = re.compile(r"^\s*[\[(]([^\W\d_][^\[\]():]{0,30}):[\])]\s*")
_NAME = re.compile(r"[^\W\d_][\w .'’-]{0,30}")
# Whoever made a subtitle file signs it: addresses, "Synced by ...".
_SIGNED = re.compile(
    r"https?://|\bwww\.|\b[\w-]+\.(?:com|org|net|info|tv|mx|io)\b"
    r"|^\W*(?:sub(?:title|bed|title[sd])?s?|captions?|captioned|transcript|(?:re-?)?sync\w*|ripped"
    r"|encoded|translat\w+|correct\w+|timed|edited|downloaded)\b.{0,40}\b(?:by|from)\b",
    re.IGNORECASE,
)
_MUSIC = ("♪", "♫", "♬", "♩", "¶", "# ")


@dataclasses.dataclass(frozen=True)
class Line:
    """One speaker's words in one subtitle, from `start` to `end` in seconds from the film's first
    frame."""

    start: float
    end: float
    text: str


@dataclasses.dataclass(frozen=True)
class _Cue:
    """What is shown from `start` to `end`, in seconds: rows of plain text."""

    start: float
    end: float
    rows: tuple[str, ...]
    speaker: str = ""


def clean(events: Iterable[pysubs2.SSAEvent], zero: float = 0.0, language: str = "") -> list[Line]:
    """Turns events into sorted lines of plain text; `zero` is the first frame on their clock.

    Leaves out markup, drawings, comments, songs, karaoke, signs, music, descriptions of sounds,
    what the makers of subtitles say of themselves, and the events that `subtitle_formats.left_out`
    counts. Captions that scroll on or grow give each phrase once. Of a file that says everything in
    two languages `language` is taken, English where it is not known. The same words again within
    half a second extend the line before.
    """
    spoken = [
        event
        for event in events
        if can_be_speech(event) and not event.is_comment and not is_drawing(event)
    ]
    cues = _unrolled(_in_one_language(_cues(_dialogue(spoken), zero), language))
    lines = sorted(
        (Line(cue.start, cue.end, text) for cue in cues for text in _utterances(cue)),
        key=lambda line: (line.start, line.end),
    )
    return _merged(lines)


def _dialogue(events: Sequence[pysubs2.SSAEvent]) -> list[pysubs2.SSAEvent]:
    """Returns the events that are neither sung nor written in the picture, by effect and style."""
    sung = [
        bool(_KARAOKE.search(event.text) or _SONG_EFFECT.match(event.effect or ""))
        for event in events
    ]
    styled = [bool(_NOT_DIALOGUE.search(event.style or "")) for event in events]
    if all(styled):  # a style that all events have tells nothing
        styled = [False] * len(events)
    return [
        event
        for event, is_sung, is_other in zip(events, sung, styled, strict=True)
        if not is_sung and not is_other
    ]


def _cues(events: Sequence[pysubs2.SSAEvent], zero: float) -> list[_Cue]:
    names = collections.Counter(event.name for event in events if event.name)
    styles = {(event.style or "").casefold() for event in events}
    # A name that nearly all events have, or that is a style's, is the name of nobody.
    speakers = {
        name
        for name, count in names.items()
        if _NAME.fullmatch(name)
        and name.casefold()
        not in styles | {"default", "main", "alt", "top", "italics", "comment", "ntp"}
        and (count < 10 or count < 0.8 * len(events))
    }
    cues = []
    for event in events:
        rows = html.unescape(_TAG.sub("", event.plaintext)).split("\n")
        # Control characters would break the files that rows are written to.
        plain = (" ".join("".join(c if c.isprintable() else " " for c in r).split()) for r in rows)
        cues.append(
            _Cue(
                round(event.start / 1000 - zero, 3),
                round(max(event.start, event.end) / 1000 - zero, 3),
                tuple(row for row in plain if row),
                event.name if event.name in speakers else "",
            )
        )
    return sorted(cues, key=lambda cue: (cue.start, cue.end))


def _in_one_language(cues: list[_Cue], language: str) -> list[_Cue]:
    """Returns cues with their rows in one language, where most are shown in two."""
    rows = bilingual.in_one_language([(cue.start, cue.end, cue.rows) for cue in cues], language)
    return [
        dataclasses.replace(cue, rows=kept) for cue, kept in zip(cues, rows, strict=True) if kept
    ]


# --- captions that scroll ------------------------------------------------------------------------


def _unrolled(cues: Sequence[_Cue]) -> list[_Cue]:
    """Returns cues without the rows that the cue before shows already.

    Captions made live, or by YouTube, scroll: a cue shows the last row of the one before, and one
    more; or they grow by a word at a time.
    """
    result: list[_Cue] = []
    shown: tuple[str, ...] = ()
    end = float("-inf")
    for cue in cues:
        at_once = cue.start <= end + _AT_ONCE
        again = _overlap(shown, cue.rows) if at_once else 0
        grown = at_once and result and not again and _grows(result[-1].rows, cue.rows)
        if again == len(cue.rows) and result:
            result[-1] = dataclasses.replace(result[-1], end=max(result[-1].end, cue.end))
        elif grown:
            result[-1] = dataclasses.replace(result[-1], rows=cue.rows, end=cue.end)
        else:
            result.append(dataclasses.replace(cue, rows=cue.rows[again:]))
        if cue.rows:
            shown, end = cue.rows, cue.end
    return result


def _overlap(before: Sequence[str], rows: Sequence[str]) -> int:
    """Returns how many of the first rows are the last ones of those before."""
    return next(
        (
            count
            for count in range(min(len(before), len(rows)), 0, -1)
            if tuple(before[-count:]) == tuple(rows[:count])
        ),
        0,
    )


def _grows(before: Sequence[str], rows: Sequence[str]) -> bool:
    """Whether rows are those before with more words at their end, in the middle of a sentence."""
    old, new = " ".join(before), " ".join(rows)
    return bool(old) and new.startswith(old + " ") and old[-1].isalnum()


def _merged(lines: Sequence[Line]) -> list[Line]:
    merged: list[Line] = []
    latest: dict[str, int] = {}  # text -> index in `merged` of its last line
    for line in lines:
        at = latest.get(line.text)
        if at is not None and line.start <= merged[at].end + _REPEAT:
            merged[at] = dataclasses.replace(merged[at], end=max(merged[at].end, line.end))
            continue
        latest[line.text] = len(merged)
        merged.append(line)
    return merged


# --- who says what -------------------------------------------------------------------------------


def _utterances(cue: _Cue) -> list[str]:
    """Splits a cue by speaker: a row that begins with a dash is another speaker's."""
    turns: list[str] = []
    for row in cue.rows:
        marked = _DASH.sub("\n", row)
        if marked.startswith("\n") or not turns:
            turns.append(marked)
        else:
            turns[-1] += " " + marked
    said = [text for turn in turns if (text := _spoken(turn))]
    if cue.speaker and len(said) == 1 and not _SPEAKER.match(said[0]):
        return [f"{_titled(cue.speaker)}: {said[0]}"]
    return said


def _spoken(text: str) -> str:
    """Returns one speaker's words, after "name: " if named; "" where there are none."""
    whole = " ".join(_BRACKETED_SPEAKER.sub(r"\1: ", text).split())
    text = " ".join(_EFFECT.sub(" ", whole).split())
    if text != whole and text.endswith(":"):  # "Pip: [laughs]"
        return ""
    speaker = _SPEAKER.match(text + " ")
    name, words = (speaker[1], text[speaker.end() :]) if speaker else ("", text)
    words = _ASIDE.sub("", words.strip()).strip()
    if (
        not any(map(str.isalnum, words))
        or _SIGNED.search(text)
        or words.startswith(_MUSIC)
        or words.endswith(_MUSIC[:5])
    ):
        return ""
    return f"{_titled(name)}: {words}" if name else words


def _titled(name: str) -> str:
    return name.title() if name.isupper() else name
