"""Table 1 of the SEED-Story paper for any dataset folder, beside the paper's own rows.

Two layouts are read: ours, what `make dataset` writes, and that of the published StoryStream: JSONL
with `id, images, captions, orders` a line, and a folder of images. Images may be missing, or be
missing in part: what needs pixels is then said of those that are there, or of none.

What the paper counts (images, size, length) is joined by what tells a good dataset from a large
one: near-identical pictures, pictures of `val` that are seen in `train`, and how well a text fits
its picture against another story's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from benchmarks import published
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.statistics import mean
from benchmarks.stories import Story
from pipeline.annotation.checks import character_names
from pipeline.config import OutputConfig
from pipeline.inference.builtin import smollm
from pipeline.keyframes.near_duplicates import (
    distance_blocks,
    max_distance,
    pack_hashes,
    perceptual_hash,
)
from schemas.layout import IMAGES

Score = Callable[[Sequence[str], Sequence[str]], NDArray[np.floating]]  # paths and texts, [n] each
SCORED = 500  # pictures, at most, that a score looks at
_CHUNKS = re.compile(r"_\d+$")  # train_10, by StoryStream's chunk_data.py
_HELD_OUT = frozenset(("val", "valid", "validation", "test"))
_NO_PIXELS = "no pictures in the folder"


@dataclass(frozen=True)
class Contents:
    """The stories of a dataset, each on its side of the split; "" where files name no side."""

    stories: dict[str, list[Story]]

    def all(self) -> list[Story]:
        """The stories of all sides."""
        return [one for side in self.stories.values() for one in side]


@dataclass(frozen=True)
class Look:
    """What is read off a picture."""

    width: int  # pixels
    height: int
    hash: str  # perceptual, 256 bits in hex


def read(folder: str | Path) -> Contents:
    """The whole stories of a dataset folder, by the JSONL files in it or in folders within it.

    The side is in a file's name (`train_stories.jsonl`, `val.jsonl`). Files of chunks are left
    out where there are others, as they hold the same pictures. Stories of two files may share an
    id, as the published ones do: they are told apart by their file. Raises ValueError for a folder
    without stories and for a line that is none.
    """
    files = sorted(Path(folder, IMAGES).glob("*_stories.jsonl"))
    if not files:  # not ours
        files = sorted(Path(folder).rglob("*.jsonl"))
        files = [one for one in files if not _CHUNKS.search(one.stem)] or files
    stories: dict[str, list[Story]] = {}
    for file in files:
        parts = set(re.split(r"[^a-z]+", file.stem.lower()))
        side = "val" if parts & _HELD_OUT else "train" if "train" in parts else ""
        stories.setdefault(side, []).extend(_lines(file, Path(folder)))
    if not any(stories.values()):
        raise ValueError(
            f"{folder} has no stories: a dataset has JSONL files with id, images and "
            "captions, in it or in folders within it"
        )
    return Contents(stories)


def _lines(file: Path, folder: Path) -> Iterator[Story]:
    root = None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()):
        try:
            one = json.loads(line)
            name, images, texts = one["id"], list(one["images"]), list(one["captions"])
            if len(images) != len(texts):
                raise ValueError(f"{len(images)} images and {len(texts)} captions")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{file}, line {number + 1}: {error!r}; a line is JSON with id, "
                "images and as many captions"
            ) from error
        if images:
            root = root or _root(file, folder, images[0])
            yield Story(
                f"{file.relative_to(folder)}:{number}:{name}",
                tuple(texts),
                tuple(str(root / image) for image in images),
            )


def _root(file: Path, folder: Path, image: str) -> Path:
    """The folder that image paths are relative to: beside the file, above it, or in `images`."""
    places = [file.parent, folder, file.parent / IMAGES, folder / IMAGES]
    return next((place for place in places if (place / image).exists()), file.parent)


def looks(folder: str | Path, images: Sequence[str]) -> dict[str, Look]:
    """Size and hash of those pictures that are there, by path: from the dataset's table of
    keyframes where it has one, else by decoding them."""
    table = Path(folder, "keyframes.parquet")
    known = {}
    if table.exists():
        rows = pq.read_table(table, columns=["image", "width", "height", "phash"]).to_pylist()
        known = {
            str(Path(folder, one["image"])): Look(one["width"], one["height"], one["phash"])
            for one in rows
        }
    found = {}
    for image in images:
        if image in known:
            found[image] = known[image]
        elif Path(image).exists():
            try:
                with Image.open(image) as opened:
                    size, luma = opened.size, np.asarray(opened.convert("L"))
            except OSError as error:
                raise ValueError(f"{image}: {error}; make or fetch it again") from error
            found[image] = Look(*size, perceptual_hash(luma))
    return found


def near_identical(hashes: Sequence[str], others: Sequence[str] | None = None) -> NDArray[np.bool_]:
    """Which pictures have one that looks the same among the others, or without others, before them
    in the list: bool [pictures].

    Two look the same where `split_likeness` of the bits of their hashes are equal: 242 of 256 by
    default, what keeps a picture out of both sides of the split. A still scene with a mouth that
    moves may pass for the same. All pairs are compared: a minute or two for 100,000 pictures.
    """
    words = pack_hashes(hashes)
    other_words = words if others is None else pack_hashes(others)
    furthest = max_distance(OutputConfig().split_likeness)
    found = np.zeros(len(words), bool)
    for start, apart in distance_blocks(words, other_words):
        close = apart <= furthest
        if others is None:
            close &= np.arange(len(words)) < np.arange(start, start + len(apart))[:, None]
        found[start : start + len(apart)] = close.any(1)
    return found


IMAGE_COUNT, STORY_COUNT, WIDTH, HEIGHT, LENGTH, TOKENS, WORDS, STORY_WORDS, NAMES = (
    "images",
    "stories",
    "width",
    "height",
    "pictures a story",
    "tokens a text",
    "words a text",
    "words a story",
    "names",
)
DUPLICATES, LEAKS, SCORE, SCORE_OTHERS = (
    "duplicates",
    "val seen in train",
    "image-text",
    "image-text, other story",
)
COLUMNS = (
    Column(IMAGE_COUNT, digits=0),
    Column(STORY_COUNT, digits=0),
    Column(WIDTH, "", "px", 0),
    Column(HEIGHT, "", "px", 0),
    Column(LENGTH, digits=1),
    Column(TOKENS, digits=1),
    Column(WORDS, digits=1),
    Column(STORY_WORDS, digits=0),
    Column(NAMES, digits=0),
    Column(DUPLICATES, "lower", "%", 1),
    Column(LEAKS, "lower", "%", 1),
    Column(SCORE, "higher"),
    Column(SCORE_OTHERS),
)


def run(
    folders: Sequence[str],
    tokenizer: str = "",
    score: Score | None = None,
    score_name: str = "",
    seed: int = 0,
) -> list[Table]:
    """The table, a row a folder and one for each published dataset.

    `tokenizer` is a folder or id that transformers loads, by default that of the embedded
    SmolLM2. `score` says how well pictures, by path, fit texts (higher is better), and
    `score_name` what it is. Raises ValueError for a folder that is no dataset.
    """
    from transformers import AutoTokenizer

    try:
        counter = AutoTokenizer.from_pretrained(tokenizer or str(smollm.converted()))
    except (OSError, ValueError) as error:
        raise ValueError(f"{tokenizer} is no tokenizer that transformers loads: {error}") from error
    tokenizer = tokenizer or smollm.NAME
    cells: dict[str, dict[str, Cell]] = {}
    for folder in folders:
        name = Path(folder).name if Path(folder).name not in cells else str(folder)
        cells[name] = _row(folder, counter, score, seed)
    printed = {name: _published(one) for name, one in published.DATASETS.items()}
    # A dataset of ours may bear a published one's name.
    printed = {f"{name} (paper)" if name in cells else name: one for name, one in printed.items()}
    return [
        Table(
            "dataset",
            "Datasets",
            "dataset",
            COLUMNS,
            {**cells, **printed},
            "Sizes are medians, the number of pictures a story is a mean, both with the range where "
            "they vary. Names are the different words that are written as names are: more where there "
            "is more text. Duplicates are the pictures that look like one before them (at least "
            f"{100 * OutputConfig().split_likeness:g} % of the bits of their perceptual hashes are "
            "equal), and those of `val` that look like one of `train` are seen there: still scenes may "
            "pass for the same, a picture that was cropped passes for another.\n\n"
            f"The published rows are from {published.SEED_STORY_PAPER}. Its average text length of "
            f"{published.DATASETS['StoryStream'].text_length} for StoryStream has no clear unit: the "
            f"texts that its authors print as a sample average {published.STORYSTREAM_SAMPLE_WORDS} "
            f"words or {published.STORYSTREAM_SAMPLE_CHARACTERS:.0f} characters.",
            {
                "seed": seed,
                "tokenizer": Path(tokenizer).name,
                "interval": "95 %, bootstrap over stories; what is counted in the whole dataset has none",
                "image-text score": score_name or "none",
            },
            published=tuple(printed),
            contest=False,
        )
    ]


def _row(folder: str, tokenizer: Any, score: Score | None, seed: int) -> dict[str, Cell]:
    contents = read(folder)
    stories = contents.all()
    images = list(dict.fromkeys(image for one in stories for image in one.images))
    found = looks(folder, images)
    texts = [text for one in stories for text in one.texts]
    owners = [one.id for one in stories for _ in one.texts]
    tokens = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    words = [len(text.split()) for text in texts]
    story_words = [sum(len(text.split()) for text in one.texts) for one in stories]
    said = {name for text in texts for name in character_names.unknown(text, (), "")}
    ids = [one.id for one in stories]
    return {
        IMAGE_COUNT: Figure(len(images)),
        STORY_COUNT: Figure(len(stories)),
        **_pixels(contents, images, found),
        LENGTH: _range([len(one.images) for one in stories], np.mean),
        TOKENS: mean(tokens, owners, seed),
        WORDS: mean(words, owners, seed),
        STORY_WORDS: mean(story_words, ids, seed),
        NAMES: Figure(len(said), len(texts)),
        **_scores(stories, found, score, seed),
    }


def _pixels(contents: Contents, images: Sequence[str], found: dict[str, Look]) -> dict[str, Cell]:
    if not found:
        return {name: Figure(None, note=_NO_PIXELS) for name in (WIDTH, HEIGHT, DUPLICATES, LEAKS)}
    twice = near_identical([one.hash for one in found.values()])
    missing = len(images) - len(found)
    lacks = f"without {missing} that {'is' if missing == 1 else 'are'} missing" if missing else ""
    sides = {
        side: [
            found[image].hash
            for image in dict.fromkeys(image for one in told for image in one.images)
            if image in found
        ]
        for side, told in contents.stories.items()
    }
    leaks = Figure(None, note="no split")
    if sides.get("val") and sides.get("train"):
        seen = near_identical(sides["val"], sides["train"])
        leaks = Figure(float(seen.mean()), len(seen), note=lacks)
    return {
        WIDTH: _range([one.width for one in found.values()], np.median),
        HEIGHT: _range([one.height for one in found.values()], np.median),
        DUPLICATES: Figure(float(twice.mean()), len(twice), note=lacks),
        LEAKS: leaks,
    }


def _range(values: Sequence[int], middle: Callable[[Sequence[int]], Any]) -> Figure:
    low, high = min(values), max(values)
    return Figure(float(middle(values)), len(values), note=f"{low} to {high}" * (low < high))


def _scores(
    stories: Sequence[Story], found: dict[str, Look], score: Score | None, seed: int
) -> dict[str, Cell]:
    """The score of pictures with their own texts, and with those of other stories."""
    if score is None:
        return {}
    there = [
        (image, text, one.id)
        for one in stories
        for image, text in zip(one.images, one.texts, strict=True)
        if image in found
    ]
    if not there:
        return {name: Figure(None, note=_NO_PIXELS) for name in (SCORE, SCORE_OTHERS)}
    dice = np.random.default_rng(seed)
    some = [there[at] for at in sorted(dice.permutation(len(there))[:SCORED])]
    shown, told, owners = (list(column) for column in zip(*some, strict=True))
    cells: dict[str, Cell] = {SCORE: mean(list(score(shown, told)), owners, seed)}
    others = [[text for _, text, owner in some if owner != own] for own in owners]
    if all(others):
        wrong = [texts[dice.integers(len(texts))] for texts in others]
        cells[SCORE_OTHERS] = mean(list(score(shown, wrong)), owners, seed)
    return cells


def _published(one: published.Dataset) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        IMAGE_COUNT: Figure(one.images),
        WIDTH: Figure(one.width),
        HEIGHT: Figure(one.height),
        LENGTH: Figure(one.length),
    }
    if one.stories is not None:
        cells[STORY_COUNT] = Figure(one.stories)
    if one.text_length is not None:
        cells[TOKENS] = Figure(None, note=f"{one.text_length} in an unclear unit")
    return cells
