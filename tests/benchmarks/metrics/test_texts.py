"""Measures of texts: values worked out by hand or by another implementation, and shuffled texts."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from torchmetrics.functional.text import bleu_score

from benchmarks.datasets import annotations
from benchmarks.metrics import texts
from benchmarks.metrics.entity_grid import (
    adjacent_overlap,
    names_in_texts,
    overlap_above_chance,
    run_lengths,
)
from benchmarks.metrics.self_bleu import self_bleu
from benchmarks.results.markdown import table_to_markdown
from benchmarks.stories import Story
from schemas.rows import Caption, Character, to_table

CAST = [Character("Pip", name, "", "", [], "given") for name in ("Pip", "Momo", "Mr. Quint")]
TOLD = (
    "Pip wakes up in the morning.",
    "Pip runs out of the house.",
    "Pip meets Momo at the gate.",
    "Momo has lost a red ball.",
    "Momo looks under the bench.",
    "Quint finds it in his hat.",
    "Mr. Quint laughs.",
    "Mr. Quint throws the ball up high.",
)


def story(name, told):
    return Story(name, tuple(told), tuple(f"{name}_{at}.jpg" for at in range(len(told))))


def shuffled(told, seed):
    return [
        told[0],
        *(told[at] for at in 1 + np.random.default_rng(seed).permutation(len(told) - 1)),
    ]


def test_self_bleu_is_that_of_torchmetrics():
    told = [
        "the cat sat on the mat and slept",
        "the cat sat on the red mat",
        "a cat sat on the mat as the dog sat on the rug",
        "then the dog sat on the mat",
    ]
    found = self_bleu(told, list("abcd"))
    for at, text in enumerate(told):
        others = told[:at] + told[at + 1 :]
        expected = float(bleu_score([text], [others], n_gram=4, smooth=True))
        assert found[at] == pytest.approx(expected, abs=1e-5), text


def test_self_bleu_of_texts_with_no_run_of_four_in_common():
    # Shared of "a big dog ran": a, dog, ran; "dog ran" of 3 pairs; no run of 3 (of 2) or 4 (of 1).
    expected = (3 / 4 * (1 + 1) / (3 + 1) * 1 / (2 + 1) * 1 / (1 + 1)) ** (1 / 4)
    assert self_bleu(["a big dog ran", "a dog ran off"], ["a", "b"])[0] == pytest.approx(expected)
    # Cut to the two that the other says, and for being shorter by half: exp(1 - 4 / 2).
    expected = math.exp(-1) * (2 / 2 * (1 + 1) / (1 + 1) * 1 / 1 * 1 / 1) ** (1 / 4)
    assert self_bleu(["the the", "the the the cat"], ["a", "b"])[0] == pytest.approx(expected)


def test_self_bleu_leaves_out_the_owners_own():
    told = ["one two three four five", "one two three four five", "six seven eight nine ten"]
    assert self_bleu(told, ["a", "b", "c"]) == pytest.approx([1, 1, 0])
    assert self_bleu(told, ["a", "a", "c"]) == pytest.approx([0, 0, 0])
    assert all(map(math.isnan, self_bleu(told[:2], ["a", "a"])))  # nobody else
    assert math.isnan(self_bleu(["", "one"], ["a", "b"])[0])


def test_who_is_named():
    assert names_in_texts(["Pip's hat", "Old Quint and momo", "He runs"], CAST) == [
        {"Pip"},
        {"Mr. Quint", "Momo"},
        set(),
    ]


def test_names_over_texts_by_hand():
    said = [{"a"}, {"a", "b"}, {"b"}, set(), {"a"}]
    assert run_lengths(said) == [2, 1, 2]  # a, a again, b
    assert adjacent_overlap(said) == 2 / 4
    # Of 10 pairs share: 0-1, 0-4, 1-2, 1-4.
    assert overlap_above_chance(said) == pytest.approx(2 / 4 - 4 / 10)
    assert math.isnan(overlap_above_chance([{"a"}]))
    assert overlap_above_chance([{"a"}] * 5) == 0  # who repeats himself gains nothing


def test_carried_is_zero_over_all_orders():
    said = [{"a"}, {"a", "b"}, {"b"}, set(), {"a"}]
    assert np.mean(
        [overlap_above_chance(order) for order in itertools.permutations(said)]
    ) == pytest.approx(0)


def test_shuffling_loses_names_that_are_carried():
    said = names_in_texts(TOLD, CAST)
    assert overlap_above_chance(said) > 0.25
    for seed in range(20):
        mixed = names_in_texts(shuffled(TOLD, seed), CAST)
        assert overlap_above_chance(mixed) < overlap_above_chance(said)
        assert np.mean(run_lengths(mixed)) < np.mean(run_lengths(said))


def caption(name, characters, action, sentence):
    return Caption(name, "v", characters, "", action, "", [], "", sentence, "m")


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


def test_cast_and_captions_of_a_dataset(tmp_path):
    assert annotations.read_cast(tmp_path) == [] and annotations.read_captions(tmp_path) == {}
    momo = Character("Pip", "Momo", "a mouse", "a friend", ["a mouse"], "pen")
    manifest = {"characters": [dataclasses.asdict(momo)]}
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    assert annotations.read_cast(tmp_path) == [momo]
    row = caption("v_keyframe_0-0-1-0", ["Momo"], "runs", "Momo runs.")
    pq.write_table(to_table([row], Caption), tmp_path / "captions.parquet")
    assert annotations.read_captions(tmp_path) == {"v_keyframe_0-0-1-0": row}
