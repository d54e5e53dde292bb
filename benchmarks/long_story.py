"""Long stories: what each policy for the cache costs, and what is left of the story model by it.

Trained on 10 pictures, what does the model make of the 100th? Held-out stories are joined, in an
order drawn anew for each seed, to stories of 100 pictures. Each policy of `model.attention` reads
them twice:

- with the true texts and pictures: how well it foresees the next text (perplexity of its words) and
  the next picture (cosine of its features). Beside it the same moments as the last of 10 pictures,
  read as in training: a policy that loses nothing has a perplexity of 1 times that, at any length.
- with the true texts and the pictures that it predicts itself, which is how the paper's script
  tells long stories. Those of the last five moments up to each length are painted and read back.

Figures at a length are those of the five moments that end there. Cost is measured apart, with texts
that are read word by word as in telling, on stories of random words: what they say costs nothing.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import readback
from benchmarks.pipeline import table
from benchmarks.readback import Floats, Pictures, Truth
from model import generate, sequence, vision
from model.config import AttentionConfig
from model.generate import Teller
from model.reading import Reading, roles_of
from schemas.rows import CHUNK_LENGTH
from schemas.storystream import IMAGES

LENGTHS = (10, 15, 25, 50, 100)
AROUND = 5  # moments that stand for a length: those that end there
WORDS = 24  # of a text, where cost is measured
ROUNDS = 7
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Variant:
    """A policy with settings that differ from the preset's."""

    name: str
    policy: str
    changes: dict[str, Any]
    painted: bool = True


VARIANTS = (
    Variant("dense", "dense", {}),
    Variant("window", "window", {}),
    Variant("sink", "sink", {}),
    Variant("multimodal sink", "multimodal", {}),
    Variant("multimodal sink, no budget", "multimodal", {"budget": _NO_LIMIT}),
    Variant("multimodal sink, with punctuation", "multimodal", {"punctuation": True}, False),
    Variant("multimodal sink, original positions", "multimodal", {"positions": "original"}, False),
    Variant("recompute (the released script)", "recompute", {}),
)


@dataclass(frozen=True)
class Told:
    """What a policy made of the stories, all [stories, moments]; moment 0 is what they begin with.

    Words are counted and nats summed over a text; `features` are [stories, moments, tokens, width].
    """

    nats: Floats
    words: Floats
    cosine: Floats
    features: Tensor


class Stories:
    """Held-out stories that are joined to long ones, one a seed, and their pictures' features."""

    @torch.no_grad()
    def __init__(self, teller: Teller, dataset: str, length: int, seeds: Sequence[int]) -> None:
        path = Path(dataset, IMAGES, "val_stories.jsonl")
        if not path.exists():
            raise ValueError(f"{path} is missing: make the dataset of more films")
        stories = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self.images, captions = [], []
        for seed in seeds:
            order = np.random.default_rng(seed).permutation(len(stories))
            joined = [(f"{IMAGES}/{image}", caption) for at in order for image, caption in
                      zip(stories[at]["images"], stories[at]["captions"], strict=True)]
            if len(joined) < length:
                raise ValueError(f"{dataset}'s held-out stories have {len(joined)} pictures "
                                 f"together, fewer than {length}: ask for shorter lengths, or make "
                                 "a dataset of more films")
            self.images.append([image for image, _ in joined[:length]])
            captions.append([caption for _, caption in joined[:length]])
        tower, settings = teller.tower, teller.run.preset.model.vision
        names = sorted(set(itertools.chain(*self.images)))
        known = {}
        for at in range(0, len(names), 32):
            some = names[at:at + 32]
            seen = readback.pictures(dataset, some, settings.image_size)
            known.update(zip(some, vision.features(tower, seen, settings.tokens).float(),
                             strict=True))
        self.ids = [[teller.tokenizer.encode(one, add_special_tokens=False) for one in story]
                    for story in captions]
        self.features = torch.stack([torch.stack([known[image] for image in story])
                                     for story in self.images])


