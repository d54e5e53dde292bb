"""A story as the language model sees it: which token stands where, who sees it, what it predicts.

As released by SEED-Story, a story is BoS, text 0, picture 0, then turns: `[INST]`, a text, a
picture; the last turn is supervised. Its picture is not given but asked for: its positions hold
the learned tokens, and their last hidden states become the features. After it comes EoS.

Here any number of turns can be supervised in one pass. A supervised turn that others follow has
its picture twice, at the same positions: asked for first, then given. What is asked for is seen by
its own block alone (`turn`), so each turn sees exactly what it would have seen as the last one.

    BoS text0 BoI (given 0) EoI [INST] text1 BoI {asked 1, EoI -> EoS} (given 1) EoI [INST] ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from model.tokens import Vocabulary

IGNORED = -100  # a target that does not count


@dataclass
class Layout:
    """Token by token, int64 [L] or, of several stories, [B, L]."""

    ids: Tensor
    positions: Tensor  # for rotary embeddings
    targets: Tensor  # the id that the hidden state here should predict, or IGNORED
    given: Tensor  # number of the picture whose features stand here, else -1
    asked: Tensor  # number of the picture whose features the hidden state here should give, else -1
    turn: Tensor  # 0: seen by all that follow; t: seen by the block of turn t alone; -1: padding

    def to(self, device: torch.device) -> Layout:
        """The same on another device."""
        return Layout(*(getattr(self, one.name).to(device) for one in fields(self)))

    def __len__(self) -> int:
        """How long the story is for the model: how many positions."""
        return int(self.positions.max()) + 1


def lay_out(
    texts: Sequence[Sequence[int]], vocabulary: Vocabulary, supervised: Sequence[int]
) -> Layout:
    """A story of these tokenised texts, of which the turns `supervised` (from 1) are learned.

    What comes after the last supervised turn is left out. Pictures count from 0.
    """
    rows: list[tuple[int, int, int, int, int, int]] = []
    last = max(supervised)

    def put(
        tokens: Sequence[int], position: int, given: int = -1, asked: int = -1, turn: int = 0
    ) -> int:
        for token in tokens:
            rows.append((token, position, IGNORED, given, asked, turn))
            position += 1
        return position

    at = put([vocabulary.bos], 0)
    for number, text in enumerate(texts[: last + 1]):
        start = len(rows)
        at = put([*(vocabulary.turn if number else []), *text, vocabulary.boi], at)
        if number in supervised:
            for row in range(start, len(rows)):  # each is predicted by the one before
                rows[row - 1] = (*rows[row - 1][:2], rows[row][0], *rows[row - 1][3:])
            end = put(vocabulary.image, at, asked=number, turn=number)
            put([vocabulary.eoi], end, turn=number)
            rows[-1] = (*rows[-1][:2], vocabulary.eos, *rows[-1][3:])
        if number < last:
            at = put([vocabulary.eoi], put(vocabulary.image, at, given=number))
    return Layout(*torch.tensor(rows).unbind(1))


def together(layouts: Sequence[Layout], pictures: Sequence[int]) -> Layout:
    """Layouts as one batch, padded behind; the pictures of all stories are numbered through.

    `pictures` says how many each story has.
    """
    longest = max(len(one.ids) for one in layouts)
    columns, first = [], 0
    for one, count in zip(layouts, pictures, strict=True):
        numbered = [
            torch.where(which < 0, which, which + first) for which in (one.given, one.asked)
        ]
        columns.append(
            [
                _padded(values, longest, fill)
                for values, fill in (
                    (one.ids, 0),
                    (one.positions, 0),
                    (one.targets, IGNORED),
                    (numbered[0], -1),
                    (numbered[1], -1),
                    (one.turn, -1),
                )
            ]
        )
        first += count
    return Layout(*(torch.stack(column) for column in zip(*columns, strict=True)))


def _padded(values: Tensor, length: int, fill: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, length - len(values)), value=fill)


def mask(turn: Tensor) -> Tensor:
    """Who sees whom: bool [B, 1, L, L], query by key. `turn` is [B, L]."""
    order = torch.arange(turn.shape[1], device=turn.device)
    before = order[None, :] <= order[:, None]
    keys, queries = turn[:, None, :], turn[:, :, None]
    return (before & ((keys == 0) | (keys == queries)))[:, None]
