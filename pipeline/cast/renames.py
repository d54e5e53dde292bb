"""Renames characters in dialogue, as a user renamed them: who speaks, and whom they speak of.

Subtitles say the names that a film has. Where `characters/<series>.yaml` has other names, stories
that quote the film must have them too: else "Oscar" is seen and "Otto" speaks. The rows `Renamed`
of the stage `cast` say which; each stage that shows or tells dialogue renames it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from pipeline.cast import characters_file
from pipeline.cast.characters_file import Entry
from pipeline.ingest.subtitles import speaker_span, split_speaker
from schemas.rows import Keyframe, Renamed


def find(series: str, entries: Sequence[Entry]) -> list[Renamed]:
    """Returns the names that the entries of a series replace.

    A name that is an entry's own is not replaced: `same_as` then says that figures were taken for
    somebody else, which changes nothing of who speaks. A name under `called` is replaced where it
    is the speaker's; in what is said it stays, as a nickname.
    """
    own = {entry.name.strip().casefold() for entry in entries}
    found: dict[str, Renamed] = {}
    for entry in entries:
        names = [item for item in entry.same_as if characters_file.picture(item) is None]
        names += entry.was
        for spoken in (*names, *entry.called):
            if spoken.strip().casefold() not in own:
                found.setdefault(
                    spoken.strip().casefold(),
                    Renamed(series, spoken.strip(), entry.name, spoken not in names),
                )
    return list(found.values())


def apply(keyframes: Sequence[Keyframe], renamed: Iterable[Renamed]) -> list[Keyframe]:
    """Returns keyframes whose dialogue has the names that the user gave."""
    speakers = {row.spoken.casefold(): row.name for row in renamed}
    if not speakers:
        return list(keyframes)
    # A description, "grey figure", is nobody's name in dialogue.
    said = {
        row.spoken: row.name
        for row in renamed
        if not row.speaker_only and not row.spoken[0].islower()
    }
    said |= {spoken.upper(): name.upper() for spoken, name in said.items() if len(spoken) > 2}
    return [
        dataclasses.replace(
            keyframe, dialogue=[_line(line, speakers, said) for line in keyframe.dialogue]
        )
        for keyframe in keyframes
    ]


def _line(line: str, speakers: Mapping[str, str], said: Mapping[str, str]) -> str:
    first, last = speaker_span(line)
    speaker = split_speaker(line)[0]
    named = speakers.get(speaker.casefold(), line[first:last])
    return line[:first] + named + _text(line[last:], said)


def _text(text: str, said: Mapping[str, str]) -> str:
    if not said:
        return text
    longest_first = sorted(said, key=lambda name: (-len(name), name))
    names = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<!\w)(?:{names})(?!\w)", lambda match: said[match[0]], text)
