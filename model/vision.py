"""The image encoder (visual tokenizer): pictures to features, by any ViT of open_clip.

The features are those of the patches after the last norm, not the pooled feature, averaged over
squares of neighbours to as many tokens as the model works with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from open_clip.transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional

from model.config import ConfigError, VisionConfig, naming


def load(config: VisionConfig) -> VisionTransformer:
    """Loads the image tower, frozen; `config.model` is open_clip's name or `local-dir:FOLDER`."""
    with naming("model.vision.model", config.model):
        tower = open_clip.create_model(
            config.model, pretrained=config.weights or None, force_image_size=config.image_size
        )
    return tower.visual.requires_grad_(False).eval()


def make(settings: Mapping[str, Any]) -> CLIP:
    """Returns a new pair of towers of open_clip's `model_cfg`: embed_dim, vision_cfg, text_cfg."""
    return CLIP(**settings, output_dict=False)


def width(tower: VisionTransformer) -> int:
    """Returns the width of the tower's features."""
    return int(tower.ln_post.weight.shape[0])


def normalised(pictures: np.ndarray | Tensor, tower: VisionTransformer) -> Tensor:
    """Normalises uint8 [B, H, W, 3] for the tower: [B, 3, H, W] on its device, in its dtype."""
    weight = tower.conv1.weight
    values = torch.as_tensor(pictures).to(weight.device).permute(0, 3, 1, 2).to(weight.dtype) / 255
    mean = values.new_tensor(open_clip.OPENAI_DATASET_MEAN).view(1, 3, 1, 1)
    std = values.new_tensor(open_clip.OPENAI_DATASET_STD).view(1, 3, 1, 1)
    return (values - mean) / std


def features(tower: VisionTransformer, pictures: np.ndarray | Tensor, tokens: int) -> Tensor:
    """Encodes uint8 RGB [B, H, W, 3] to features, float [B, tokens, width].

    Pictures have the size that the tower was loaded for. Raises ConfigError where `tokens` is not a
    square that divides the grid of patches.
    """
    patches = tower.forward_intermediates(
        normalised(pictures, tower),
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
