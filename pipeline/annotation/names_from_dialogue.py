"""Finds the names of characters in dialogue: the speakers of subtitle lines, "Pip: Look!".

`ingest.subtitles.split_speaker` splits a line into speaker and words. The names are part of the
prompt that drafts a series' characters (`annotation.characters`), they are the whole list if the
writer gives no usable answer, and the embedded captioner and writer use no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipeline.ingest.subtitles import split_speaker


def speakers(lines: Iterable[str]) -> Counter[str]:
    """Counts the lines of each speaker that is named."""
    return Counter(name for line in lines if (name := split_speaker(line)[0]))
