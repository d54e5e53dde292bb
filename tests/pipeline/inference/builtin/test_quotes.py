"""What is said, word for word, and how a story says who says it."""

from __future__ import annotations

import pytest

from pipeline.inference.builtin import quotes


@pytest.mark.parametrize(
    ("line", "leading", "trailing"),
    [
        ("Pip: Look!", 'Pip called, "Look!"', '"Look!" called Pip'),
        ("Momo: Where is it?", 'Momo asked, "Where is it?"', '"Where is it?" asked Momo'),
        ("Momo: Good night.", 'Momo said, "Good night."', '"Good night," said Momo'),
        ("Momo: Well...", 'Momo said, "Well..."', '"Well..." said Momo'),
        ("Where to", 'someone said, "Where to."', '"Where to," said someone'),
    ],
)
def test_verbs_and_stops(line, leading, trailing):
    (quote,) = quotes.read([line])
    assert (quote.leading(), quote.trailing()) == (leading, trailing)


def test_a_question_is_answered_by_somebody_else():
    asked, answered = quotes.read(["Pip: Have you seen it?", "Otto: No."])
    assert (asked.verb, answered.verb) == ("asked", "answered")
    assert quotes.asks(asked) == "Pip" and quotes.asks(answered) is None
    assert quotes.read(["Pip: Well, I have not."], "Pip")[0].verb == "said"  # of itself
    assert quotes.read(["Otto: No!"], "Pip")[0].verb == "answered"
    assert quotes.read(["No!"], "Pip")[0].verb == "called"  # nobody knows whose word it is


def test_lines_of_one_speaker_are_one_quote():
    (quote,) = quotes.read(["Pip: My ball is gone", "Pip: It rolled down the hill!"])
    assert quote.words == "My ball is gone. It rolled down the hill!"


def test_what_makes_it_too_long_is_left_out():
    lines = ["Pip: Look!", "Momo: " + "and so on " * 10]
    assert [quote.speaker for quote in quotes.read(lines)] == ["Pip"]
    assert len(quotes.read(lines[1:])) == 1  # a single line is kept whole
    assert quotes.read(["", " "]) == []
