"""What the stories of a batch have read so far: the cache, and who sees which of its slots.

In a batch the texts have different lengths. What all stories read in a pass takes the same slots of
the cache, a story that has nothing to read there has slots that nobody sees, and positions count
what is seen: each story is what it would be alone.
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
    """Stories that are read piece by piece, of whose past a policy says what stays."""

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
        self.vectors = torch.zeros(stories, 0, 0)  # what was read, for a policy that reads it again
        moving = policy not in ("dense", "recompute") and self.config.positions == "contiguous"
        self.rotate = attention.rotation(model.llm) if moving else None

    def read(self, ids: Sequence[Sequence[int]], features: Tensor | None = None) -> Tensor:
        """Reads on, first a picture where one is given: [B, tokens, width], then each story's ids.

        Returns the last hidden states [B, slots, hidden]. Shorter rows are padded in front: the
        last slot is the last token of each story that has any.
        """
        longest = max(map(len, ids))
        padded = torch.tensor([[0] * (longest - len(row)) + list(row) for row in ids])
        real = torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in ids])
        embed = self.model.llm.get_input_embeddings()
        vectors, roles = embed(padded.to(embed.weight.device)), self.role_of[padded]
        if features is not None:
            picture = self.model.read(features.to(vectors.device, self.model.painter.query.dtype))
            vectors = torch.cat([picture.to(vectors.dtype), vectors], dim=1)
            real = torch.cat([real.new_ones(picture.shape[:2]), real], dim=1)
            roles = torch.cat([roles.new_full(picture.shape[:2], Role.IMAGE), roles], dim=1)
        return self._read(vectors, real, roles)

    def _read(self, vectors: Tensor, real: Tensor, roles: Tensor) -> Tensor:
        """Vectors [B, slots, hidden], of which the `real` ones are the story's: hidden states."""
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
        # Padding sees itself: what sees nothing is not a number in some kernels of attention.
        visible = (self.seen[:, None] & (slots <= own)) | (slots == own)
        return self.model.hidden(
            vectors, visible[:, None].to(vectors.device), positions.to(vectors.device), self.cache
        )

    def forget(self, count: int) -> None:
        """Takes the last slots back."""
        self.cache.crop(-count)
        for name in _STATE:
            setattr(self, name, getattr(self, name)[:, :-count])

    def evict(self) -> None:
        """Lets go of what the policy does not keep. The last token has to be a picture's BoI."""
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
        attention.keep(
            self.cache, slots, torch.where(real, self.positions - before, 0), self.rotate
        )

    def _clear(self) -> None:
        self.cache = DynamicCache()
        for name in _STATE:
            setattr(self, name, getattr(self, name)[:, :0])

    def state(self) -> dict[str, Any]:
        """All that was read, as tensors: for `restore`, here or in another process."""
        return {name: getattr(self, name) for name in _STATE} | {
            "layers": [(layer.keys, layer.values) for layer in self.cache.layers]
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on where the reading was whose `state` this is."""
        for name in _STATE:
            setattr(self, name, state[name])
        self.cache = DynamicCache()
        for number, (keys, values) in enumerate(state["layers"]):
            self.cache.update(keys, values, number)


def roles_of(tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary) -> Tensor:
    """The Role of each token of a tokenizer, uint8 [words]."""
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
