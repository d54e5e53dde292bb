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

import dataclasses
import itertools
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import readback
from benchmarks.metrics.pictures import frechet
from benchmarks.readback import Floats, Pictures, Truth
from benchmarks.results import Better, Column, Figure, Table
from benchmarks.speed.rounds import INTERVAL, spread
from benchmarks.statistics import mean
from model import generate, precision, sequence, vision
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
            joined = [
                (f"{IMAGES}/{image}", caption)
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
        known = {}
        for at in range(0, len(names), 32):
            some = names[at : at + 32]
            seen = readback.pictures(dataset, some, settings.image_size)
            known.update(
                zip(some, vision.features(tower, seen, settings.tokens).float(), strict=True)
            )
        self.ids = [
            [teller.tokenizer.encode(one, add_special_tokens=False) for one in story]
            for story in captions
        ]
        self.features = torch.stack(
            [torch.stack([known[image] for image in story]) for story in self.images]
        )


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
        hidden = reading.read(
            [[vocabulary.eoi, *vocabulary.turn, *text] for text in texts], features
        )
        for row, text in enumerate(texts):  # each word is foreseen where the one before it stands
            scores = score(hidden[row, -len(text) - 1 : -1]).float()
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
    return Told(nats, words, cosine, torch.stack(told, dim=1))


def _reading(teller: Teller, variant: Variant, stories: int) -> Reading:
    settings = teller.run.preset.model.attention.model_dump() | variant.changes
    return Reading(
        teller.model,
        roles_of(teller.tokenizer, teller.vocabulary),
        stories,
        variant.policy,
        AttentionConfig(**settings),
    )


@torch.no_grad()
def fresh(teller: Teller, stories: Stories, moments: Sequence[int]) -> Told:
    """The same for some moments, each as the last of the 10 pictures that training has."""
    nats, words, cosine = (np.zeros(stories.features.shape[:2], np.float32) for _ in range(3))
    model, score = teller.model, teller.model.llm.get_output_embeddings()
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
                score(hidden[0, end - len(text) - 1 : end - 1]).float(),
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
    return Told(nats, words, cosine, stories.features)


def perplexity(told: Told, moments: slice) -> float:
    """Of the words of some moments' texts."""
    return float(np.exp(told.nats[:, moments].sum() / told.words[:, moments].sum()))


def ratio(
    told: Told, beside: Told, moments: slice, draws: int = 2000
) -> tuple[float, float, float]:
    """Perplexity beside another of the same moments, with a 95 % interval: a bootstrap over the
    stories' moments."""
    more = (told.nats - beside.nats)[:, moments].ravel()
    words = told.words[:, moments].ravel()
    rows = np.random.default_rng(0).integers(len(more), size=(draws, len(more)))
    drawn = np.exp(more[rows].sum(1) / words[rows].sum(1))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.exp(more.sum() / words.sum())), float(low), float(high)


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
    size = (
        sum(
            values.numel() * values.element_size()
            for layer in reading.cache.layers
            for values in (layer.keys, layer.values)
        )
        / 1e6
    )
    return Cost(seconds, reading.seen.shape[1], size)


def _wait(reading: Reading) -> None:
    """Returns when all is computed: a GPU works on while Python goes ahead."""
    reading.cache.layers[-1].values.sum().item()


def costs(
    teller: Teller, variants: Sequence[Variant], lengths: Sequence[int], rounds: int = ROUNDS
) -> dict[tuple[str, int], list[Cost]]:
    """Each policy's at each length, in several rounds, so that what disturbs disturbs all."""
    found: dict[tuple[str, int], list[Cost]] = {}
    for _ in range(rounds):
        for length, variant in itertools.product(lengths, variants):  # next to each other
            found.setdefault((variant.name, length), []).append(cost(teller, variant, length))
    return found


# Tables ------------------------------------------------------------------------------------------


def _moments(length: int) -> slice:
    return slice(max(1, length - AROUND), length)


