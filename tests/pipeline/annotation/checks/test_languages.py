"""Texts in another language than the story's are found, and good prose in any language is not."""

from pathlib import Path

import pytest

from pipeline.annotation.checks.languages import wrong_languages

PROSE = {
    section[: section.index("]")]: section.splitlines()[1:]
    for section in Path(__file__).with_name("prose.txt").read_text("utf-8").split("\n[")[1:]
}
NAMES = ("Mila", "Otto")
CLOSE = [
    ("pt", "es"), ("es", "pt"), ("ca", "es"), ("cs", "sk"), ("sk", "cs"), ("da", "nb"),
    ("nb", "da"), ("sv", "nb"), ("ru", "uk"), ("uk", "ru"), ("bg", "ru"), ("id", "ms"),
    ("ms", "id"), ("hr", "sr"), ("sr-Latn", "hr"), ("zh", "ja"), ("ja", "zh"), ("fa", "ar"),
    ("ur", "fa"), ("mr", "hi"), ("nl", "de"),
]  # fmt: skip


@pytest.mark.parametrize("language", PROSE)
def test_good_prose_passes_as_a_window_and_text_by_text(language):
    assert wrong_languages(PROSE[language], language, NAMES) == {}
    for text in PROSE[language]:
        assert wrong_languages([text], language, NAMES) == {}


@pytest.mark.parametrize("asked", ["en", "de", "fr", "tr", "ru", "ar", "zh", "ja", "ko", "hi"])
def test_a_window_in_another_language_is_found(asked):
    for language, texts in PROSE.items():
        if language.partition("-")[0] != asked:
            assert wrong_languages(texts, asked, NAMES), language


@pytest.mark.parametrize(("written", "asked"), CLOSE)
def test_a_window_in_a_related_language_is_found(written, asked):
    assert len(wrong_languages(PROSE[written], asked, NAMES)) >= 3


def test_the_fault_names_both_languages():
    texts = [*PROSE["fr"][:2], PROSE["de"][2], *PROSE["fr"][3:]]
    assert wrong_languages(texts, "fr-CA", NAMES) == {
        2: "the text is in German, and must be in French (fr-CA)"
    }


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("“¡Buenos días, amigos! ¿Quieren venir conmigo a la playa?” said Dora.", "en"),
        ("La la la, la la la, la la la!", "en"),
        ("Fee-fi-fo-fum!", "en"),
        ("Hahaha! Hihihi! Hohoho!", "en"),
        ("Abracadabra, hocus pocus, alakazam, simsalabim!", "en"),
        ("Hop, hop, hop!", "de"),
        ("Knusper, knusper, knäuschen, wer knuspert an meinem Häuschen?", "de"),
        ("Din don, din don, din don !", "fr"),
        ("雪夜、静寂。", "ja"),
        ("東京駅。", "ja"),
        ("20:15", "en"),
    ],
)
def test_doubt_is_no_fault(text, language):
    assert wrong_languages([text], language) == {}
    assert wrong_languages([text] * 3, language) == {}


def test_a_language_that_nobody_can_tell_is_not_checked():
    assert wrong_languages(PROSE["en"], "tlh") == {}
