"""Parses subtitle files in any format that pysubs2 knows, and mends what it misreads."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pysubs2

from pipeline.ingest.languages import two_letters
from pipeline.ingest.subtitle_encodings import EncodingError, decode

_LARGEST = 10 << 20  # bytes; the subtitles of a long film take a fiftieth of that
_LONGEST = 5000  # characters of one event; a spoken one has a fiftieth of that
_LATEST = 1e9  # milliseconds: 11 days

# Brackets that never close, and long runs of space, make pysubs2 (and any pattern) scan the rest of
# the file again and again: an hour for a megabyte.
_UNCLOSED = re.compile(r"<(?=[\s/]*[a-zA-Z])(?![^<>]*>)")
_HEADING = re.compile(r"^(.{0,3})\[(?![^\]\n]*\])", re.MULTILINE)
_SPACES = re.compile(r"[ \t]{2,}")
_EMPTY_LINES = re.compile(r"\n{3,}")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^\s<>][^<>]*)>")  # WebVTT says who speaks in a tag
# A time before the film's start, which pysubs2 would take without its sign.
_NEGATIVE = re.compile(r"(^|-->)[ \t]*-[ \t]*(?:\d+:)+\d+[.,]\d+(?=[ \t]*(?:-->|$))", re.MULTILINE)
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")

# LRC, of songs and karaoke players: a time before each line, none at which it ends.
_LRC = re.compile(r"^((?:\[\d{1,3}:\d\d(?:[.:]\d{1,3})?\][ \t]*)+)(.*)$", re.MULTILINE)
_LRC_TIME = re.compile(r"\[(\d{1,3}):(\d\d)(?:[.:](\d{1,3}))?\]")
_LRC_OFFSET = re.compile(r"^\[offset:[ \t]*([+-]?\d{1,7})\]", re.MULTILINE | re.IGNORECASE)
_LRC_LONGEST = 6000  # milliseconds that a line is shown at most

# TTML: times in frames and ticks, "dur", and the namespaces before it was a standard.
_TTML = re.compile(r"http://www\.w3\.org/(?:ns/ttml|20\d\d/\d\d/ttaf1)")
_TTML_TIME = re.compile(r"\b(begin|end|dur)\s*=\s*(\"[^\"]*\"|'[^']*')")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(f|t)")
_CLOCK_FRAMES = re.compile(r"(\d+):(\d\d):(\d\d):(\d+(?:\.\d+)?)")


class SubtitlesError(ValueError):
    """A film's subtitles cannot be used; the message says why."""


def parse(data: bytes, language: str = "", fps: float | None = None) -> list[pysubs2.SSAEvent]:
    """Parses a subtitle file in any format that pysubs2 knows.

    language: of the film, "" where it is not known; it tells the code page of text that is not
    Unicode. fps is used for MicroDVD alone, whose times are frame numbers. Raises SubtitlesError
    for a file that is not text or has no event.
    """
    check_size(len(data))
    try:
        text = decode(data, two_letters(language).partition("-")[0])
    except EncodingError as error:
        raise SubtitlesError(str(error)) from error
    text = _without_slow_markup(text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))
    if text.lstrip("\ufeff \n").startswith("WEBVTT"):
        text = _VOICE.sub(r"\1: ", _webvtt_cues(text))
    elif _TTML.search(text):
        text = _ttml_in_seconds(text)
    text = _NEGATIVE.sub(r"\1 00:00:00.000", text)
    try:
        events = _lrc_events(text) or list(pysubs2.SSAFile.from_string(text, fps=fps))
        has_speech = any(can_be_speech(event) for event in events)
    except Exception as error:  # a stranger's file: whatever a parser says of it is about the file
        raise SubtitlesError(f"are in no format that is known: {error}") from error
    if not has_speech:
        raise SubtitlesError(left_out(events) or "hold no line")
    return events


def check_size(size: int) -> None:
    """Raises SubtitlesError for a file of so many bytes that it cannot be subtitles."""
    if size > _LARGEST:
        raise SubtitlesError(f"have {size} bytes: too many for subtitles")


