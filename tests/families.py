"""Tiny image-text models of the families that people name, each as its makers publish it: config,
processor and chat template of their own, weights in bfloat16. Weights are random; nothing is
downloaded.

The chat templates are the published ones without tools and videos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast

from tests.tiny_models import _trained

_LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "initializer_range": 0.3,
    "max_position_embeddings": 4096,
}
_EYES = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "initializer_range": 0.3,
}
SIDE = 28  # pixels: of the square that most of them look at


def _tokenizer(specials: list[str], end: str, pad: str, **named: str) -> PreTrainedTokenizerFast:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained()),
        eos_token=end,
        pad_token=pad,
        extra_special_tokens=named,
    )
    tokenizer.add_tokens([*specials, *named.values(), end, pad], special_tokens=True)
    return tokenizer


def _text(tokenizer: PreTrainedTokenizerFast, **more: Any) -> dict[str, Any]:
    return {
        **_LAYERS,
        "vocab_size": len(tokenizer),
        "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": False,
        **more,
    }


_CHATML = """\
{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}\
{% if message.content is string %}{{ message.content }}{% else %}\
{% for content in message.content %}{% if content.type == 'image' %}IMAGE\
{% elif 'text' in content %}{{ content.text }}{% endif %}{% endfor %}{% endif %}\
{{ '<|im_end|>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
_QWEN = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant."
    "<|im_end|>\n{% endif %}"
    + _CHATML.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
)
_GEMMA = """\
{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}\
{%- if messages[0]['content'] is string -%}\
{%- set first = messages[0]['content'] + '\n\n' -%}\
{%- else -%}{%- set first = messages[0]['content'][0]['text'] + '\n\n' -%}{%- endif -%}\
{%- set loop_messages = messages[1:] -%}\
{%- else -%}{%- set first = '' -%}{%- set loop_messages = messages -%}{%- endif -%}\
{%- for message in loop_messages -%}\
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{%- endif -%}\
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}\
{{ '<start_of_turn>' + role + '\n' + (first if loop.first else '') }}\
{%- if message['content'] is string -%}{{ message['content'] | trim }}\
{%- else -%}{%- for item in message['content'] -%}\
{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}\
{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}\
{%- endif -%}{{ '<end_of_turn>\n' }}{%- endfor -%}\
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"""
_IDEFICS = """\
<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}\
{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}\
{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}\
{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>
{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"""
_LLAVA = """\
{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}\
{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}\
{{ '<image>' }}{% endfor %}\
{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}\
{{ '\n' + content['text'] }}{% endfor %}{{ '<|im_end|>' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
# The instructions precede the last question; the answers of the assistant are text, never parts.
_PIXTRAL = """\
{%- if messages[0]["role"] == "system" %}{%- set system_message = messages[0]["content"] %}\
{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}{%- endif %}\
{{- bos_token }}{%- for message in loop_messages %}\
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{- raise_exception('After the optional system message, roles must alternate') }}{%- endif %}\
{%- if message["role"] == "user" %}\
{%- if loop.last and system_message is defined %}\
{{- "[INST]" + system_message + "\n\n" }}{%- else %}{{- "[INST]" }}{%- endif %}\
{%- if message["content"] is not string %}{%- for chunk in message["content"] %}\
{%- if chunk["type"] == "text" %}{{- chunk["text"] }}\
{%- elif chunk["type"] == "image" %}{{- "[IMG]" }}{%- endif %}{%- endfor %}\
{%- else %}{{- message["content"] }}{%- endif %}{{- "[/INST]" }}\
{%- elif message["role"] == "assistant" %}{{- message["content"] + eos_token }}\
{%- endif %}{%- endfor %}"""
_MISTRAL = """\
{{- bos_token }}{%- if messages[0]['role'] == 'system' %}\
{%- if messages[0]['content'] is string %}{%- set system_message = messages[0]['content'] %}\
{%- else %}{%- set system_message = messages[0]['content'][0]['text'] %}{%- endif %}\
{%- set loop_messages = messages[1:] %}\
{%- else %}{%- set system_message = 'You are Mistral Small 3.' %}\
{%- set loop_messages = messages %}{%- endif %}\
{{- '[SYSTEM_PROMPT]' + system_message + '[/SYSTEM_PROMPT]' }}\
{%- for message in loop_messages %}{%- if message['role'] == 'user' %}\
{%- if message['content'] is string %}{{- '[INST]' + message['content'] + '[/INST]' }}\
{%- else %}{{- '[INST]' }}{%- for block in message['content'] %}\
{%- if block['type'] == 'text' %}{{- block['text'] }}\
{%- elif block['type'] in ['image', 'image_url'] %}{{- '[IMG]' }}{%- endif %}{%- endfor %}\
{{- '[/INST]' }}{%- endif %}\
{%- elif message['role'] == 'assistant' %}\
{%- if message['content'] is string %}{{- message['content'] + eos_token }}\
{%- else %}{{- message['content'][0]['text'] + eos_token }}{%- endif %}\
{%- endif %}{%- endfor %}"""

_Parts = tuple[Any, Any, Any]  # class of the network, its config, the processor


def _qwen(name: str, patch: int, **vision: Any) -> _Parts:
    tokenizer = _tokenizer([], "<|im_end|>", "<|endoftext|>")
    ids = tokenizer.convert_tokens_to_ids
    config = getattr(transformers, f"{name}Config")(
        text_config=_text(
            tokenizer,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [2, 3, 3],
            },
        ),
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "patch_size": patch,
            "initializer_range": 0.3,
            **vision,
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=False,
    )
    size = {"shortest_edge": (2 * patch) ** 2, "longest_edge": 1_000_000}
    pixels = {"size": size, "patch_size": patch}
    video = "Qwen3VLVideoProcessor" if name == "Qwen3VL" else "Qwen2VLVideoProcessor"
    processor = getattr(transformers, f"{name}Processor")(
        transformers.Qwen2VLImageProcessor(**pixels),
        tokenizer,
        getattr(transformers, video)(**pixels),
        chat_template=_QWEN,
    )
    return getattr(transformers, f"{name}ForConditionalGeneration"), config, processor


def _internvl() -> _Parts:
    tokenizer = _tokenizer(
        [],
        "<|im_end|>",
        "<|endoftext|>",
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    config = transformers.InternVLConfig(
        vision_config={**_EYES, "image_size": [SIDE, SIDE], "patch_size": [14, 14]},
        text_config={"model_type": "qwen2", **_text(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        tie_word_embeddings=False,
    )
    size = {"height": SIDE, "width": SIDE}
    processor = transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(size=size, crop_to_patches=True, max_patches=4),
        tokenizer,
        transformers.InternVLVideoProcessor(size=size),
        image_seq_length=1,
        chat_template=_CHATML.replace("IMAGE", "<IMG_CONTEXT>\n"),
    )
    return transformers.InternVLForConditionalGeneration, config, processor


def _llava_onevision() -> _Parts:
    tokenizer = _tokenizer(["<image>", "<video>"], "<|im_end|>", "<|endoftext|>")
    pinpoints = [[SIDE * rows, SIDE * columns] for rows in (1, 2, 3) for columns in (1, 2, 3)]
    config = transformers.LlavaOnevisionConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            **_EYES,
            "image_size": SIDE,
            "patch_size": 14,
            "vision_use_head": False,
        },
        text_config={"model_type": "qwen2", **_text(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=pinpoints,
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )
    size = {"height": SIDE, "width": SIDE}
    processor = transformers.LlavaOnevisionProcessor(
        transformers.LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=pinpoints),
        tokenizer,
        transformers.LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=_LLAVA,
    )
    return transformers.LlavaOnevisionForConditionalGeneration, config, processor


def _gemma3() -> _Parts:
    tokenizer = _tokenizer(
        ["<start_of_turn>", "<bos>"],
        "<end_of_turn>",
        "<pad>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
        image_token="<image_soft_token>",
    )
    tokenizer.bos_token = "<bos>"
    ids = tokenizer.convert_tokens_to_ids
    config = transformers.Gemma3Config(
        text_config=_text(tokenizer, query_pre_attn_scalar=16, sliding_window=64),
        vision_config={**_EYES, "image_size": 56, "patch_size": 14, "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=ids("<start_of_image>"),
        eoi_token_index=ids("<end_of_image>"),
        image_token_index=ids("<image_soft_token>"),
        tie_word_embeddings=False,
    )
    processor = transformers.Gemma3Processor(
        transformers.Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer,
        chat_template=_GEMMA,
        image_seq_length=4,
    )
    return transformers.Gemma3ForConditionalGeneration, config, processor


def _idefics(name: str, **more: Any) -> _Parts:
    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    image = ["<fake_token_around_image>", "<image>", "<global-img>"]
    tokenizer = _tokenizer([*image, *places], "<end_of_utterance>", "<|endoftext|>")
    config = getattr(transformers, f"{name}Config")(
        vision_config={**_EYES, "image_size": SIDE, "patch_size": 14},
        text_config={"model_type": "llama", **_text(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
        tie_word_embeddings=False,
    )
    processor = getattr(transformers, f"{name}Processor")(
        getattr(transformers, f"{name}ImageProcessor")(
            size={"longest_edge": 3 * SIDE}, max_image_size={"longest_edge": SIDE}
        ),
        tokenizer,
        **more,
        image_seq_len=1,
        chat_template=_IDEFICS,
    )
    return getattr(transformers, f"{name}ForConditionalGeneration"), config, processor


def _smolvlm() -> _Parts:
    video = transformers.SmolVLMVideoProcessor(
        size={"longest_edge": SIDE},
        max_image_size={"longest_edge": SIDE},
        video_sampling={"fps": 1, "max_frames": 4, "video_size": {"longest_edge": SIDE}},
    )
    return _idefics("SmolVLM", video_processor=video)


def _pixtral(
    network: str, config: str, patch: int, merge: int, template: str, **more: Any
) -> _Parts:
    tokenizer = _tokenizer(
        ["[IMG]", "[IMG_BREAK]", "[IMG_END]", "[INST]", "[/INST]", "[SYSTEM_PROMPT]",
         "[/SYSTEM_PROMPT]", "<s>"],
        "</s>",
        "<pad>",
    )  # fmt: skip
    tokenizer.bos_token = "<s>"
    made = getattr(transformers, config)(
        vision_config={
            "model_type": "pixtral",
            **_EYES,
            "head_dim": 16,
            "image_size": 10 * patch * merge,
            "patch_size": patch,
        },
        text_config={"model_type": "mistral", **_text(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        vision_feature_layer=-1,
        tie_word_embeddings=False,
        **more,
    )
    processor = transformers.PixtralProcessor(
        transformers.PixtralImageProcessor(
            size={"longest_edge": 10 * patch * merge}, patch_size=patch
        ),
        tokenizer,
        patch_size=patch,
        spatial_merge_size=merge,
        chat_template=template,
    )
    return getattr(transformers, network), made, processor


FAMILIES: Mapping[str, Callable[[], _Parts]] = {
    "Qwen2.5-VL": lambda: _qwen("Qwen2_5_VL", 14, fullatt_block_indexes=[0]),
    "Qwen3-VL": lambda: _qwen(
        "Qwen3VL", 16, deepstack_visual_indexes=[0], num_position_embeddings=64
    ),
    "InternVL": _internvl,
    "LLaVA-OneVision": _llava_onevision,
    "Gemma 3": _gemma3,
    "SmolVLM": _smolvlm,
    "Idefics 3": lambda: _idefics("Idefics3"),
    "Mistral 3": lambda: _pixtral(
        "Mistral3ForConditionalGeneration", "Mistral3Config", 14, 2, _MISTRAL, spatial_merge_size=2
    ),
    "Pixtral": lambda: _pixtral(
        "LlavaForConditionalGeneration",
        "LlavaConfig",
        16,
        1,
        _PIXTRAL,
        vision_feature_select_strategy="full",
    ),
}


def make(family: str, folder: Path) -> str:
    """Saves a tiny model of a family, in bfloat16; returns its folder."""
    kind, config, processor = FAMILIES[family]()
    torch.manual_seed(0)
    network = kind(config)
    for name, weight in network.named_parameters():
        if name.endswith("mm_input_projection_weight"):  # Gemma's, which begins with zeros
            torch.nn.init.normal_(weight, std=0.3)
    network.to(torch.bfloat16)
    network.generation_config = GenerationConfig(eos_token_id=processor.tokenizer.eos_token_id)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)
