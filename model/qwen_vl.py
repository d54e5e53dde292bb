"""Qwen-VL's visual tokenizer (arXiv 2308.12966), as SEED-Story uses it: a ViT-bigG without a class
token, and a resampler that reads its patches into 256 features.

Its weights come from `python -m model import seed-story`, which writes a folder of safetensors and
the sizes.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor, nn

from model.resampler import Resampler, stretched

PREFIX = "qwen-vl:"  # of `model.vision.model`; a folder follows
SIZES = "sizes.json"
HEAD, POOL_HEAD = 104, 128  # widths of a head of the ViT and of its resampler
EPSILON = 1e-6  # of all norms
GRID = 16  # positions and features are those of a square of so many


class QwenTower(nn.Module):
    """Encodes normalised pictures [B, 3, H, W], of sides that `patch` divides, to features
    [B, 256, out]."""

    def __init__(
        self,
        width: int = 1664,
        layers: int = 48,
        inner: int = 8192,
        patch: int = 14,
        out: int = 4096,
    ) -> None:
        super().__init__()
        self.preprocess_cfg = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD}
        self.positions = nn.Parameter(torch.randn(GRID * GRID, width) * width**-0.5)
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.norm_in = nn.LayerNorm(width, EPSILON)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, width // HEAD, inner, 0.0, "gelu", EPSILON, batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.pool = Resampler(GRID, out, out // POOL_HEAD, width, EPSILON)
        self.norm_out = nn.LayerNorm(out, EPSILON)
        self.project = nn.Linear(out, out, bias=False)

    def forward(self, pictures: Tensor) -> Tensor:
        values = self.patches(pictures).flatten(2).transpose(1, 2)
        values = self.norm_in(values + stretched(self.positions, values.shape[1]))
        for block in self.blocks:
            values = block(values)
        features: Tensor = self.project(self.norm_out(self.pool(values)))
        return features


def sized(model: str) -> QwenTower:
    """Returns a tower, without its weights, of the sizes of a folder, `qwen-vl:FOLDER`, or of the
    published ones where there is no such folder yet."""
    sizes = Path(model.removeprefix(PREFIX), SIZES)
    return QwenTower(**(json.loads(sizes.read_text()) if sizes.is_file() else {}))
