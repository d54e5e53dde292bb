"""Reads the text track of a film that holds most of its dialogue."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import av
import pysubs2
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from pipeline.ingest.languages import two_letters

_BITMAP_CODECS = {
    "pgssub",
    "hdmv_pgs_subtitle",
    "dvdsub",
    "dvd_subtitle",
    "dvbsub",
    "dvb_subtitle",
    "xsub",
}  # subtitles as images of text
_PARTIAL = Disposition.forced | Disposition.comment | Disposition.lyrics | Disposition.karaoke
_PARTIAL_TITLE = re.compile(
    r"\b(?:forced|foreign|signs?|songs?|lyrics|karaoke|comment\w*|titles?)\b", re.IGNORECASE
)
_DESCRIBED_TITLE = re.compile(r"\b(?:sdh|cc|hearing|hoh|captions?)\b", re.IGNORECASE)
_SPARSE = 1 / 3  # of the lines of another track of the language: then it is not the full dialogue


@dataclasses.dataclass
class Track:
    """A text track of a film."""

    index: int
    language: str  # two letters where there are such, "" where the film does not say
    title: str
    partial: bool  # marked as one that leaves most of the dialogue out, or is not of it
    described: bool  # marked as one with sounds, for those who do not hear
    default: bool
    events: list[pysubs2.SSAEvent] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        told = [self.language, self.title, f"{len(self.events)} lines"]
        return f"{self.index} ({', '.join(filter(None, told))})"


def read_tracks(container: InputContainer) -> list[Track]:
    """Reads all text tracks of a film just opened, in one pass over its file."""
    streams = [
        stream
        for stream in container.streams.subtitles
        if stream.codec_context is not None and stream.codec_context.name not in _BITMAP_CODECS
    ]
    tracks = {stream.index: _track(stream) for stream in streams}
    if not streams:
        return []
    for stream in container.streams:
        if stream.index not in tracks:
            stream.discard = Discard.all  # lets the demuxer seek past the pictures
    for packet in container.demux(*streams):
        if packet.pts is None or not packet.size:
            continue
        base = float(packet.stream.time_base or 1)
        start = packet.pts * base
        end = start + (packet.duration or 0) * base
        try:
            pieces = packet.decode()
        except av.error.InvalidDataError:  # a damaged packet costs its own line only
            continue
        tracks[packet.stream.index].events += [
            _event(piece, start, end) for piece in pieces if isinstance(piece, AssSubtitle)
        ]
    return list(tracks.values())


def _track(stream: SubtitleStream) -> Track:
    title = stream.metadata.get("title") or stream.metadata.get("handler_name") or ""
    title = "" if title == "SubtitleHandler" else title  # what FFmpeg calls every track in MP4
    return Track(
        stream.index,
        two_letters(stream.language or "").partition("-")[0],
        title,
        bool(stream.disposition & _PARTIAL) or bool(_PARTIAL_TITLE.search(title)),
        bool(stream.disposition & Disposition.hearing_impaired)
        or bool(_DESCRIBED_TITLE.search(title)),
        bool(stream.disposition & Disposition.default),
    )


def _event(piece: AssSubtitle, start: float, end: float) -> pysubs2.SSAEvent:
    """Returns an event of what FFmpeg makes of every codec: fields of ASS, split by commas."""
    fields = piece.ass.decode(errors="replace").split(",", 8)
    style, name, effect = (fields[2], fields[3], fields[7]) if len(fields) == 9 else ("", "", "")
    return pysubs2.SSAEvent(
        round(start * 1000), round(end * 1000), fields[-1], style=style, name=name, effect=effect
    )


def choose(tracks: Sequence[Track], language: str) -> Track | None:
    """Returns the track to take, None where there is none: full dialogue before what is marked as
    signs, songs or commentary, the film's language, many lines before few, no sounds before
    sounds, the default."""
    wanted = two_letters(language).partition("-")[0]

    def rank(track: Track) -> tuple[bool, bool, bool, bool, bool, int]:
        most = max(len(other.events) for other in tracks if other.language == track.language)
        return (
            track.partial or not track.events,
            not wanted or track.language != wanted,
            len(track.events) < _SPARSE * most,
            track.described,
            not track.default,
            track.index,
        )

    return min(tracks, key=rank, default=None)
