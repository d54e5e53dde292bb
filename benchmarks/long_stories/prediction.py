"""Predicts the next text and picture of long stories under each policy for the cache."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.array_types import Floats
from benchmarks.attributes import labels
from benchmarks.long_stories.policies import PolicyVariant, start_reading
from benchmarks.stories import read_jsonl
from model import sequence, tokens, vision
from model.generate import Teller
from schemas import layout
from schemas.rows import CHUNK_LENGTH


@dataclass(frozen=True)
class Predictions:
    """What the model predicted under a policy, all [stories, moments]; moment 0 is the opening.

    Words are counted and nats summed over a text; `features` are [stories, moments, tokens, width].
    """

    nats: Floats
    words: Floats
    cosine: Floats
    features: Tensor


class JoinedStories:
    """Held-out stories joined to long ones, one per seed, and their pictures' features."""

    @torch.no_grad()
    def __init__(self, teller: Teller, dataset: str, length: int, seeds: Sequence[int]) -> None:
        stories = read_jsonl(dataset, layout.stories_jsonl_path(layout.VAL))
        self.images: list[list[str]] = []
        captions: list[list[str]] = []
        for seed in seeds:
            order = np.random.default_rng(seed).permutation(len(stories))
            joined = [
                (f"{layout.IMAGES}/{image}", caption)
                for at in order
                for image, caption in zip(
                    stories[at]["images"], stories[at]["captions"], strict=True
                )
            ]
            if len(joined) < length:
                raise ValueError(
                    f"{dataset}'s held-out stories have {len(joined)} pictures "
                    f"together, fewer than {length}: ask for shorter lengths, or make "
                    "a dataset of more films"
                )
            self.images.append([image for image, _ in joined[:length]])
            captions.append([caption for _, caption in joined[:length]])
        tower, settings = teller.tower, teller.run.preset.model.vision
        names = sorted(set(itertools.chain(*self.images)))
        known: dict[str, Tensor] = {}
        for at in range(0, len(names), 32):
            some = names[at : at + 32]
            seen = labels.read_keyframes(dataset, some, settings.image_size)
            known.update(
                zip(some, vision.features(tower, seen, settings.tokens).float(), strict=True)
            )
        self.ids = [
            tokens.encoded(teller.tokenizer, teller.vocabulary, story) for story in captions
        ]
        self.features = torch.stack(
            [torch.stack([known[image] for image in story]) for story in self.images]
        )


@torch.no_grad()
def predict_stories(
    teller: Teller, stories: JoinedStories, variant: PolicyVariant, own: bool
) -> Predictions:
    """Predicts every moment of the stories; reads on with the predicted pictures if `own`, else the
    true."""
    model, vocabulary = teller.model, teller.vocabulary
    reading = start_reading(teller, variant, len(stories.ids))
    count, length = stories.features.shape[:2]
    nats, words, cosine = (np.zeros((count, length), np.float32) for _ in range(3))
    features = stories.features[:, 0]
    told = [features]
    reading.read([[vocabulary.bos, *ids[0], vocabulary.boi] for ids in stories.ids])
    for at in range(1, length):
        reading.evict()
        texts = [ids[at] for ids in stories.ids]
        hidden = reading.read(
            [[vocabulary.eoi, *vocabulary.turn, *text] for text in texts], features
        )
        for row, text in enumerate(texts):  # each word is predicted at the position before it
            scores = model.scores(hidden[row, -len(text) - 1 : -1]).float()
            nats[row, at] = functional.cross_entropy(
                scores, torch.tensor(text, device=scores.device), reduction="sum"
            ).cpu()
            words[row, at] = len(text)
        hidden = reading.read([[vocabulary.boi, *vocabulary.image]] * count)[:, 1:]
        reading.forget(len(vocabulary.image))
        told.append(model.painted(hidden).float())
        cosine[:, at] = (
            functional.cosine_similarity(told[-1], stories.features[:, at], dim=-1).mean(1).cpu()
        )
        features = told[-1] if own else stories.features[:, at]
    return Predictions(nats, words, cosine, torch.stack(told, dim=1))


@torch.no_grad()
def predict_as_last_of_chunk(
    teller: Teller, stories: JoinedStories, moments: Sequence[int]
) -> Predictions:
    """Predicts some moments, each as the last of the 10 pictures of a training chunk."""
    nats, words, cosine = (np.zeros(stories.features.shape[:2], np.float32) for _ in range(3))
    model = teller.model
    for row, ids in enumerate(stories.ids):
        for at in moments:
            first = at - CHUNK_LENGTH + 1
            layout = sequence.together(
                [sequence.lay_out(ids[first : at + 1], teller.vocabulary, [CHUNK_LENGTH - 1])],
                [CHUNK_LENGTH],
            ).to(stories.features.device)
            given = stories.features[row, first : at + 1]
            hidden = model.hidden(
                model.embedded(layout.ids, layout.given, given),
                sequence.mask(layout.turn),
                layout.positions,
            )
            asked = layout.asked[0] >= 0
            end = int(torch.where(asked)[0][0]) - 1  # BoI
            text = ids[at]
            nats[row, at] = functional.cross_entropy(
                model.scores(hidden[0, end - len(text) - 1 : end - 1]).float(),
                torch.tensor(text, device=given.device),
                reduction="sum",
            ).cpu()
            words[row, at] = len(text)
            cosine[row, at] = (
                functional.cosine_similarity(
                    model.painted(hidden[:, asked])[0].float(), given[-1], dim=-1
                )
                .mean()
                .cpu()
            )
    return Predictions(nats, words, cosine, stories.features)


def perplexity(told: Predictions, moments: slice) -> float:
    """Computes the perplexity of the words of some moments' texts."""
    return float(np.exp(told.nats[:, moments].sum() / told.words[:, moments].sum()))


def perplexity_ratio(
    told: Predictions, beside: Predictions, moments: slice, draws: int = 2000
) -> tuple[float, float, float]:
    """Computes the ratio of perplexity to another of the same moments, with a 95 % interval by a
    bootstrap over the stories' moments."""
    more = (told.nats - beside.nats)[:, moments].ravel()
    words = told.words[:, moments].ravel()
    rows = np.random.default_rng(0).integers(len(more), size=(draws, len(more)))
    drawn = np.exp(more[rows].sum(1) / words[rows].sum(1))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.exp(more.sum() / words.sum())), float(low), float(high)
