"""What a picture of the sample shows, read back by a small network that learned from true frames.

The sample knows of every shot who is in it and where (`<video>.truth.json`). `truth` joins that to
the keyframes of a dataset made from it, `train` teaches a network the two on the keyframes of the
training episodes, and the network then reads any pictures: true ones of the other episodes, which
gives the ceiling that belongs beside every figure, and painted ones.

The network (0.5 million weights, trained from nothing in 140 s of one core) sees true frames
alone, never a painted one. They are shifted, scaled, blurred, discoloured and made noisy as it
learns, so that it reads what is shown and not how sharp it is.

Two questions are asked of a picture, each with one answer, so that no reply can be right twice:

- the main character, one of 7: the first that the script names for the shot. It is what the shot
  is about (a close-up shows that one alone) and it can be seen: the script lines characters up from
  left to right. Naming another one who is there is wrong; how often the answer is at least somebody
  who is there is counted apart, and is easier.
- the place, one of 9.

Chance is what the best constant answer gets on the same pictures: Pip is in front in two shots of
five, so that is more than one in seven.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from pipeline.backends.imagenet import one_thread
from pipeline.sample.figures import CAST
from pipeline.sample.places import PLACES

CHARACTERS = tuple(CAST)
PLACE_NAMES = tuple(PLACES)
EPOCHS, BATCH, LEARNING_RATE = 16, 32, 3e-3

Pictures = NDArray[np.uint8]  # RGB, [n, size, size, 3]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """What a keyframe shows."""

    image: str  # path in the dataset's folder
    video: str
    shot: int  # number in the truth's list
    split: str  # train or val
    place: str
    characters: tuple[str, ...]  # the main one first, never empty
    scale: str  # wide, medium or close-up

    @property
    def main(self) -> str:
        """The main character."""
        return self.characters[0]


def truth(dataset: str | Path, sample: str | Path) -> dict[str, Truth]:
    """What the keyframes show that have somebody in them, by path, in order of film and time.

    Keyframes of films that gave no story are left out: they are in no split. Raises ValueError
    where the dataset was not made from this sample.
    """
    manifest = Path(dataset, "dataset.json")
    if not manifest.exists():
        raise ValueError(f"no {manifest}: give a dataset that `make dataset` has finished")
    record = json.loads(manifest.read_text(encoding="utf-8"))
    splits = {video["id"]: video["split"] for video in record["videos"]}
    shots = {video: _shots(sample, video) for video, split in splits.items() if split}
    found = {}
    columns = ["video", "time", "image"]
    rows = pq.read_table(Path(dataset, "keyframes.parquet"), columns=columns).to_pylist()
    for row in sorted(rows, key=lambda row: (row["video"], row["time"])):
        video, time = row["video"], row["time"]
        if video not in shots:
            continue
        number = next((i for i, shot in enumerate(shots[video])
                       if shot["start"] <= time < shot["end"]), None)
        if number is None:
            raise ValueError(f"{sample} has no shot of {video} at {time} s, where {dataset} has a "
                             "keyframe: give the sample that the dataset was made from")
        shot = shots[video][number]
        if shot["characters"]:
            found[row["image"]] = Truth(row["image"], video, number, splits[video], shot["place"],
                                        tuple(shot["characters"]), shot["scale"])
    return found


def _shots(sample: str | Path, video: str) -> list[dict]:
    path = Path(sample, f"{video}.truth.json")
    if not path.exists():
        raise ValueError(f"no {path}: give the sample that the dataset was made from")
    return json.loads(path.read_text(encoding="utf-8"))["shots"]


def pictures(dataset: str | Path, images: Iterable[str], size: int) -> Pictures:
    """Keyframes squashed to squares of `size` pixels, decoded as the story model's data are.

    Raises ValueError for one that is missing or does not decode.
    """
    found = []
    for image in images:
        try:
            with Image.open(Path(dataset, image)) as opened:
                opened.draft("RGB", (size, size))
                picture = np.asarray(opened.convert("RGB"))
        except OSError as error:
            raise ValueError(f"{Path(dataset, image)}: {error}; make the dataset again") from error
        found.append(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(found) if found else np.zeros((0, size, size, 3), np.uint8)


class Reader(nn.Module):
    """The network; `read` is what others call."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 4, 4), nn.ReLU(), _Residual(32), _down(32, 64), _Residual(64),
            _down(64, 128), _Residual(128), nn.Conv2d(128, 32, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Dropout(0.3))  # keeps what is where
        self.head = nn.Linear(32 * 8 * 8, 2 * len(CHARACTERS) + len(PLACE_NAMES))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """float [n, 3, size, size] around 0 to logits: main character, who is there, place."""
        cast = len(CHARACTERS)
        main, there, place = self.head(self.body(values)).float().split(
            [cast, cast, len(PLACE_NAMES)], dim=1)
        return main, there, place

    @one_thread()
    @torch.inference_mode()
    def read(self, seen: Pictures) -> tuple[Floats, Floats]:
        """Probabilities of the main character [n, 7] and of the place [n, 9], each adding to 1."""
        characters, places = [torch.zeros(0, len(CHARACTERS))], [torch.zeros(0, len(PLACE_NAMES))]
        for start in range(0, len(seen), 256):
            main, _, place = self(_values(seen[start:start + 256]))
            characters.append(main.softmax(1))
            places.append(place.softmax(1))
        return torch.cat(characters).numpy(), torch.cat(places).numpy()


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_conv(width, width, 1), nn.ReLU(), _conv(width, width, 1))

    def forward(self, values: Tensor) -> Tensor:
        return torch.relu(values + self.inner(values))


