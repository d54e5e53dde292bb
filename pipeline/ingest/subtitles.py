"""Subtitles: reads the dialogue of a film and assigns each line to the keyframe it is spoken over.

A sidecar file (SRT, WebVTT, ASS, SSA) takes precedence over the text tracks inside the film. Lines
come out as plain text: no markup, no music or songs, one line a speaker.
"""

from __future__ import annotations

import bisect
import codecs
import dataclasses
import html
import re
from collections.abc import Iterable, Iterator, Sequence

import av
import charset_normalizer
import pysubs2
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from pipeline.ingest.languages import two_letters
from pipeline.ingest.video import VideoError, first_frame, open_video, video_stream
from pipeline.runtime import storage
from schemas.rows import Keyframe, Video

_LARGEST = 10 << 20  # bytes; the subtitles of a long film take a fiftieth of that
_LONGEST = 5000  # characters of one event; a spoken one has a fiftieth of that
_LATEST = 1e9  # milliseconds: 11 days
_REPEAT = 0.5  # seconds within which the same words are the same line, shown again
_BITMAP_CODECS = {
    "pgssub",
    "hdmv_pgs_subtitle",
    "dvdsub",
    "dvd_subtitle",
    "dvbsub",
    "dvb_subtitle",
    "xsub",
}  # subtitles as images of text

# What subtitles that are not Unicode are written in: by language, and as a guess.
_CODE_PAGES = {
    **dict.fromkeys(
        ["da", "de", "en", "es", "fi", "fr", "id", "it", "nl", "no", "pt", "sv"], "cp1252"
    ),
    **dict.fromkeys(["cs", "hu", "pl", "ro", "sk", "sl"], "cp1250"),
    **dict.fromkeys(["bg", "ru", "uk"], "cp1251"),
    "el": "cp1253",
    "tr": "cp1254",
    "he": "cp1255",
    "ar": "cp1256",
    "ja": "cp932",
    "ko": "cp949",
}
_GUESSES = [*dict.fromkeys(_CODE_PAGES.values()), "gb18030", "big5", "euc_jp", "koi8_r"]

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
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_EFFECT = re.compile(r"\[[^\[\]]*\]|^\([^()]*\)$|^（[^（）]*）$")
_DASH = re.compile(r"^\s*[-‐‑‒–—]\s*")
_SPEAKER = re.compile(r"^([^\W\d_][\w .'’-]{0,30}?)\s*:\s+(?=\S)")
_NAMED = re.compile(r"\s*(?:- ?)?([A-Z][\w'.]*(?: [A-Z][\w'.]*){0,2}):\s+(\S.*)", re.DOTALL)
_MUSIC = ("♪", "♫", "♬", "♩")


class SubtitlesError(ValueError):
    """A film's subtitles cannot be used; the message says why."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One speaker's words in one subtitle, from `start` to `end` in seconds from the film's first
    frame."""

    start: float
    end: float
    text: str


def read(video: Video) -> tuple[list[Line], str]:
    """Reads a film's dialogue, in order: from its sidecar file, else from a text track inside it.

    Also returns a note on events that were left out, "" for none. A film with neither file nor
    track gives no lines. Raises SubtitlesError where its subtitles cannot be read, and OSError
    where a file is missing.
    """
    try:
        with open_video(video.uri) as container:
            first = first_frame(container, video_stream(container)).time
            # A player counts a sidecar's times from where the container starts, which is not
            # always where the picture does.
            begin = (container.start_time or 0) / av.time_base
        if video.subtitles:
            _check_size(storage.size(video.subtitles))
            data = storage.read_bytes(video.subtitles)
            events = parse(data, video.language, video.fps or None)
            return clean(events, first - begin), left_out(events)
        with open_video(video.uri) as container:
            track = _track(container, video.language)
            events = list(_embedded(container, track)) if track is not None else []
            return clean(events, first), left_out(events)
    except (av.FFmpegError, VideoError) as error:
        raise SubtitlesError(f"cannot be read: {error}") from error


def parse(data: bytes, language: str = "", fps: float | None = None) -> list[pysubs2.SSAEvent]:
    """Parses a subtitle file in any format that pysubs2 knows.

    Text that is not Unicode is decoded by the usual code page of the language, where that is known,
    else by the likeliest one. fps is used for MicroDVD alone, whose times are frame numbers. Raises
    SubtitlesError for a file that is not text or has no event.
    """
    _check_size(len(data))
    text = _decode(data, two_letters(language).partition("-")[0])
    text = _VOICE.sub(r"\1: ", _without_slow_markup(text.replace("\r\n", "\n").replace("\0", "")))
    text = _NEGATIVE.sub(r"\1 00:00:00.000", text)
    try:
        events = list(pysubs2.SSAFile.from_string(text, fps=fps))
        has_speech = any(_can_be_speech(event) for event in events)
    except (
        pysubs2.Pysubs2Error,
        ValueError,
        ArithmeticError,
        LookupError,
        TypeError,
        AttributeError,
        SyntaxError,
        RecursionError,
    ) as error:  # of JSON and XML too
        raise SubtitlesError(f"are in no format that is known: {error}") from error
    if not has_speech:
        raise SubtitlesError(left_out(events) or "hold no line")
    return events


def _check_size(size: int) -> None:
    if size > _LARGEST:
        raise SubtitlesError(f"have {size} bytes: too many for subtitles")