def run(
    folder: str,
    dataset: str,
    sample: str,
    report: str | Path,
    lengths: Sequence[int] = LENGTHS,
    seeds: int = 8,
    longest: int = 1000,
    rounds: int = ROUNDS,
) -> list[Table]:
    """Measures the run in `folder`; the picture goes to the folder of the `report`.

    Stories of `longest` pictures are only timed. Raises ValueError where something does not fit or
    is not trained yet.
    """
    if min(lengths) < CHUNK_LENGTH:
        raise ValueError(
            f"{min(lengths)} pictures are fewer than the {CHUNK_LENGTH} of training: "
            f"give lengths from {CHUNK_LENGTH}"
        )
    teller = generate.load(Path(folder))
    stories = Stories(teller, dataset, max(lengths), range(seeds))
    given = {one.name: tell(teller, stories, one, own=False) for one in VARIANTS}
    reference = fresh(
        teller,
        stories,
        sorted(
            {
                at
                for length in lengths
                for at in range(*_moments(length).indices(length))
                if at >= CHUNK_LENGTH - 1
            }
        ),
    )
    own = {one.name: tell(teller, stories, one, own=True) for one in VARIANTS if one.painted}
    reader = readback.train(dataset, sample, teller.run.preset.model.detokenizer.image_size)
    painted = _painted(
        teller, stories, own, lengths, readback.truth(dataset, sample), dataset, reader
    )
    spent = costs(teller, [one for one in VARIANTS if one.painted], lengths, rounds)
    picture = Path(report, "long-story.png")
    _plot(given, own, picture)
    about = {
        "model": generate.about(teller)["story_model"],
        "stories": f"held-out ones, joined in {seeds} orders (seeds 0 to {seeds - 1})",
        "n": f"the {AROUND} moments that end at a length, of each story",
    }
    tables = [
        *_foreseen(given, reference, lengths, about, picture.name),
        *_read_back(painted, lengths, about),
        *_spent(spent, lengths, about),
    ]
    if longest:
        tables.append(
            _endless(
                costs(
                    teller,
                    [
                        one
                        for one in VARIANTS
                        if one.policy in ("window", "sink", "multimodal") and not one.changes
                    ],
                    [25, 100, longest],
                    rounds,
                ),
                about,
            )
        )
    return tables


def _by_length(
    name: str,
    title: str,
    lengths: Sequence[int],
    cells: Mapping[str, Mapping[int, Figure]],
    about: Mapping[str, Any],
    *,
    better: Better = "",
    unit: str = "",
    digits: int = 2,
    text: str = "",
    pictures: Sequence[str] = (),
) -> Table:
    columns = {length: Column(f"{length} pictures", better, unit, digits) for length in lengths}
    return Table(
        f"long-story-{name}",
        title,
        "policy",
        tuple(columns.values()),
        {
            row: {columns[length].name: figure for length, figure in figures.items()}
            for row, figures in cells.items()
        },
        text,
        dict(about),
        bounds=("true",) if "true" in cells else (),
        pictures=tuple(pictures),
    )