@torch.no_grad()
def tell(teller: Teller, stories: Stories, variant: Variant, own: bool) -> Told:
    """Reads the stories to their end; `own` has the predicted pictures read on, else the true."""
    model, vocabulary = teller.model, teller.vocabulary
    reading = _reading(teller, variant, len(stories.ids))
    count, length = stories.features.shape[:2]
    nats, words, cosine = (np.zeros((count, length), np.float32) for _ in range(3))
    features = stories.features[:, 0]
    told = [features]
    reading.read([[vocabulary.bos, *one[0], vocabulary.boi] for one in stories.ids])
    score = model.llm.get_output_embeddings()
    for at in range(1, length):
        reading.evict()
        texts = [one[at] for one in stories.ids]
        hidden = reading.read([[vocabulary.eoi, *vocabulary.turn, *text] for text in texts],
                              features)
        for row, text in enumerate(texts):  # each word is foreseen where the one before it stands
            scores = score(hidden[row, -len(text) - 1:-1]).float()
            nats[row, at] = functional.cross_entropy(
                scores, torch.tensor(text, device=scores.device), reduction="sum").cpu()
            words[row, at] = len(text)
        hidden = reading.read([[vocabulary.boi, *vocabulary.image]] * count)[:, 1:]
        reading.forget(len(vocabulary.image))
        told.append(model.painted(hidden).float())
        cosine[:, at] = functional.cosine_similarity(
            told[-1], stories.features[:, at], dim=-1).mean(1).cpu()
        features = told[-1] if own else stories.features[:, at]
    return Told(nats, words, cosine, torch.stack(told, dim=1))


def _reading(teller: Teller, variant: Variant, stories: int) -> Reading:
    settings = teller.run.preset.model.attention.model_dump() | variant.changes
    return Reading(teller.model, roles_of(teller.tokenizer, teller.vocabulary), stories,
                   variant.policy, AttentionConfig(**settings))


@torch.no_grad()
def fresh(teller: Teller, stories: Stories, moments: Sequence[int]) -> Told:
    """The same for some moments, each as the last of the 10 pictures that training has."""
    nats, words, cosine = (np.zeros(stories.features.shape[:2], np.float32) for _ in range(3))
    model, score = teller.model, teller.model.llm.get_output_embeddings()
    for row, ids in enumerate(stories.ids):
        for at in moments:
            first = at - CHUNK_LENGTH + 1
            layout = sequence.together([sequence.lay_out(
                ids[first:at + 1], teller.vocabulary, [CHUNK_LENGTH - 1])], [CHUNK_LENGTH]).to(
                    stories.features.device)
            given = stories.features[row, first:at + 1]
            hidden = model.hidden(model.embedded(layout.ids, layout.given, given),
                                  sequence.mask(layout.turn), layout.positions)
            asked = layout.asked[0] >= 0
            end = int(torch.where(asked)[0][0]) - 1  # BoI
            text = ids[at]
            nats[row, at] = functional.cross_entropy(
                score(hidden[0, end - len(text) - 1:end - 1]).float(), torch.tensor(
                    text, device=given.device), reduction="sum").cpu()
            words[row, at] = len(text)
            cosine[row, at] = functional.cosine_similarity(
                model.painted(hidden[:, asked])[0].float(), given[-1], dim=-1).mean().cpu()
    return Told(nats, words, cosine, stories.features)


def perplexity(told: Told, moments: slice) -> float:
    """Of the words of some moments' texts."""
    return float(np.exp(told.nats[:, moments].sum() / told.words[:, moments].sum()))


def ratio(told: Told, beside: Told, moments: slice, draws: int = 2000
          ) -> tuple[float, float, float]:
    """Perplexity beside another of the same moments, with a 95 % interval: a bootstrap over the
    stories' moments."""
    more = (told.nats - beside.nats)[:, moments].ravel()
    words = told.words[:, moments].ravel()
    rows = np.random.default_rng(0).integers(len(more), size=(draws, len(more)))
    drawn = np.exp(more[rows].sum(1) / words[rows].sum(1))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.exp(more.sum() / words.sum())), float(low), float(high)


