"""A story model small enough for a test, with random weights, and stories for it."""

from __future__ import annotations

import torch

from model import story_lm, tokens
from model.config import StoryConfig

WIDTH, TOKENS = 24, 16  # of the visual tokenizer
TEXTS = ["Momo said hello.", "Pip went to the beach.", "It was late", "Rosa danced there all day."]
STORY = StoryConfig(
    architecture=dict(
        model_type="llama",
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=8,
        max_position_embeddings=4096,
    ),
    image_tokens=4,
    input_tokens=4,
    resampler_heads=4,
)


def story(config: StoryConfig = STORY, seed: int = 0):
    """The tokenizer, its vocabulary, the model and TEXTS as tokens."""
    tokenizer = tokens.train(TEXTS * 5, 400)
    vocabulary = tokens.with_pictures(tokenizer, config.image_tokens)
    torch.manual_seed(seed)
    model = story_lm.build(config, vocabulary, len(tokenizer), WIDTH, TOKENS)
    return tokenizer, vocabulary, model, [tokenizer.encode(text) for text in TEXTS]
