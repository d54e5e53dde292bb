"""Fixtures of several benchmarks."""

from types import SimpleNamespace

import pytest
import torch

from model.config import AttentionConfig
from tests.model.tiny import TOKENS, WIDTH, story


@pytest.fixture(scope="module")
def teller():
    tokenizer, vocabulary, model, _ = story()
    preset = SimpleNamespace(
        model=SimpleNamespace(
            attention=AttentionConfig(boi=(2, 1), eoi=(1, 2), budget=10),
            vision=SimpleNamespace(tokens=TOKENS),
        )
    )
    return SimpleNamespace(
        model=model.eval(),
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        run=SimpleNamespace(preset=preset),
        blank=torch.zeros(TOKENS, WIDTH),
    )