def left_out(events: Iterable[pysubs2.SSAEvent]) -> str:
    """Says how many events cannot be speech, and why; "" where all can be."""
    count = sum(
        not _can_be_speech(event) and not event.is_comment and not _DRAWING.search(event.text)
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


def _can_be_speech(event: pysubs2.SSAEvent) -> bool:
    """Whether an event can be speech: not too long a text, at a time that a film can have."""
    return len(event.text) <= _LONGEST and all(
        abs(time) <= _LATEST for time in (event.start, event.end)
    )


def _decode(data: bytes, language: str) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    for encoding in ["utf-8", *filter(None, [_CODE_PAGES.get(language)])]:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    guesses = charset_normalizer.from_bytes(data, cp_isolation=_GUESSES)
    best = guesses.best()
    if best is None:
        raise SubtitlesError("are no text in any encoding that is known")
    # A few accents look as well in several code pages: then the western one is the likeliest.
    western = (guess for guess in guesses if guess.encoding == "cp1252")
    return str(next((guess for guess in western if guess.chaos <= best.chaos + 0.1), best))


def _track(container: InputContainer, language: str) -> SubtitleStream | None:
    """Chooses the text track in a language, else the default, else the first; forced ones last."""
    wanted = two_letters(language).partition("-")[0]
    tracks = [
        stream
        for stream in container.streams.subtitles
        if stream.codec_context is not None and stream.codec_context.name not in _BITMAP_CODECS
    ]

    def rank(stream: SubtitleStream) -> tuple[bool, bool, bool, int]:
        spoken = two_letters(stream.language or "").partition("-")[0]
        return (
            bool(stream.disposition & Disposition.forced),
            not wanted or spoken != wanted,
            not stream.disposition & Disposition.default,
            stream.index,
        )

    return min(tracks, key=rank, default=None)


def _embedded(container: InputContainer, track: SubtitleStream) -> Iterator[pysubs2.SSAEvent]:
    for stream in container.streams:
        if stream.index != track.index:
            stream.discard = Discard.all  # lets the demuxer seek past the pictures
    base = float(track.time_base or 1)
    for packet in container.demux(track):
        if packet.pts is None or not packet.size:
            continue
        start = packet.pts * base
        end = start + (packet.duration or 0) * base
        try:
            pieces = packet.decode()
        except av.error.InvalidDataError:  # a damaged packet costs its own line only
            continue
        for piece in pieces:
            if isinstance(piece, AssSubtitle):  # whatever the codec, FFmpeg makes ASS of it
                text = piece.ass.decode(errors="replace").split(",", 8)[-1]
                yield pysubs2.SSAEvent(round(start * 1000), round(end * 1000), text)


def clean(events: Iterable[pysubs2.SSAEvent], zero: float = 0.0) -> list[Line]:
    """Turns events into sorted lines of plain text; `zero` is the first frame on their clock.

    Leaves out markup, drawings, comments, songs, music, descriptions in brackets, and the events
    that `left_out` counts. The same words again within half a second extend the line before.
    """
    lines = sorted(
        (
            Line(
                round(event.start / 1000 - zero, 3),
                round(max(event.start, event.end) / 1000 - zero, 3),
                text,
            )
            for event in events
            if _can_be_speech(event) and not event.is_comment and not _DRAWING.search(event.text)
            for text in _utterances(event)
        ),
        key=lambda line: (line.start, line.end),
    )
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


def _utterances(event: pysubs2.SSAEvent) -> list[str]:
    """Splits an event by speaker: a row that begins with a dash is another speaker's."""
    turns: list[str] = []
    for row in html.unescape(_TAG.sub("", event.plaintext)).split("\n"):
        row = _DASH.sub("\n", row)
        if row.startswith("\n") or not turns:
            turns.append(row)
        else:
            turns[-1] += " " + row
    return [text for turn in turns if (text := _spoken(turn))]


def _spoken(text: str) -> str:
    """Returns one speaker's words, after "name: " if named; "" where there are none."""
    # Control characters would break the files that rows are written to.
    whole = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = " ".join(_EFFECT.sub(" ", whole).split())
    if text != whole and text.endswith(":"):  # "Pip: [laughs]"
        return ""
    speaker = _SPEAKER.match(text + " ")
    name, words = (speaker[1], text[speaker.end() :]) if speaker else ("", text)
    words = _EFFECT.sub("", words.strip()).strip()
    if words.startswith(_MUSIC) or not any(map(str.isalnum, words)):
        return ""
    name = name.title() if name.isupper() else name
    return f"{name}: {words}" if name else words


def attach(keyframes: Sequence[Keyframe], lines: Sequence[Line]) -> list[Keyframe]:
    """Returns keyframes, which are in the order of their times, with the lines spoken over them.

    A keyframe covers its film from the start of its shot (from its own time, where the shot has an
    earlier keyframe) to where the next keyframe's cover begins. Each line goes to the keyframe that
    covers its middle, as it may begin before the cut to its speaker; lines before the first
    keyframe go to that one.
    """
    dialogue: list[list[str]] = [[] for _ in keyframes]
    starts = [
        keyframe.time
        if before is not None and before.shot == keyframe.shot
        else min(keyframe.shot_start, keyframe.time)
        for before, keyframe in zip([None, *keyframes], keyframes, strict=False)
    ]
    for line in lines if keyframes else ():
        at = bisect.bisect_right(starts, (line.start + line.end) / 2) - 1
        dialogue[max(at, 0)].append(line.text)
    return [
        dataclasses.replace(keyframe, dialogue=texts)
        for keyframe, texts in zip(keyframes, dialogue, strict=True)
    ]


def split_speaker(line: str) -> tuple[str, str]:
    """Splits a line into its speaker, "" where none is named, and the words, without quotes."""
    match = _NAMED.fullmatch(line)
    speaker, words = (match[1], match[2]) if match else ("", line)
    speaker = speaker.title() if speaker.isupper() and len(speaker) > 2 else speaker
    return speaker, " ".join(words.replace('"', "").split()).removeprefix("- ")
