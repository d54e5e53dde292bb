"""The JSON of an answer, found among whatever else a model writes."""

import pytest

from pipeline.inference.json_answers import MAX_LENGTH, read
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
    found, forgiven = read(text, CaptionAnswer)
    assert found.sentence == "Ben laughs." and not forgiven


def test_half_an_emoji_and_control_characters_are_left_out_of_every_string():
    found, _ = read(
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
        "{" * 20_000 + "}" * 20_000,
        f'{{"sentence": "Ben laughs.", "more": {"[" * 700}{"]" * 700}}}',
        "x" * (MAX_LENGTH + 1),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(text):
    with pytest.raises(ValueError):
        read(text, CaptionAnswer)


TWO = [(0, "Ben ran."), (1, "Ben sat.")]


@pytest.mark.parametrize(
    "text",
    [
        '[{"frame": 0, "text": "Ben ran."}, {"frame": 1, "text": "Ben sat."}]',
        '{"frame": 0, "text": "Ben ran."}\n{"frame": 1, "text": "Ben sat."}',
        '{"answer": {"sentences": [{"frame": 0, "text": "Ben ran."}, '
        '{"frame": 1, "text": "Ben sat."}]}}',
        r'{"answer": "{\"sentences\": [\"Ben ran.\", \"Ben sat.\"]}"}',
        '{"story": {"picture_0": "Ben ran.", "picture_1": "Ben sat."}}',
        '{"picture_0": "Ben ran.", "picture_1": {"text": "Ben sat."}}',
        "{'sentences': [{'frame': 0, 'text': 'Ben ran.'}, {'frame': 1, 'text': 'Ben sat.'},]}",
        '{sentences: [{frame: 0, text: "Ben ran."}, {frame: 1, text: "Ben sat."}]}',
        '{"Sentences": [{"Frame": "0", "Text": "Ben ran."}, '
        '{"Frame": "Picture 1", "Text": "Ben sat."}]}',
        '{"Sätze": [{"Bild": "null", "Text": "Ben ran."}, {"Bild": "eins", "Text": "Ben sat."}]}',
        '{"句子": [{"图片": 0, "文本": "Ben ran."}, {"图片": 1, "文本": "Ben sat."}]}',
        '{"sentences": ["Ben ran.", "Ben sat."]}',
        '["Ben ran.", "Ben sat."]',
        'Here: ```json\n{"sentences": [{"frame": 0, "text": "Ben ran."} '
        '{"frame": 1, "text": "Ben sat."}]}\n``` I hope it helps.',
    ],
)
def test_other_forms_with_one_reading_are_read_and_said_to_be_other(text):
    answer, forgiven = read(text, NarrativeAnswer)
    assert [(found.frame, found.text) for found in answer.sentences] == TWO
    assert forgiven


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (GOOD, CaptionAnswer),
        ('{"sentences": {"picture_0": "Ben ran.", "picture_1": "Ben sat."}}', NarrativeAnswer),
        ('{"sentences": [{"frame": 0, "text": "Ben ran."}]}', NarrativeAnswer),
    ],
)
def test_the_form_asked_for_needs_no_forgiving(text, model):
    assert read(text, model)[1] is False


def test_values_of_another_kind_are_fitted():
    found, forgiven = read(
        '{"Characters": "a hedgehog, a badger", "place": null, "mood": ["calm", "sunny"], '
        '"objects": null, "sentence": "He said \\"hi\\"."}',
        CaptionAnswer,
    )
    assert found.characters == ["a hedgehog", "a badger"]
    assert (found.place, found.mood, found.objects) == ("", "calm, sunny", [])
    assert forgiven


def test_a_field_by_another_name_is_read_where_it_could_be_left_out_too():
    found, forgiven = read('{"Personen": ["Ben"], "sentence": "Ben laughs."}', CaptionAnswer)
    assert found.characters == ["Ben"] and forgiven


