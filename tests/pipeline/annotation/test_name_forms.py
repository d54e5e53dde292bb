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


def test_a_loanword_is_no_name():
    assert name_forms.sounds_alike("ランタン", "lantern")
    assert not name_forms.sounds_alike("マクシム", "lantern")
