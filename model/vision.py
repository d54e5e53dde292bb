"""The image encoder (visual tokenizer): pictures to features, by a ViT of open_clip or Qwen-VL's.

That is one of open_clip's own ViTs, or of those that it takes from timm (SigLIP, SigLIP 2, EVA02).
Pictures are normalised with the mean and deviation that open_clip has for the weights. The features
are those of the patches after the last norm, not the pooled feature, averaged over squares of
neighbours to as many tokens as the model works with. Qwen-VL's tower (`model.qwen_vl`) has a
resampler for that.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from accelerate import init_empty_weights
from open_clip.model import CLIP, set_model_preprocess_cfg
from open_clip.transform import PreprocessCfg
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from model import checkpoints, precision, qwen_vl
from model.config import ConfigError, VisionConfig, naming
from model.qwen_vl import PREFIX as QWEN
from model.qwen_vl import QwenTower


def load(config: VisionConfig) -> nn.Module:
    """Loads the image tower, frozen; `config.model` is open_clip's name, `local-dir:FOLDER` or
    `qwen-vl:FOLDER`.

    Raises ConfigError where it cannot be loaded, or has no patches with a last norm.
    """
    if config.model.startswith(QWEN):
        return _loaded(config.model)
    with naming("model.vision.model", config.model):
        tower = open_clip.create_model(
            config.model,
            pretrained=config.weights or None,
            force_image_size=config.image_size,
            require_pretrained=True,
        )
    if not _has_normed_patches(tower.visual):
        raise ConfigError(
            f"model.vision.model: {config.model} has no features of patches after a last norm, as "
            "a ResNet, a ConvNeXt or CoCa has none; take a ViT, such as ViT-L-14, "
            "ViT-B-16-SigLIP2 or EVA02-L-14"
        )
    return tower.visual.requires_grad_(False).eval()


def _loaded(model: str) -> QwenTower:
    """Loads Qwen-VL's tower of a folder; what was saved in 16 bits stays so where the device
    computes in bf16."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with naming("model.vision.model", model):
        with init_empty_weights():
            tower = qwen_vl.sized(model).requires_grad_(False).eval()
        folder = Path(model.removeprefix(QWEN))
        setting = "fp32" if checkpoints.saved_dtype(folder) == torch.float32 else "auto"
        dtypes = precision.dtypes(tower, setting, device)
        checkpoints.assign(folder, tower, dtypes)
    return tower


def empty(config: VisionConfig) -> nn.Module:
    """Returns the image tower on the meta device, so without memory or weights. Raises ConfigError
    where its sizes are unknown."""
    with torch.device("meta"), naming("model.vision.model", config.model):
        if config.towers:
            return make(config.towers).visual.requires_grad_(False).eval()
        if config.model.startswith(QWEN):
            return qwen_vl.sized(config.model).requires_grad_(False).eval()
        with _without_warnings():  # that nothing was loaded
            pair = open_clip.create_model(
                config.model, load_weights=False, device="meta", force_image_size=config.image_size
            )
        return pair.visual.requires_grad_(False).eval()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Hides what libraries log as warnings."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _has_normed_patches(tower: nn.Module) -> bool:
    if isinstance(tower, VisionTransformer):
        return tower.attn_pool is None  # else the last norm is after the pool
    trunk: Any = getattr(tower, "trunk", None)
    norm = getattr(trunk, "norm", None)
    return hasattr(trunk, "patch_embed") and isinstance(getattr(norm, "weight", None), Tensor)


def make(settings: Mapping[str, Any]) -> CLIP:
    """Returns a new pair of towers of open_clip's `model_cfg`: embed_dim, vision_cfg, text_cfg."""
    pair = CLIP(**settings, output_dict=False)
    set_model_preprocess_cfg(pair, asdict(PreprocessCfg()))
    return pair


def width(tower: nn.Module) -> int:
    """Returns the width of the tower's features."""
    if isinstance(tower, QwenTower):
        return tower.project.out_features
    norm: Any = tower.ln_post if isinstance(tower, VisionTransformer) else tower.trunk.norm
    return int(norm.weight.shape[0])


def normalised(pictures: np.ndarray | Tensor, tower: Any) -> Tensor:
    """Normalises uint8 [B, H, W, 3] for the tower: [B, 3, H, W] on its device, in its dtype."""
    weight = next(tower.parameters())
    values = torch.as_tensor(pictures).to(weight.device).permute(0, 3, 1, 2).to(weight.dtype) / 255
    mean, std = (
        values.new_tensor(tower.preprocess_cfg[name]).view(1, 3, 1, 1) for name in ("mean", "std")
    )
    return (values - mean) / std


def features(tower: Any, pictures: np.ndarray | Tensor, tokens: int) -> Tensor:
    """Encodes uint8 RGB [B, H, W, 3] to features, float [B, tokens, width].

    Pictures have the size that the tower was loaded for. Raises ConfigError where `tokens` is not a
    square that divides the grid of patches.
    """
    return encoded(tower, normalised(pictures, tower), tokens)


def blank(tower: Any, kind: str, size: int, tokens: int) -> Tensor:
    """Computes the features, [tokens, width], of a picture without content, of side `size`: "grey",
    or the "zeros" of a normalised one, which is the mean colour."""
    grey = normalised(np.full((1, size, size, 3), 128, np.uint8), tower)
    return encoded(tower, torch.zeros_like(grey) if kind == "zeros" else grey, tokens)[0]


def encoded(tower: Any, values: Tensor, tokens: int) -> Tensor:
    """Encodes normalised pictures [B, 3, H, W] to features, float [B, tokens, width]."""
    if isinstance(tower, QwenTower):
        with precision.of(tower):
            return pooled(tower(values), tokens)
    patches = tower.forward_intermediates(
        values,
        indices=1,
        normalize_intermediates=True,
        intermediates_only=True,
    )["image_intermediates"][0]  # [B, width, side, side]
    return pooled(patches.flatten(2).transpose(1, 2), tokens)


def pooled(values: Tensor, tokens: int) -> Tensor:
    """Averages squares of neighbours of a grid, [B, n, width] to [B, tokens, width]. Raises
    ConfigError."""
    have, want = math.isqrt(values.shape[1]), math.isqrt(tokens)
    if want * want != tokens or have % want:
        raise ConfigError(f"a grid of {have} x {have} features cannot be pooled to {tokens} tokens")
    if have == want:
        return values
    square = values.transpose(1, 2).unflatten(2, (have, have))
    return functional.avg_pool2d(square, have // want).flatten(2).transpose(1, 2)
