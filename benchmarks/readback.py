"""What a picture of the sample shows, read back by a small network that learned from true frames.

The sample knows of every shot who is in it and where (`<video>.truth.json`). `truth` joins that to
the keyframes of a dataset made from it, `train` teaches a network to see it on the keyframes of the
training episodes, and the network then reads any pictures: true ones of the other episodes, which
gives the ceiling that belongs beside every figure, and painted ones.

The network (0.6 million weights, trained from nothing in 3 minutes of one core, then kept in the
dataset's folder) sees true frames alone, never a painted one. They are shifted, scaled, blurred,
discoloured and made noisy as it learns, so that it reads what is shown and not how sharp it is.

Four questions are asked of a picture, each with one answer, so that no reply can be right twice:

- the main character, one of 7: the first that the script names for the shot. It is what the shot
  is about (a close-up shows that one alone) and it can be seen: the script lines characters up from
  left to right. Naming another one who is there is wrong; how often the answer is at least somebody
  who is there is counted apart, and is easier.
- the place, one of 9.
- what the main character does, one of 23: the hardest, since some actions differ by an arm.
- how many are there: one, two, or three and more.

Chance is what the best constant answer gets on the same pictures: Pip is in front in two shots of
five, so that is more than one in seven.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import stories
from benchmarks.stories import Pictures
from model import precision
from pipeline.inference.builtin.efficientnet import one_thread
from pipeline.sample.actions import ACTIONS
from pipeline.sample.figures import CAST
from pipeline.sample.places import PLACES

CHARACTERS = tuple(CAST)
PLACE_NAMES = tuple(PLACES)
ACTION_NAMES = tuple(ACTIONS)
COUNTS = (1, 2, 3)  # the last one or more
ANSWERS: Mapping[str, Sequence[Any]] = {
    "main": CHARACTERS,
    "place": PLACE_NAMES,
    "action": ACTION_NAMES,
    "count": COUNTS,
}
RECIPE = 2  # to be raised when the network or how it is trained changes
EPOCHS, BATCH, LEARNING_RATE = 16, 32, 3e-3

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


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
    action: str = ACTION_NAMES[0]  # of the main character

    @property
    def main(self) -> str:
        """The main character."""
        return self.characters[0]

    @property
    def count(self) -> int:
        """How many are there, one of COUNTS."""
        return min(len(self.characters), COUNTS[-1])


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
        number = next(
            (i for i, shot in enumerate(shots[video]) if shot["start"] <= time < shot["end"]), None
        )
        if number is None:
            raise ValueError(
                f"{sample} has no shot of {video} at {time} s, where {dataset} has a "
                "keyframe: give the sample that the dataset was made from"
            )
        shot = shots[video][number]
        if shot["characters"]:
            found[row["image"]] = Truth(
                row["image"],
                video,
                number,
                splits[video],
                shot["place"],
                tuple(shot["characters"]),
                shot["scale"],
                shot["action"],
            )
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
    return stories.pictures((str(Path(dataset, image)) for image in images), size)


_WIDTHS = {**{name: len(answers) for name, answers in ANSWERS.items()}, "there": len(CHARACTERS)}


class Reader(nn.Module):
    """The network; `read` is what others call."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 4, 4),
            nn.ReLU(),
            _Residual(32),
            _down(32, 64),
            _Residual(64),
            _down(64, 128),
            _Residual(128),
            nn.Conv2d(128, 32, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(8),
            nn.Flatten(),
            nn.Dropout(0.3),
        )  # keeps what is where
        self.head = nn.Linear(32 * 8 * 8, sum(_WIDTHS.values()))

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        """float [n, 3, size, size] around 0 to logits [n, answers] by question; "there" is who is
        there, each apart."""
        said = self.head(self.body(values)).float().split(list(_WIDTHS.values()), dim=1)
        return dict(zip(_WIDTHS, said, strict=True))

    @one_thread()
    @torch.inference_mode()
    def read(self, seen: Pictures) -> dict[str, Floats]:
        """Probabilities [n, answers] of a question's ANSWERS, each row adding to 1."""
        parts = [self(_values(seen[start : start + 256])) for start in range(0, len(seen), 256)]
        return {
            name: torch.cat(
                [torch.zeros(0, len(answers)), *(one[name].softmax(1) for one in parts)]
            ).numpy()
            for name, answers in ANSWERS.items()
        }


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_conv(width, width, 1), nn.ReLU(), _conv(width, width, 1))

    def forward(self, values: Tensor) -> Tensor:
        return torch.relu(values + self.inner(values))


def _conv(inside: int, outside: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside)
    )


def _down(inside: int, outside: int) -> nn.Module:
    return nn.Sequential(_conv(inside, outside, 2), nn.ReLU())


