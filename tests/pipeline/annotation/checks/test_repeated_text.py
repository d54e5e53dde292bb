"""Texts that repeat the text before them."""

from __future__ import annotations

from pipeline.annotation.checks.repeated_text import loops, repeats, says_twice


def test_the_same_text_again():
    same = "the text is the same as the one before"
    assert repeats("George ran.", "George ran.") == same
    assert repeats("George  ran!", "“george ran”") == same
    assert repeats("猴子跑了。", "猴子跑了") == same
    near = "the text is nearly the same as the one before"
    assert (
        repeats(
            "George the monkey ran up the hill to see his friend.",
            "George the monkey ran up a hill to see his friend.",
        )
        == near
    )
    assert repeats("x" * 300 + " and a tail", "x" * 300 + " and a tale") == near


def test_another_text():
    assert repeats("George ran.", "George sat.") == ""
    assert (
        repeats(
            "George ran up the hill to see his friend.",
            "His friend came down the hill to see George.",
        )
        == ""
    )
    assert repeats("", "") == ""


def test_a_text_that_says_everything_twice():
    once = "Tilda ran down to the old mill."
    assert says_twice(f"{once} {once}") == "the text says everything twice"
    assert says_twice("蒂尔达跑到老磨坊去了。蒂尔达跑到老磨坊去了。") != ""
    assert says_twice("Row, row, row your boat. Row, row, row your boat.") == ""
    assert says_twice(f"{once} Bruno ran down to the old mill.") == ""


def test_a_story_may_have_a_refrain_and_not_two():
    refrain, other = "And on they went, over hill and dale.", "They crossed the stream again."
    assert loops([refrain, "Tilda sang.", refrain, "Bruno slept.", refrain], []) == {}
    assert loops([refrain, "Tilda sang.", other], [refrain]) == {}
    fault = "the text was told before"
    assert loops([refrain, other, "Tilda sang.", refrain, other], []) == {3: fault, 4: fault}
    assert loops([refrain, other], [other, "Tilda sang.", refrain]) == {0: fault, 1: fault}
