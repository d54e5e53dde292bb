"""How many chunks a second a trainer is given: ours beside loose files and webdataset's reader.

A chunk is 10 pictures and 10 texts. Loose files are read in the manner of SEED-Story's loader
(src/data/story_telling.py): a line of JSONL and 10 loose JPEGs, each opened by Pillow at its full
size, resized and normalised by torchvision, for its de-tokenizer one of them a second time at 1024;
the story becomes one long text, with 64 tokens spelled out for each picture, and is tokenised
every time. Its pipeline of torchdata is not there any more: PyTorch's DataLoader stands in for it.

webdataset's own reader is given the same shards as we are, which it reads from their first byte to
their last, shuffles in a buffer and decodes with Pillow, as its manual does; a second time it is
given our decoding, so that what is left is how the shards are read. Both give what ours gives.

Ours gives the same pictures at the same sizes and the same turns as tokens. Pictures are bytes,
which the model normalises on its device; what doing that in the loader would cost is a row too.
Of a run, so are its features of the same chunks: stages 1 to 3 read those and no pictures.
The tools take turns, and each round starts new workers; the clock starts with their first batch.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import webdataset
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torchvision import transforms
from webdataset import filters

from benchmarks.results import Cell, Column, Table
from benchmarks.speed.rounds import about, ratio, spread
from model import config, data, features, runs, sequence, stages, tokens
from model.runs import Run

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
SIZES = ((128, 0), (448, 0), (448, 1024))  # of all pictures, of one of them for the de-tokenizer
_IMAGE_TOKENS = 64
FEATURES = "ours, features and latents"
_LENGTH = 1280  # tokens that the peer pads a story to
_BATCH = 4
_BUFFER = 100  # chunks, in which webdataset shuffles

Item = tuple[np.ndarray, np.ndarray | None, sequence.Layout]
Batch = tuple[torch.Tensor, torch.Tensor | None, sequence.Layout]


def run(
    dataset: str,
    trained: str,
    rounds: int = 5,
    workers: int = 2,
    batches: int = 12,
    sizes: Sequence[tuple[int, int]] = SIZES,
) -> list[Table]:
    """Measures all tools on a dataset that `make dataset` wrote, on so many batches a round.

    `trained` is the folder of a run on it, whose features are of pictures of its own size.
    """
    model = runs.Run(Path(trained), config.read(str(Path(trained, "preset"))))
    texts = list(data.once(data.shards(dataset, "train"), data.texts))
    tokenizer = tokens.train(itertools.chain.from_iterable(texts), 4000)
    vocabulary = tokens.with_pictures(tokenizer, _IMAGE_TOKENS)
    cells: dict[str, dict[str, Cell]] = {}
    for size, second in sizes:
        given = (dataset, tokenizer, vocabulary, size, second)
        tools = {
            "loose files": lambda n, given=given: loose(*given[:2], *given[3:], workers=workers),
            "webdataset": lambda n, given=given: theirs(*given, seed=n, workers=workers),
            "webdataset, our decoding": lambda n, given=given: theirs(
                *given, seed=n, workers=workers, decoding=False
            ),
            "ours": lambda n, given=given: ours(*given, seed=n, workers=workers),
            "ours, normalised too": lambda n, given=given: ours(
                *given, seed=n, workers=workers, floats=True
            ),
        }
        if (size, second) == (model.preset.model.vision.image_size, 0):
            tools[FEATURES] = lambda n: computed(model, seed=n, workers=workers)
        rates: dict[str, list[float]] = {name: [] for name in tools}
        for number in range(rounds):
            for name, tool in tools.items():
                rates[name].append(_rate(tool(number), batches))
        title = f"{size} pixels, one at {second}" if second else f"{size} pixels"
        for name, found in rates.items():
            cells[f"{name}, {title}"] = {
                "chunks/s": spread(found),
                **{
                    f"to {peer}": ratio(found, rates[peer])
                    for peer in ("loose files", "webdataset", "webdataset, our decoding")
                    if name == "ours" or (peer == "loose files" and name.startswith("ours"))
                },
            }
    return [
        Table(
            "loader",
            f"Loading: chunks of 10 pictures and their texts, {workers} workers",
            "tool",
            (
                Column("chunks/s", digits=1),
                Column("to loose files", "higher", digits=2),
                Column("to webdataset", "higher", digits=2),
                Column("to webdataset, our decoding", "higher", digits=2),
            ),
            cells,
            "Without the time in which workers start. All files are in the system's cache: from a disk "
            "that seeks slowly, or over a network, webdataset's reading in one go is worth more than "
            'here. Loose files become normalised floats, so "ours, normalised too" is their like. '
            f'"{FEATURES[6:].capitalize()}" are computed once, before stages 1 to 3, which then have '
            "to do neither what the other rows do nor the visual tokenizer's pass.",
            about(
                "torch",
                "pillow",
                "webdataset",
                chunks=f"{batches * _BATCH} a round of {len(texts)} in the dataset",
            ),
            contest=False,
        )
    ]


def ours(
    dataset: str,
    tokenizer: Any,
    vocabulary: tokens.Vocabulary,
    size: int,
    second: int,
    *,
    seed: int = 0,
    workers: int = 0,
    shuffle: bool = True,
    floats: bool = False,
) -> Iterable[Batch]:
    """Batches from the shards: pictures [n, H, W, 3], those at `second`, the tokens."""
    return data.loader(
        data.shards(dataset, "train"),
        _item(tokenizer, vocabulary, size, second),
        lambda items: _joined(items, floats),
        batch=_BATCH,
        seed=seed,
        workers=workers,
        shuffle=shuffle,
    )


def computed(
    run: Run, *, seed: int = 0, workers: int = 0, shuffle: bool = True
) -> Iterable[tuple[sequence.Layout, torch.Tensor]]:
    """Batches of the same turns, with the features that the run has of the pictures."""
    _, vocabulary = runs.tokenizer(run)
    return data.loader(
        features.shards(run, "train"),
        features.read,
        lambda chunks: stages.laid_out(chunks, vocabulary, "last", torch.device("cpu")),
        batch=_BATCH,
        seed=seed,
        workers=workers,
        shuffle=shuffle,
    )


def theirs(
    dataset: str,
    tokenizer: Any,
    vocabulary: tokens.Vocabulary,
    size: int,
    second: int,
    *,
    seed: int = 0,
    workers: int = 0,
    shuffle: bool = True,
    decoding: bool = True,
) -> Iterable[Batch]:
    """The same batches by webdataset; `decoding` has it decode the pictures, else we do."""
    # Drawing shards with replacement is its way to go on endlessly, with fewer shards than workers
    # too. Without shuffling, for a look at what comes, they come once.
    shards = data.shards(dataset, "train")
    stream = (
        webdataset.WebDataset(shards, resampled=True, shardshuffle=False, seed=seed).shuffle(
            _BUFFER, seed=seed
        )
        if shuffle
        else webdataset.WebDataset(shards, shardshuffle=False)
    )
    numbered = itertools.count()
    item = _item(tokenizer, vocabulary, size, second, _squashed if decoding else data.pictures)
    stream = stream.decode("pil") if decoding else stream
    stream = stream.map(lambda raw: item({**raw, "__number__": next(numbered)})).batched(
        _BATCH, collation_fn=_joined, partial=False
    )
    return webdataset.WebLoader(
        stream,
        batch_size=None,
        num_workers=workers,
        collate_fn=filters.identity,
        worker_init_fn=lambda _: cv2.setNumThreads(0),
    )  # as ours


def _squashed(raw: data.Raw, size: int, some: Sequence[int] | None = None) -> np.ndarray:
    """What `data.pictures` gives, of pictures that are Pillow's."""
    names = sorted(name for name in raw if name.endswith(".jpg"))
    return np.stack(
        [
            np.asarray(raw[name].resize((size, size), Image.Resampling.BILINEAR))
            for name in (names if some is None else [names[at] for at in some])
        ]
    )


