import pytest

from pipeline.review.agreement import agreement, summary
from tests.pipeline.review.deciding import a_film, decision


def test_kappa_is_agreement_beyond_chance():
    # 20 and 15 of 50 say yes to the same; of Cohen's example: 35 equal, chance 0.5
    one = {f"s{n}": n < 25 for n in range(50)}
    other = {f"s{n}": n < 20 or 25 <= n < 35 for n in range(50)}
    assert agreement({"Ann": one, "Bob": other}) == (0.7, pytest.approx(0.4))


def test_without_shared_stories_there_is_no_agreement():
    assert agreement({"Ann": {"a": True}, "Bob": {"b": True}}) == (None, None)


def test_two_who_say_yes_to_all_agree_and_have_no_kappa():
    both = {"a": True, "b": True}
    assert agreement({"Ann": both, "Bob": both}) == (1.0, None)


def test_a_summary_counts_stories_and_people():
    first, second = a_film()[0]
    rows = [
        decision(1, "accept", first),
        decision(2, "reject", first, by="Bob"),
        decision(3, "edit", second, at=0, text="Oh."),
    ]
    found = summary(rows)
    assert (found["looked_at"], found["people"], found["judged_twice"]) == (2, 2, 1)
    assert (found["accepted"], found["rejected"], found["sentences"]) == (0, 1, 1)
    assert found["agreed"] == 0.0
