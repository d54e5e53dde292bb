"""Attention by kind of token."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.story_model import attention_map
from model.attention import Role
from model.config import AttentionConfig
from tests.model.test_story_lm import ARCHITECTURES
from tests.model.tiny import STORY, TOKENS, WIDTH, story


def test_kinds_of_tokens():
    word, comma, boi, image, eoi = Role.WORD, Role.PUNCTUATION, Role.BOI, Role.IMAGE, Role.EOI
    roles = torch.tensor(
        [
            word,
            word,
            comma,
            word,
            boi,
            image,
            image,
            image,
            image,
            eoi,
            word,
            comma,
            word,
            word,
            boi,
        ]
    )
    found = attention_map.token_kinds(roles, AttentionConfig(start=1, boi=(1, 2), eoi=(1, 2)))
    assert [attention_map.KINDS[kind] for kind in found] == [
        "first tokens",
        "other words",
        "punctuation",
        "beside BoI",
        "beside BoI",
        "beside BoI",
        "inside pictures",
        "inside pictures",
        "beside EoI",
        "beside EoI",
        "beside EoI",
        "punctuation",
        "other words",
        "beside BoI",
        "beside BoI",
    ]


@pytest.fixture
def some(teller, monkeypatch):
    """A chunk, for a teller whose pictures are noise."""
    dice = torch.Generator().manual_seed(0)
    monkeypatch.setattr(attention_map, "read_keyframes", lambda dataset, images, size: images)
    monkeypatch.setattr(
        attention_map.vision,
        "features",
        lambda tower, seen, tokens: torch.randn(len(seen), TOKENS, WIDTH, generator=dice),
    )
    teller.run.preset.model.vision.image_size, teller.tower = 8, None
    return [
        SimpleNamespace(
            images=["a", "b", "c"], captions=["Pip. It was late", "Momo said. It was", "It was"]
        )
    ]


def test_attention_is_shared_out_whole(teller, some):
    found, could = attention_map.attention_shares(teller, "", some)

    assert found.shape == (2, 4, len(attention_map.KINDS)) and found.min() > 0
    assert found.sum(-1) == pytest.approx(np.ones((2, 4)), abs=1e-5)
    assert could.shape == (2, len(attention_map.KINDS)) and np.array_equal(could[0], could[1])
    assert could.sum(-1) == pytest.approx(np.ones(2), abs=1e-6)
    # Untrained attention has hardly any preference.
    assert found.mean((0, 1)) == pytest.approx(could[0], abs=0.03)


def test_a_layer_with_a_sliding_window_attends_to_what_it_sees_alone(teller, some):
    """Of two layers, the first sees the last three tokens alone, as half of Gemma's do."""
    sizes = ARCHITECTURES["gemma3_text"] | {
        "model_type": "gemma3_text",
        "sliding_window": 3,
        "layer_types": ["sliding_attention", "full_attention"],
    }
    settings = STORY.model_copy(update={"architecture": sizes})
    teller.tokenizer, teller.vocabulary, teller.model, _ = story(settings)
    teller.model.eval()

    found, could = attention_map.attention_shares(teller, "", some)

    first = attention_map.KINDS.index("first tokens")
    assert found[0, :, first].max() == could[0, first] == 0 < could[1, first]
    assert found.sum(-1) == pytest.approx(np.ones((2, 4)), abs=1e-5)
