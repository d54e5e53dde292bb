"""Two characters of a window do not have each other's names."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.annotation.checks.swapped_names import swapped
from tests.pipeline.annotation.checks.hedgehog_and_badger import (
    CAPTIONS,
    FORMS,
    LOOKS,
    TEXTS,
    caption,
)


@pytest.mark.parametrize("language", TEXTS)
def test_swapped_names(language):
    texts = TEXTS[language]
    assert swapped(texts, CAPTIONS, LOOKS, FORMS, language) == ""
    other = [
        text.replace("Tilda", "?").replace("Bruno", "Tilda").replace("?", "Bruno") for text in texts
    ]
    assert "Tilda and Bruno have each other's names" in swapped(
        other, CAPTIONS, LOOKS, FORMS, language
    )


def test_who_speaks_to_whom_tells_swapped_names():
    comfort = caption("The hedgehog comforts the badger.", "Tilda", "Bruno")
    door = caption("The badger opens a door, the hedgehog peeks from behind him.", "Bruno", "Tilda")
    mill = caption("An old windmill stands on a grassy hill.")
    texts = [
        "I put a paw on his shoulder. “Do not cry, {},” I said.",
        "The mill stood there without a light.",
        "{} put his weight on the door. I looked past him.",
    ]
    pictures = [comfort, mill, door]

    def told(name: str) -> str:
        return swapped([text.format(name) for text in texts], pictures, LOOKS, FORMS, "en")

    assert told("Bruno") == ""
    assert "have each other's names" in told("Tilda")


def test_a_name_that_is_also_a_word():
    shed = caption("A badger with a red scarf searches boxes.", "Bruno")
    texts = ["Тильда даже не обернулся.", "Тильда сел на порог.", "Потом Тильда заплакал."]
    assert "have each other's names" in swapped(texts, [shed] * 3, LOOKS, FORMS, "ru")


def test_where_one_is_seen_a_text_that_names_both_tells_of_no_swap():
    texts = [
        "I am Bruno, and I watched Tilda water the sunflowers.",
        "I, Bruno, searched every box while Tilda waited.",
        "Then Bruno cried on the step.",
    ]
    assert swapped(texts, CAPTIONS[:3], LOOKS, FORMS, "en") == ""
    again = [*texts[:2], "Then Tilda cried on the step."]
    assert "each other's names" in swapped(
        again + again[2:], CAPTIONS[:3] + CAPTIONS[2:3], LOOKS, FORMS, "en"
    )


def test_a_name_that_is_spelt_as_another_word_tells_nothing():
    elio = {"Elio": "a boy", "Brumm": "a bear"}
    captions = [
        {**caption("A bear waves."), "characters": ["a bear"], "who": {"a bear": "Brumm"}}
    ] * 3
    texts = ["הדוב נופף אליו.", "הוא הביט אחריו.", "הלך אל היער."]
    assert swapped(texts, captions, elio, {name: [name] for name in elio}, "he") == ""


WOMEN = {"Tilda": "a young woman with a yellow helmet", "Marta": "an old woman with a silver bun"}


def women(sentence: str, *who: str) -> dict[str, Any]:
    looks = [WOMEN[name] for name in who]
    return {
        "sentence": sentence,
        "characters": looks,
        "who": dict(zip(looks, who, strict=True)),
    }


LIFT = women(
    "A young woman with a yellow helmet carries a ladder while an old woman with a silver bun "
    "holds a lantern.",
    "Tilda",
    "Marta",
)
TEA = women("Two women drink tea.", "Tilda", "Marta")


def each_other(texts: list[str], captions: list[dict[str, Any]], language: str) -> list[bool]:
    """Returns whether the names are found to be swapped: as they are, and when they are."""
    forms = {name: [name] for name in WOMEN}
    other = [
        text.replace("Tilda", "?").replace("Marta", "Tilda").replace("?", "Marta") for text in texts
    ]
    return [bool(swapped(said, captions, WOMEN, forms, language)) for said in (texts, other)]


def test_who_does_what_tells_swapped_names_in_any_order():
    texts = [
        "Marta went ahead with the lantern, Tilda puffed under the ladder.",
        "Tilda put down the ladder. Marta's lantern had gone out.",
        "“More tea?” asked Marta, and Tilda nodded.",
    ]
    assert each_other(texts, [LIFT, LIFT, TEA], "en") == [False, True]


def test_the_order_in_which_two_women_are_shown_as_two_women_tells_nothing():
    texts = ["Marta poured, and Tilda drank.", "Marta laughed at Tilda.", "Marta and Tilda slept."]
    assert each_other(texts, [TEA] * 3, "en") == [False, False]


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "en",
            [
                "I rode through the rain with twelve pounds of brass on my back.",
                "I carried the ladder. Marta held the lantern and never looked back at me.",
                "“Now, Tilda!” Marta cried, and I pushed.",
                "Marta was awake at an hour when honest people aren't.",
            ],
        ),
        (
            "fr",
            [
                "Je roulais sous la pluie, ma roue de laiton sur le dos.",
                "Je portais l'échelle, et Marta, sans me regarder, tenait la lanterne.",
                "« Vas-y, Tilda ! » a crié Marta, et j'ai poussé.",
                "Marta ne dormait jamais à cette heure.",
            ],
        ),
        (
            "th",
            [
                "ฉันปั่นจักรยานฝ่าสายฝน",
                "ฉันแบกบันได Marta ถือตะเกียงเดินนำหน้าฉัน",
                '"Tilda ผลักเลย" Marta ตะโกน แล้วฉันก็ผลัก',
                "Marta ยังไม่นอน",
            ],
        ),
    ],
)
def test_a_narrator_is_in_the_picture_without_a_name(language, texts):
    rides = women("A young woman with a yellow helmet rides a bicycle.", "Tilda")
    mends = women("An old woman with a silver bun mends a clock.", "Marta")
    assert each_other(texts, [rides, LIFT, LIFT, mends], language) == [False, True]


def test_speakers_of_a_play_take_turns_whoever_acts():
    texts = [
        "MARTA: Come on! TILDA: The ladder is heavy, Marta.",
        "[Marta] I can hear you. [Tilda] Then wait for me!",
        "MARTA: Nearly there. TILDA: You said so an hour ago.",
    ]
    forms = {"Tilda": ["Tilda", "TILDA"], "Marta": ["Marta", "MARTA"]}
    assert swapped(texts, [LIFT] * 3, WOMEN, forms, "en") == ""


def test_a_thai_pronoun_that_is_hair_too_is_nothing_that_somebody_has():
    looks = {"Thessa": "a goddess with red hair", "Kobo": "a rusty robot"}
    falls = {
        "sentence": "A rusty robot waves to a goddess with red hair.",
        "characters": list(looks.values()),
        "who": {look: name for name, look in looks.items()},
    }
    texts = ["Kobo โบกมือ Thessa ยิ้มให้ผม", "Kobo หัวเราะ แล้วผมก็หัวเราะ", "Kobo เงียบ ผมก็เงียบ"]
    assert swapped(texts, [falls] * 3, looks, {name: [name] for name in looks}, "th") == ""
