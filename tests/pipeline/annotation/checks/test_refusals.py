"""Refusals: the model declines to write; characters may."""

from __future__ import annotations

import pytest

from pipeline.annotation.checks.refusals import refusal


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
