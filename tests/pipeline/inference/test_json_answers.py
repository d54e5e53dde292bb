"""The JSON of an answer, found among whatever else a model writes."""

import pytest

from pipeline.inference.json_answers import MAX_LENGTH, parse
from schemas.answers import CaptionAnswer

GOOD = '{"sentence": "Ben laughs."}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f'<think>{{or not}} {{"a": 1}}</think>\n{GOOD} Okay?',
        f'{{"sentence": "A draft."}} No, better: {GOOD}',
        '{"sentence": "Ben laughs.",\n "mood": "a\tb"}',
    ],
)
def test_words_around_an_answer_are_forgiven(text):
    assert parse(text, CaptionAnswer).sentence == "Ben laughs."


def test_half_an_emoji_and_control_characters_are_left_out_of_every_string():
    found = parse(
        r"""{"sentence": "Ben\u0000 laughs\ud83c, \ud83c\udf89\ufeff\u007f and\u000bsings.\n",
        "objects": ["a \udf89ball", "one\u0085two"], "pl\ud83cace": "a hill"}""",
        CaptionAnswer,
    )
    assert found.sentence == "Ben laughs, 🎉 and sings.\n"
    assert found.objects == ["a ball", "one two"] and found.place == "a hill"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot.",
        '{"sentence": "Ben',
        "[1, 2]",
        "{}",
        "null",
        '{"sentence": ""}',
        '{"sentence": "\\ud83d"}',
        '{"a":' * 50_000,
        f'{{"sentence": "Ben laughs.", "more": {"[" * 700}{"]" * 700}}}',
        "x" * (MAX_LENGTH + 1),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(text):
    with pytest.raises(ValueError):
        parse(text, CaptionAnswer)
