"""Names are recognised in other alphabets and in their cases."""

from __future__ import annotations

import pytest

from pipeline.annotation import name_forms


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Тильда", "Tilda"),
        ("Тильду", "Tilda"),
        ("Tildę", "Tilda"),
        ("Tildára", "Tilda"),
        ("蒂尔达", "Tilda"),
        ("ティルダ", "Tilda"),
        ("टिल्डा", "Tilda"),
        ("تيلدا", "Tilda"),
        ("Τίλντα", "Tilda"),
        ("Brunót", "Bruno"),
        ("브루노는", "Bruno"),
        ("Oton", "Otto"),
        ("Pavla", "Pavel"),
        ("오토가", "Otto"),
        ("אוטו", "Otto"),
        ("ולאוטו"[2:], "Otto"),
        ("Лия", "Lía"),
        ("Higginsowi", "Higgins"),
        ("Anzelm", "Anselm"),  # as Hungarian spells it
        ("Джордж", "George"),
        ("როზა", "Rosa"),
        ("சூரி", "Suri"),
        ("سارة", "Sara"),
        ("ピップ", "Pip"),
        ("안젤름", "Anselm"),  # Korean does not close a syllable with two
        ("Vandu", "Wanda"),  # of languages that spell names by their sound
        ("Filipu", "Philip"),
        ("वांडा", "Wanda"),
        ("旺达", "Wanda"),
    ],
)
def test_a_form_of_a_name(word, name):
    assert name_forms.is_form(word, name)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Bruno", "Tilda"),
        ("Марта", "Tilda"),
        ("тильда", "Tilda"),  # names have capitals where there are any
        ("Tim", "Tilda"),
        ("הגיע", "Otto"),
        ("Martina", "Marlowe"),
    ],
)
def test_another_word(word, name):
    assert not name_forms.is_form(word, name)


def test_where_a_name_stands():
    text = "Вдруг Бруно увидел Тильду."
    assert [text[place:] for place in name_forms.find(text, "Tilda")] == ["Тильду."]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("ป้าบอกว่าเอลิโอใส่หมวก", "Elio", "เอลิโอใส่หมวก"),
        ("แล้วบรุมม์ว่ายน้ำมา", "Brumm", "บรุมม์ว่ายน้ำมา"),
        ("窗台上，咪咪睡着了。", "Mimi", "咪咪睡着了。"),
        ("老人安瑟姆点了点头。", "Anselm", "安瑟姆点了点头。"),
    ],
)
def test_where_a_name_stands_among_words_without_spaces(text, name, found):
    assert [text[place:] for place in name_forms.find(text, name)] == [found]


@pytest.mark.parametrize(
    ("text", "name"), [("默默地走", "Momo"), ("他的秘密", "Mimi"), ("เรือมีรู น้ำเข้ามาแล้ว", "Elio")]
)
def test_words_without_spaces_that_are_no_name(text, name):
    assert name_forms.find(text, name) == []


def test_a_loanword_is_no_name():
    assert name_forms.sounds_alike("ランタン", "lantern")
    assert not name_forms.sounds_alike("マクシム", "lantern")


@pytest.mark.parametrize("word", ["막심은", "مكسيم", "ומקסים", "マクシム", "मैक्सिम"])
def test_a_name_of_many_countries_in_scripts_without_capitals(word):
    assert name_forms.is_spelling(word, frozenset({"Maxim", "Albert"}))


@pytest.mark.parametrize("word", ["흔들었어요", "البلوط", "खोलकर", "ランタン"])
def test_a_word_of_like_sounds_is_none(word):
    assert not name_forms.is_spelling(word, frozenset({"Albert", "Andreas", "Gregory"}))


def test_words_that_only_sound_like_a_short_name_in_hebrew_are_not_it():
    assert name_forms.is_form("ברום", "Brumm") and not name_forms.is_form("אורן", "Brumm")
    assert name_forms.is_form("אליו", "Elio") and not name_forms.is_form("אחריו", "Elio")


def test_a_foreign_word_sounds_like_its_own_whether_g_is_hard_or_soft():
    assert name_forms.sounds_alike("ベージュ", "beige") and name_forms.sounds_alike(
        "ガレージ", "garage"
    )