def frechet(some: Floats, others: Floats) -> float:
    """Frechet distance of two samples of features [n, width] and [m, width], as of Gaussians.

    With fewer samples than features it is biased upwards: compare only equal numbers.
    """
    one, other = (values.astype(np.float64) for values in (some, others))
    centred = [values - values.mean(0) for values in (one, other)]
    scale = np.sqrt((len(one) - 1) * (len(other) - 1))
    # The trace of the root of the product of covariances, without the covariances
    joint = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum() / scale
    spread = sum((values ** 2).sum() / (len(values) - 1) for values in centred)
    return float(((one.mean(0) - other.mean(0)) ** 2).sum() + spread - 2 * joint)


# Cost --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Of a picture and its text at the end of a story so long."""

    seconds: float
    cached: int  # tokens
    megabytes: float  # of keys and values


@torch.no_grad()
def cost(teller: Teller, variant: Variant, length: int) -> Cost:
    """Tells the last of `length` pictures as `generate.tell` does, but for the choice of words."""
    vocabulary = teller.vocabulary
    reading = _reading(teller, variant, 1)
    dice = torch.Generator().manual_seed(length)
    text = torch.randint(3, 200, (WORDS,), generator=dice).tolist()
    settings = teller.run.preset.model.vision
    picture = torch.randn(1, settings.tokens, teller.blank.shape[-1], generator=dice)
    begin = [vocabulary.eoi, *vocabulary.turn]
    reading.read([[vocabulary.bos, *text, vocabulary.boi]])
    for _ in range(length - 2):
        reading.evict()
        reading.read([[*begin, *text, vocabulary.boi]], picture)
    _wait(reading)
    began = time.perf_counter()
    reading.evict()
    reading.read([begin], picture)
    for word in text:
        reading.read([[word]])
    reading.read([[vocabulary.boi, *vocabulary.image]])
    _wait(reading)
    seconds = time.perf_counter() - began
    size = sum(values.numel() * values.element_size() for layer in reading.cache.layers
               for values in (layer.keys, layer.values)) / 1e6
    return Cost(seconds, reading.seen.shape[1], size)


def _wait(reading: Reading) -> None:
    """Returns when all is computed: a GPU works on while Python goes ahead."""
    reading.cache.layers[-1].values.sum().item()


def costs(teller: Teller, variants: Sequence[Variant], lengths: Sequence[int]
          ) -> dict[tuple[str, int], list[Cost]]:
    """Each policy's at each length, in several rounds, so that what disturbs disturbs all."""
    found: dict[tuple[str, int], list[Cost]] = {}
    for _ in range(ROUNDS):
        for length, variant in itertools.product(lengths, variants):  # next to each other
            found.setdefault((variant.name, length), []).append(cost(teller, variant, length))
    return found


# Tables ------------------------------------------------------------------------------------------


def _moments(length: int) -> slice:
    return slice(max(1, length - AROUND), length)


def run(folder: str, dataset: str, sample: str, lengths: Sequence[int] = LENGTHS,
        seeds: int = 8, longest: int = 1000) -> str:
    """Measures the run in `folder`; writes `long-story.md`, `.json` and `.png` there.

    Stories of `longest` pictures are only timed. Returns the tables. Raises ValueError where
    something does not fit or is not trained yet.
    """
    if min(lengths) < CHUNK_LENGTH:
        raise ValueError(f"{min(lengths)} pictures are fewer than the {CHUNK_LENGTH} of training: "
                         f"give lengths from {CHUNK_LENGTH}")
    teller = generate.load(Path(folder))
    stories = Stories(teller, dataset, max(lengths), range(seeds))
    given = {one.name: tell(teller, stories, one, own=False) for one in VARIANTS}
    reference = fresh(teller, stories, sorted({
        at for length in lengths for at in range(*_moments(length).indices(length))
        if at >= CHUNK_LENGTH - 1}))
    own = {one.name: tell(teller, stories, one, own=True) for one in VARIANTS if one.painted}
    reader = readback.train(dataset, sample, teller.run.preset.model.detokenizer.image_size)
    painted = _painted(teller, stories, own, lengths, readback.truth(dataset, sample), dataset,
                       reader)
    spent = costs(teller, [one for one in VARIANTS if one.painted], lengths)
    endless = costs(teller, [one for one in VARIANTS if one.policy in (
        "window", "sink", "multimodal") and not one.changes], [25, 100, longest]) if longest else {}
    parts = [_about(stories, lengths, seeds), _foreseen(given, reference, lengths),
             _read_back(painted, lengths), _spent(spent, lengths)]
    if endless:
        parts.append(_endless(endless))
    said = "\n\n".join(parts) + "\n"
    Path(folder, "long-story.md").write_text(said)
    Path(folder, "long-story.json").write_text(json.dumps({
        "lengths": list(lengths), "seeds": seeds,
        "nats": {name: (one.nats.sum(0) / one.words.sum(0).clip(1)).tolist()
                 for name, one in given.items()},
        "cosine": {name: one.cosine.mean(0).tolist() for name, one in given.items()},
        "cosine_own": {name: one.cosine.mean(0).tolist() for name, one in own.items()},
        "painted": {f"{name}, {length}": list(figures)
                    for (name, length), figures in painted.items()},
        "seconds": {f"{name}, {length}": [one.seconds for one in found]
                    for (name, length), found in (spent | endless).items()},
    }, indent=1))
    _plot(given, own, Path(folder, "long-story.png"))
    return said


