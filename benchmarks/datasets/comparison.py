"""Compares datasets: Table 1 of the SEED-Story paper for any dataset folder, beside the paper's
rows.

The paper's counts (images, size, length) are joined by what tells a good dataset from a large one:
near-duplicates, pictures of `val` that leak from `train`, and how well a text fits its picture
compared with another story's text. What needs pixels is measured on the pictures that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import published_results
from benchmarks.datasets.layouts import StoriesBySplit, read_dataset
from benchmarks.datasets.near_duplicates import PictureInfo, find_near_duplicates, read_picture_info
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.stories import Story
from model import smollm
from pipeline.annotation.checks import character_names
from pipeline.config import OutputConfig

Score = Callable[[Sequence[str], Sequence[str]], NDArray[np.floating]]  # paths and texts, [n] each
SCORED_PICTURES = 500  # pictures, at most, that a score looks at
_NO_PIXELS = "no pictures in the folder"
IMAGE_COUNT, STORY_COUNT, WIDTH, HEIGHT, LENGTH, TOKENS, WORDS, STORY_WORDS, NAMES = (
    "images",
    "stories",
    "width",
    "height",
    "pictures per story",
    "tokens per text",
    "words per text",
    "words per story",
    "names",
)
DUPLICATES, LEAKED, SCORE, SCORE_OTHERS = (
    "duplicates",
    "val leaked from train",
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
    Column(LEAKED, "lower", "%", 1),
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
    """Makes the table, a row per folder and one for each published dataset.

    `tokenizer` is a folder or id that transformers loads, by default that of the embedded SmolLM2.
    `score` scores how well pictures, by path, fit texts (higher is better); `score_name` is its
    name. Raises ValueError for a folder that is not a dataset.
    """
    from transformers import AutoTokenizer

    try:
        counter = AutoTokenizer.from_pretrained(
            tokenizer or str(smollm.converted()), trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{tokenizer} is not a tokenizer that transformers can load: {error}"
        ) from error
    tokenizer = tokenizer or smollm.NAME
    cells: dict[str, dict[str, Cell]] = {}
    for folder in folders:
        name = Path(folder).name if Path(folder).name not in cells else str(folder)
        cells[name] = _dataset_row(folder, counter, score, seed)
    printed = {
        name: _published_row(dataset) for name, dataset in published_results.DATASETS.items()
    }
    # A dataset of ours may bear a published one's name.
    printed = {f"{name} (paper)" if name in cells else name: row for name, row in printed.items()}
    stream = published_results.DATASETS["StoryStream"]
    return [
        Table(
            "dataset",
            "Datasets",
            "dataset",
            COLUMNS,
            {**cells, **printed},
            "Sizes are medians, the number of pictures per story is a mean, both with the range "
            "where they vary. Names are the different capitalised words that look like names: "
            "more where there is more text. Duplicates are the pictures that look the same as "
            f"one before them (at least {100 * OutputConfig().split_likeness:g} % of the bits of "
            "their perceptual hashes are equal); leaked are those of `val` that look the same "
            "as one of `train`. Still scenes may count as duplicates, cropped pictures do not.\n\n"
            f"The published rows are from {published_results.SEED_STORY_PAPER}. Its average text "
            f"length of {stream.text_length} for StoryStream has no clear unit: the texts that "
            f"its authors print as a sample average {published_results.STORYSTREAM_SAMPLE_WORDS} "
            f"words or {published_results.STORYSTREAM_SAMPLE_CHARACTERS:.0f} characters.",
            {
                "seed": seed,
                "tokenizer": Path(tokenizer).name,
                "interval": "95 %, bootstrap over stories; none for counts of the whole dataset",
                "image-text score": score_name or "none",
            },
            published=tuple(printed),
            contest=False,
        )
    ]


def _dataset_row(folder: str, tokenizer: Any, score: Score | None, seed: int) -> dict[str, Cell]:
    contents = read_dataset(folder)
    stories = contents.all()
    images = list(dict.fromkeys(image for story in stories for image in story.images))
    found = read_picture_info(folder, images)
    texts = [text for story in stories for text in story.texts]
    owners = [story.id for story in stories for _ in story.texts]
    tokens = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    words = [len(text.split()) for text in texts]
    story_words = [sum(len(text.split()) for text in story.texts) for story in stories]
    said = {name for text in texts for name in character_names.unknown(text, (), "")}
    ids = [story.id for story in stories]
    return {
        IMAGE_COUNT: Figure(len(images)),
        STORY_COUNT: Figure(len(stories)),
        **_pixel_figures(contents, images, found),
        LENGTH: _range([len(story.images) for story in stories], np.mean),
        TOKENS: bootstrap_mean(tokens, owners, seed),
        WORDS: bootstrap_mean(words, owners, seed),
        STORY_WORDS: bootstrap_mean(story_words, ids, seed),
        NAMES: Figure(len(said), len(texts)),
        **_score_figures(stories, found, score, seed),
    }


def _pixel_figures(
    contents: StoriesBySplit, images: Sequence[str], found: dict[str, PictureInfo]
) -> dict[str, Cell]:
    if not found:
        return {name: Figure(None, note=_NO_PIXELS) for name in (WIDTH, HEIGHT, DUPLICATES, LEAKED)}
    twice = find_near_duplicates([picture.hash for picture in found.values()])
    missing = len(images) - len(found)
    lacks = f"without {missing} that {'is' if missing == 1 else 'are'} missing" if missing else ""
    sides = {
        side: [
            found[image].hash
            for image in dict.fromkeys(image for story in told for image in story.images)
            if image in found
        ]
        for side, told in contents.stories.items()
    }
    leaks = Figure(None, note="no split")
    if sides.get("val") and sides.get("train"):
        seen = find_near_duplicates(sides["val"], sides["train"])
        leaks = Figure(float(seen.mean()), len(seen), note=lacks)
    return {
        WIDTH: _range([picture.width for picture in found.values()], np.median),
        HEIGHT: _range([picture.height for picture in found.values()], np.median),
        DUPLICATES: Figure(float(twice.mean()), len(twice), note=lacks),
        LEAKED: leaks,
    }


def _range(values: Sequence[int], middle: Callable[[Sequence[int]], Any]) -> Figure:
    low, high = min(values), max(values)
    return Figure(float(middle(values)), len(values), note=f"{low} to {high}" * (low < high))


def _score_figures(
    stories: Sequence[Story], found: dict[str, PictureInfo], score: Score | None, seed: int
) -> dict[str, Cell]:
    """Scores pictures with their own texts, and with texts of other stories."""
    if score is None:
        return {}
    there = [
        (image, text, story.id)
        for story in stories
        for image, text in zip(story.images, story.texts, strict=True)
        if image in found
    ]
    if not there:
        return {name: Figure(None, note=_NO_PIXELS) for name in (SCORE, SCORE_OTHERS)}
    dice = np.random.default_rng(seed)
    some = [there[at] for at in sorted(dice.permutation(len(there))[:SCORED_PICTURES])]
    shown, told, owners = (list(column) for column in zip(*some, strict=True))
    cells: dict[str, Cell] = {SCORE: bootstrap_mean(list(score(shown, told)), owners, seed)}
    others = [[text for _, text, owner in some if owner != own] for own in owners]
    if all(others):
        wrong = [texts[dice.integers(len(texts))] for texts in others]
        cells[SCORE_OTHERS] = bootstrap_mean(list(score(shown, wrong)), owners, seed)
    return cells


def _published_row(dataset: published_results.PublishedDataset) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        IMAGE_COUNT: Figure(dataset.images),
        WIDTH: Figure(dataset.width),
        HEIGHT: Figure(dataset.height),
        LENGTH: Figure(dataset.length),
    }
    if dataset.stories is not None:
        cells[STORY_COUNT] = Figure(dataset.stories)
    if dataset.text_length is not None:
        cells[TOKENS] = Figure(None, note=f"{dataset.text_length} in an unclear unit")
    return cells