def _values(seen: Pictures) -> Tensor:
    return torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 127.5 - 1


def train(dataset: str | Path, sample: str | Path, size: int, seed: int = 0) -> Reader:
    """A reader of pictures of `size` x `size`, from the training episodes' keyframes.

    Equal arguments give equal weights on the same kind of processor, so they are kept in the
    dataset's folder and read from there the next time. Raises ValueError where the dataset is not
    one of this sample, or has no training episodes.
    """
    known = [one for one in truth(dataset, sample).values() if one.split == "train"]
    if not known:
        raise ValueError(f"{dataset} has no training episodes: make one of more films")
    record = Path(dataset, "dataset.json").read_text(encoding="utf-8")
    key = repr((RECIPE, EPOCHS, BATCH, LEARNING_RATE, size, seed, record, known))
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    path = Path(dataset, ".benchmarks", f"reader-{digest}.safetensors")
    if path.exists():
        reader = Reader()
        reader.load_state_dict(load_file(path))
        return reader.eval()
    reader = _trained(pictures(dataset, (one.image for one in known), size), known, seed)
    with contextlib.suppress(OSError):  # a dataset that one may not write to: each trains its own
        path.parent.mkdir(exist_ok=True)
        save_file(
            {name: value.contiguous() for name, value in reader.state_dict().items()},
            path.with_suffix(".tmp"),
        )
        path.with_suffix(".tmp").replace(path)
    return reader


def _trained(seen: Pictures, known: Sequence[Truth], seed: int) -> Reader:
    wanted = {
        name: torch.tensor([answers.index(getattr(one, name)) for one in known])
        for name, answers in ANSWERS.items()
    }
    there = torch.tensor([[float(name in one.characters) for name in CHARACTERS] for one in known])
    with torch.random.fork_rng(devices=[]), one_thread():  # sums then run in one order
        torch.manual_seed(seed)
        reader = Reader().to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(reader.parameters(), weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, LEARNING_RATE, total_steps=EPOCHS * math.ceil(len(known) / BATCH)
        )
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(known)).split(BATCH):
                values = disturbed(_values(seen[rows.numpy()]))
                with precision.autocast("auto", torch.device("cpu")):
                    said = reader(values.contiguous(memory_format=torch.channels_last))
                loss = functional.binary_cross_entropy_with_logits(said["there"], there[rows])
                for name, right in wanted.items():
                    loss = loss + functional.cross_entropy(said[name], right[rows])
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
    small = _resized(
        values[:, :, top : top + kept, left : left + kept], size // int(torch.randint(1, 4, ()))
    )
    gain = 0.8 + 0.4 * torch.rand(count, 3, 1, 1)
    offset = 0.3 * (torch.rand(count, 1, 1, 1) - 0.5) + 0.2 * (torch.rand(count, 3, 1, 1) - 0.5)
    fine, coarse = 0.2 * torch.rand(2, count, 1, 1, 1)
    patches = _resized(torch.randn(count, 3, size // 8, size // 8), size)
    seen = _resized(small, size) * gain + offset
    return seen + fine * torch.randn_like(values) + coarse * patches


def _resized(values: Tensor, size: int) -> Tensor:
    return functional.interpolate(values, (size, size), mode="bilinear")


def right(reader: Reader, seen: Pictures, true: Sequence[Truth]) -> dict[str, Flags]:
    """By question, whether each of the pictures [n] is read as what it should show.

    "there" is whether the one that is read as the main character is at least somebody there.
    """
    said = {
        name: [ANSWERS[name][i] for i in found.argmax(1)]
        for name, found in reader.read(seen).items()
    }
    return _compared(said, true)


def constant(true: Sequence[Truth]) -> dict[str, Flags]:
    """The same of the answers that, always given, are right most often."""
    said = {name: Counter(getattr(one, name) for one in true) for name in ANSWERS}
    there = Counter(name for one in true for name in one.characters)
    found = _compared({name: _commonest(counts) * len(true) for name, counts in said.items()}, true)
    often = _commonest(there)
    return {**found, "there": np.array([often[0] in one.characters for one in true], bool)}


def _commonest(counts: Counter[Any]) -> list[Any]:
    return [answer for answer, _ in counts.most_common(1)]


def _compared(said: Mapping[str, Sequence[Any]], true: Sequence[Truth]) -> dict[str, Flags]:
    found = {
        name: np.array(
            [answer == getattr(one, name) for answer, one in zip(answers, true, strict=True)], bool
        )
        for name, answers in said.items()
    }
    return {
        **found,
        "there": np.array(
            [answer in one.characters for answer, one in zip(said["main"], true, strict=True)], bool
        ),
    }
