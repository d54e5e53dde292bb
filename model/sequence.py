"""The token sequence of a story: tokens, positions, targets and attention mask.

As released by SEED-Story, a story is BoS, text 0, picture 0, then turns: `[INST]`, a text, a
picture; the last turn is supervised. Its picture is not given but asked for: its positions hold
the learned tokens, whose last hidden states become the predicted features. EoS follows.

Here any number of turns can be supervised in one pass. A supervised turn that others follow has
its picture twice, at the same positions: asked for first, then given. Tokens that are asked for are
attended to by their own block alone (`turn`), so each turn attends to exactly what it would attend
to as the last one.

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
    """The sequence of a story, int64 [L], or of a batch of stories, [B, L]."""

    ids: Tensor
    positions: Tensor  # for rotary embeddings
    targets: Tensor  # the id that the hidden state here should predict, or IGNORED
    given: Tensor  # number of the picture whose features stand here, else -1
    asked: Tensor  # number of the picture whose features the hidden state here should give, else -1
    turn: Tensor  # who attends to it: 0 all that follow, t the block of turn t alone, -1 nobody

    def to(self, device: torch.device) -> Layout:
        """Returns a copy on another device."""
        return Layout(*(getattr(self, field.name).to(device) for field in fields(self)))

    def __len__(self) -> int:
        """Returns the number of positions, which asked and given tokens of a picture share."""
        return int(self.positions.max()) + 1


def lay_out(
    texts: Sequence[Sequence[int]], vocabulary: Vocabulary, supervised: Sequence[int]
) -> Layout:
    """Lays out a story of tokenised texts, of which the turns `supervised` (from 1) are learned.

    All after the last supervised turn is left out. Pictures are numbered from 0.
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
    """Collates layouts into a batch, padded at the end; pictures are numbered across all stories.

    `pictures` are their numbers of pictures.
    """
    longest = max(len(layout.ids) for layout in layouts)
    columns, first = [], 0
    for layout, count in zip(layouts, pictures, strict=True):
        given, asked = (
            torch.where(which < 0, which, which + first) for which in (layout.given, layout.asked)
        )
        columns.append(
            [
                _padded(values, longest, fill)
                for values, fill in (
                    (layout.ids, 0),
                    (layout.positions, 0),
                    (layout.targets, IGNORED),
                    (given, -1),
                    (asked, -1),
                    (layout.turn, -1),
                )
            ]
        )
        first += count
    return Layout(*(torch.stack(column) for column in zip(*columns, strict=True)))


def _padded(values: Tensor, length: int, fill: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, length - len(values)), value=fill)


def mask(turn: Tensor) -> Tensor:
    """Returns the attention mask, bool [B, 1, L, L], query by key, of a layout's `turn` [B, L]."""
    order = torch.arange(turn.shape[1], device=turn.device)
    before = order[None, :] <= order[:, None]
    keys, queries = turn[:, None, :], turn[:, :, None]
    return (before & ((keys == 0) | (keys == queries)))[:, None]
