"""Subtitles: reads the dialogue of a film and assigns each line to the keyframe it is spoken over.

A sidecar file takes precedence over the text tracks inside the film. Lines come out as plain text:
no markup, no music or songs, one line a speaker.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Sequence

import av

from pipeline.ingest import subtitle_tracks
from pipeline.ingest.probe import stated_duration
from pipeline.ingest.subtitle_formats import SubtitlesError, check_size, left_out, parse
from pipeline.ingest.subtitle_lines import Line, clean
from pipeline.ingest.video import VideoError, first_frame, open_video, video_stream
from pipeline.runtime import storage
from schemas.rows import Keyframe, Video

_LATE = 1.0  # seconds after the film's end at which a line may still begin
_MOST_LATE = 0.5  # share of the lines; with more after its end, they are another film's
_NAMED = re.compile(r"\s*(?:- ?)?([A-Z][\w'.]*(?: [A-Z][\w'.]*){0,2}):\s+(\S.*)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Subtitles:
    """A film's dialogue, in order, and what a person should know of it."""

    lines: list[Line] = dataclasses.field(default_factory=list)
    left_out: str = ""  # events that are not speech or lie outside the film, "" for none
    other_tracks: str = ""  # which of several tracks was taken, "" where there was no choice


def read(video: Video) -> Subtitles:
    """Reads a film's dialogue: from its sidecar file, else from a text track inside it.

    A film with neither file nor track gives no lines. Raises SubtitlesError where its subtitles
    cannot be read or belong to another film, and OSError where a file is missing.
    """
    try:
        with open_video(video.uri) as container:
            stream = video_stream(container)
            first = first_frame(container, stream).time
            # A player counts a sidecar's times from where the container starts, which is not
            # always where the picture does.
            begin = (container.start_time or 0) / av.time_base
            duration = stated_duration(container, stream, first)
        if video.subtitles:
            check_size(storage.size(video.subtitles))
            data = storage.read_bytes(video.subtitles)
            events, zero, others = parse(data, video.language, video.fps or None), first - begin, ""
        else:
            with open_video(video.uri) as container:
                tracks = subtitle_tracks.read_tracks(container)
            track = subtitle_tracks.choose(tracks, video.language)
            events, zero = (track.events if track else []), first
            others = _other_tracks(track, tracks) if track else ""
    except (av.FFmpegError, VideoError) as error:
        raise SubtitlesError(f"cannot be read: {error}") from error
    lines, late = _within(clean(events, zero, video.language), duration)
    return Subtitles(lines, "; ".join(filter(None, [left_out(events), late])), others)


def _other_tracks(track: subtitle_tracks.Track, tracks: Sequence[subtitle_tracks.Track]) -> str:
    others = [str(other) for other in tracks if other is not track]
    return f"track {track} is taken, not {'; '.join(others)}" if others else ""


def _within(lines: list[Line], duration: float | None) -> tuple[list[Line], str]:
    """Returns the lines that begin within a film of `duration` seconds, and a note on the others.

    Raises SubtitlesError where most begin after its end.
    """
    if not duration:
        return lines, ""
    within = [line for line in lines if line.start <= duration + _LATE]
    if len(within) == len(lines):
        return lines, ""
    late = (
        f"{len(lines) - len(within)} of {len(lines)} lines begin after the film's end "
        f"({duration:.0f} s), the last at {lines[-1].start:.0f} s"
    )
    if len(within) < (1 - _MOST_LATE) * len(lines):
        raise SubtitlesError(f"are of another film or another cut of it: {late}")
    return within, late


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


def speaker_span(line: str) -> tuple[int, int]:
    """Returns where in a line the speaker's name begins and ends, (0, 0) where none is named."""
    match = _NAMED.fullmatch(line)
    return match.span(1) if match else (0, 0)


def split_speaker(line: str) -> tuple[str, str]:
    """Splits a line into its speaker, "" where none is named, and the words, without quotes."""
    match = _NAMED.fullmatch(line)
    speaker, words = (match[1], match[2]) if match else ("", line)
    speaker = speaker.title() if speaker.isupper() and len(speaker) > 2 else speaker
    return speaker, " ".join(words.replace('"', "").split()).removeprefix("- ")
