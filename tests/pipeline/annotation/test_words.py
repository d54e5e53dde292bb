"""Words: tokens, lemmas, synonyms, quotations."""

from __future__ import annotations

import pytest

from pipeline.annotation import words


def test_words_have_no_case_and_no_possessive():
    assert words.tokenize("George's hat, the Boys’ caps -- don’t!") == [
        "george",
        "hat",
        "the",
        "boys",
        "caps",
        "don't",
    ]
    assert words.normalize("  Off  WE\ngo!") == "off we go"


@pytest.mark.parametrize(
    ("text", "narration"),
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
def test_quotations_are_left_out(text, narration):
    assert " ".join(words.without_quotations(text).split()) == narration


def test_dictionary_words_are_as_dictionaries_have_them():
    assert words.dictionary_words("Mr. Otter's 10 flower-pots -- don’t!") == [
        "mr",
        "otter",
        "flower",
        "pots",
        "don't",
    ]
    assert words.dictionary_words("小兔子") == ["小", "兔", "子"]
    assert words.tokenize("10 小兔子") == ["10", "小兔子"]  # the other tokenization compares texts


def test_content_is_lemmas_that_mean_something():
    assert words.content("The boys were building a castle, and then the boy ran to it.") == [
        "boy",
        "build",
        "castle",
        "run",
    ]
    assert words.content("And so it was, once again.") == []


@pytest.mark.parametrize(
    ("word", "other", "alike"),
    [
        ("dash", "run", True),
        ("rest", "sit", True),
        ("rest", "sleep", True),
        ("sit", "sleep", False),
        ("boy", "girl", False),
    ],
)
def test_synonyms_share_a_group(word, other, alike):
    assert bool(words.with_synonyms([word]) & words.with_synonyms([other])) is alike


def test_a_word_without_synonyms_has_no_group():
    assert words.with_synonyms(["kite"]) == {"kite"}


def test_the_head_of_a_phrase():
    assert words.head("a small boy holding a kite in a park") == ["small", "boy"]
    assert words.head("a big flying squirrel with a hat") == ["big", "flying", "squirrel"]
    assert words.head("the") == []


def test_ngrams():
    assert words.ngrams(["a", "b", "c"], 2) == {"a b", "b c"}
    assert words.ngrams(["a"], 2) == set()
