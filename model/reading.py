"""The KV cache of a batch of stories: reading tokens and pictures into it, and evicting them.

In a batch the texts have different lengths. A pass appends the same number of slots to the cache of
each story; slots that a story has no tokens for are padding, which is masked, and positions do not
count it: each story is what it would be alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedTokenizerBase

from model import attention
from model.attention import Role
from model.config import AttentionConfig
from model.story_lm import StoryLM
from model.tokens import Vocabulary

_STATE = ("seen", "positions", "roles", "vectors")


class Reading:
    """A batch of stories that is read piece by piece, with a policy for its cache."""

    def __init__(
        self,
        model: StoryLM,
        roles: Tensor,
        stories: int,
        policy: str = "dense",
        config: AttentionConfig | None = None,
    ) -> None:
        """`roles` are those of all tokens, as `roles_of` gives them, `policy` one of
        `config.POLICIES`. Raises ConfigError where it cannot be used with the language model."""
        self.model, self.policy, self.config = model, policy, config or AttentionConfig()
        self.role_of = roles
        self.cache = DynamicCache()
        self.seen = torch.zeros(stories, 0, dtype=torch.bool)  # [B, slots], as all of these
        self.positions = torch.zeros(stories, 0, dtype=torch.long)
        self.roles = torch.zeros(stories, 0, dtype=torch.uint8)
        self.vectors = torch.zeros(stories, 0, 0)  # embeddings, for `recompute`
        moving = policy not in ("dense", "recompute") and self.config.positions == "contiguous"
        self.rotate = attention.rotation(model.llm) if moving else None

    def read(self, ids: Sequence[Sequence[int]], features: Tensor | None = None) -> Tensor:
        """Reads the features [B, tokens, width] of a picture, if given, and then each story's ids.

        Returns the last hidden states [B, slots, hidden]. Shorter rows are padded at the front: the
        last slot is the last token of each story that has any.
        """
        longest = max(map(len, ids))
        padded = torch.tensor([[0] * (longest - len(row)) + list(row) for row in ids])
        real = torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in ids])
        device = self.model.painter.queries.device
        vectors, roles = self.model.words(padded.to(device)), self.role_of[padded]
        if features is not None:
            picture = self.model.read(features.to(vectors.device, self.model.painter.queries.dtype))
            vectors = torch.cat([picture.to(vectors.dtype), vectors], dim=1)
            real = torch.cat([real.new_ones(picture.shape[:2]), real], dim=1)
            roles = torch.cat([roles.new_full(picture.shape[:2], Role.IMAGE), roles], dim=1)
        return self._read(vectors, real, roles)

    def _read(self, vectors: Tensor, real: Tensor, roles: Tensor) -> Tensor:
        """Reads embeddings [B, slots, hidden], of which those not `real` are padding."""
        last = (
            torch.where(self.seen, self.positions, -1).amax(1, keepdim=True)
            if (self.seen.shape[1])
            else torch.full((len(real), 1), -1)
        )
        positions = (last + real.cumsum(1)).clamp(min=0)
        self.seen = torch.cat([self.seen, real], dim=1)
        self.positions = torch.cat([self.positions, positions], dim=1)
        self.roles = torch.cat([self.roles, roles], dim=1)
        if self.policy == "recompute":
            self.vectors = (
                torch.cat([self.vectors, vectors], dim=1) if (self.vectors.shape[1]) else vectors
            )
        slots = torch.arange(self.seen.shape[1])
        own = slots[-real.shape[1] :, None]
        # Padding attends to itself: rows that attend to nothing are NaN in some attention kernels.
        visible = (self.seen[:, None] & (slots <= own)) | (slots == own)
        return self.model.hidden(
            vectors,
            visible[:, None].to(vectors.device),
            positions.to(vectors.device),
            self.cache,
            self.positions.to(vectors.device),
        )

    def forget(self, count: int) -> None:
        """Removes the last slots."""
        self.cache.crop(-count)
        for name in _STATE:
            setattr(self, name, getattr(self, name)[:, :-count])

    def evict(self) -> None:
        """Evicts what the policy does not keep. The last token has to be a picture's BoI."""
        rows = [torch.where(seen)[0] for seen in self.seen]
        rows = [
            row[attention.stays(roles[row], self.policy, self.config)]
            for row, roles in zip(rows, self.roles, strict=True)
        ]
        if all(len(row) == seen.sum() for row, seen in zip(rows, self.seen, strict=True)):
            return
        longest = max(map(len, rows))
        slots = torch.stack([torch.nn.functional.pad(row, (longest - len(row), 0)) for row in rows])
        real = torch.stack([torch.arange(longest) >= longest - len(row) for row in rows])
        if self.policy == "recompute":
            vectors, roles = (
                values.gather(1, at)
                for values, at in (
                    (
                        self.vectors,
                        slots[..., None]
                        .expand(-1, -1, self.vectors.shape[2])
                        .to(self.vectors.device),
                    ),
                    (self.roles, slots),
                )
            )
            self._clear()
            self._read(vectors, real, roles)
            return
        before = self.positions.gather(1, slots)
        self.positions = (real.cumsum(1) - 1).clamp(min=0) if self.rotate else before
        self.seen, self.roles = real, self.roles.gather(1, slots)
        attention.evict(
            self.cache, slots, torch.where(real, self.positions - before, 0), self.rotate
        )

    def _clear(self) -> None:
        self.cache = DynamicCache()
        for name in _STATE:
            setattr(self, name, getattr(self, name)[:, :0])

    def state(self) -> dict[str, Any]:
        """Returns all that was read, as tensors, for `restore`, here or in another process."""
        return {name: getattr(self, name) for name in _STATE} | {
            "layers": [(layer.keys, layer.values) for layer in self.cache.layers]
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replaces all that was read by a `state`."""
        for name in _STATE:
            setattr(self, name, state[name])
        self.cache = DynamicCache()
        for number, (keys, values) in enumerate(state["layers"]):
            self.cache.update(keys, values, number)


def roles_of(tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary) -> Tensor:
    """Returns the Role of each token of a tokenizer, uint8 [words]."""
    words = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
    roles = torch.tensor(
        [
            Role.PUNCTUATION
            if word.strip() and not any(letter.isalnum() for letter in word.strip())
            else Role.WORD
            for word in words
        ],
        dtype=torch.uint8,
    )
    roles[[vocabulary.bos, vocabulary.eos, *vocabulary.turn]] = Role.WORD
    roles[vocabulary.image] = Role.IMAGE
    roles[vocabulary.boi], roles[vocabulary.eoi] = Role.BOI, Role.EOI
    return roles
