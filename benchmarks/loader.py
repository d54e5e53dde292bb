"""How many chunks a second a trainer is given: our shards beside loose files, same worker count.

A chunk is 10 pictures and 10 texts. The peer reads them in the manner of SEED-Story's loader
(src/data/story_telling.py): a line of JSONL and 10 loose JPEGs, each opened by Pillow at its full
size, resized and normalised by torchvision, for its de-tokenizer one of them a second time at 1024;
the story becomes one long text, with 64 tokens spelled out for each picture, and is tokenised
every time. Its pipeline of torchdata is not there any more: PyTorch's DataLoader stands in for it.

Ours gives the same pictures at the same sizes and the same turns as tokens. Pictures are bytes,
which the model normalises on its device; what doing that in the loader would cost is a row too.
The tools take turns, and each round starts new workers; the clock starts with their first batch.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torchvision import transforms

from benchmarks.pipeline import table
from model import data, sequence, tokens

HEADS = ("pictures", "tool", "chunks/s", "least to most", "to loose files", "least to most")
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
SIZES = ((128, 0), (448, 0), (448, 1024))  # of all pictures, of one of them for the de-tokenizer
_IMAGE_TOKENS = 64
_LENGTH = 1280  # tokens that the peer pads a story to
_BATCH = 4


def run(dataset: str, rounds: int = 5, workers: int = 2, batches: int = 12,
        sizes: Sequence[tuple[int, int]] = SIZES) -> str:
    """Measures all tools on a dataset that `make dataset` wrote; returns a table as text."""
    texts = list(data.once(data.shards(dataset, "train"), data.texts))
    tokenizer = tokens.train(itertools.chain.from_iterable(texts), 4000)
    vocabulary = tokens.with_pictures(tokenizer, _IMAGE_TOKENS)
    rows = []
    for size, second in sizes:
        tools = {
            "loose files": lambda n, given=(size, second): loose(dataset, tokenizer, *given,
                                                                 workers=workers),
            "ours": lambda n, given=(size, second): ours(dataset, tokenizer, vocabulary, *given,
                                                         seed=n, workers=workers),
            "ours, normalised too": lambda n, given=(size, second): ours(
                dataset, tokenizer, vocabulary, *given, seed=n, workers=workers, floats=True),
        }
        rates: dict[str, list[float]] = {name: [] for name in tools}
        for number in range(rounds):
            for name, tool in tools.items():
                rates[name].append(_rate(tool(number), batches))
        for name, found in rates.items():
            ratios = [one / base for one, base in zip(found, rates["loose files"], strict=True)]
            title = f"{size}, one at {second}" if second else str(size)
            rows.append([title, name, *_spread(found, 1), *_spread(ratios, 2)])
    return table(f"Loading: chunks of 10, {workers} workers, median of {rounds} rounds of "
                 f"{batches * _BATCH} chunks, {len(texts)} in the dataset, {os.cpu_count()} cores, "
                 f"load {os.getloadavg()[0]:.1f} at the end", HEADS, rows) + "\n"


def ours(dataset: str, tokenizer: Any, vocabulary: tokens.Vocabulary, size: int, second: int, *,
         seed: int = 0, workers: int = 0, shuffle: bool = True, floats: bool = False
         ) -> Iterable[tuple[torch.Tensor, torch.Tensor | None, sequence.Layout]]:
    """Batches from the shards: pictures [n, H, W, 3], those at `second`, the tokens."""
    def read(raw: data.Raw) -> tuple[np.ndarray, np.ndarray | None, sequence.Layout]:
        texts = data.texts(raw)
        turn = random.Random(raw["__number__"]).randrange(1, len(texts))
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        alone = {**{name: raw[name] for name in ("__key__", "__url__")}, "00.jpg":
                 raw[f"{turn:02d}.jpg"], "json": json.dumps({"captions": texts[:1]})}
        return (data.pictures(raw, size), data.pictures(alone, second) if second else None,
                sequence.lay_out(ids, vocabulary, [turn]))

    def collate(items: list[tuple[np.ndarray, np.ndarray | None, sequence.Layout]]
                ) -> tuple[torch.Tensor, torch.Tensor | None, sequence.Layout]:
        pictures, seconds, layouts = zip(*items, strict=True)
        return (joined(pictures), joined(seconds) if second else None,
                sequence.together(layouts, [len(one) for one in pictures]))

    def joined(pictures: Sequence[np.ndarray]) -> torch.Tensor:
        whole = torch.from_numpy(np.concatenate(pictures))
        if not floats:
            return whole
        values = whole.permute(0, 3, 1, 2).float()
        return values.div_(255).sub_(torch.tensor(MEAN).view(3, 1, 1)).div_(
            torch.tensor(STD).view(3, 1, 1))

    return data.loader(data.shards(dataset, "train"), read, collate, batch=_BATCH, seed=seed,
                       workers=workers, shuffle=shuffle)


def loose(dataset: str, tokenizer: Any, size: int, second: int, *, workers: int = 0
          ) -> Iterable[dict[str, torch.Tensor]]:
    """Batches from JSONL and loose JPEGs, as SEED-Story's loader makes them."""
    return DataLoader(_Lines(Path(dataset, "images"), _peer(tokenizer, size, second)),
                      batch_size=_BATCH, num_workers=workers, collate_fn=_collate)


