"""How a judge's scores and choices are read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from benchmarks.judge.questions import Mark, Verdict


@pytest.mark.parametrize(
    ("said", "score"),
    [(7, 7), (7.5, 7.5), ("7/10", 7), ("7.5 / 10", 7.5), ("[[7]]", 7), ("**8**", 8), ("0", 0),
     ("Score: 9 out of 10", 9)],
)  # fmt: skip
def test_a_score_is_read(said, score):
    assert Mark(reason="", score=said).score == score


@pytest.mark.parametrize("said", ["7/5", "7 or 8", "11", -1, True, "good", None])
def test_what_is_no_score(said):
    with pytest.raises(ValidationError):
        Mark(reason="", score=said)


@pytest.mark.parametrize(
    ("said", "better"),
    [("A", "A"), ("**A**", "A"), ("[[B]]", "B"), ("Story B.", "B"), ("draw", "tie"),
     ("Tie", "tie"), ("equal", "tie"), ("A is better", "A")],
)  # fmt: skip
def test_a_choice_is_read(said, better):
    assert Verdict(reason="", better=said).better == better


@pytest.mark.parametrize("said", ["A or B", "C", "", None])
def test_what_is_no_choice(said):
    with pytest.raises(ValidationError):
        Verdict(reason="", better=said)
