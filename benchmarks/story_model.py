"""How good a trained story model is on the sample's held-out episodes, beside simple guesses.

Every chunk of the validation split is told turn by turn: the model is given the true texts and the
true pictures before, and predicts the features of the next picture (9 of a chunk's 10). Two tables
say what that is worth.

Features. How near the prediction is to the true features (mean over the tokens of their cosine, as
in training), and how often the true picture is the nearest by that measure among 32 of its episode:
itself and 31 of other shots, without the picture that came just before. Beside it the same for what
needs no model: that previous picture's features, the mean features of all training pictures, and
those of the picture of the training caption that is most like this one (TF-IDF of words and pairs
of words: captions of the sample share names and phrases, which it weighs by how rare they are).
Last, what a linear model makes of the same: a ridge regression on these TF-IDF vectors and the
previous picture's features, which is no guess but a model that needs seconds to be fitted.

Read-back. A small network that learned from true frames alone (`benchmarks.readback`) says who and
where, of true frames (its ceiling), of what the autoencoder gives back (the ceiling of painting),
and of what is painted from true, predicted and guessed features; all for the same moments.

`evaluate` knows the model as four functions (`Trained`), and `load` makes them of a run's folder.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import readback, statistics
from benchmarks.readback import Flags, Floats, Pictures, Truth
from benchmarks.results import Cell, Column, Figure, Table
from schemas.storystream import IMAGES

AMONG = 32  # keyframes that the true one is looked for among
FROM_TRUE, FROM_PREDICTED = 0.8, 0.6  # what reading back should reach
SHOWN = 12  # moments in the picture that is written
BATCH = 32
PENALTIES = (0.1, 0.3, 1.0, 3.0)  # of the regression's inputs, whose lengths are about 1


@dataclass(frozen=True)
class Chunk:
    """Consecutive moments of a story."""

    id: str
    images: list[str]  # paths in the dataset's folder
    captions: list[str]


@dataclass(frozen=True)
class Trained:
    """A story model, as far as it is judged. Pictures are uint8 RGB, features float32."""

    sees: int  # pixels: the side of the pictures that `features` takes
    paints: int  # of those that `reconstruct` takes and all that it paints
    features: Callable[[Pictures], Floats]  # [n, sees, sees, 3] to [n, tokens, width]
    # captions and features of m pictures to the features [m - 1, tokens, width] that are predicted
    # for each but the first, given the captions up to its own and the pictures before
    predict: Callable[[Sequence[str], Floats], Floats]
    paint: Callable[[Floats], Pictures]  # from features of true pictures
    paint_predicted: Callable[[Floats], Pictures]  # from predicted features
    reconstruct: Callable[[Pictures], Pictures]  # through the autoencoder


@dataclass(frozen=True)
class Guess:
    """How near guessed features are, with 95 % intervals over chunks."""

    cosine: Figure
    recall: Figure


Read = dict[str, Figure]  # how often a question of READ was read right


@dataclass(frozen=True)
class Result:
    """All that was measured."""

    moments: int
    chunks: int
    episodes: int
    left_out: int  # moments without a character
    named: float  # share of the moments whose text names the main character
    candidates: float  # mean number that the true picture was looked for among
    chance: float  # of recall
    guesses: dict[str, Guess]
    read: dict[str, Read]
    ceilings: dict[str, Read]  # of the reader, on all true validation keyframes, by scale


PREDICTED, PREVIOUS = "predicted by the story model", "previous picture"
MEAN, LIKEST = "mean of the training pictures", "picture of the likest training caption"
LINEAR = "linear regression on words and previous picture"
TRUE, RECONSTRUCTED = "true frames", "autoencoder's reconstructions"
PAINTED_TRUE, PAINTED_PREDICTED = "painted from true features", "painted from predicted features"
CHANCE = "always the commonest answer"
READ = {
    "main": Column("main character", "higher", "%", 1),
    "there": Column("anyone who is there", "higher", "%", 1),
    "place": Column("place", "higher", "%", 1),
}


def chunks(dataset: str | Path, split: str) -> list[Chunk]:
    """The chunks of one side of the split. Raises ValueError where there are none."""
    path = Path(dataset, IMAGES, f"{split}_chunks.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if not lines:
        raise ValueError(f"{path} is missing or empty: make the dataset of more films")
    return [
        Chunk(one["id"], [f"{IMAGES}/{name}" for name in one["images"]], one["captions"])
        for one in map(json.loads, lines)
    ]


def evaluate(model: Trained, dataset: str, sample: str, seed: int = 0) -> tuple[Result, Pictures]:
    """What the model is worth, and a picture [H, W, 3] of what it paints.

    Rows of the picture: true, reconstructed, painted from true and from predicted features. Raises
    ValueError where the dataset is not one of this sample or has no chunks on one side.
    """
    known = readback.truth(dataset, sample)
    held_out, learned = chunks(dataset, "val"), chunks(dataset, "train")
    features = _Features(model, dataset)
    features.add(image for one in held_out for image in one.images)
    features.add(image for image, one in known.items() if one.split == "val")
    features.add(image for one in learned for image in one.images)

    moments = [(one, at) for one in held_out for at in range(1, len(one.images))]
    told = [
        one
        for chunk in held_out
        for one in model.predict(chunk.captions, features.of(chunk.images))
    ]
    kept = [i for i, (one, at) in enumerate(moments) if one.images[at] in known]
    if not kept:
        raise ValueError(f"no chunk of {dataset} has a picture that {sample} knows a character of")
    told, moments, count = [told[i] for i in kept], [moments[i] for i in kept], len(moments)
    images = [one.images[at] for one, at in moments]
    groups = [one.id for one, _ in moments]
    nearest = likest(
        [one.captions[at] for one, at in moments],
        [caption for one in learned for caption in one.captions],
    )
    pool = [image for one in learned for image in one.images]
    before = [one.images[at - 1] for one, at in moments]
    mean = features.of(sorted(set(pool))).mean(axis=0)
    alike = [pool[i] for i in nearest]
    guessed = {
        PREDICTED: np.stack(told),
        PREVIOUS: features.of(before),
        MEAN: np.repeat(mean[None], len(images), axis=0),
        LIKEST: features.of(alike),
        LINEAR: _linear(learned, moments, features),
    }
    others = [
        candidates(known[image], previous, known.values(), np.random.default_rng([seed, i]))
        for i, (image, previous) in enumerate(zip(images, before, strict=True))
    ]
    guesses = {
        name: _guess(values, images, others, features, groups) for name, values in guessed.items()
    }

    reader = readback.train(dataset, sample, model.paints, seed)
    true = readback.pictures(dataset, images, model.paints)
    once = sorted({*images, *before, *alike})  # many are needed twice, and painting takes long
    made = dict(zip(once, _batched(model.paint, features.of(once)), strict=True))
    painted = {
        TRUE: true,
        RECONSTRUCTED: _batched(model.reconstruct, true),
        PAINTED_TRUE: np.stack([made[image] for image in images]),
        PAINTED_PREDICTED: _batched(model.paint_predicted, guessed[PREDICTED]),
        f"painted: {PREVIOUS}": np.stack([made[image] for image in before]),
        f"painted: {MEAN}": np.repeat(model.paint(mean[None]), len(images), axis=0),
        f"painted: {LIKEST}": np.stack([made[image] for image in alike]),
    }
    shown = [known[image] for image in images]
    read = {
        name: _rates(readback.right(reader, seen, shown), groups) for name, seen in painted.items()
    }
    read[CHANCE] = _rates(readback.constant(shown), groups)
    where = np.linspace(0, len(images) - 1, min(SHOWN, len(images))).astype(int)
    grid = np.concatenate(
        [
            np.concatenate(list(painted[name][where]), axis=1)
            for name in (TRUE, RECONSTRUCTED, PAINTED_TRUE, PAINTED_PREDICTED)
        ]
    )
    sizes = [len(one) + 1 for one in others]
    named = np.mean([known[one.images[at]].main in one.captions[at] for one, at in moments])
    return Result(
        moments=len(images),
        chunks=len(set(groups)),
        episodes=len({one.video for one in shown}),
        left_out=count - len(kept),
        named=float(named),
        candidates=float(np.mean(sizes)),
        chance=float(np.mean([1 / size for size in sizes])),
        guesses=guesses,
        read=read,
        ceilings=_ceilings(reader, dataset, known.values(), model.paints),
    ), grid


class _Features:
    """The features of pictures by their path, each computed once."""

    def __init__(self, model: Trained, dataset: str) -> None:
        self.model, self.dataset = model, dataset
        self.known: dict[str, Floats] = {}

    def add(self, images: Iterable[str]) -> None:
        missing = sorted(set(images) - self.known.keys())
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            seen = readback.pictures(self.dataset, part, self.model.sees)
            self.known.update(zip(part, self.model.features(seen), strict=True))

    def of(self, images: Sequence[str]) -> Floats:
        return np.stack([self.known[image] for image in images])


def _batched(make: Callable[[Any], Pictures], values: Any) -> Pictures:
    return np.concatenate(
        [make(values[start : start + BATCH]) for start in range(0, len(values), BATCH)]
    )


def candidates(
    true: Truth, previous: str, known: Iterable[Truth], dice: np.random.Generator
) -> list[str]:
    """Up to 31 keyframes of other shots of the true one's episode, without the previous picture.

    That one is left out since it would always be the answer of the guess that nothing changes.
    """
    others = [
        one.image
        for one in known
        if one.video == true.video and one.shot != true.shot and one.image != previous
    ]
    some = dice.permutation(len(others))[: AMONG - 1]
    return [others[i] for i in sorted(some)]


def cosine(one: Floats, other: Floats) -> Floats:
    """Mean over the tokens of their cosine: [..., tokens, width] twice to [...]."""
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return ((one * other).sum(-1) / np.maximum(lengths, 1e-12)).mean(-1)


def hit(guess: Floats, true: Floats, others: Floats) -> float:
    """1 where the true features [tokens, width] are nearer to the guess than all others [k, tokens,
    width], 0 where another is, and the chance of a draw where several are equally near."""
    near = cosine(guess[None], np.concatenate([true[None], others]))
    first = np.isclose(near, near.max(), rtol=0, atol=1e-7)
    return float(first[0]) / int(first.sum())


def _linear(
    learned: Sequence[Chunk], moments: Sequence[tuple[Chunk, int]], features: _Features
) -> Floats:
    """The features of the moments, regressed on their texts and the pictures before."""
    known = [(one, at) for one in learned for at in range(1, len(one.images))]
    captions = [one.captions[at] for one, at in known]

    def inputs(some: Sequence[tuple[Chunk, int]]) -> Floats:
        seen = _directions(features.of([one.images[at - 1] for one, at in some]))
        return np.concatenate(
            [
                tfidf([one.captions[at] for one, at in some], captions),
                seen.reshape(len(some), -1) / np.sqrt(seen.shape[1]),
            ],
            axis=1,
        )

    return regressed(
        inputs(known),
        inputs(moments),
        _directions(features.of([one.images[at] for one, at in known])),
    )


def _directions(values: Floats) -> Floats:
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)


def _guess(
    values: Floats,
    images: Sequence[str],
    others: Sequence[Sequence[str]],
    features: _Features,
    groups: Sequence[str],
) -> Guess:
    near = cosine(values, features.of(images))
    hits = np.array(
        [
            hit(value, features.known[image], features.of(rest)) if rest else 1.0
            for value, image, rest in zip(values, images, others, strict=True)
        ]
    )
    return Guess(statistics.mean(near, groups), statistics.mean(hits, groups))


def likest(texts: Sequence[str], known: Sequence[str]) -> list[int]:
    """For each text the number of the known one that it is most like, the first of equals.

    Likeness is the cosine of their vectors (`tfidf`).
    """
    return tfidf(texts, known).dot(tfidf(known, known).T).argmax(axis=1).tolist()


def tfidf(texts: Sequence[str], known: Sequence[str]) -> Floats:
    """TF-IDF vectors of length 1 [n, terms], float32, 0 where no term is known.

    Terms are words and pairs of neighbouring words of the known texts, which also say how rare
    they are; counts are damped by a logarithm.
    """
    found_in = Counter(term for text in known for term in set(_terms(text)))
    numbers = {term: number for number, term in enumerate(sorted(found_in))}
    rarity = {term: np.log((1 + len(known)) / (1 + times)) + 1 for term, times in found_in.items()}
    vectors = np.zeros((len(texts), len(numbers)), np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for term, times in Counter(_terms(text)).items():
            if term in numbers:
                row[numbers[term]] = (1 + np.log(times)) * rarity[term]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _terms(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return [*words, *(" ".join(pair) for pair in itertools.pairwise(words))]


def regressed(learned: Floats, asked: Floats, wanted: Floats) -> Floats:
    """Ridge regression, by kernels: inputs [n, d] with outputs [n, ...], and inputs [m, d], to
    outputs [m, ...]. The penalty is the one of `PENALTIES` whose error on the learned ones, each
    left out in turn, is the least."""
    mean, centre = wanted.mean(axis=0), learned.mean(axis=0)
    learned, asked, outputs = (
        learned - centre,
        asked - centre,
        (wanted - mean).reshape(len(wanted), -1),
    )
    kernel = learned @ learned.T
    weights = []
    for penalty in PENALTIES:
        inverse = np.linalg.inv(kernel + penalty * np.eye(len(kernel), dtype=kernel.dtype))
        dual = inverse @ outputs
        weights.append((np.square(dual / np.diagonal(inverse)[:, None]).mean(), penalty, dual))
    _, _, best = min(weights, key=lambda one: one[:2])
    return (asked @ learned.T @ best).reshape(len(asked), *wanted.shape[1:]) + mean


def _ceilings(
    reader: readback.Reader, dataset: str, known: Iterable[Truth], size: int
) -> dict[str, Read]:
    held_out = [one for one in known if one.split == "val"]
    right = readback.right(
        reader, readback.pictures(dataset, (one.image for one in held_out), size), held_out
    )
    found = {}
    for scale in ("all", "close-up", "medium", "wide"):
        rows = [i for i, one in enumerate(held_out) if scale in ("all", one.scale)]
        found[scale] = _rates(
            {name: values[rows] for name, values in right.items()},
            [held_out[i].video for i in rows],
        )
    return found


def _rates(right: Mapping[str, Flags], groups: Sequence[str]) -> Read:
    return {name: statistics.mean(right[name].tolist(), groups) for name in READ}


def tables(result: Result, about: Mapping[str, Any], pictures: Sequence[str] = ()) -> list[Table]:
    """What was measured, as tables."""
    few = (
        ""
        if result.candidates == AMONG
        else f" (some episodes have fewer: {result.candidates:.1f} on average)"
    )
    left = (
        f" {result.left_out} more moments show nobody and are left out." if result.left_out else ""
    )
    said = (
        f"{result.moments} moments of {result.chunks} chunks from {result.episodes} held-out "
        f"episodes.{left} Their texts name the main character in {result.named:.1%}."
    )
    chance = {"recall@1": Figure(result.chance, result.moments)}
    return [
        Table(
            "story-model-features",
            "Predicted features beside simple guesses",
            "guess",
            (Column("cosine", "higher"), Column("recall@1", "higher", "%", 1)),
            {
                **{
                    name: {"cosine": one.cosine, "recall@1": one.recall}
                    for name, one in result.guesses.items()
                },
                "chance": chance,
            },
            f"How near the next picture's features are. {said} The true picture is looked for "
            f"among {AMONG} of its episode{few}.",
            {**about, "interval": "95 %, bootstrap over chunks"},
            bounds=("chance",),
        ),
        Table(
            "story-model-read",
            "Read back from what is painted",
            "pictures",
            (*READ.values(), Column("aim"), Column("reached")),
            {name: {**_cells(one), **_reached(name, one)} for name, one in result.read.items()},
            "Who and where, as a network reads them that was trained on true frames alone.",
            {**about, "interval": "95 %, bootstrap over chunks"},
            bounds=(TRUE, RECONSTRUCTED, CHANCE),
            pictures=tuple(pictures),
        ),
        Table(
            "story-model-reader",
            "The reader on all true frames of the held-out episodes",
            "frames",
            tuple(READ.values()),
            {name: _cells(one) for name, one in result.ceilings.items()},
            about={"interval": "95 %, bootstrap over films"},
            contest=False,
        ),
    ]


def _cells(one: Read) -> dict[str, Cell]:
    return {READ[name].name: figure for name, figure in one.items()}


def _reached(name: str, one: Read) -> dict[str, Cell]:
    wanted = {PAINTED_TRUE: FROM_TRUE, PAINTED_PREDICTED: FROM_PREDICTED}.get(name)
    if wanted is None:
        return {}
    missed = [READ[what].name for what in ("main", "place") if (one[what].value or 0.0) < wanted]
    return {
        "aim": f"{wanted:.0%}",
        "reached": f"missed: {' and '.join(missed)}" if missed else "yes",
    }


def load(folder: str, seed: int = 0) -> Trained:
    """The model of a run. Predicted features are painted by the adapted de-tokenizer.

    Raises model.runs.NotTrained where a stage is missing.
    """
    import torch

    from model import autoencoder, config, precision, runs, sequence, vision

    run = runs.Run(Path(folder), config.read(str(Path(folder, "preset"))))
    settings = run.preset.model
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, teller = runs.tower(run).to(device), runs.story(run).to(device)
    painter = runs.detokenizer(run, "detokenizer").to(device)
    adapted = runs.detokenizer(run, "adaptation").to(device)
    tokenizer, vocabulary = runs.tokenizer(run)
    blank = runs.blank(run, tower)

    def features(pictures: Pictures) -> Floats:
        with torch.no_grad():
            return vision.features(tower, pictures, settings.vision.tokens).float().cpu().numpy()

    def predict(captions: Sequence[str], seen: Floats) -> Floats:
        ids = tokenizer(list(captions), add_special_tokens=False)["input_ids"]
        layout = sequence.lay_out(ids, vocabulary, range(1, len(ids)))
        layout = sequence.together([layout], [len(ids)]).to(device)
        with torch.no_grad():
            made = teller(layout, torch.from_numpy(seen).to(device)).features
        return made.float().cpu().numpy()

    def painting(by: Any, setting: str) -> Callable[[Floats], Pictures]:
        def paint(values: Floats) -> Pictures:
            dice = torch.Generator(device).manual_seed(seed)
            with precision.autocast(setting, device):
                return by.generate(torch.from_numpy(values).to(device), blank, dice).cpu().numpy()

        return paint

    return Trained(
        settings.vision.image_size,
        settings.detokenizer.image_size,
        features,
        predict,
        painting(painter, run.stage("detokenizer")[1].train.precision),
        painting(adapted, run.stage("adaptation")[1].train.precision),
        lambda pictures: autoencoder.rebuilt(painter.vae, torch.from_numpy(pictures)).cpu().numpy(),
    )


def run(folder: str, dataset: str, sample: str, report: str | Path, seed: int = 0) -> list[Table]:
    """Judges the run in `folder`; the picture goes to the folder of the `report`.

    Raises ValueError where something does not fit or is not trained yet.
    """
    result, grid = evaluate(load(folder, seed), dataset, sample, seed)
    picture = Path(report, "story-model.png")
    cv2.imwrite(str(picture), grid[..., ::-1])
    return tables(result, {"run": folder, "seed": seed}, [picture.name])