def _conv(inside: int, outside: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
                         nn.BatchNorm2d(outside))


def _down(inside: int, outside: int) -> nn.Module:
    return nn.Sequential(_conv(inside, outside, 2), nn.ReLU())


def _values(seen: Pictures) -> Tensor:
    return torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 127.5 - 1


def train(dataset: str | Path, sample: str | Path, size: int, seed: int = 0) -> Reader:
    """A reader of pictures of `size` x `size`, from the training episodes' keyframes.

    Equal arguments give equal weights on the same kind of processor. Raises ValueError where the
    dataset is not one of this sample, or has no training episodes.
    """
    known = [one for one in truth(dataset, sample).values() if one.split == "train"]
    if not known:
        raise ValueError(f"{dataset} has no training episodes: make one of more films")
    seen = torch.from_numpy(pictures(dataset, (one.image for one in known), size))
    main = torch.tensor([CHARACTERS.index(one.main) for one in known])
    there = torch.tensor([[float(name in one.characters) for name in CHARACTERS] for one in known])
    place = torch.tensor([PLACE_NAMES.index(one.place) for one in known])
    with torch.random.fork_rng(devices=[]), one_thread():  # sums then run in one order
        torch.manual_seed(seed)
        reader = Reader().to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(reader.parameters(), weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, LEARNING_RATE, total_steps=EPOCHS * math.ceil(len(known) / BATCH))
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(known)).split(BATCH):
                values = disturbed(_values(seen[rows].numpy()))
                with torch.autocast("cpu", torch.bfloat16):
                    said = reader(values.contiguous(memory_format=torch.channels_last))
                loss = (functional.cross_entropy(said[0], main[rows])
                        + functional.binary_cross_entropy_with_logits(said[1], there[rows])
                        + functional.cross_entropy(said[2], place[rows]))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
    return reader.eval()


def disturbed(values: Tensor) -> Tensor:
    """Pictures [n, 3, size, size] around 0 as a painter may render them.

    All of a batch are cropped alike, by up to 12 %, and blurred alike, to half or a third of the
    size in two of three batches; each has other gains and offsets of its colours, and noise, fine
    and in patches.
    """
    count, _, size, _ = values.shape
    kept = size - int(torch.randint(0, size // 8 + 1, ()))
    top, left = (int(torch.randint(0, size - kept + 1, ())) for _ in range(2))
    small = _resized(values[:, :, top:top + kept, left:left + kept],
                     size // int(torch.randint(1, 4, ())))
    gain = 0.8 + 0.4 * torch.rand(count, 3, 1, 1)
    offset = 0.3 * (torch.rand(count, 1, 1, 1) - 0.5) + 0.2 * (torch.rand(count, 3, 1, 1) - 0.5)
    fine, coarse = 0.2 * torch.rand(2, count, 1, 1, 1)
    patches = _resized(torch.randn(count, 3, size // 8, size // 8), size)
    seen = _resized(small, size) * gain + offset
    return seen + fine * torch.randn_like(values) + coarse * patches


def _resized(values: Tensor, size: int) -> Tensor:
    return functional.interpolate(values, (size, size), mode="bilinear")


@dataclass(frozen=True)
class Rate:
    """So many of so many, with the interval that holds the true rate 95 times in 100."""

    right: int
    count: int

    @property
    def rate(self) -> float:
        """0..1; 0 where nothing was counted."""
        return self.right / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval. It takes pictures as independent, which those of one film are
        not quite: the true interval is somewhat wider. Source: E. B. Wilson (1927)."""
        if not self.count:
            return 0.0, 1.0
        n, z = self.count, 1.959964
        middle = (self.rate + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(self.rate * (1 - self.rate) / n + (z / n) ** 2 / 4) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Scores:
    """How often a reader read what is true."""

    main: Rate  # the main character
    there: Rate  # at least somebody who is there
    place: Rate


def score(reader: Reader, seen: Pictures, true: Sequence[Truth]) -> Scores:
    """Reads pictures that should show `true`, one each."""
    characters, places = reader.read(seen)
    names = [CHARACTERS[i] for i in characters.argmax(1)]
    where = [PLACE_NAMES[i] for i in places.argmax(1)]
    pairs = list(zip(names, where, true, strict=True))

    def rate(right: Iterable[bool]) -> Rate:
        return Rate(sum(right), len(pairs))

    return Scores(rate(name == one.main for name, _, one in pairs),
                  rate(name in one.characters for name, _, one in pairs),
                  rate(place == one.place for _, place, one in pairs))


def chance(true: Sequence[Truth]) -> Scores:
    """The same of the answer that, always given, is right most often: one for each question."""
    def constant(values: Iterable[str]) -> Rate:
        return Rate(max(Counter(values).values(), default=0), len(true))

    return Scores(constant(one.main for one in true),
                  constant(name for one in true for name in one.characters),
                  constant(one.place for one in true))

