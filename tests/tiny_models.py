"""Tiny models for the tests, made on the spot and saved as Hugging Face's are: no download.

`make_language_model` saves a Llama, `make_vision_model` a Qwen2-VL, which gives a picture as many
tokens as its size asks for. Their weights are random, the same at each call, so what they write is
gibberish that depends on the whole question. With `says` they give that one answer to everything.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

PATCH = 28  # pixels: the side of the square of a picture that becomes one token

_SENTENCES = [
    "A grey rabbit sits on the green grass.",
    "Where is the red ball?",
    "Pip runs home.",
    '{"sentence": "The cat sees a bird.", "characters": []}',
]
_SPECIAL = [
    "<|pad|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
_CHAT = """\
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}{% if part.type == 'image' -%}
<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}
{%- endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def make_language_model(
    folder: Path,
    *,
    says: str | None = None,
    chat: bool = True,
    context: int = 4096,
    ends: int | None = None,
    loops: bool = False,
) -> str:
    """Saves a causal language model; returns its folder.

    chat: with a chat template; context: tokens it reads and writes; ends: a token that ends its
    answers beside <|im_end|>; loops: it says what it says again and again.
    """
    tokenizer = _tokenizer(says, chat)
    torch.manual_seed(0)
    network = LlamaForCausalLM(
        LlamaConfig(**_sizes(tokenizer), max_position_embeddings=context, tie_word_embeddings=False)
    )
    _save(network, folder, tokenizer, says, ends, loops)
    tokenizer.save_pretrained(folder)
    return str(folder)


def make_vision_model(
    folder: Path, *, says: str | None = None, chat: bool = True, context: int = 4096
) -> str:
    """Saves a model that reads pictures, one token a square of PATCH pixels; returns its folder."""
    tokenizer = _tokenizer(says, chat)
    torch.manual_seed(0)
    token = tokenizer.convert_tokens_to_ids
    network = Qwen2VLForConditionalGeneration(
        Qwen2VLConfig(
            text_config={
                **_sizes(tokenizer),
                "max_position_embeddings": context,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 10_000.0,
                    "mrope_section": [2, 3, 3],
                },
            },
            vision_config={
                "depth": 1,
                "embed_dim": 32,
                "hidden_size": 32,
                "num_heads": 2,
                "mlp_ratio": 2,
                "patch_size": PATCH // 2,
                "initializer_range": 0.3,
            },
            image_token_id=token("<|image_pad|>"),
            video_token_id=token("<|video_pad|>"),
            vision_start_token_id=token("<|vision_start|>"),
            vision_end_token_id=token("<|vision_end|>"),
            tie_word_embeddings=False,
        )
    )
    _save(network, folder, tokenizer, says, None)
    size = {"shortest_edge": PATCH * PATCH, "longest_edge": 1_000_000}  # pixels in all
    Qwen2VLProcessor(
        Qwen2VLImageProcessor(size=size),
        tokenizer,
        Qwen2VLVideoProcessor(size=size),
        chat_template=_CHAT if chat else None,
    ).save_pretrained(folder)
    return str(folder)


def _sizes(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    # Weights far larger than usual: answers then differ with the question, and no two tokens are
    # so close that adding in another order would prefer the other.
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "initializer_range": 0.3,
        "bos_token_id": None,
        "pad_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
    }


@functools.cache
def _trained() -> str:
    """A byte-level BPE of a few sentences, which can write any text, as JSON."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        _SENTENCES,
        trainers.BpeTrainer(
            vocab_size=320,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=_SPECIAL,
            show_progress=False,
        ),
    )
    return tokenizer.to_str()


def _tokenizer(says: str | None, chat: bool) -> PreTrainedTokenizerFast:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained()),
        eos_token="<|im_end|>",
        additional_special_tokens=[token for token in _SPECIAL if token != "<|im_end|>"],
    )
    tokenizer.chat_template = _CHAT if chat else None
    if says is not None:
        tokenizer.add_tokens([says])  # the whole answer is one token
    return tokenizer


def _save(
    network: Any,
    folder: Path,
    tokenizer: PreTrainedTokenizerFast,
    says: str | None,
    ends: int | None,
    loops: bool = False,
) -> None:
    eos = tokenizer.eos_token_id
    if says is not None:
        after = tokenizer.convert_tokens_to_ids("a") if loops else eos
        _teach(network, tokenizer.convert_tokens_to_ids(says), after)
    network.generation_config = GenerationConfig(eos_token_id=eos if ends is None else [eos, ends])
    network.save_pretrained(folder)


@torch.no_grad()
def _teach(network: Any, answer: int, end: int) -> None:
    """Makes every token be followed by `answer`, and that by `end`, whatever came before."""
    for name, weight in network.named_parameters():
        if "visual" not in name and name.endswith(("o_proj.weight", "down_proj.weight")):
            weight.zero_()  # a token then sees itself alone
    embeddings, head = network.get_input_embeddings().weight, network.get_output_embeddings().weight
    embeddings.zero_()
    embeddings[:, 0], embeddings[answer, 0], embeddings[answer, 1] = 1, 0, 1
    head.zero_()
    head[answer, 0] = head[end, 1] = 1


CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def make_clip(folder: Path) -> Path:
    """A CLIP model with random weights, as open_clip's `local-dir:` reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "tiny-clip.json"
    config.write_text(json.dumps(CLIP))
    open_clip.add_model_config(config)
    torch.manual_seed(1)
    save_file(
        open_clip.create_model("tiny-clip").state_dict(), folder / "open_clip_model.safetensors"
    )
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CLIP}))
    return folder
