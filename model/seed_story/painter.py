"""The de-tokenizer: its perceiver, and the keys and values of SD-XL's UNet.

Of the UNet, nothing else was trained. Where the file holds the rest too, it has to be that of the
SD-XL folder, which is what the rest is loaded from.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.config import ConfigError
from model.resampler import grid_positions
from model.seed_story import files, names

_PERCEIVER, _UNET = "resampler.", "unet."
_HEAD = 64  # width of a head of the perceiver
_OUTER = {
    "project_in": "proj_in",
    "norm_out": "norm_out",
    "streams.0": "unet_proj_1",
    "streams.1": "unet_proj_2",
    "pool.attention.out_proj": "unet_attnpool.c_proj",
}
_NORMS = {"norm_values": "0.norm1", "norm_queries": "0.norm2", "feed_forward.0": "1.0"}
_MATRICES = {
    "to_q": "0.to_q",
    "to_kv": "0.to_kv",
    "to_out": "0.to_out",
    "feed_forward.1": "1.1",
    "feed_forward.3": "1.3",
}
_POOLED = [f"unet_attnpool.{part}_proj" for part in "qkv"]
_TRAINED = re.compile(r".*\.to_[kv]\.(weight|bias)")


def converted(path: Path, sdxl: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads the de-tokenizer's file; returns our weights by name, and settings of
    `model.detokenizer`.

    Raises ConfigError for names that are missing or unknown, and where the UNet is not that of the
    folder of SD-XL.
    """
    theirs = files.read(path)
    perceiver, sizes = _perceiver(path, names.below(_PERCEIVER, theirs))
    frozen = files.read_folder(sdxl / "unet")
    unet = names.below(_UNET, theirs)
    trained = [name for name in frozen if _TRAINED.fullmatch(name)]
    names.check(
        path,
        [name for name in theirs if not name.startswith(_PERCEIVER)],
        [_UNET + name for name in {*trained, *(name for name in unet if name in frozen)}],
        f"this is no de-tokenizer for {sdxl}",
    )
    other = [name for name in unet if name not in trained and not _same(unet[name], frozen[name])]
    if other:
        raise ConfigError(
            f"{path}: {len(other)} weights of the UNet that SEED-Story does not train, such as "
            f"{other[0]}, are not those of {sdxl}: give the folder of the SD-XL that it was "
            "trained from"
        )
    wrong = [name for name in trained if unet[name].shape != frozen[name].shape]
    if wrong:
        raise ConfigError(f"{path}: {wrong[0]} has another shape than that of {sdxl}")
    ours = {f"perceiver.{name}": weight for name, weight in perceiver.items()}
    return ours | {_UNET + name: unet[name] for name in trained}, sizes


def _perceiver(path: Path, theirs: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    depth = names.blocks(r"layers\.(\d+)\.", theirs)
    table = {"pool.positions": "unet_attnpool.positional_embedding"}
    for end in ("weight", "bias"):
        table |= {f"{ours}.{end}": f"{name}.{end}" for ours, name in _OUTER.items()}
    for number in range(depth):
        inside = {
            f"{ours}.{end}": f"{name}.{end}"
            for ours, name in _NORMS.items()
            for end in ("weight", "bias")
        }
        inside |= {f"{ours}.weight": f"{name}.weight" for ours, name in _MATRICES.items()}
        table |= {
            f"layers.{number}.{ours}": f"layers.{number}.{name}" for ours, name in inside.items()
        }
    pooled = [f"{part}.{end}" for part in _POOLED for end in ("weight", "bias")]
    names.check(
        path,
        [_PERCEIVER + name for name in theirs],
        [_PERCEIVER + name for name in ["latents", *table.values(), *pooled]],
        "give the pytorch_model.bin of a de-tokenizer of SEED-Story",
    )
    ours = {name: theirs[other] for name, other in table.items()}
    latents = theirs["latents"][0].float()
    queries, width = latents.shape
    side = round(queries**0.5)
    if side * side != queries or width % _HEAD:
        raise ConfigError(
            f"{path}: {queries} latents of width {width} are not a square, or not of heads of "
            f"{_HEAD}"
        )
    # Ours have fixed positions added to them
    ours["queries"] = latents - grid_positions(side, width)
    for end in ("weight", "bias"):
        joined = torch.cat([theirs[f"{part}.{end}"] for part in _POOLED])
        ours[f"pool.attention.in_proj_{end}"] = joined
    sizes = {
        "width": width,
        "depth": depth,
        "heads": width // _HEAD,
        "queries": queries,
        "streams": [len(theirs["unet_proj_1.weight"]), len(theirs["unet_proj_2.weight"])],
    }
    return ours, sizes


def _same(some: Tensor, others: Tensor) -> bool:
    """Returns whether weights are the same, up to the rounding of either to 16 bits."""
    if some.shape != others.shape:
        return False
    rough = torch.bfloat16 in (some.dtype, others.dtype)
    tolerance = 2**-8 if rough else 2**-10 if torch.float16 in (some.dtype, others.dtype) else 0
    return torch.allclose(some.float(), others.float(), rtol=tolerance, atol=tolerance * 1e-4)
