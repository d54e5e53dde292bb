"""The repair loop: a bad answer is asked for once more, with the fault stated."""

import dataclasses
from collections import Counter

import pytest

from pipeline.inference.protocol import Answer, Gone, Request, Unanswered
from pipeline.inference.repair import Outcome, ask
from pipeline.runtime.storage import CannotWrite
from schemas.answers import CaptionAnswer, NarrativeAnswer, narrative_schema
from tests.pipeline.scripted import Scripted, in_turn, with_client

GOOD = '{"sentence": "Ben laughs."}'


def request():
    return Request("one", "caption", "?", {}, CaptionAnswer)


def correct(again, fault):
    return dataclasses.replace(again, correction=f"Again: {fault}")


def outcome(backend, check=lambda _: ""):
    return with_client(backend, lambda client: ask(request(), client, check, correct))


def test_a_good_answer_is_the_value():
    backend = Scripted(in_turn(GOOD))
    assert outcome(backend) == Outcome(CaptionAnswer(sentence="Ben laughs."))
    assert len(backend.asked) == 1


def test_a_bad_answer_is_asked_for_again_with_the_fault_stated():
    backend = Scripted(in_turn('{"sentence": "Ben cries."}', GOOD))
    found = outcome(backend, lambda answer: "he laughs" if "cries" in answer.sentence else "")
    assert found == Outcome(CaptionAnswer(sentence="Ben laughs."), repaired=True)
    repair = backend.asked[1]
    assert (repair.prompt, repair.said) == ("?", '{"sentence": "Ben cries."}')
    assert repair.correction == "Again: he laughs"
    assert repair.facts == {"retry": "he laughs"}


def test_what_is_bad_twice_comes_back_as_the_last_fault():
    faults = iter(["too long", "too short"])
    assert outcome(Scripted(in_turn(GOOD, GOOD)), lambda _: next(faults)) == Outcome(
        None, "too short", repaired=True
    )


def test_only_what_failed_in_the_end_is_to_be_asked_again():
    assert outcome(Scripted(in_turn("junk", GOOD))).failed == ()
    failed = outcome(Scripted(in_turn("junk", "junk"))).failed
    assert [request.correction == "" for request in failed] == [True, False]


def test_a_question_without_an_answer_is_not_asked_again():
    backend = Scripted(in_turn(Unanswered("the server answered 500")))
    assert outcome(backend) == Outcome(None, "the server answered 500", answered=False)
    assert len(backend.asked) == 1


def test_an_exception_over_an_answer_is_a_fault_of_that_answer():
    def check(answer):
        raise KeyError(answer.sentence)

    assert outcome(Scripted(in_turn(GOOD, GOOD)), check) == Outcome(
        None, "the answer cannot be checked: KeyError: 'Ben laughs.'", repaired=True
    )


@pytest.mark.parametrize("error", [CannotWrite("the disk is full"), Gone("no answer")])
def test_what_stops_the_run_is_no_fault_of_an_answer(error):
    def check(answer):
        raise error

    with pytest.raises(type(error)):
        outcome(Scripted(in_turn(GOOD)), check)


def test_a_refusal_is_not_asked_again_with_the_fault_stated():
    refusal = Answer("", "scripted", refusal="a content filter ended the answer")
    found = outcome(Scripted(lambda _: refusal))
    assert found == Outcome(None, "a content filter ended the answer", refused=True)
    assert found.answers == (refusal,)


def test_the_end_of_the_run_is_no_outcome():
    with pytest.raises(Gone, match="no answer for 300 s"):
        outcome(Scripted(in_turn(Gone("no answer for 300 s"))))


def test_an_answer_in_another_form_is_used_and_counted():
    counts: Counter[str] = Counter()
    backend = Scripted(in_turn('{"Sentence": "Ben laughs."}'))
    found = with_client(
        backend,
        lambda client: ask(request(), client, lambda _: "", correct),
        count=lambda name, amount: counts.update({name: amount}),
    )
    assert found == Outcome(CaptionAnswer(sentence="Ben laughs."), forgiven=True)
    assert counts["answers in another form"] == 1 and counts["repaired answers"] == 0


@pytest.mark.parametrize(
    ("frames", "said", "numbers"),
    [
        ([10, 11], '{"sentences": {"picture_1": "Ben ran.", "picture_2": "Ben sat."}}', [10, 11]),
        ([10, 11], '{"sentences": ["Ben ran.", "Ben sat."]}', [10, 11]),
        ([0, 1], '{"sentences": {"picture_1": "Ben ran.", "picture_2": "Ben sat."}}', [0, 1]),
        ([2, 5], '{"sentences": {"picture_1": "Ben ran.", "picture_2": "Ben sat."}}', [1, 2]),
        ([10, 11], '{"sentences": {"picture_1": "Ben ran."}}', [1]),  # which of the two?
    ],
)
def test_pictures_that_are_counted_from_one_are_those_asked_for(frames, said, numbers):
    asked = Request("a", "narrate", "?", {}, NarrativeAnswer, schema=narrative_schema(frames))
    backend = Scripted(in_turn(said))
    found = with_client(backend, lambda client: ask(asked, client, lambda _: "", correct))
    assert [sentence.frame for sentence in found.value.sentences] == numbers
    assert found.forgiven == (numbers == frames)
