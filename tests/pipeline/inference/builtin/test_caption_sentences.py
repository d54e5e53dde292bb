"""Captions rewritten as story sentences."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.inference.builtin.caption_sentences import (
    quoted_dialogue,
    setting_of_unseen_speaker,
    story_sentence,
    with_dialogue,
)


def described(frame: int = 0, sentence: str = "", **fields: Any) -> dict[str, Any]:
    """A caption as the stage hands it to a writer."""
    sentence = sentence or (
        "A grey rabbit is on the left of the picture, on green grass under a light blue sky."
    )
    empty = {
        "characters": [],
        "place": "",
        "action": "",
        "mood": "bright",
        "objects": ["grey rabbit"],
        "camera": "",
        "dialogue": [],
        "text": [],
    }
    return {**empty, "frame": frame, "sentence": sentence, **fields}


@pytest.mark.parametrize(
    ("sentence", "rewritten"),
    [
        (
            "A grey rabbit is on the left of the picture, on green grass under a light blue sky.",
            "A grey rabbit was on green grass under a light blue sky",
        ),
        ("A close-up shows a rabbit with green and yellow around it.", "A rabbit was close by"),
        (
            "In a close-up, a cat moves quickly up on green grass.",
            "Close by, a cat moved quickly up",
        ),
        ("Green grass lies under a light blue sky.", "Green grass lay under a light blue sky"),
        (
            "Most of the picture is filled with green and grey, in bright, warm light.",
            "All was green and grey in the bright, warm light",
        ),
        (
            "A cat is in the middle of the picture, with pink and grey around it.",
            "A cat was there, among pink and grey",
        ),
        ("Most of the picture is filled with grey while the camera moves up.", "All was grey"),
        ('A cat is on green grass, and Pip says, "Look!"', "A cat was on green grass"),
        (
            'The words "THE END" are on the screen while a cat is on green grass.',
            "A cat was on green grass",
        ),
        ("This image shows a white dog in a garden.", "There was a white dog in a garden"),
    ],
)
def test_a_caption_speaks_of_a_picture_and_a_story_of_what_is_in_it(sentence, rewritten):
    assert story_sentence(described(sentence=sentence, objects=[]), []) == rewritten


def test_who_was_seen_before_is_the_and_a_place_is_named_once():
    first = described(place="on green grass under a light blue sky")
    again = described(1, place="on green grass under a light blue sky")
    assert story_sentence(again, [first]) == "The grey rabbit had not gone away"


def test_dialogue_is_quoted_word_for_word():
    talk = described(dialogue=["Pip: Look!", "Where", "word " * 30])
    assert quoted_dialogue(talk) == 'Pip said, "Look!" Someone said, "Where."'


def test_where_nobody_is_seen_the_speaker_carries_the_sentence():
    talk = described(
        0,
        "Most of the picture is filled with orange and grey, and Pip speaks.",
        objects=[],
        dialogue=["Pip: Look!"],
    )
    assert setting_of_unseen_speaker(talk) == "In an orange and grey place, "
    texts = [with_dialogue("All was orange.", {**talk, "frame": frame}) for frame in range(3)]
    assert texts == [
        'In an orange and grey place, Pip said, "Look!"',
        'Pip said, "Look!" All was orange.',
        'All was orange. Pip said, "Look!"',
    ]


def test_a_title_is_left_out_and_a_word_or_two_are_read():
    assert with_dialogue("All was grey", described(text=["THE END"])) == (
        'All was grey. The words "THE END" could be read.'
    )
    assert with_dialogue("All was grey", described(text=["Episode 1", "The Red Ball"])) == (
        "All was grey."
    )