def test_characters_by_name():
    text = '{"characters": {"Tilda": {"look": "small"}, "Bruno": {"look": "large"}}}'
    found, _ = read(text, CharactersAnswer)
    assert [(who.name, who.look) for who in found.characters] == [
        ("Tilda", "small"),
        ("Bruno", "large"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"sentence": "Tilda says "hello" to Bruno.", "mood": "calm"}',
        r'{"sentence": "Tilda says \"hello\" to Bruno." "mood": "\u0063alm"}',
    ],
)
def test_faults_of_syntax_are_repaired_where_nothing_is_lost(text):
    found, forgiven = read(text, CaptionAnswer)
    assert (found.sentence, found.mood) == ('Tilda says "hello" to Bruno.', "calm") and forgiven


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ('{"characters": ["a hedgehog"], "sentence": "A hedge', CaptionAnswer),
        ('{"Sentence": "A hedgehog waters", "mood": "ca', CaptionAnswer),
        ('{"characters": [{"name": "Tilda", "look": "small"}, {"name": "Br', CharactersAnswer),
        ('{"characters": [{"name": "Tilda", "look": "small"}]', CharactersAnswer),
        ('[{"frame": 0, "text": "Ben ran."}, {"frame": 1, "te', NarrativeAnswer),
        ('{"frame": 0, "text": "Ben ran."}\n{"frame": 1, "te', NarrativeAnswer),
        ('{"picture_0": "Ben ran.", "picture_1": "Ben s', NarrativeAnswer),
    ],
)
def test_what_was_cut_off_is_not_read_as_something_shorter(text, model):
    with pytest.raises(ValueError):
        read(text, model)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ('{"one": "A hedgehog.", "two": "A badger."}', CaptionAnswer),  # which is the sentence?
        ('{"text": "A hedgehog.", "caption": "A badger."}', CaptionAnswer),
        ('{"reasoning": "A hedgehog, or is it a badger?"}', CaptionAnswer),
        ('{"Sentence": "A hedgehog."} {"Sentence": "A badger."}', CaptionAnswer),
        ('{"sentence": "A hedgehog." and then "sentence": "A badger."}', CaptionAnswer),
        ('{"sentence": "Ben, "the fox", ran: "Stop!"", "mood": "calm"}', CaptionAnswer),
        (
            '{"sentences": [{"frame": 0, "text": "Ben ran."}, {"text": "Ben sat."}]}',
            NarrativeAnswer,
        ),
        ('{"characters": [{"name": "Tilda"}, {name: Bruno, {"name": "Owl"}]}', CharactersAnswer),
        ('{"sentence": "A hedgehog.", "sentence": "A badger."}', CaptionAnswer),
        ('{"sentences": {"0": "Ben ran.", "0": "Ben sat."}}', NarrativeAnswer),
        ("<sentences><frame>0</frame><text>Ben ran.</sentences>", NarrativeAnswer),
        ('<!DOCTYPE a SYSTEM "b"><picture_0>&b; ran.</picture_0>', NarrativeAnswer),
    ],
)
def test_what_has_no_reading_or_two_is_not_read(text, model):
    with pytest.raises(ValueError):
        read(text, model)


def test_markup_within_an_answer_is_taken_out_and_counted():
    found, forgiven = read(r'{"sentence": "**Ben** laughs &amp; sings.\\nLoud."}', CaptionAnswer)
    assert found.sentence == "Ben laughs & sings. Loud." and forgiven


@pytest.mark.parametrize(
    "text",
    [
        '{"sentences": { // the first\n"0": "Ben ran.", /* and the last */ "1": "Ben sat."}}',
        '{"sentences": {"0": "Ben ran.", # the first\n "1": "Ben sat."}}',
        '{"sentences": {"0": "Ben ran.", "1": "Ben sat.",} // no more\n}',
    ],
)
def test_comments_are_left_out_and_counted(text):
    found, forgiven = read(text, NarrativeAnswer)
    assert [said.text for said in found.sentences] == ["Ben ran.", "Ben sat."] and forgiven


def test_what_looks_like_a_comment_within_a_text_stays():
    found, _ = read('{"sentence": "Room #7 // http://a.bc /* \\"*/", } // said Ben', CaptionAnswer)
    assert found.sentence == 'Room #7 // http://a.bc /* "*/'


