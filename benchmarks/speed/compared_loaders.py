"""Data loaders that are compared: ours, webdataset's reader, and SEED-Story's loose files."""

from __future__ import annotations

import itertools
import json
import random
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

from model import data, features, runs, sequence, stages, tokens
from model.runs import Run
from schemas import layout

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP's
_IMAGE_TOKENS = 64
_LENGTH = 1280  # tokens that the peer pads a story to
BATCH = 4
_BUFFER = 100  # chunks, in which webdataset shuffles
Item = tuple[np.ndarray, np.ndarray | None, sequence.Layout]
Batch = tuple[torch.Tensor, torch.Tensor | None, sequence.Layout]


def load_ours(
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
    """Loads batches from the shards: pictures [n, H, W, 3], those at `second`, the tokens."""
    return data.loader(
        data.shards(dataset, "train"),
        _read_item(tokenizer, vocabulary, size, second),
        lambda items: _collate_items(items, floats),
        batch=BATCH,
        seed=seed,
        workers=workers,
        shuffle=shuffle,
    )


def load_features(
    run: Run, *, seed: int = 0, workers: int = 0, shuffle: bool = True
) -> Iterable[tuple[sequence.Layout, torch.Tensor]]:
    """Loads batches of the same turns, with the features that the run has computed of the
    pictures."""
    _, vocabulary = runs.tokenizer(run)
    return data.loader(
        features.shards(run, "train"),
        features.read,
        lambda chunks: stages.laid_out(chunks, vocabulary, "last", torch.device("cpu")),
        batch=BATCH,
        seed=seed,
        workers=workers,
        shuffle=shuffle,
    )


def load_with_webdataset(
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
    """Loads the same batches with webdataset; with `decoding` it decodes the pictures, else our
    code does."""
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
    item = _read_item(
        tokenizer, vocabulary, size, second, _resize_pillow if decoding else data.pictures
    )
    stream = stream.decode("pil") if decoding else stream
    stream = stream.map(lambda raw: item({**raw, "__number__": next(numbered)})).batched(
        BATCH, collation_fn=_collate_items, partial=False
    )
    return webdataset.WebLoader(
        stream,
        batch_size=None,
        num_workers=workers,
        collate_fn=filters.identity,
        worker_init_fn=lambda _: cv2.setNumThreads(0),
    )  # as ours


def _resize_pillow(raw: data.Raw, size: int, some: Sequence[int] | None = None) -> np.ndarray:
    """Resizes Pillow's pictures to what `data.pictures` gives."""
    names = sorted(name for name in raw if name.endswith(".jpg"))
    return np.stack(
        [
            np.asarray(raw[name].resize((size, size), Image.Resampling.BILINEAR))
            for name in (names if some is None else [names[at] for at in some])
        ]
    )


def _read_item(
    tokenizer: Any,
    vocabulary: tokens.Vocabulary,
    size: int,
    second: int,
    pictures: Callable[..., np.ndarray] = data.pictures,
) -> Callable[[data.Raw], Item]:
    def read(raw: data.Raw) -> Item:
        """Reads a chunk with a random turn to learn."""
        texts = raw["json"]["captions"] if isinstance(raw["json"], dict) else data.texts(raw)
        turn = random.Random(raw["__number__"]).randrange(1, len(texts))
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        return (
            pictures(raw, size),
            pictures(raw, second, [turn]) if second else None,
            sequence.lay_out(ids, vocabulary, [turn]),
        )

    return read


def _collate_items(items: Sequence[Item], floats: bool = False) -> Batch:
    pictures, seconds, layouts = zip(*items, strict=True)

    def whole(some: Sequence[np.ndarray]) -> torch.Tensor:
        """Concatenates pictures, normalised if floats are asked for."""
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
        sequence.together(layouts, [len(seen) for seen in pictures]),
    )


def load_loose_files(
    dataset: str, tokenizer: Any, size: int, second: int, *, workers: int = 0
) -> Iterable[dict[str, torch.Tensor]]:
    """Loads batches from JSONL and loose JPEGs, as SEED-Story's loader does."""
    return DataLoader(
        _JsonLines(Path(dataset, layout.IMAGES), _seed_story_item(tokenizer, size, second)),
        batch_size=BATCH,
        num_workers=workers,
        collate_fn=_collate,
    )


class _JsonLines(IterableDataset):
    """Lines of JSONL, repeated, each parsed and read by one of the workers."""

    def __init__(self, folder: Path, read: Callable[[Path, dict[str, Any]], dict[str, Any]]):
        self.folder, self.read = folder, read

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        lines = (self.folder / "train_chunks.jsonl").read_text(encoding="utf-8").splitlines()
        for line in itertools.islice(
            itertools.cycle(lines), info.id if info else 0, None, info.num_workers if info else 1
        ):
            yield self.read(self.folder, json.loads(line))


def _seed_story_item(
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
        """Reads a line and its pictures as SEED-Story's loader does."""
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
        begins, ends = (torch.where(item["ids"] == token)[0].tolist() for token in (boi, eoi))
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
