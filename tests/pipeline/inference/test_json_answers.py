"""The JSON of an answer, found among whatever else a model writes."""

import pytest

from pipeline.inference.json_answers import MAX_LENGTH, parse, read
from schemas.answers import CaptionAnswer, CharactersAnswer, NarrativeAnswer

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


TWO = [{"frame": 0, "text": "Ben ran."}, {"frame": 1, "text": "Ben sat."}]


@pytest.mark.parametrize(
    "text",
    [
        '[{"frame": 0, "text": "Ben ran."}, {"frame": 1, "text": "Ben sat."}]',
        '{"frame": 0, "text": "Ben ran."}\n{"frame": 1, "text": "Ben sat."}',
        '{"answer": {"sentences": [{"frame": 0, "text": "Ben ran."}, '
        '{"frame": 1, "text": "Ben sat."}]}}',
        "{'sentences': [{'frame': 0, 'text': 'Ben ran.'}, {'frame': 1, 'text': 'Ben sat.'},]}",
        '{sentences: [{frame: 0, text: "Ben ran."}, {frame: 1, text: "Ben sat."}]}',
        '{"Sentences": [{"Frame": "0", "Text": "Ben ran."}, '
        '{"Frame": "Picture 1", "Text": "Ben sat."}]}',
        '{"Sätze": [{"Bild": "null", "Text": "Ben ran."}, {"Bild": "eins", "Text": "Ben sat."}]}',
        '{"句子": [{"图片": 0, "文本": "Ben ran."}, {"图片": 1, "文本": "Ben sat."}]}',
        '{"sentences": {"0": "Ben ran.", "1": "Ben sat."}}',
        '{"sentences": ["Ben ran.", "Ben sat."]}',
        '{"sentences": [{"frame": 0, "text": "Ben ran."}, {"frame": 1, "text": "Ben sat."}, '
        '{"frame": 2, "text": "Ben st',
        'Here: ```json\n{"sentences": [{"frame": 0, "text": "Ben ran."} '
        '{"frame": 1, "text": "Ben sat."}]}\n``` I hope it helps.',
    ],
)
def test_other_forms_with_one_reading_are_read_and_said_to_be_other(text):
    answer, forgiven = read(text, NarrativeAnswer)
    assert [{"frame": found.frame, "text": found.text} for found in answer.sentences] == TWO
    assert forgiven


def test_the_form_asked_for_needs_no_forgiving():
    assert read(GOOD, CaptionAnswer)[1] is False


def test_values_of_another_kind_are_fitted():
    found = parse(
        '{"Characters": "a hedgehog, a badger", "place": null, "mood": ["calm", "sunny"], '
        '"objects": null, "sentence": "He said \\"hi\\"."}',
        CaptionAnswer,
    )
    assert found.characters == ["a hedgehog", "a badger"]
    assert (found.place, found.mood, found.objects) == ("", "calm, sunny", [])


def test_quotation_marks_within_a_string_are_kept():
    text = '{"sentence": "Tilda says "hello" to Bruno.", "mood": "calm"}'
    assert parse(text, CaptionAnswer).sentence == 'Tilda says "hello" to Bruno.'


def test_complete_entries_of_a_list_that_was_cut_off_are_kept():
    text = '{"characters": [{"name": "Tilda", "look": "small"}, {"name": "Br'
    assert [found.name for found in parse(text, CharactersAnswer).characters] == ["Tilda"]


@pytest.mark.parametrize(
    "text",
    [
        '{"characters": ["a hedgehog"], "sentence": "A hedge',  # half a sentence is none
        '{"one": "A hedgehog.", "two": "A badger."}',  # which is the sentence?
        '{"sentence": "A hedgehog." and then "sentence": "A badger."}',
    ],
)
def test_what_has_no_reading_or_two_is_not_read(text):
    with pytest.raises(ValueError):
        parse(text, CaptionAnswer)