def _foreseen(
    given: Mapping[str, Told],
    reference: Told,
    lengths: Sequence[int],
    about: Mapping[str, Any],
    picture: str,
) -> list[Table]:
    def shared(length: int) -> slice:  # moments that have as many before them as in training
        return slice(max(_moments(length).start, CHUNK_LENGTH - 1), length)

    def count(told: Told, moments: slice) -> int:
        return int(told.words[:, moments].size)

    about = {**about, "interval": "95 %, bootstrap over moments"}
    return [
        _by_length(
            "perplexity-ratio",
            "Perplexity of the next text after true texts and pictures, "
            "to that of the same moments as the last of 10 pictures",
            lengths,
            {
                name: {
                    length: Figure(
                        *_with(count(told, shared(length)), ratio(told, reference, shared(length)))
                    )
                    for length in lengths
                }
                for name, told in given.items()
            },
            about,
            better="lower",
            pictures=[picture],
            text="1 means that nothing is lost by what has left the cache, or by positions "
            "beyond those of training. The texts at one length are others than at the "
            "next, so perplexity itself does not compare lengths.",
        ),
        _by_length(
            "perplexity",
            "The perplexity itself, a token",
            lengths,
            {
                name: {
                    length: Figure(perplexity(told, shared(length)), count(told, shared(length)))
                    for length in lengths
                }
                for name, told in given.items()
            },
            about,
        ),
        _by_length(
            "cosine",
            "Cosine of the next picture's features, after true texts and pictures",
            lengths,
            {
                name: {
                    length: mean(
                        told.cosine[:, _moments(length)].ravel(),
                        np.repeat(
                            [str(row) for row in range(len(told.cosine))],
                            told.cosine[:, _moments(length)].shape[1],
                        ),
                    )
                    for length in lengths
                }
                for name, told in given.items()
            },
            {**about, "interval": "95 %, bootstrap over stories"},
            better="higher",
            digits=3,
        ),
    ]


def _with(count: int, values: tuple[float, float, float]) -> tuple[float, int, float, float]:
    value, low, high = values
    return value, count, low, high


