"""Refusals: the model declines to write; characters may."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.annotation.checks import patterns
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
        "Je mi líto, ale s tímto vám pomoci nemohu.",  # known words in an order of their own
        "Valitettavasti en pysty auttamaan tässä asiassa.",
        "Din păcate, nu sunt în măsură să răspund acestei solicitări.",
        "Unfortunately, I can't help with writing this letter.",
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


ROWS = [
    tuple(line.split("\t"))
    for line in Path(__file__).with_name("refusals.tsv").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("language", patterns.languages())
def test_each_language_has_its_refusals_and_its_good_sentences(language):
    refused = {text: kind for code, kind, text in ROWS if code == language}
    assert set(refused.values()) == {"yes", "no"}
    assert {text: "no" if refusal(text) else "yes" for text in refused} == refused


@pytest.mark.parametrize(
    "text",
    [
        "But I can't.",
        "Sorry I was, but I could not help her with that.",
        "Bruno was unable to continue the story, and he cried.",
        "I was trained by the old owl, who could see images in the water.",
        "I need more information, I thought, and I lit the lantern.",
        "I cannot be content with half a loaf.",
    ],
)
def test_narrators_may_use_the_words_of_refusals(text):
    assert refusal(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "That's one passage I have to pass on. Would you like another topic?",
        "Bei dieser Stelle muss ich passen. Gerne helfe ich mit einer anderen Idee.",
        "Merci, mais je préfère m'abstenir de rédiger cela.",
        "Preferiría no redactar esta parte.",
        "Этот отрывок я писать не стану.",
        "Tego nie napiszę, ale chętnie pomogę z innym tematem.",
        "この場面の執筆は控えさせていただきます。",
        "그 장면은 쓰지 않겠습니다.",
        "这一幕我写不了，要不要换个主题？",
        "Bu bölümü yazmayacağım.",
        "Tätä kohtausta en kirjoita.",
        "لن أكتب هذا المقطع.",
        "ฉันขอไม่เขียนฉากนี้",
    ],
)
def test_a_short_text_that_says_little_else_is_a_refusal(text):
    assert refusal(text) == "the text is a refusal, not a story"


@pytest.mark.parametrize(
    "text",
    [
        "I can't describe how happy we were.",
        "I cannot write any more today. My hand hurts.",
        "I can't stop looking at the photo.",
        "I can't answer. My throat is too tight.",
        "Ich kann ihm nicht helfen.",
        "Ich kann nicht beschreiben, wie froh wir waren.",
        "Je ne peux pas décrire notre joie.",
        "No voy a seguir. Me duelen los pies.",
        "Не могу больше писать, лампа гаснет.",
        "Nie mogę opisać naszej radości.",
        "この気持ちはとても書けません。",
        "나는 그 사진에서 눈을 뗄 수 없다.",
        "我无法形容我们有多高兴。",
        "Δεν θέλω να συνεχίσω, κρυώνω πολύ.",
        "لا أستطيع أن أصف فرحتنا.",
        "לא אוכל לתאר את שמחתנו.",
    ],
)
def test_who_tells_of_himself_may_say_little(text):
    assert refusal(text) == ""


def test_a_short_text_that_names_a_character_is_none():
    text = "I won't be able to continue this part of the story for you, Bruno."
    assert refusal(text) == "the text is a refusal, not a story"
    assert refusal(text, ["Bruno"]) == ""
