"""The prompt said back, and what models write around an answer."""

from __future__ import annotations

import pytest

from pipeline.annotation.checks.prompt_echo import echo

INSTRUCTIONS = [
    "Pictures of an animated film become an illustrated story for children. You write its text,",
    "a sentence or two for each picture, so that the whole reads as one story told in past tense.",
    "- Keep to what each description says: who is there, what they do, where. Add nobody new.",
    "- Let each sentence lead on from the one before. Do not begin them alike.",
    "- Say what happens, not what a picture, a camera or a frame shows.",
    "- place: where it is",
]


@pytest.mark.parametrize(
    "text",
    [
        "Let each sentence lead on from the one before. Do not begin them alike.",
        "* let each sentence lead on  from the one before -- do not\nbegin them alike",
        "George ran. Say what happens, not what a picture, a camera or a frame shows.",
        "Pictures of an animated film become an illustrated story for children.",
        "Keep to what each description says: who is there, what they do",
        "sentence or two for each picture,\nso that the whole reads as one story",
    ],
)
def test_the_question_said_back(text):
    assert echo(text, INSTRUCTIONS) == "the text repeats the question"


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Picture 3: George ran.", "Picture 3:"),
        ("**Scene 12** - George ran.", "**Scene 12** -"),
        ("Here is the story:", "Here is the story"),
        ("Sure! Here's the next sentence. George ran.", "Sure!"),
        ("Certainly, here is it. George ran.", "Certainly, here"),
        ("```json", "```"),
        ('{"sentences": [', '{"sentences":'),
        ('George ran.", "frame": 3', '"frame":'),
        ("Dialogue: George ran.", "Dialogue:"),
        ("<|im_start|>George ran.", "<|im_start|>"),
        ("<think>George", "<think>"),
        ("George ran. Let me know if you want more.", "Let me know if you"),
    ],
)
def test_what_is_around_an_answer(text, held):
    assert echo(text, INSTRUCTIONS) == f"the text holds {held!r}, which is no part of a story"


@pytest.mark.parametrize(
    "text",
    [
        "George told one story, and the children listened.",
        "He showed her the place where it is.",
        "Here is the story of a monkey who could not sleep.",
        "Sure enough, the kite came down.",
        "The picture on the wall showed 3 monkeys: George liked it.",
        'Then he said: "Keep going!"',
        "",
    ],
)
def test_a_story_is_no_echo(text):
    assert echo(text, INSTRUCTIONS) == ""