class _Lines(IterableDataset):
    """The lines of JSONL again and again, each parsed and read by one of the workers."""

    def __init__(self, folder: Path, read: Callable[[Path, dict[str, Any]], dict[str, Any]]):
        self.folder, self.read = folder, read

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        lines = (self.folder / "train_chunks.jsonl").read_text(encoding="utf-8").splitlines()
        for line in itertools.islice(itertools.cycle(lines), info.id if info else 0, None,
                                     info.num_workers if info else 1):
            yield self.read(self.folder, json.loads(line))


def _peer(tokenizer: Any, size: int, second: int
          ) -> Callable[[Path, dict[str, Any]], dict[str, Any]]:
    seen = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor(),
                               transforms.Normalize(MEAN, STD)])
    painted = transforms.Compose([
        transforms.Resize(second, transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(second), transforms.ToTensor(), transforms.Normalize([0.5], [0.5]),
    ]) if second else None
    spelled = tokens.BOI + "".join(f"<img_{at:05d}>" for at in range(_IMAGE_TOKENS)) + tokens.EOI
    boi, eoi = tokenizer.convert_tokens_to_ids([tokens.BOI, tokens.EOI])

    def read(folder: Path, line: dict[str, Any]) -> dict[str, Any]:
        texts = line["captions"]
        turn = random.randrange(1, len(texts))
        images = [Image.open(folder / name).convert("RGB") for name in line["images"]]
        item = {} if painted is None else {"second": painted(images[turn])[None]}
        item["pictures"] = torch.stack([seen(image) for image in images])[:turn + 1]
        before = texts[0] + spelled + "".join(tokens.TURN + text + spelled
                                              for text in texts[1:turn])
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
            item["asked" if at == turn else "given"][begin + 1:end] = True
        item["labels"][begins[-1] + 1:ends[-1] + 1] = -100
        return item

    return read


def _collate(items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return {name: (torch.cat if name in ("pictures", "second") else torch.stack)(
        [item[name] for item in items]) for name in items[0]}


def _rate(batches: Iterable[Any], count: int) -> float:
    """Chunks a second, without the time that workers take to start."""
    stream = iter(batches)
    next(stream)
    started = time.monotonic()
    for _ in itertools.islice(stream, count):
        pass
    return count * _BATCH / (time.monotonic() - started)


def _spread(values: Sequence[float], digits: int) -> tuple[str, str]:
    return (f"{statistics.median(values):.{digits}f}",
            f"{min(values):.{digits}f} to {max(values):.{digits}f}")