def _about(stories: Stories, lengths: Sequence[int], seeds: int) -> str:
    return (f"## Long stories\n\n{seeds} stories of {max(lengths)} pictures, held-out ones joined "
            f"in {seeds} orders; at each length the {AROUND} moments that end there, so "
            f"{seeds * AROUND} texts and pictures. Intervals are 95 %.")


def _foreseen(given: dict[str, Told], reference: Told, lengths: Sequence[int]) -> str:
    def beside(told: Told, length: int) -> str:
        moments = _moments(length)
        shared = slice(max(moments.start, CHUNK_LENGTH - 1), moments.stop)
        return "{:.2f} ({:.2f}-{:.2f}), {:.2f}".format(
            *ratio(told, reference, shared), perplexity(told, shared))

    return "\n\n".join([
        _by_length("Perplexity of the next text, after true texts and pictures: to that of the "
                   "same moments as the last of 10 pictures; and itself, a word", lengths,
                   {name: [beside(told, length) for length in lengths]
                    for name, told in given.items()}),
        _by_length("Cosine of the next picture's features, after true texts and pictures", lengths,
                   {name: [f"{told.cosine[:, _moments(length)].mean():.3f}" for length in lengths]
                    for name, told in given.items()})])


def _by_length(title: str, lengths: Sequence[int], rows: dict[str, list[str]]) -> str:
    return table(title, ["policy", *(f"{length} pictures" for length in lengths)],
                 [[name, *cells] for name, cells in rows.items()])


@torch.no_grad()
def _painted(teller: Teller, stories: Stories, own: dict[str, Told], lengths: Sequence[int],
             known: dict[str, Truth], dataset: str, reader: readback.Reader
             ) -> dict[tuple[str, int], tuple[float, ...]]:
    """By policy and length: rates of the main character and the place, Frechet distance, cosine;
    and the same for the true pictures, as "true"."""
    from pipeline.backends import imagenet
    size = teller.run.preset.model.detokenizer.image_size
    everything = readback.pictures(dataset, sorted(set(itertools.chain(*stories.images))), size)
    wanted = imagenet.features(everything)
    found = {}
    for length in lengths:
        moments = _moments(length)
        images = [image for story in stories.images for image in story[moments]]
        true = readback.pictures(dataset, images, size)
        pictures: dict[str, tuple[Pictures, float]] = {"true": (true, 1.0)}
        for name, told in own.items():
            features = told.features[:, moments].flatten(0, 1)
            dice = torch.Generator(teller.painter.device).manual_seed(length)  # the same for all
            with torch.autocast(teller.painter.device.type, torch.bfloat16):  # as it was trained
                made = teller.painter.generate(features, teller.blank, dice).cpu().numpy()
            pictures[name] = made, float(told.cosine[:, moments].mean())
        here: list[Truth] = [known[image] for image in images if image in known]
        seen = [at for at, image in enumerate(images) if image in known]
        for name, (made, cosine) in pictures.items():
            scores = readback.score(reader, made[seen], here)
            found[name, length] = (scores.main.rate, *scores.main.interval, scores.place.rate,
                                   *scores.place.interval,
                                   frechet(imagenet.features(made), wanted), cosine)
    return found


