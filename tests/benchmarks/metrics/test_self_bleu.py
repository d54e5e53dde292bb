"""Self-BLEU, beside another implementation."""

from __future__ import annotations

import math

import pytest
from torchmetrics.functional.text import bleu_score

from benchmarks.metrics.self_bleu import self_bleu


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
