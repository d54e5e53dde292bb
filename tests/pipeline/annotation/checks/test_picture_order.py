"""The texts of a window fit their own pictures, and tell of nobody and nowhere else."""

from __future__ import annotations

import pytest

from pipeline.annotation.checks.picture_order import disorder, newcomer
from tests.pipeline.annotation.checks.hedgehog_and_badger import (
    CAPTIONS,
    TEXTS,
    caption,
)


@pytest.mark.parametrize("language", TEXTS)
def test_texts_in_the_order_of_their_pictures(language):
    assert disorder(TEXTS[language], CAPTIONS, language, 0.5) == ""


@pytest.mark.parametrize("language", TEXTS)
def test_texts_of_other_pictures(language):
    texts = TEXTS[language]
    assert "not about their pictures" in disorder(texts[::-1], CAPTIONS, language, 0.5)
    assert "not about their pictures" in disorder([*texts[1:], texts[0]], CAPTIONS, language, 0.5)


def test_a_few_texts_tell_of_no_order():
    assert disorder(TEXTS["en"][3::-1], CAPTIONS[:4], "en", 0.5) == ""


def test_captions_in_another_language_are_nothing_against_a_text():
    captions = [caption("一只小刺猬在浇花。"), caption("一只獾在找东西。")] * 3
    assert disorder(TEXTS["de"], captions, "de", 0.5) == ""


@pytest.mark.parametrize(
    ("language", "added", "thing"),
    [
        ("en", ["A little fox came along.", "The fox hopped ahead."], "'fox'"),
        ("de", ["Ein kleiner Fuchs kam mit.", "Der Fuchs hüpfte voraus."], "'fuchs'"),
        ("en", ["Now they stood on a beach.", "The sea was calm."], "'the sea'"),
        ("de", ["Nun standen sie am Strand.", "Das Meer war still."], "'the sea'"),
        ("en", ["They landed on a planet.", "The rocket was hot."], "'a spaceship'"),
    ],
)
def test_somebody_or_somewhere_new(language, added, thing):
    texts = [f"{text} {more}" for text, more in zip(TEXTS[language], [*added] * 3, strict=True)]
    assert newcomer(TEXTS[language], CAPTIONS, "", "", language) == ""
    assert thing in newcomer(texts, CAPTIONS, "", "", language)


def test_who_was_there_before_is_nobody_new():
    texts = [f"{text} The fox smiled." for text in TEXTS["en"]]
    assert newcomer(texts, CAPTIONS, "", "A fox had followed them.", "en") == ""


def test_a_comparison_is_nobody():
    texts = [*TEXTS["en"][:-1], "She was as sly as a fox."]
    assert newcomer(texts, CAPTIONS, "", "", "en") == ""


@pytest.mark.parametrize(
    ("language", "castle", "lock"),
    [
        (
            "de",
            ["Auf einmal standen sie im Schloss.", "Das Tor des Schlosses fiel zu."],
            ["Der Schlüssel klemmte im Schloss.", "Endlich sprang das Schloss auf."],
        ),
        (
            "ru",
            ["Вдруг они очутились в зале замка.", "Ворота замка захлопнулись."],
            ["Ключ не входил в замок.", "Наконец замок щёлкнул."],
        ),
    ],
)
def test_a_castle_and_a_lock_are_told_apart_by_what_is_seen(language, castle, lock):
    garden = [caption("A badger sits in a garden.", "Bruno")] * 2
    locked = [caption("A badger opens a locked gate with a key, its lock is old.", "Bruno")] * 2
    assert "'a castle', which no picture shows" in newcomer(castle, garden, "", "", language)
    assert newcomer(lock, locked, "", "", language) == ""


def test_texts_that_fit_no_better_than_by_chance():
    shuffled = [TEXTS["de"][place] for place in (2, 1, 5, 0, 3, 4)]
    assert "not about their pictures" in disorder(shuffled, CAPTIONS, "de", 0.5)
    silent = ["Und so ging es weiter.", *["Da kam es, wie es kommen musste."] * 5]
    assert disorder(silent, CAPTIONS, "de", 0.5) == ""  # which tells of no order


def test_a_name_that_is_also_a_vehicle_is_no_place():
    """Suri is written as a ride is in Urdu."""
    captions = [caption("A girl opens an umbrella."), caption("A girl holds an umbrella.")]
    texts = ["سوری بس اسٹاپ پر کھڑی تھی۔", "سوری نے چھتری کھولی۔"]
    assert newcomer(texts, captions, "a girl", "", "ur", ["Suri"]) == ""


def test_an_umbrella_is_no_beach():
    captions = [caption("A girl opens an umbrella.", place="a foyer")] * 2
    texts = ["Suddenly they stood on the beach.", "The waves of the ocean rolled over the beach."]
    assert newcomer(texts, captions, "", "", "en") == (
        "the texts tell of 'the sea', which no picture shows"
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("pl", "Mały Bruno był mały."),  # as some airplanes are
        ("ur", "چھوٹا برونو ہنسا۔"),
        ("ur", "برونو نے کام کیا۔"),  # what offices are for
        ("bn", "ব্রুনো কাজ করল।"),
        ("pl", "Płynął tam strumień."),  # as whales spout
    ],
)
def test_what_is_said_of_a_thing_is_no_place(language, said):
    assert newcomer([said] * 6, CAPTIONS, "", "", language, ["Bruno"]) == ""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("el", "Και ξαφνικά βρέθηκαν στην έρημο."),
        ("fi", "Äkkiä he seisoivat keskellä aavikkoa."),
        ("hi", "अचानक चारों ओर रेगिस्तान था।"),
        ("uk", "Раптом навкруги пустеля."),
        ("vi", "Bỗng nhiên họ ở giữa sa mạc."),
        ("he", "פתאום היו באמצע המדבר."),
        ("tr", "Birden çölde buldular kendilerini."),
    ],
)
def test_a_desert_is_another_place_in_any_case(language, said):
    assert "a desert" in newcomer([said] * 2, CAPTIONS[:2], "", "", language)


def test_an_owl_is_a_bird_and_no_parrot():
    texts = ["A {} sat there.", "The {} sang."]
    for shown, told, new in (
        ("owl", "parrot", True),
        ("owl", "bird", False),
        ("bird", "parrot", False),
    ):
        captions = [caption(f"A {shown} sits on a branch.")] * 2
        found = newcomer([text.format(told) for text in texts], captions, "", "", "en")
        assert bool(found) == new
