"""What a long story keeps of its past: policies, and how a cache is brought down to what stays.

Trained on short stories, a model tells longer ones if the keys and values that it attends to stay
as few, and stand as near, as in training. A policy says which tokens of a story stay (`stays`):

    dense       all of them
    window      those of the last pictures and their texts
    sink        the first few tokens and the window (arXiv 2309.17453)
    multimodal  the same, and of each older picture the tokens around its begin and its end
                (SEED-Story, arXiv 2407.08683), for as many pictures as a budget of tokens allows
    recompute   the window, but read again from nothing: what SEED-Story's released script does,
                as it hands no cache to its model (its issue 36)

`keep` brings a cache of transformers down to what stays. Rotary positions are part of cached keys:
where tokens leave, the keys behind them are turned back by as many positions (`rotation`), so that
no position exceeds those of a short story.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from model.config import AttentionConfig, ConfigError

Rotate = Callable[[Tensor, Tensor], Tensor]


class Role(IntEnum):
    """What a token is to a policy."""

    WORD = 0
    PUNCTUATION = 1
    BOI = 2
    IMAGE = 3
    EOI = 4


def stays(roles: Tensor, policy: str, config: AttentionConfig) -> Tensor:
    """Which tokens stay, bool [n], of a story's so far, Role [n], whose last is a picture's BoI.

    What has stayed once is judged alike when it is judged again: the tokens next to those that stay
    for a picture stay as well.
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
    """Adds the sinks of pictures, given by BoI and EoI, the newest first, to what is kept."""
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
        if left < 0:  # nor any older one: a budget is for the nearest past
            return
        kept |= stay


def keep(cache: DynamicCache, slots: Tensor, moved: Tensor, rotate: Rotate) -> None:
    """Leaves the slots [B, kept] of each story in a cache, in this order, with their keys turned by
    as many positions as `moved` [B, kept] says. Takes time and memory as large as what is kept."""
    for layer in cache.layers:
        layer.keys, layer.values = (
            values.gather(
                2,
                slots.to(values.device)[:, None, :, None].expand(
                    -1, values.shape[1], -1, values.shape[3]
                ),
            )
            for values in (layer.keys, layer.values)
        )
        if moved.any():
            layer.keys = rotate(layer.keys, moved.to(layer.keys.device))


@torch.no_grad()
def rotation(llm: Any) -> Rotate:
    """How keys [B, heads, n, width] of a language model are turned by positions, int [B, n].

    Tries it on the model: what one token leaves in every layer at two positions has to be the same
    but for the turn. Raises ConfigError where it is not.
    """
    decoder = llm.get_decoder()
    rotary = getattr(decoder, "rotary_emb", None)

    def turned(keys: Tensor, by: Tensor) -> Tensor:
        exact = keys if keys.dtype == torch.float64 else keys.float()
        cos, sin = (
            part[:, None] / getattr(rotary, "attention_scaling", 1.0) for part in rotary(exact, by)
        )
        turning, fixed = exact.split([cos.shape[-1], exact.shape[-1] - cos.shape[-1]], dim=-1)
        half = turning.shape[-1] // 2
        across = torch.cat([-turning[..., half:], turning[..., :half]], dim=-1)
        return torch.cat([turning * cos + across * sin, fixed], dim=-1).to(keys.dtype)

    def keys_at(position: int) -> list[Tensor]:
        cache, token = DynamicCache(), torch.zeros(1, 1, dtype=torch.long, device=llm.device)
        decoder(
            input_ids=token, position_ids=token + position, past_key_values=cache, use_cache=True
        )
        return [layer.keys for layer in cache.layers]

    far = 9
    by = torch.full((1, 1), far, device=llm.device)
    try:
        fits = all(
            torch.allclose(turned(near, by).float(), there.float(), rtol=0.05, atol=0.02)
            and not torch.equal(near, there)
            for near, there in zip(keys_at(0), keys_at(far), strict=True)
        )
    except (TypeError, ValueError, RuntimeError):
        fits = False
    if not fits:
        raise ConfigError(
            f"{llm.config.model_type}: this language model's positions are not rotary ones of the "
            "usual kind, so its cache cannot be moved; tell with --attention dense or recompute"
        )
    return turned
