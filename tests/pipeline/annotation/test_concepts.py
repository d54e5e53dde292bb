"""Texts in any language are compared by the things that they name."""

from __future__ import annotations

import pytest

from pipeline.annotation import concepts


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Die alte Eule saß in der Eiche."),
        ("ru", "На дубе сидела сова."),
        ("pl", "Stara sowa patrzyła z gałęzi."),
        ("tr", "Yaşlı baykuş ona baktı."),
        ("ja", "ふくろうは枝にいました。"),
        ("zh", "老猫头鹰住在树上。"),
        ("ko", "늙은 부엉이가 나무에 앉아 있었어요."),
        ("hi", "पेड़ पर बूढ़ा उल्लू बैठा था।"),
        ("ar", "جلست بومة على الغصن."),
        ("vi", "Con cú già đậu trên cành."),
    ],
)
def test_an_owl_is_an_owl_in_every_language(language, text):
    owl = concepts.vector("An old owl sits on a branch of an oak tree.", "en")
    lantern = concepts.vector("Mice read by the light of a lantern.", "en")
    said = concepts.vector(text, language)
    assert concepts.cosine(said, owl) > concepts.cosine(said, lantern)


def test_a_language_without_a_list_names_nothing():
    assert concepts.lexicon("tlh") == {}
    assert concepts.vector("Heghlu'meH QaQ jajvam", "tlh") == {}


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("en", "A little fox came along.", ("fox",)),
        ("en", "He could not bear it, and off they fly.", ()),  # verbs
        ("de", "Ein kleiner Fuchs kam mit.", ("fuchs",)),
        ("sv", "Han får en kaka.", ()),  # "gets", which is also a sheep
        ("vi", "Một con cáo nhỏ cũng đi cùng.", ("cáo",)),
        ("ko", "작은 여우도 따라왔어요.", ("여우",)),
    ],
)
def test_animals_are_found_where_they_are_meant(language, text, found):
    assert concepts.beings(text, language) == found


def test_words_of_scripts_with_vowel_signs_stay_whole():
    assert "उल्लू" in concepts.named_things("बूढ़ा उल्लू बैठा था।", "hi")


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("nl", "Een klein vosje ging met hen mee.", ("vos",)),
        ("es", "Un zorrito saltaba delante.", ("zorro",)),
        (
            "de",
            "Ein Füchslein hüpfte voraus, und ein Zauberer ging nebenher.",
            ("fuchs", "zauberer"),
        ),
        ("nl", "Het meisje had een beetje tijd.", ()),
    ],
)
def test_small_ones_and_persons_of_tales_are_beings(language, text, found):
    assert concepts.beings(text, language) == found


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ar", "قفز القرد على الكتف"),
        ("hi", "एक शरारती बंदर"),
        ("ru", "утёнок крякал"),
        ("uk", "за ними йшло каченя"),
        ("de", "ein Riese und ein Zwerg"),
        ("en", "the robot waved"),
        ("el", "ένας πειρατής"),
        ("id", "seekor penguin"),
        ("zh", "一个机器人"),
        ("th", "ยูนิคอร์นตัวหนึ่ง"),
    ],
)
def test_the_beings_of_tales_are_known(language, text):
    assert concepts.beings(text, language)


def test_what_hebrew_and_arabic_write_before_a_word_is_no_part_of_it():
    assert "🏜" in concepts.means("פתאום היו במדבר", "he")
    assert "🐒" in concepts.means("والقرد", "ar")


def test_a_short_word_in_hiragana_stands_apart():
    assert "🦋" not in concepts.means("ピップはちょうどいいところでうなずいた", "ja")
    assert "🦊" in concepts.means("小さなきつねもついてきた", "ja")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("uk", "Білий кролик тремтів у кутку, а з ним і ведмідь."),
        ("pl", "Przyszedł z małym lisem."),
        ("cs", "Hrála si s liškou."),
        ("ru", "Они шли рядом с медведем."),
        ("fi", "Hän istui karhun vieressä."),
        ("hu", "Egy rókával sétált."),
        ("tr", "Tilkiyle oynadı."),
        ("el", "Έτρεξε πίσω από την αλεπού."),
        ("ro", "I-a dat vulpii o nucă."),
        ("bg", "Лисицата се засмя."),
        ("sv", "Hunden skällde."),
        ("sl", "Igral se je z medvedom."),
        ("hr", "Išla je s medvjedom."),
        ("lt", "Atėjo šuo."),
        ("vi", "Con khỉ cười và vỗ tay."),
        ("pt", "Um cavalo branco os seguia."),
        ("id", "Seekor kuda putih mengikuti mereka."),
        ("he", "הכלב רץ אחריהם."),
    ],
)
def test_animals_are_known_in_any_case(language, text):
    assert concepts.beings(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("vi", "Bong bóng nổi lên trắng xóa."),  # white, as is a bear
        ("vi", "Cái ghế kia to hơn cái bàn."),  # counts things, and is a ewe
        ("pl", "Fabryka stała nad polarną rzeką."),  # whose worker, whose bear
        ("fr", "L'étoile polaire brillait dans le noir."),
        ("es", "Llevaba un velo y un turbante."),
        ("pt", "A noiva usava um véu na fábrica."),
        ("de", "Die Arbeit war schön, und das Tuch war rot."),
        ("tr", "Kötü bir gündü, tembel tembel yattı."),  # bad, lazy
        ("ru", "Он снял платок и тюрбан."),
        ("ja", "赤いスカーフが風にゆれた。"),
        ("ja", "ヤシャブシのワニスをぬった。"),  # varnish, not a crocodile
        ("th", "โรงงานสีดำ"),
        ("zh", "圣诞节的王冠"),
        ("ar", "كان الدم على الثوب"),  # what a vampire sucks
        ("ko", "그는 화가 났다."),  # anger, not a painter
    ],
)
def test_what_is_said_of_an_animal_or_a_person_is_none(language, text):
    assert concepts.beings(text, language) == ()


def test_words_that_case_folding_spells_otherwise_are_in_dictionaries():
    assert concepts.is_entry("θεόσ", "el") and concepts.is_entry("i\u0307nek", "tr")
    assert "🏜" in concepts.means(" ".join(concepts.named_in_any_form("στην έρημο", "el")), "el")


@pytest.mark.parametrize(
    ("description", "animal", "there"),
    [
        ("The two talk about the game.", "🦜", False),  # "talk" is said of parrots
        ("The two talk about the game.", "🐫", False),  # "two" of humps
        ("A goat chews the net.", "🐐", True),
        ("A green bird on a branch.", "🦜", True),  # its kind
        ("A hairy pet on a sofa.", "🐕", True),
        ("A farmer in a red hat.", "🧑‍🌾", True),  # no animal
    ],
)
def test_a_description_shows_the_animals_that_it_names(description, animal, there):
    assert (animal in concepts.shown(description)) == there