def _read_back(painted: dict[tuple[str, int], tuple[float, ...]], lengths: Sequence[int]) -> str:
    def rate(at: int) -> dict[str, list[str]]:
        return {name: ["{:.0f} % ({:.0f}-{:.0f})".format(
            *(100 * one for one in painted[name, length][at:at + 3])) for length in lengths]
            for name in names}

    names = list(dict.fromkeys(name for name, _ in painted))
    return "\n\n".join([
        _by_length("Main character, read back from what is painted after true texts and the "
                   "model's own pictures", lengths, rate(0)),
        _by_length("Place, read back from the same", lengths, rate(3)),
        _by_length("Frechet distance of EfficientNet-Lite0 features to all held-out pictures (not "
                   "FID; of few pictures, so the row of true ones is what it can reach)", lengths,
                   {name: [f"{painted[name, length][6]:.3f}" for length in lengths]
                    for name in names})])


def _spent(spent: dict[tuple[str, int], list[Cost]], lengths: Sequence[int]) -> str:
    def seconds(name: str, length: int) -> str:
        found = spent[name, length]
        beside = [one.seconds / other.seconds
                  for one, other in zip(found, spent["window", length], strict=True)]
        return (f"{statistics.median(beside):.2f} ({min(beside):.2f}-{max(beside):.2f}), "
                f"{statistics.median(one.seconds for one in found):.3f}")

    names = list(dict.fromkeys(name for name, _ in spent))
    short, long = (statistics.median(one.seconds for one in spent["dense", length])
                   for length in (min(lengths), max(lengths)))
    return "\n\n".join([
        _by_length(f"Time of a picture and a text of {WORDS} words, one story: to the window's in "
                   f"the same round (least and most of {ROUNDS}), and seconds. Of dense time at "
                   f"{max(lengths)} pictures {1 - short / long:.0%} is what the length beyond "
                   f"{min(lengths)} adds", lengths,
                   {name: [seconds(name, length) for length in lengths] for name in names}),
        _by_length("Cache: tokens, and MB of keys and values", lengths,
                   {name: [f"{spent[name, length][0].cached}, "
                           f"{spent[name, length][0].megabytes:.1f}" for length in lengths]
                    for name in names})])


def _endless(endless: dict[tuple[str, int], list[Cost]]) -> str:
    lengths = list(dict.fromkeys(length for _, length in endless))

    def last(name: str, length: int) -> str:
        found = endless[name, length]
        return (f"{statistics.median(one.seconds for one in found):.3f}, "
                f"{found[0].megabytes:.1f}")

    return _by_length("However long: seconds of the last picture and its text, and MB", lengths, {
        name: [last(name, length) for length in lengths]
        for name in dict.fromkeys(name for name, _ in endless)})


def _plot(given: dict[str, Told], own: dict[str, Told], path: Path) -> None:
    from matplotlib.figure import Figure
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    kernel = np.ones(7) / 7
    colours = {one.name: f"C{at}" for at, one in enumerate(VARIANTS)}
    for name, told in given.items():
        nats = np.convolve(told.nats.sum(0)[1:] / told.words.sum(0)[1:], kernel, "valid")
        left.plot(np.arange(4, 4 + len(nats)), np.exp(nats), label=name,
                  linewidth=1.3, color=colours[name])
    for name, told in own.items():
        cosine = np.convolve(told.cosine.mean(0)[1:], kernel, "valid")
        right.plot(np.arange(4, 4 + len(cosine)), cosine, label=name,
                   linewidth=1.3, color=colours[name])
    for axes, said in ((left, "perplexity of the true text, after true pictures"),
                       (right, "cosine of the picture told, after its own pictures")):
        axes.axvline(CHUNK_LENGTH, color="0.6", linestyle="--", linewidth=1)
        axes.set_title(said, fontsize=10)
        axes.set_xlabel("picture (mean of 7)")
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)
