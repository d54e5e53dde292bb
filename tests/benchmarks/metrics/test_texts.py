"""Tables of texts, and grounding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.metrics import texts
from benchmarks.results.markdown import table_to_markdown
from benchmarks.stories import Story
from tests.benchmarks.metrics.story_texts import CAST, TOLD, caption, shuffled, story


def test_grounding_needs_captions_of_all_pictures():
    story = Story("s", ("Momo climbs a tree.", "Pip sleeps."), ("x/a.jpg", "x/b.jpg"))
    known = {
        "a": caption("a", ["Momo"], "climbs a tree", "Momo climbs a tall tree."),
        "b": caption("b", ["Pip"], "sleeps", "Pip sleeps in a bed."),
    }
    true = texts.grounding_scores(story, known, CAST)
    swapped = texts.grounding_scores(
        dataclasses.replace(story, texts=story.texts[::-1]), known, CAST
    )
    assert min(true) > 0.5 and max(swapped) < min(true)
    assert texts.grounding_scores(story, {"a": known["a"]}, CAST) is None


def test_tables():
    told = [story("s1", TOLD), story("s2", [text.replace("ball", "hat") for text in TOLD])]
    stories = {
        "ground truth": told,
        "shuffled": [story(text.id, shuffled(text.texts, at)) for at, text in enumerate(told)],
        "in a loop": [story(text.id, TOLD[:1] * 8) for text in told],
    }
    captions = {f"s1_{at}": caption(f"s1_{at}", [], "", text) for at, text in enumerate(TOLD)}
    first, second = texts.tables(stories, None, CAST, captions)
    rows = first.cells
    assert rows["ground truth"][texts.WORDS].n == 14  # the first text is given
    assert rows["ground truth"][texts.WORDS].value == pytest.approx(
        np.mean([len(text.split()) for text in TOLD[1:]])
    )
    assert rows["in a loop"][texts.REPETITION].value == pytest.approx(7 / 8)
    assert rows["in a loop"][texts.BLEU_WITHIN].value == pytest.approx(1)
    assert rows["ground truth"][texts.BLEU_BETWEEN].value > 0.8
    assert rows["ground truth"][texts.GROUNDING].n == 7  # the story whose pictures have captions
    assert rows["ground truth"][texts.GROUNDING].value > rows["shuffled"][texts.GROUNDING].value
    rows = second.cells
    assert rows["ground truth"][texts.NAMED].value == 1
    for column in (texts.RUN, texts.NEIGHBOURS, texts.CARRIED):
        assert rows["ground truth"][column].value > rows["shuffled"][column].value
    assert rows["in a loop"][texts.CARRIED].value == 0
    assert rows["ground truth"][texts.PERPLEXITY].note == "no language model"
    assert "| in a loop |" in table_to_markdown(second)
    # What says nothing of coherence is not with it: shuffling leaves it as it is.
    for column in (texts.WORDS, texts.REPETITION, texts.BLEU_WITHIN):
        assert first.cells["shuffled"][column].value == pytest.approx(
            first.cells["ground truth"][column].value
        )


def test_what_is_not_known_is_said():
    stories = {"one": [Story("s", ("Pip runs.",), ("a.jpg",))]}
    first, second = texts.tables(stories, None)
    assert second.cells["one"][texts.CARRIED].note == texts.NO_NAMES
    assert first.cells["one"][texts.GROUNDING].note == texts.NO_CAPTIONS
    assert first.cells["one"][texts.WORDS].value is None