def can_be_speech(event: pysubs2.SSAEvent) -> bool:
    """Whether an event can be speech: not too long a text, at a time that a film can have."""
    return len(event.text) <= _LONGEST and all(
        abs(time) <= _LATEST for time in (event.start, event.end)
    )


def is_drawing(event: pysubs2.SSAEvent) -> bool:
    """Whether an ASS event draws shapes."""
    return bool(_DRAWING.search(event.text))


def left_out(events: Iterable[pysubs2.SSAEvent]) -> str:
    """Says how many events cannot be speech, and why; "" where all can be."""
    count = sum(
        not can_be_speech(event) and not event.is_comment and not is_drawing(event)
        for event in events
    )
    return (
        f"hold lines of more than {_LONGEST} characters or at times that no film has: {count}"
        if count
        else ""
    )


def _without_slow_markup(text: str) -> str:
    """Removes from a file's text what would make parsing slow (see `_UNCLOSED`)."""
    if text.startswith('{"'):  # JSON, which has no markup
        return text
    closed = _HEADING.sub(r"\1", _UNCLOSED.sub("", _SPACES.sub(" ", text)))
    return _EMPTY_LINES.sub("\n\n", closed)


def _webvtt_cues(text: str) -> str:
    """Returns a WebVTT file with its cues alone: no identifiers, notes, styles and regions.

    pysubs2 would take them for text of the cue before.
    """
    cues = []
    for block in text.split("\n\n")[1:]:
        lines = block.strip("\n").split("\n")
        times = next((i for i, line in enumerate(lines[:2]) if "-->" in line), None)
        if times is not None and not lines[0].startswith("NOTE"):
            cues.append("\n".join(lines[times:]))
    return "\n\n".join(["WEBVTT", *cues]) + "\n"


def _lrc_events(text: str) -> list[pysubs2.SSAEvent]:
    """Returns the events of an LRC file, each shown until the next begins; none for other files."""
    if "-->" in text:
        return []
    offset = _LRC_OFFSET.search(text)
    earlier = int(offset[1]) if offset else 0
    timed = sorted(
        (
            60_000 * int(time[1]) + 1000 * int(time[2]) + round(1000 * float(f"0.{time[3] or 0}")),
            line[2].strip(),
        )
        for line in _LRC.finditer(text)
        for time in _LRC_TIME.finditer(line[1])
    )
    ends = [start for start, _ in timed[1:]] + [start + _LRC_LONGEST for start, _ in timed[-1:]]
    return [
        pysubs2.SSAEvent(
            max(0, start - earlier), max(0, min(end, start + _LRC_LONGEST) - earlier), words
        )
        for (start, words), end in zip(timed, ends, strict=True)
        if words
    ]


def _ttml_in_seconds(text: str) -> str:
    """Returns a TTML file with times in frames and ticks as seconds, as pysubs2 reads them."""
    rate = float(_parameter(text, "frameRate") or 30)
    multiplier = re.findall(r"\d+", _parameter(text, "frameRateMultiplier"))
    if len(multiplier) == 2 and int(multiplier[1]):
        rate *= int(multiplier[0]) / int(multiplier[1])
    ticks = float(_parameter(text, "tickRate") or rate)

    def in_seconds(match: re.Match[str]) -> str:
        name = "duration" if match[1] == "dur" else match[1]
        time = match[2][1:-1].strip()
        if offset := _OFFSET.fullmatch(time):
            seconds = float(offset[1]) / ((rate if offset[2] == "f" else ticks) or 1)
        elif clock := _CLOCK_FRAMES.fullmatch(time):
            hours, minutes, whole = (int(part) for part in clock.groups()[:3])
            seconds = 3600 * hours + 60 * minutes + whole + float(clock[4]) / (rate or 1)
        else:
            return f'{name}="{time}"'
        return f'{name}="{seconds:.3f}s"'

    return _TTML_TIME.sub(in_seconds, _TTML.sub("http://www.w3.org/ns/ttml", text))


def _parameter(text: str, name: str) -> str:
    """Returns a parameter of a TTML file ("ttp:frameRate"), "" where it is not stated."""
    match = re.search(rf"\b{name}\s*=\s*[\"']([\d. :]+)[\"']", text)
    return match[1].strip() if match else ""
