"""Names of characters in dialogue: the speakers of subtitle lines."""

from __future__ import annotations

import pytest

from pipeline.annotation.names_from_dialogue import speakers
from pipeline.ingest.subtitles import split_speaker


def test_speakers_are_counted():
    lines = ["Pip: Look!", "Pip: There!", "- Momo: Where?", "Over there.", "at 10:30 sharp"]
    assert speakers(lines) == {"Pip": 2, "Momo": 1}


@pytest.mark.parametrize(
    ("line", "speaker", "words"),
    [
        ("Pip: Look!", "Pip", "Look!"),
        ("- Momo: I am\nhere.", "Momo", "I am here."),
        ("NARRATOR: One day", "Narrator", "One day"),
        ("No one named.", "", "No one named."),
        ('He said "stop"', "", "He said stop"),
        ("at 10:30 sharp", "", "at 10:30 sharp"),
    ],
)
def test_finds_the_speaker_of_a_line(line, speaker, words):
    assert split_speaker(line) == (speaker, words)
