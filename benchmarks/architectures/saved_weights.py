"""Makes folders of small models with random weights, laid out as hubs serve the large ones.

What is kept of each family is what has broken code before: its attention (sliding windows, norms of
queries, layers without rotation), tied or separate embeddings, rows of padding in them, tokenizers
without a token for the begin, weights in several files, and the dtype of the checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
IMAGE_SIZE = 32  # pixels

_LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "pad_token_id": 0,
}
_NEAR = {"sliding_window": 48}
_TIED, _SEPARATE = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}
LANGUAGE_MODELS: dict[str, dict[str, Any]] = {
    "llama": _LLAMA | _SEPARATE,
    "qwen2": _LLAMA | _TIED,
    "qwen3": _LLAMA | _TIED | {"head_dim": 8},
    "gemma2": _LLAMA
    | _TIED
    | _NEAR
    | {"head_dim": 8, "query_pre_attn_scalar": 8, "final_logit_softcapping": 30.0},
    "gemma3_text": _LLAMA
    | _TIED
    | _NEAR
    | {"head_dim": 8, "layer_types": ["sliding_attention", "full_attention"]},
    "phi3": _LLAMA | _SEPARATE | _NEAR,
    "smollm3": _LLAMA | _TIED | {"no_rope_layers": [1, 0]},
}
_WITHOUT_BEGIN = ("qwen2", "qwen3", "smollm3")
_PADDED = {"qwen2": 64, "qwen3": 64, "phi3": 48}  # rows of zeros after the tokenizer's words
_IN_PARTS = ("llama", "qwen3")

_TEXT = {"context_length": 16, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
_OWN = {"image_size": IMAGE_SIZE, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8}
TOWERS: dict[str, dict[str, Any]] = {
    "open_clip's ViT": {"vision_cfg": _OWN},
    "SigLIP's ViT, of timm": {
        "vision_cfg": {
            "image_size": IMAGE_SIZE,
            "timm_model_name": "vit_tiny_patch16_224",
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "custom_text": True,
    },
    "EVA02's ViT, of timm": {
        "vision_cfg": {
            "image_size": 28,
            "timm_model_name": "eva02_tiny_patch14_224",
            "timm_pool": "token",
            "timm_proj": None,
        },
        "custom_text": True,
    },
}
_HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}

UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "cross_attention_dim": 16,
    "attention_head_dim": [2, 4],
    "transformer_layers_per_block": [1, 2],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 10,
}
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [8, 8, 8],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "scaling_factor": 0.13025,
    "force_upcast": True,
}


def save_language_model(folder: Path, family: str, dtype: str) -> str:
    """Saves a language model of LANGUAGE_MODELS with a tokenizer; returns its folder."""
    tokenizer = _tokenizer(begins=family not in _WITHOUT_BEGIN)
    words = len(tokenizer)
    sizes = LANGUAGE_MODELS[family] | {
        "vocab_size": words + _PADDED.get(family, 0),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    torch.manual_seed(0)
    llm = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes))
    with torch.no_grad():
        llm.get_input_embeddings().weight[words:] = 0
    shards = {"max_shard_size": "20KB"} if family in _IN_PARTS else {}
    llm.to(DTYPES[dtype]).save_pretrained(folder, **shards)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _tokenizer(begins: bool) -> PreTrainedTokenizerFast:
    """Returns a byte-level tokenizer, in which `[INST]` is several tokens, as in most."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [],
        trainers.BpeTrainer(
            special_tokens=["<bos>", "<eos>"],
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>" if begins else None, eos_token="<eos>"
    )


def save_tower(folder: Path, family: str, dtype: str) -> dict[str, Any]:
    """Saves a pair of towers of TOWERS as open_clip's `local-dir:` reads them; returns the settings
    of `model.vision`."""
    described = {"embed_dim": 16, "text_cfg": _TEXT, **TOWERS[family]}
    folder.mkdir(parents=True)
    name = f"architectures-{family}"
    (folder / f"{name}.json").write_text(json.dumps(described))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    pair = open_clip.create_model(name, load_weights=False)
    save_file(
        {
            key: (value.to(DTYPES[dtype]) if value.is_floating_point() else value).contiguous()
            for key, value in pair.state_dict().items()
        },
        folder / "open_clip_model.safetensors",
    )
    about = {"model_cfg": described, "preprocess_cfg": _HALF if "custom_text" in described else {}}
    (folder / "open_clip_config.json").write_text(json.dumps(about))
    size = described["vision_cfg"]["image_size"]
    return {"model": f"local-dir:{folder}", "image_size": size, "tokens": 4}


def save_diffusion_model(folder: Path, dtype: str, variant: str | None = None) -> str:
    """Saves a UNet and an autoencoder in SD-XL's layout; returns their folder.

    With a `variant`, such as "fp16", its files are the only ones there.
    """
    torch.manual_seed(0)
    for kind, sizes, part in ((UNet2DConditionModel, UNET, "unet"), (AutoencoderKL, VAE, "vae")):
        kind.from_config(sizes).to(DTYPES[dtype]).save_pretrained(folder / part, variant=variant)
    return str(folder)
