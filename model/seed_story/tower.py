"""Qwen-VL's visual tokenizer, from the state_dict that SEED-Story's `reload_qwen_vit.py` saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from model.config import ConfigError
from model.qwen_vl import HEAD
from model.seed_story import files, names

_BLOCK = {
    "norm1": "ln_1",
    "norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "linear1": "mlp.c_fc",
    "linear2": "mlp.c_proj",
}
_POOL = "attn_pool."


def converted(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads the tower's file; returns our weights by name, and the sizes of `QwenTower`.

    Raises ConfigError for names that are missing or unknown.
    """
    theirs = files.read(path)
    layers = names.blocks(r"transformer\.resblocks\.(\d+)\.", theirs)
    table = {"positions": "positional_embedding", "patches.weight": "conv1.weight"}
    for end in ("weight", "bias"):
        table |= {f"norm_in.{end}": f"ln_pre.{end}", f"norm_out.{end}": f"ln_post.{end}"}
        for number in range(layers):
            block = f"transformer.resblocks.{number}."
            table |= {
                f"blocks.{number}.{ours}.{end}": f"{block}{name}.{end}"
                for ours, name in _BLOCK.items()
            }
    turned = {
        f"blocks.{at}.self_attn.in_proj_{end}": f"transformer.resblocks.{at}.attn.in_proj.{end}"
        for at in range(layers)
        for end in ("weight", "bias")
    }
    pool = [name for name in theirs if name.startswith(_POOL)]
    names.check(
        path,
        theirs,
        [*table.values(), *turned.values(), *pool, "proj"],
        "save the state_dict of Qwen-VL's `transformer.visual`, as SEED-Story's "
        "src/tools/reload_qwen_vit.py does",
    )
    ours = {name: theirs[other] for name, other in table.items()}
    ours |= {name: _turned(path, theirs[other]) for name, other in turned.items()}
    ours |= {
        f"pool.{name}": weight for name, weight in names.resampler(path, _POOL, theirs).items()
    }
    ours["project.weight"] = theirs["proj"].T
    inner, width = theirs["transformer.resblocks.0.mlp.c_fc.weight"].shape
    sizes = {
        "width": width,
        "layers": layers,
        "inner": inner,
        "patch": theirs["conv1.weight"].shape[-1],
        "out": theirs["proj"].shape[0],
    }
    return ours, sizes


def _turned(path: Path, weight: Tensor) -> Tensor:
    """Turns the rows of a projection from [head, query/key/value, width of a head], as they lie in
    Qwen-VL's file, to [query/key/value, head, ...], as those of torch's attention."""
    rows = weight.shape[0] // 3
    if rows % HEAD:
        raise ConfigError(f"{path}: a width of {rows} is not made of heads of {HEAD}")
    return weight.unflatten(0, (rows // HEAD, 3, HEAD)).transpose(0, 1).flatten(0, 2)