def test_a_key_that_is_there_twice_with_the_same_value_is_there_once():
    found, forgiven = read('{"sentence": "Ben ran.", "sentence": "Ben ran."}', CaptionAnswer)
    assert found.sentence == "Ben ran." and not forgiven


@pytest.mark.parametrize(
    "text",
    [
        '<sentences><sentence frame="0">Ben ran.</sentence>'
        '<sentence frame="1">Ben sat.</sentence></sentences>',
        "Here you are:\n<answer>\n<picture_0>Ben ran.</picture_0>\n"
        "<picture_1>Ben <b>sat</b>.</picture_1>\n</answer>",
        "```xml\n<?xml version='1.0'?>\n"
        "<sentences><item><frame>0</frame><text>Ben ran.</text></item>"
        "<item><frame>1</frame><text>Ben sat.</text></item></sentences>\n```",
        "<picture_0>Ben ran.</picture_0><picture_1>Ben sat.</picture_1>",
    ],
)
def test_xml_is_read_and_counted(text):
    found, forgiven = read(text, NarrativeAnswer)
    said = [(sentence.frame, sentence.text) for sentence in found.sentences]
    assert said == [(0, "Ben ran."), (1, "Ben sat.")] and forgiven


def test_a_caption_in_xml_is_read():
    found, forgiven = read(
        "<caption><characters><item>a fox</item></characters><mood>calm</mood>"
        "<objects>log, leaf</objects><sentence>A fox & a log.</sentence></caption>",
        CaptionAnswer,
    )
    assert (found.characters, found.objects, found.mood) == (["a fox"], ["log", "leaf"], "calm")
    assert found.sentence == "A fox & a log." and forgiven


@pytest.mark.parametrize(
    "text",
    [
        "0. Ben ran.\n1. Ben sat.",
        "Here are the texts:\n\n**0:** Ben ran.\n\n**1:** Ben sat.",
        "Picture 0: Ben ran.\nPicture 1: Ben sat.",
        "- 画像 0：Ben ran.\n- 画像 1：Ben sat.",
        "| picture | text |\n|---|---|\n| 0 | Ben ran. |\n| 1 | Ben sat. |",
        "```yaml\nsentences:\n- frame: 0\n  text: Ben ran.\n- frame: 1\n  text: Ben sat.\n```",
        "｛＂sentences＂：｛＂０＂：＂Ben ran.＂，＂１＂：＂Ben sat.＂｝｝",
        '{"वाक्य": [{"फ्रेम": 0, "पाठ": "Ben ran."}, {"फ्रेम": 1, "पाठ": "Ben sat."}]}',
        '{"الجمل": [{"الإطار": "٠", "النص": "Ben ran."}, {"الإطار": "١", "النص": "Ben sat."}]}',
    ],
)
def test_lists_that_are_no_json_are_read_and_counted(text):
    found, forgiven = read(text, NarrativeAnswer)
    assert [(said.frame, said.text) for said in found.sentences] == TWO and forgiven


def test_a_caption_in_yaml_is_read():
    text = "characters: [a fox]\nplace: yes\nobjects: []\nsentence: A fox runs."
    found, forgiven = read(text, CaptionAnswer)
    assert (found.characters, found.place, found.sentence) == (["a fox"], "yes", "A fox runs.")
    assert forgiven


@pytest.mark.parametrize(
    "text",
    [
        "0. Ben ran.\nAnd then nobody knew where Ben was.",  # a line that belongs nowhere
        "I cannot write this. 1. It is too sad.",
        "{«sentences»: {«0»: «Ben ran.», «1»: «Ben sat.»}}",  # read as one text by repair
        "a: &x [1]\nb: *x",
        "[1, 2]",
        '{"sentences": [1, null, "Ben ran."]}',
    ],
)
def test_what_is_partly_a_list_is_none(text):
    with pytest.raises(ValueError):
        read(text, NarrativeAnswer)