def _item(
    tokenizer: Any,
    vocabulary: tokens.Vocabulary,
    size: int,
    second: int,
    pictures: Callable[..., np.ndarray] = data.pictures,
) -> Callable[[data.Raw], Item]:
    def read(raw: data.Raw) -> Item:
        texts = raw["json"]["captions"] if isinstance(raw["json"], dict) else data.texts(raw)
        turn = random.Random(raw["__number__"]).randrange(1, len(texts))
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        return (
            pictures(raw, size),
            pictures(raw, second, [turn]) if second else None,
            sequence.lay_out(ids, vocabulary, [turn]),
        )

    return read


def _joined(items: Sequence[Item], floats: bool = False) -> Batch:
    pictures, seconds, layouts = zip(*items, strict=True)

    def whole(some: Sequence[np.ndarray]) -> torch.Tensor:
        values = torch.from_numpy(np.concatenate(some))
        if not floats:
            return values
        return (
            values.permute(0, 3, 1, 2)
            .float()
            .div_(255)
            .sub_(torch.tensor(MEAN).view(3, 1, 1))
            .div_(torch.tensor(STD).view(3, 1, 1))
        )

    return (
        whole(pictures),
        None if seconds[0] is None else whole(seconds),
        sequence.together(layouts, [len(one) for one in pictures]),
    )


