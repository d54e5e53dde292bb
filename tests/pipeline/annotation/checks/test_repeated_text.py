"""Texts that repeat the text before them."""

from __future__ import annotations

from pipeline.annotation.checks.repeated_text import repeats


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
