"""Policies for the KV cache of a long story, and the eviction of tokens from it.

Trained on short stories, a model generates longer ones if there are as few keys and values to
attend to, at positions as near, as in training. A policy says which tokens are kept (`stays`):

    dense       all of them
    window      those of the last pictures and their texts
    sink        the first few tokens and the window (arXiv 2309.17453)
    multimodal  the same, and of each older picture the tokens around its BoI and its EoI
                (SEED-Story, arXiv 2407.08683), for as many pictures as a budget of tokens allows
    recompute   the window, but computed again without a cache: what SEED-Story's released script
                does, as it hands no cache to its model (its issue 36)

`evict` removes the other tokens from a cache of transformers. Rotary positions are part of cached
keys: where tokens are evicted, the keys after them are rotated back by as many positions
(`rotation`), so that no position exceeds those of a short story.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from model import precision
from model.config import AttentionConfig, ConfigError

Rotate = Callable[[Tensor, Tensor, int], Tensor]


class Role(IntEnum):
    """The kinds of tokens that a policy distinguishes."""

    WORD = 0
    PUNCTUATION = 1
    BOI = 2
    IMAGE = 3
    EOI = 4


def stays(roles: Tensor, policy: str, config: AttentionConfig) -> Tensor:
    """Returns which tokens a policy keeps, bool [n], of a story so far, Role [n], that ends in BoI.

    Applied to the tokens that it kept, it keeps them all.
    """
    begins, ends = (torch.where(roles == role)[0].tolist() for role in (Role.BOI, Role.EOI))
    kept = torch.ones_like(roles, dtype=torch.bool)
    if policy == "dense" or len(begins) <= config.window:
        return kept
    older = [end for end in ends if end < begins[-config.window]]
    kept[: older[-1] + 1] = False
    if policy in ("sink", "multimodal"):
        kept[: config.start] = True
    if policy == "multimodal":
        _sinks(roles, kept, list(zip(begins, older, strict=False)), config)
    return kept


def _sinks(
    roles: Tensor, kept: Tensor, pictures: list[tuple[int, int]], config: AttentionConfig
) -> None:
    """Adds the sinks of pictures, given by their BoI and EoI, to `kept`, the newest first."""
    left = config.budget
    for number in reversed(range(len(pictures))):
        stay = torch.zeros_like(kept)
        for at, (before, after) in zip(pictures[number], (config.boi, config.eoi), strict=True):
            stay[max(0, at - before) : at + after] = True
        if config.punctuation:
            begin = pictures[number - 1][1] if number else 0
            stay[begin : pictures[number][0]] |= (
                roles[begin : pictures[number][0]] == Role.PUNCTUATION
            )
        stay &= ~kept
        left -= int(stay.sum())
        if left < 0:  # older ones are dropped as well: a budget is for the nearest past
            return
        kept |= stay


def evict(cache: DynamicCache, slots: Tensor, moved: Tensor, rotate: Rotate | None) -> None:
    """Removes all but the slots [B, kept] of each story from a cache; they come in this order.

    Their keys are rotated by `moved` [B, kept] positions. Takes time and memory in proportion to
    what is kept.
    """
    for number, layer in enumerate(cache.layers):
        layer.keys, layer.values = (
            values.gather(
                2,
                slots.to(values.device)[:, None, :, None].expand(
                    -1, values.shape[1], -1, values.shape[3]
                ),
            )
            for values in (layer.keys, layer.values)
        )
        if rotate is not None and moved.any():
            layer.keys = rotate(layer.keys, moved.to(layer.keys.device), number)


@torch.no_grad()
def rotation(llm: Any) -> Rotate:
    """Returns what rotates keys [B, heads, n, width] of a layer, by number, of a language model by
    positions, int [B, n].

    Tries it on the model: in every layer, the keys of a token at two positions have to differ by
    the rotation alone, that of all layers or that of its kind, or not at all (SmolLM3). Raises
    ConfigError where they do not, or where no layer rotates.
    """
    decoder = llm.get_decoder()
    rotary: Any = getattr(decoder, "rotary_emb", None)
    kinds = getattr(llm.config.get_text_config(), "layer_types", None) or []

    def rotated(keys: Tensor, by: Tensor, kind: tuple[str, ...] | None) -> Tensor:
        if kind is None:
            return keys
        exact = keys if keys.dtype == torch.float64 else keys.float()
        scaling = "_".join([*kind, "attention_scaling"])
        cos, sin = (
            part[:, None] / getattr(rotary, scaling, 1.0) for part in rotary(exact, by, *kind)
        )
        rotating, fixed = exact.split([cos.shape[-1], exact.shape[-1] - cos.shape[-1]], dim=-1)
        half = rotating.shape[-1] // 2
        across = torch.cat([-rotating[..., half:], rotating[..., :half]], dim=-1)
        return torch.cat([rotating * cos + across * sin, fixed], dim=-1).to(keys.dtype)

    def keys_at(position: int) -> list[Tensor]:
        cache = DynamicCache()
        with precision.of(llm):
            decoder(
                inputs_embeds=vector,
                position_ids=torch.full((1, 1), position, device=llm.device),
                past_key_values=cache,
                use_cache=True,
            )
        return [layer.keys for layer in cache.layers]

    table = llm.get_input_embeddings().weight
    vector = torch.randn(1, 1, table.shape[1], generator=torch.Generator().manual_seed(0))
    vector = (vector * table.float().std().cpu()).to(table)  # no token's: padding's may be 0
    far = 9
    by = torch.full((1, 1), far, device=llm.device)

    def fits(near: Tensor, there: Tensor, kind: tuple[str, ...] | None) -> bool:
        try:
            found = rotated(near, by, kind)
        except (AttributeError, TypeError, ValueError, RuntimeError):  # has no such rotation
            return False
        return torch.allclose(found.float(), there.float(), rtol=0.05, atol=0.02)

    def kind_of(layer: int, near: Tensor, there: Tensor) -> tuple[str, ...] | None:
        if torch.equal(near, there):
            return None
        for kind in ((), tuple(kinds[layer : layer + 1])):
            if fits(near, there, kind):
                return kind
        raise ValueError(layer)

    try:
        pairs = zip(keys_at(0), keys_at(far), strict=True)
        found = [kind_of(layer, near, there) for layer, (near, there) in enumerate(pairs)]
        if not any(kind is not None for kind in found):
            raise ValueError("no layer rotates")
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(
            f"{llm.config.model_type}: this language model's positions are not rotary ones of the "
            "usual kind, so its cache cannot be moved; use --attention dense or recompute"
        ) from None
    return lambda keys, by, layer: rotated(keys, by, found[layer])