def loose(
    dataset: str, tokenizer: Any, size: int, second: int, *, workers: int = 0
) -> Iterable[dict[str, torch.Tensor]]:
    """Batches from JSONL and loose JPEGs, as SEED-Story's loader makes them."""
    return DataLoader(
        _Lines(Path(dataset, "images"), _peer(tokenizer, size, second)),
        batch_size=_BATCH,
        num_workers=workers,
        collate_fn=_collate,
    )


class _Lines(IterableDataset):
    """The lines of JSONL again and again, each parsed and read by one of the workers."""

    def __init__(self, folder: Path, read: Callable[[Path, dict[str, Any]], dict[str, Any]]):
        self.folder, self.read = folder, read

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        lines = (self.folder / "train_chunks.jsonl").read_text(encoding="utf-8").splitlines()
        for line in itertools.islice(
            itertools.cycle(lines), info.id if info else 0, None, info.num_workers if info else 1
        ):
            yield self.read(self.folder, json.loads(line))


def _peer(
    tokenizer: Any, size: int, second: int
) -> Callable[[Path, dict[str, Any]], dict[str, Any]]:
    seen = transforms.Compose(
        [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )
    painted = (
        transforms.Compose(
            [
                transforms.Resize(second, transforms.InterpolationMode.BICUBIC),
                transforms.CenterCrop(second),
                transforms.ToTensor(),
                transforms.Normalize([0.5], [0.5]),
            ]
        )
        if second
        else None
    )
    spelled = tokens.BOI + "".join(f"<img_{at:05d}>" for at in range(_IMAGE_TOKENS)) + tokens.EOI
    boi, eoi = tokenizer.convert_tokens_to_ids([tokens.BOI, tokens.EOI])

    def read(folder: Path, line: dict[str, Any]) -> dict[str, Any]:
        texts = line["captions"]
        turn = random.randrange(1, len(texts))
        images = [Image.open(folder / name).convert("RGB") for name in line["images"]]
        item = {} if painted is None else {"second": painted(images[turn])[None]}
        item["pictures"] = torch.stack([seen(image) for image in images])[: turn + 1]
        before = (
            texts[0] + spelled + "".join(tokens.TURN + text + spelled for text in texts[1:turn])
        )
        given = tokenizer.encode(before, add_special_tokens=False)
        asked = tokenizer.encode(tokens.TURN + texts[turn] + spelled, add_special_tokens=False)
        ids = [tokenizer.bos_token_id, *given, *asked, tokenizer.eos_token_id]
        labels = [-100] * (len(given) + 1) + [*asked, tokenizer.eos_token_id]
        filling = _LENGTH - len(ids)
        item["ids"] = torch.tensor(ids + [0] * filling)
        item["labels"] = torch.tensor(labels + [-100] * filling)
        item["mask"] = torch.tensor([1] * len(ids) + [0] * filling)
        item["given"], item["asked"] = (torch.zeros(_LENGTH, dtype=torch.bool) for _ in range(2))
        begins, ends = (torch.where(item["ids"] == one)[0].tolist() for one in (boi, eoi))
        for at, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            item["asked" if at == turn else "given"][begin + 1 : end] = True
        item["labels"][begins[-1] + 1 : ends[-1] + 1] = -100
        return item

    return read


def _collate(items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return {
        name: (torch.cat if name in ("pictures", "second") else torch.stack)(
            [item[name] for item in items]
        )
        for name in items[0]
    }


def _rate(batches: Iterable[Any], count: int) -> float:
    """Chunks a second, without the time that workers take to start."""
    stream = iter(batches)
    next(stream)
    started = time.monotonic()
    for _ in itertools.islice(stream, count):
        pass
    return count * _BATCH / (time.monotonic() - started)
