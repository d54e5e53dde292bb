"""Measures attention of the story model by kind of token, for each layer and head.

Held-out chunks are read as training lays them out, and the attention of every token that has at
least one whole picture before it is summed over the keys of each kind: the first tokens of the
story, punctuation, what stands beside a picture's BoI and EoI (as many tokens as the multimodal
sink keeps there), the inside of pictures, and other words. Two figures for each: the share of all
attention, and its ratio to the share of visible keys of this kind, so that 1 is attention without a
preference. The question is SEED-Story's, arXiv 2407.08683.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.array_types import Floats
from benchmarks.attributes.labels import read_keyframes
from benchmarks.results.tables import Column, Figure, Table
from benchmarks.story_model.chunks import Chunk, read_chunks
from model import generate, precision, sequence, story_lm, tokens, vision
from model.attention import Role
from model.config import AttentionConfig
from model.generate import Teller
from model.reading import roles_of

KINDS = (
    "first tokens",
    "punctuation",
    "beside BoI",
    "beside EoI",
    "inside pictures",
    "other words",
)


def token_kinds(roles: Tensor, config: AttentionConfig) -> Tensor:
    """Returns the index in KINDS of each token of a story, given by its Role [n]."""
    found = torch.full_like(roles, KINDS.index("other words"), dtype=torch.long)
    found[roles == Role.PUNCTUATION] = KINDS.index("punctuation")
    found[roles == Role.IMAGE] = KINDS.index("inside pictures")
    for role, (before, after), name in (
        (Role.BOI, config.boi, "beside BoI"),
        (Role.EOI, config.eoi, "beside EoI"),
    ):
        for at in torch.where(roles == role)[0].tolist():
            found[max(0, at - before) : at + after] = KINDS.index(name)
    found[: config.start] = KINDS.index("first tokens")
    return found


@torch.no_grad()
def attention_shares(teller: Teller, dataset: str, some: Sequence[Chunk]) -> tuple[Floats, Floats]:
    """Computes shares of attention by layer, head and kind [layers, heads, kinds], and shares of
    visible keys by layer [layers, kinds], both means over queries. A layer with a sliding window
    sees the nearest keys alone."""
    llm, vocabulary = teller.model.llm, teller.vocabulary
    settings, config = teller.run.preset.model.vision, teller.run.preset.model.attention
    role_of = roles_of(teller.tokenizer, vocabulary)
    llm.set_attn_implementation("eager")  # the others do not give the weights
    total: Any = 0
    could: Any = 0
    queries = 0
    for chunk in some:
        ids = tokens.encoded(teller.tokenizer, vocabulary, chunk.captions)
        seen = read_keyframes(dataset, chunk.images, settings.image_size)
        features = vision.features(teller.tower, seen, settings.tokens).float()
        layout = sequence.together([sequence.lay_out(ids, vocabulary, [len(ids) - 1])], [len(ids)])
        layout = layout.to(features.device)
        mask = sequence.mask(layout.turn)
        vectors = teller.model.embedded(layout.ids, layout.given, features)
        given = story_lm.masks(llm, mask, layout.positions, layout.positions, vectors.dtype)
        with precision.of(llm):
            weights = llm.get_decoder()(
                inputs_embeds=vectors,
                attention_mask=given,
                position_ids=layout.positions,
                output_attentions=True,
            ).attentions
        config_of = llm.config.get_text_config()
        kinds = getattr(config_of, "layer_types", None) or [None] * len(weights)
        masks = [given[kind] if isinstance(given, dict) else given for kind in kinds]
        of = torch.nn.functional.one_hot(
            token_kinds(role_of[layout.ids[0].cpu()], config), len(KINDS)
        ).double()
        first = int(torch.where(layout.ids[0] == vocabulary.eoi)[0][0]) + 1
        total += torch.stack(
            [(layer[0, :, first:].double().cpu() @ of).sum(1) for layer in weights]
        )
        seen_keys = [(added[0, 0, first:] == 0).double().cpu() for added in masks]
        could += torch.stack([(keys @ of / keys.sum(1, keepdim=True)).sum(0) for keys in seen_keys])
        queries += len(seen_keys[0])
    return (total / queries).float().numpy(), (could / queries).float().numpy()


def run(folder: str, dataset: str, report: str | Path) -> list[Table]:
    """Measures the run in `folder`; the plot goes to the folder of the `report`.

    Raises ValueError where something does not fit or is not trained yet.
    """
    teller = generate.load(Path(folder))
    some = read_chunks(dataset, "val")
    found, could = attention_shares(teller, dataset, some)
    preferred = found / could[:, None]
    rows = {
        "all layers": (found.mean((0, 1)), preferred.mean((0, 1))),
        **{
            f"layer {at}": shares
            for at, shares in enumerate(zip(found.mean(1), preferred.mean(1), strict=True), 1)
        },
    }
    cells = {
        name: {
            kind: Figure(float(share[at]), len(some), note=f"{times[at]:.1f} x")
            for at, kind in enumerate(KINDS)
        }
        for name, (share, times) in rows.items()
    }
    cells["highest head"] = {
        kind: Figure(
            float(found[..., at].max()),
            len(some),
            note="layer {}, head {}".format(
                *(1 + place for place in np.unravel_index(found[..., at].argmax(), found.shape[:2]))
            ),
        )
        for at, kind in enumerate(KINDS)
    }
    cells["share of keys"] = {
        kind: Figure(float(could[:, at].mean()), len(some)) for at, kind in enumerate(KINDS)
    }
    picture = Path(report, "attention-map.png")
    _plot(found, preferred, picture)
    return [
        Table(
            "attention-map",
            "Attention by kind of token",
            "layer",
            tuple(Column(kind, unit="%", digits=1) for kind in KINDS),
            cells,
            text="The share of attention on tokens of each kind in held-out chunks, and its ratio "
            "to the share of keys of that kind: 1 x is no preference.",
            about={"model": generate.about(teller)["story_model"], "n": "chunks"},
            pictures=(picture.name,),
        )
    ]


def _plot(found: Floats, preferred: Floats, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    for axes, at in zip(
        figure.subplots(1, len(KINDS), sharey=True), range(len(KINDS)), strict=True
    ):
        shown = axes.imshow(
            np.log2(preferred[..., at].clip(1 / 16, 16)),
            cmap="RdBu_r",
            vmin=-4,
            vmax=4,
            aspect="auto",
        )
        axes.set_title(f"{KINDS[at]}\n{100 * found[..., at].mean():.1f} % of attention", fontsize=9)
        axes.set_xticks(range(found.shape[1]), [str(1 + head) for head in range(found.shape[1])])
        axes.set_yticks(range(found.shape[0]), [str(1 + layer) for layer in range(len(found))])
        axes.set_xlabel("head", fontsize=8)
        for (layer, head), share in np.ndenumerate(found[..., at]):
            axes.text(head, layer, f"{100 * share:.0f}", ha="center", va="center", fontsize=7)
    figure.axes[0].set_ylabel("layer", fontsize=8)
    bar = figure.colorbar(shown, ax=figure.axes, ticks=[-4, -2, 0, 2, 4])
    bar.ax.set_yticklabels(["1/16", "1/4", "1", "4", "16"])
    bar.set_label("attention to share of keys", fontsize=8)
    figure.savefig(path, dpi=130)
