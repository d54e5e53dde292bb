"""Words: lemmas, groups of like words, what is said and what is told."""

from __future__ import annotations

import pytest

from pipeline.annotation import words as w


def test_words_have_no_case_and_no_possessive():
    assert w.words("George's hat, the Boys’ caps -- don’t!") == [
        "george",
        "hat",
        "the",
        "boys",
        "caps",
        "don't",
    ]
    assert w.bare("  Off  WE\ngo!") == "off we go"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"No!" he said.', "he said."),
        ("“No,” he said, “never.”", "he said,"),
        ("„Nein“, sagte er.", ", sagte er."),
        ("«Non», dit-il.", ", dit-il."),
        ("「だめ」と言った。", "と言った。"),
        ("'I can't swim,' said the boys' dog.", "said the boys' dog."),
        ("It's the dogs' ball.", "It's the dogs' ball."),
    ],
)
def test_what_is_said_is_not_told(text, told):
    assert " ".join(w.unquoted(text).split()) == told


def test_content_is_lemmas_that_mean_something():
    assert w.content("The boys were building a castle, and then the boy ran to it.") == [
        "boy",
        "build",
        "castle",
        "run",
    ]
    assert w.content("And so it was, once again.") == []


def test_like_words_share_a_sense():
    assert w.senses(["dash"]) & w.senses(["run"])
    assert w.senses(["rest"]) & w.senses(["sit"]) and w.senses(["rest"]) & w.senses(["sleep"])
    assert not w.senses(["sit"]) & w.senses(["sleep"])
    assert not w.senses(["boy"]) & w.senses(["girl"])
    assert w.senses(["kite"]) == {"kite"}


def test_the_head_of_a_phrase():
    assert w.head("a small boy holding a kite in a park") == ["small", "boy"]
    assert w.head("a big flying squirrel with a hat") == ["big", "flying", "squirrel"]
    assert w.head("the") == []


def test_runs_of_words():
    assert w.runs(["a", "b", "c"], 2) == {"a b", "b c"}
    assert w.runs(["a"], 2) == set()