@torch.no_grad()
def _painted(
    teller: Teller,
    stories: Stories,
    own: dict[str, Told],
    lengths: Sequence[int],
    known: dict[str, Truth],
    dataset: str,
    reader: readback.Reader,
) -> dict[tuple[str, int], dict[str, Figure]]:
    """By policy and length: how often who ("main") and where ("place") are read back right, and the
    Frechet distance to all held-out pictures; and the same for the true pictures, as "true"."""
    from pipeline.inference.builtin import efficientnet

    size = teller.run.preset.model.detokenizer.image_size
    everything = readback.pictures(dataset, sorted(set(itertools.chain(*stories.images))), size)
    wanted = efficientnet.features(everything)
    found = {}
    for length in lengths:
        moments = _moments(length)
        images = [image for story in stories.images for image in story[moments]]
        pictures: dict[str, Pictures] = {"true": readback.pictures(dataset, images, size)}
        for name, told in own.items():
            features = told.features[:, moments].flatten(0, 1)
            dice = torch.Generator(teller.painter.device).manual_seed(length)  # the same for all
            with precision.autocast(teller.painter_setting, teller.painter.device):
                pictures[name] = teller.painter.generate(features, teller.blank, dice).cpu().numpy()
        here: list[Truth] = [known[image] for image in images if image in known]
        seen = [at for at, image in enumerate(images) if image in known]
        each = len(images) // len(stories.images)
        groups = [str(at // each) for at in seen]  # the story
        for name, made in pictures.items():
            right = readback.right(reader, made[seen], here)
            found[name, length] = {
                **{what: mean(right[what].tolist(), groups) for what in ("main", "place")},
                "frechet": Figure(frechet(efficientnet.features(made), wanted), len(made)),
            }
    return found


def _read_back(
    painted: Mapping[tuple[str, int], Mapping[str, Figure]],
    lengths: Sequence[int],
    about: Mapping[str, Any],
) -> list[Table]:
    names = list(dict.fromkeys(name for name, _ in painted))

    def all_of(what: str) -> dict[str, dict[int, Figure]]:
        return {name: {length: painted[name, length][what] for length in lengths} for name in names}

    about = {**about, "interval": "95 %, bootstrap over stories"}
    return [
        _by_length(
            "character",
            "Main character, read back from what is painted after true texts "
            "and the model's own pictures",
            lengths,
            all_of("main"),
            about,
            better="higher",
            unit="%",
            digits=0,
        ),
        _by_length(
            "place",
            "Place, read back from the same",
            lengths,
            all_of("place"),
            about,
            better="higher",
            unit="%",
            digits=0,
        ),
        _by_length(
            "frechet",
            "Frechet distance (EfficientNet-Lite0) to all held-out pictures",
            lengths,
            all_of("frechet"),
            about,
            better="lower",
            digits=3,
            text="Of few pictures, so the row of true ones is what it can reach. Not FID.",
        ),
    ]


def _spent(
    spent: Mapping[tuple[str, int], Sequence[Cost]],
    lengths: Sequence[int],
    about: Mapping[str, Any],
) -> list[Table]:
    names = list(dict.fromkeys(name for name, _ in spent))

    def beside(name: str, length: int) -> Figure:
        return spread(
            [
                one.seconds / other.seconds
                for one, other in zip(spent[name, length], spent["window", length], strict=True)
            ]
        )

    def all_of(figure: Callable[[str, int], Figure]) -> dict[str, dict[int, Figure]]:
        return {name: {length: figure(name, length) for length in lengths} for name in names}

    short, long = (
        statistics.median(one.seconds for one in spent["dense", length])
        for length in (min(lengths), max(lengths))
    )
    about = {**about, "n": "rounds", "interval": INTERVAL}
    return [
        _by_length(
            "time-ratio",
            f"Time of a picture and a text of {WORDS} words, to the window's in the same round",
            lengths,
            all_of(beside),
            about,
            better="lower",
            text="One story at a time. Of dense attention's time at "
            f"{max(lengths)} pictures {1 - short / long:.0%} is what the length beyond "
            f"{min(lengths)} adds.",
        ),
        _by_length(
            "time",
            "The same in seconds",
            lengths,
            all_of(lambda name, length: spread([one.seconds for one in spent[name, length]])),
            about,
            unit="s",
            digits=3,
        ),
        _by_length(
            "cached",
            "Cache, tokens",
            lengths,
            all_of(lambda name, length: Figure(spent[name, length][0].cached)),
            about,
            better="lower",
            digits=0,
        ),
        _by_length(
            "memory",
            "Cache, keys and values",
            lengths,
            all_of(lambda name, length: Figure(spent[name, length][0].megabytes)),
            about,
            better="lower",
            unit="MB",
            digits=1,
        ),
    ]


def _endless(endless: Mapping[tuple[str, int], Sequence[Cost]], about: Mapping[str, Any]) -> Table:
    names, lengths = (list(dict.fromkeys(parts)) for parts in zip(*endless, strict=True))
    return _by_length(
        "endless",
        "However long: time of the last picture and its text; MB of the cache",
        lengths,
        {
            name: {
                length: dataclasses.replace(
                    spread([one.seconds for one in endless[name, length]]),
                    note=f"{endless[name, length][0].megabytes:.1f} MB",
                )
                for length in lengths
            }
            for name in names
        },
        {**about, "n": "rounds", "interval": INTERVAL},
        unit="s",
        digits=3,
    )


def _plot(given: dict[str, Told], own: dict[str, Told], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    kernel = np.ones(7) / 7
    colours = {one.name: f"C{at}" for at, one in enumerate(VARIANTS)}
    for name, told in given.items():
        nats = np.convolve(told.nats.sum(0)[1:] / told.words.sum(0)[1:], kernel, "valid")
        left.plot(
            np.arange(4, 4 + len(nats)),
            np.exp(nats),
            label=name,
            linewidth=1.3,
            color=colours[name],
        )
    for name, told in own.items():
        cosine = np.convolve(told.cosine.mean(0)[1:], kernel, "valid")
        right.plot(
            np.arange(4, 4 + len(cosine)), cosine, label=name, linewidth=1.3, color=colours[name]
        )
    for axes, said in (
        (left, "perplexity of the true text, after true pictures"),
        (right, "cosine of the picture told, after its own pictures"),
    ):
        axes.axvline(CHUNK_LENGTH, color="0.6", linestyle="--", linewidth=1)
        axes.set_title(said, fontsize=10)
        axes.set_xlabel("picture (mean of 7)")
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)
