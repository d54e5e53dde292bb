"""Attention by kind of token."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.story_model import attention_map
from model.attention import Role
from model.config import AttentionConfig
from tests.model.tiny import TOKENS, WIDTH


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


def test_attention_is_shared_out_whole(teller, monkeypatch):
    dice = torch.Generator().manual_seed(0)
    monkeypatch.setattr(attention_map, "read_keyframes", lambda dataset, images, size: images)
    monkeypatch.setattr(
        attention_map.vision,
        "features",
        lambda tower, seen, tokens: torch.randn(len(seen), TOKENS, WIDTH, generator=dice),
    )
    teller.run.preset.model.vision.image_size, teller.tower = 8, None
    chunk = SimpleNamespace(
        images=["a", "b", "c"], captions=["Pip. It was late", "Momo said. It was", "It was"]
    )

    found, could = attention_map.attention_shares(teller, "", [chunk])

    assert found.shape == (2, 4, len(attention_map.KINDS)) and found.min() > 0
    assert found.sum(-1) == pytest.approx(np.ones((2, 4)), abs=1e-5)
    assert could.sum() == pytest.approx(1, abs=1e-6)
    # Untrained attention has hardly any preference.
    assert found.mean((0, 1)) == pytest.approx(could, abs=0.03)
