"""Attribute classifier of the sample's pictures: a small network that is trained on true frames.

`train_classifier` fits it to the labels of the keyframes of the training episodes (`labels`). It
then predicts the attributes of any picture: of true frames of the other episodes, whose accuracy is
the upper bound that belongs beside every figure, and of generated pictures.

The network (0.6 million weights, trained from scratch in 3 minutes on one core, then cached in the
dataset's folder) sees true frames only, never a generated picture. In training they are cropped,
scaled, blurred, recoloured and made noisy, so that it recognises content and not sharpness.

Four attributes are predicted, each with exactly one correct answer:

- the main character, one of 7: the first that the script names for the shot. It is what the shot
  is about (a close-up shows that one alone), and it can be seen: the script lines characters up
  from left to right. Another character who is present is a wrong answer; how often the answer is at
  least somebody present is counted separately, and is easier.
- the place, one of 9.
- the action of the main character, one of 23: the hardest, since some differ by an arm only.
- the number of characters: one, two, or three and more.

Chance is the accuracy of the best constant answer on the same pictures: Pip is the main character
in two shots of five, so that is more than one in seven.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.array_types import Floats, Pictures
from benchmarks.attributes.labels import CHARACTERS, CLASSES, Labels, read_keyframes, read_labels
from benchmarks.torch_threads import one_thread
from model import precision
from pipeline.dataset import reader
from schemas import layout

CLASSIFIER_VERSION = 2  # to be raised when the network or how it is trained changes
EPOCHS, BATCH, LEARNING_RATE = 16, 32, 3e-3
_OUTPUTS = {**{name: len(answers) for name, answers in CLASSES.items()}, "there": len(CHARACTERS)}


class AttributeClassifier(nn.Module):
    """A convolutional network with one output layer for all attributes; call `predict`."""

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
        self.head = nn.Linear(32 * 8 * 8, sum(_OUTPUTS.values()))

    def forward(self, values: Tensor) -> dict[str, Tensor]:
        """Computes logits [n, answers] by attribute from float [n, 3, size, size] in -1..1; "there"
        has an independent logit for each character."""
        said = self.head(self.body(values)).float().split(list(_OUTPUTS.values()), dim=1)
        return dict(zip(_OUTPUTS, said, strict=True))

    @one_thread()
    @torch.inference_mode()
    def predict(self, seen: Pictures) -> dict[str, Floats]:
        """Predicts probabilities [n, answers] of the CLASSES of each attribute; rows sum to 1."""
        parts = [self(_normalise(seen[start : start + 256])) for start in range(0, len(seen), 256)]
        return {
            name: torch.cat(
                [torch.zeros(0, len(answers)), *(part[name].softmax(1) for part in parts)]
            ).numpy()
            for name, answers in CLASSES.items()
        }


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_conv(width, width, 1), nn.ReLU(), _conv(width, width, 1))

    def forward(self, values: Tensor) -> Tensor:
        """Applies the block: float [n, width, h, w] to the same."""
        return torch.relu(values + self.inner(values))


def _conv(inside: int, outside: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside)
    )


def _down(inside: int, outside: int) -> nn.Module:
    return nn.Sequential(_conv(inside, outside, 2), nn.ReLU())


def _normalise(seen: Pictures) -> Tensor:
    return torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_classifier(
    dataset: str | Path, sample: str | Path, size: int, seed: int = 0
) -> AttributeClassifier:
    """Trains a classifier of pictures of `size` x `size` pixels on the training episodes'
    keyframes.

    Equal arguments give equal weights on the same kind of processor, so they are cached in the
    dataset's folder and loaded from there the next time. Raises ValueError where the dataset was
    not made from this sample, or has no training episodes.
    """
    known = [label for label in read_labels(dataset, sample).values() if label.split == "train"]
    if not known:
        raise ValueError(f"{dataset} has no training episodes: make one of more films")
    record = reader.read_file(str(dataset), layout.MANIFEST).decode()
    key = repr((CLASSIFIER_VERSION, EPOCHS, BATCH, LEARNING_RATE, size, seed, record, known))
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    path = Path(dataset, ".benchmarks", f"attribute-classifier-{digest}.safetensors")
    if path.exists():
        classifier = AttributeClassifier()
        classifier.load_state_dict(load_file(path))
        return classifier.eval()
    classifier = _fit(read_keyframes(dataset, (label.image for label in known), size), known, seed)
    with contextlib.suppress(OSError):  # a dataset that one may not write to: each trains its own
        path.parent.mkdir(exist_ok=True)
        save_file(
            {name: value.contiguous() for name, value in classifier.state_dict().items()},
            path.with_suffix(".tmp"),
        )
        path.with_suffix(".tmp").replace(path)
    return classifier


def _fit(seen: Pictures, known: Sequence[Labels], seed: int) -> AttributeClassifier:
    wanted = {
        name: torch.tensor([answers.index(getattr(label, name)) for label in known])
        for name, answers in CLASSES.items()
    }
    there = torch.tensor(
        [[float(name in label.characters) for name in CHARACTERS] for label in known]
    )
    with torch.random.fork_rng(devices=[]), one_thread():  # sums then run in one order
        torch.manual_seed(seed)
        classifier = AttributeClassifier().to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(classifier.parameters(), weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, LEARNING_RATE, total_steps=EPOCHS * math.ceil(len(known) / BATCH)
        )
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(known)).split(BATCH):
                values = augment(_normalise(seen[rows.numpy()]))
                with precision.autocast("auto", torch.device("cpu")):
                    said = classifier(values.contiguous(memory_format=torch.channels_last))
                loss = functional.binary_cross_entropy_with_logits(said["there"], there[rows])
                for name, right in wanted.items():
                    loss = loss + functional.cross_entropy(said[name], right[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
    return classifier.eval()


def augment(values: Tensor) -> Tensor:
    """Augments a batch of pictures [n, 3, size, size] in -1..1 so that they look like generated
    ones.

    All of a batch are cropped alike, by up to 12 %, and blurred alike, to half or a third of the
    size in two of three batches; each has other gains and offsets of its colours, and noise, fine
    and in patches.
    """
    count, _, size, _ = values.shape
    kept = size - int(torch.randint(0, size // 8 + 1, ()))
    top, left = (int(torch.randint(0, size - kept + 1, ())) for _ in range(2))
    small = _resize(
        values[:, :, top : top + kept, left : left + kept], size // int(torch.randint(1, 4, ()))
    )
    gain = 0.8 + 0.4 * torch.rand(count, 3, 1, 1)
    offset = 0.3 * (torch.rand(count, 1, 1, 1) - 0.5) + 0.2 * (torch.rand(count, 3, 1, 1) - 0.5)
    fine, coarse = 0.2 * torch.rand(2, count, 1, 1, 1)
    patches = _resize(torch.randn(count, 3, size // 8, size // 8), size)
    seen = _resize(small, size) * gain + offset
    return seen + fine * torch.randn_like(values) + coarse * patches


def _resize(values: Tensor, size: int) -> Tensor:
    return functional.interpolate(values, (size, size), mode="bilinear")
