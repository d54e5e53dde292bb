"""The embedded writer: beginnings made from captions, what may follow them, the model itself."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.inference.builtin.caption_sentences import story_sentence
from pipeline.inference.builtin.writer import (
    EmbeddedWriter,
    beginning,
    choose,
    fits,
    grounded,
    link,
)
from pipeline.inference.protocol import Request
from schemas.answers import NarrativeAnswer
from tests.pipeline.inference.builtin.test_caption_sentences import described

MEADOW = described(sentence="Green grass lies under a light blue sky, in bright light.", objects=[])
HOPS = described(
    sentence="On the left of the picture, a grey rabbit moves to the right with green "
    "and brown around it.",
    action="moves to the right",
)


def test_the_model_is_asked_for_what_fits_the_beginning():
    assert beginning("The grey rabbit moved to the right", HOPS).endswith("right and")
    assert beginning("A grey rabbit was close by", described()).endswith("close by, and it")
    assert beginning("Green grass lay under a light blue sky", MEADOW).endswith("sky, and")


@pytest.mark.parametrize(
    "clause",
    [
        "seemed to be thinking",  # does not end
        "was a bear.",
        "watched a little girl.",
        "looked at the red hat.",
        "turned to the right.",
        "ran away.",
        "looked at you.",
        "dreamed of the moon.",  # it is bright
        "looked around. Then",
        'said, "No."',
        "wondered that i am 3.",
        "wonders why.",  # the story is told in the past
        "a soft light.",  # no verb
        "was glad to see it.",
    ],
)
def test_a_clause_that_claims_what_nobody_saw_does_not_fit(clause):
    assert not fits(clause, described(), "A grey rabbit is close by, and it", "")


def test_a_clause_fits_once():
    stem = "A grey rabbit was close by, and it"
    assert fits("seemed to be thinking.", described(), stem, "")
    assert not fits(
        "seemed to be thinking.", described(), stem, "the rabbit seemed to be thinking."
    )


def test_nothing_is_silent_where_somebody_speaks():
    stem = "A grey rabbit was close by, and it"
    assert fits("made no sound.", described(), stem, "")
    assert not fits("made no sound.", described(dialogue=["Pip: Look!"]), stem, "")


def test_who_moves_is_not_said_to_be_still():
    stem = "A grey rabbit moved to the right and"
    assert fits("did not stop.", HOPS, stem, "")
    assert not fits("did not move.", HOPS, stem, "")
    assert not fits("kept very still.", HOPS, stem, "")


def test_grounding_is_by_the_things_that_the_caption_names():
    assert grounded("The rabbit hops.", described())
    assert not grounded("It hops away.", described())


def test_where_nothing_fits_the_caption_stands_in_and_says_so():
    captions = [described(0, dialogue=["Pip: Look!"]), described(1)]
    sentences = [story_sentence(caption, []) for caption in captions]
    clauses = [["was a bear."], ["was a bear.", "looked around."]]
    plain, completed = choose(sentences, captions, clauses, "")
    assert plain.plain and not completed.plain
    assert plain.text == (
        'A grey rabbit was on green grass under a light blue sky. Pip said, "Look!"'
    )
    assert completed.text == (
        "On green grass under a light blue sky was a grey rabbit, and it looked around."
    )


def test_linking_only_joins():
    texts = [f"The rabbit sees {number} flowers." for number in range(12)]
    facts = {"frames": list(range(12)), "texts": texts, "plain": [False] * 11 + [True]}
    linked = link(facts).sentences
    assert linked[0].text == "Once upon a time, the rabbit sees 0 flowers."
    assert [sentence.text for sentence in linked[1:10]] == texts[1:10]
    assert linked[10].text == "A little later, the rabbit sees 10 flowers."
    assert linked[11].text == "The rabbit sees 11 flowers. And there the story ended."
    assert [sentence.plain for sentence in linked] == facts["plain"]


@pytest.fixture(scope="module")
def writer() -> EmbeddedWriter:
    return EmbeddedWriter()


def narrate(captions: list[dict[str, Any]]) -> Request:
    facts = {
        "title": "",
        "frames": [caption["frame"] for caption in captions],
        "captions": captions,
        "so_far": "",
        "before": "",
        "texts": [],
        "plain": [],
    }
    return Request("story_00", "narrate", "", facts, NarrativeAnswer)


def test_writes_a_sentence_a_picture_that_keeps_to_its_caption(writer):
    captions = [{**HOPS, "frame": 0}, described(1, dialogue=["Pip: Look!"]), {**MEADOW, "frame": 2}]
    answer = writer.answer([narrate(captions)])[0]
    first, second, third = NarrativeAnswer.model_validate_json(answer.text).sentences
    assert [first.frame, second.frame, third.frame] == [0, 1, 2]
    assert first.text.startswith("A grey rabbit moved to the right and ") and not first.plain
    assert second.text.startswith(
        'Pip said, "Look!" On green grass under a light blue sky was the grey rabbit'
    )
    assert third.text.startswith("Then over green grass was a light blue sky in the bright light")
    assert answer.model == "smollm2-135m-instruct"
    assert answer.input_tokens > 30 and answer.output_tokens > 30


def test_an_answer_does_not_depend_on_what_else_is_asked_or_on_threads(writer):
    import torch

    request, other = narrate([{**HOPS, "frame": 0}]), narrate([described(0), described(1)])
    alone = writer.answer([request])[0]
    assert writer.answer([other, request])[1] == alone
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert writer.answer([request])[0] == alone
    finally:
        torch.set_num_threads(threads)


def test_another_task_is_refused(writer):
    with pytest.raises(ValueError, match="cannot 'caption'"):
        writer.answer([Request("k", "caption", "", {}, NarrativeAnswer)])
