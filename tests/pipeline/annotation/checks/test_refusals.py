"""Checks of a text: no refusal, no question said back, no copy of the text before."""

from __future__ import annotations

import pytest

from pipeline.annotation.checks.refusals import copied, echo, refusal

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
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot write that.",
        "Sorry, I can't continue this story.",
        "As an AI, I do not see pictures.",
        "As a story. I am a large language model.",
        "I cannot assist with this request.",
        '"I cannot assist with this request."',
        "I am unable to see the picture.",
        "Unable to generate a text for this picture.",
        "This goes against the content policy.",
        "I apologize, but no description was provided.",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "Als KI kann ich das nicht schreiben.",
        "Désolé, mais je ne peux pas vous aider.",
        "En tant que modèle de langage, je n'ai pas d'images.",
        "Lo siento, pero no puedo ayudar con eso.",
        "Como modelo de lenguaje, no veo la imagen.",
    ],
)
def test_refusals(text):
    assert refusal(text) == "the text is a refusal, not a story"


@pytest.mark.parametrize(
    "text",
    [
        "George was sorry, and he could not reach the kite.",
        "\"I'm sorry, but I can't swim,\" said the dog.",
        "“I cannot help you,” said the owl.",
        "'I'm sorry, I can't help it,' said the boys' dog, and ran.",
        "Unable to reach the kite, George jumped.",
        "Sorry for the mess, George began to clean.",
        "The mother was unable to assist them.",
        "«Je ne peux pas vous aider», dit le lapin.",
        "—Lo siento, no puedo nadar —dijo Jorge.",
        "„Es tut mir leid, ich kann nicht schwimmen“, sagte Georg.",
        "",
    ],
)
def test_characters_may_be_sorry(text):
    assert refusal(text) == ""


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


def test_the_same_text_again():
    same = "the text is the same as the one before"
    assert copied("George ran.", "George ran.") == same
    assert copied("George  ran!", "“george ran”") == same
    assert copied("猴子跑了。", "猴子跑了") == same
    near = "the text is nearly the same as the one before"
    assert (
        copied(
            "George the monkey ran up the hill to see his friend.",
            "George the monkey ran up a hill to see his friend.",
        )
        == near
    )
    assert copied("x" * 300 + " and a tail", "x" * 300 + " and a tale") == near


def test_another_text():
    assert copied("George ran.", "George sat.") == ""
    assert (
        copied(
            "George ran up the hill to see his friend.",
            "His friend came down the hill to see George.",
        )
        == ""
    )
    assert copied("", "") == ""
