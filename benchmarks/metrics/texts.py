"""Tables of texts: length, repetition, grounding, and coherence.

`texts` has length, repetition, similarity of texts and of stories, and how much of a picture's
caption its text keeps. None of these depends on the order of the texts, so none measures coherence.
`text-coherence` has what suffers where a story's texts are shuffled: perplexity given the story so
far, order discrimination, and how names are carried from text to text.

The first text of a story is given to the generator. Measures of single texts leave it out; measures
of a story as a whole include it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.metrics import perplexity
from benchmarks.metrics.entity_grid import (
    adjacent_overlap,
    names_in_texts,
    overlap_above_chance,
    run_lengths,
)
from benchmarks.metrics.perplexity import LanguageModel
from benchmarks.metrics.self_bleu import self_bleu
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.stories import Story
from pipeline.annotation.checks import described_characters
from pipeline.annotation.checks.grounding import grounding
from pipeline.annotation.story_scores import repetition
from schemas.rows import Caption, Character

REPEATED_NGRAM = 4  # words of a run, in rep-4
NO_NAMES = "no cast is known"
NO_CAPTIONS = "its pictures have no captions"


def grounding_scores(
    story: Story, captions: Mapping[str, Caption], cast: Sequence[Character]
) -> list[float] | None:
    """Computes the share of its picture's caption that each text keeps, 0..1; captions are found by
    the name of the picture's file. None where a picture has no caption: it was generated.

    The measure is `pipeline.annotation.checks.grounding`. For English. A good story keeps part of a
    caption, and one that copies it keeps all: the best value is not 1. Where a writer saw the
    captions, as that of a dataset did, this is high by construction.
    """
    shown = [captions.get(Path(image).stem) for image in story.images]
    found = []
    for before, text, caption in zip(("", *story.texts), story.texts, shown, strict=False):
        if caption is None:
            return None
        meant = [
            name
            for name in described_characters.resolve(caption.characters, cast)
            if any(name == known.name for known in cast)
        ]
        found.append(
            grounding(text, caption.characters, meant, caption.action, caption.sentence, before)
        )
    return found


WORDS, REPETITION, BLEU_WITHIN, BLEU_BETWEEN, GROUNDING = (
    "words per text",
    f"rep-{REPEATED_NGRAM}",
    "self-BLEU in a story",
    "self-BLEU between stories",
    "grounding",
)
PERPLEXITY, ORDER, NAMED, RUN, NEIGHBOURS, CARRIED = (
    "perplexity",
    "order discrimination",
    "texts with a name",
    "run length of a name",
    "adjacent texts share a name",
    "above chance",
)


def tables(
    stories: Mapping[str, Sequence[Story]],
    model: LanguageModel | None,
    cast: Sequence[Character] = (),
    captions: Mapping[str, Caption] | None = None,
    seed: int = 0,
    shuffles: int = perplexity.SHUFFLES,
) -> list[Table]:
    """Makes both tables, a row per generator.

    `cast` and `captions` are those of the dataset that the stories begin in
    (`datasets.annotations`); without a `model` there is no perplexity. It reads each story once,
    and once for each of the `shuffles`. Rows with the same texts, as generators have that
    illustrate given ones, are scored once.
    """
    about: dict[str, Any] = {"seed": seed, "interval": "95 %, bootstrap over stories"}
    kept: dict[tuple[tuple[str, ...], ...], dict[str, Cell]] = {}
    coherence: dict[str, dict[str, Cell]] = {}
    for name, told in stories.items():
        texts = tuple(story.texts for story in told)
        if texts not in kept:
            kept[texts] = {
                **_language_model_cells(texts, model, seed, shuffles),
                **_name_cells(told, cast, seed),
            }
        coherence[name] = kept[texts]
    teller = "none" if model is None else model.name
    return [
        Table(
            "texts",
            "Texts",
            "generator",
            (
                Column(WORDS, digits=1),
                Column(REPETITION, "lower", "%", 1),
                Column(BLEU_WITHIN, "lower"),
                Column(BLEU_BETWEEN),
                Column(GROUNDING, "", "%", 1),
            ),
            {
                name: _description_cells(told, cast, captions or {}, seed)
                for name, told in stories.items()
            },
            "Length, repetition (the share of runs of four words that occurred before in the "
            "story), similarity of a story's texts and of the stories, and the share of its "
            "picture's caption that a text keeps. None of them depends on the order of the "
            "texts: they do not measure coherence. Self-BLEU grows with the number of texts; "
            "compare sets of one size.",
            about,
        ),
        Table(
            "text-coherence",
            "Coherence of texts",
            "generator",
            # No contest where a story in a loop would win.
            (
                Column(PERPLEXITY, digits=1),
                Column(ORDER, "higher", "%", 0),
                Column(NAMED, "", "%", 0),
                Column(RUN, "", digits=2),
                Column(NEIGHBOURS, "", "%", 0),
                Column(CARRIED, "higher", "%", 1),
            ),
            coherence,
            "Perplexity per word, given the story so far, and the share of shuffled versions "
            "that the language model finds less likely than the story itself (chance: 50 %). "
            "Then the names of the cast: the share of texts with a name, the number of "
            "consecutive texts that say it, the share of adjacent texts that share one, and how "
            "much that is above chance, which is any two texts of the story. A story that "
            "repeats itself has a low perplexity and many shared names, so no best is marked "
            "there: order discrimination and what is above chance reveal a story without "
            "coherence.",
            {**about, "language model": teller, "shuffles per story": shuffles},
        ),
    ]


def _description_cells(
    told: Sequence[Story], cast: Sequence[Character], captions: Mapping[str, Caption], seed: int
) -> dict[str, Cell]:
    later = [(len(text.split()), story.id) for story in told for text in story.texts[1:]]
    repeated = [
        (value, story.id)
        for story in told
        if (value := repetition(story.texts, REPEATED_NGRAM)) is not None
    ]
    within = [
        (value, story.id)
        for story in told
        for value in self_bleu(story.texts, list(map(str, range(len(story.texts)))))
    ]
    whole = [story.id for story in told]
    between = list(
        zip(self_bleu([" ".join(story.texts) for story in told], whole), whole, strict=True)
    )
    kept = [
        (value, story.id)
        for story in told
        for value in (grounding_scores(story, captions, cast) or ())[1:]
    ]
    return {
        WORDS: _figure(later, seed),
        REPETITION: _figure(repeated, seed),
        BLEU_WITHIN: _figure(within, seed),
        BLEU_BETWEEN: _figure(between, seed),
        GROUNDING: _figure(kept, seed, NO_CAPTIONS),
    }


def _language_model_cells(
    stories: Sequence[Sequence[str]], model: LanguageModel | None, seed: int, shuffles: int
) -> dict[str, Cell]:
    if model is None:
        return {name: Figure(None, note="no language model") for name in (PERPLEXITY, ORDER)}
    surprise = [perplexity.text_nats(texts, model) for texts in stories]
    counts = [np.array([len(text.split()) for text in texts[1:]], float) for texts in stories]
    return {
        PERPLEXITY: perplexity.perplexity([nats[1:] for nats in surprise], counts, seed),
        ORDER: perplexity.order_discrimination(stories, model, seed, shuffles, surprise),
    }


def _name_cells(told: Sequence[Story], cast: Sequence[Character], seed: int) -> dict[str, Cell]:
    if not cast:
        return {name: Figure(None, note=NO_NAMES) for name in (NAMED, RUN, NEIGHBOURS, CARRIED)}
    said = [(names_in_texts(story.texts, cast), story.id) for story in told]
    return {
        NAMED: _figure([(bool(names), owner) for some, owner in said for names in some[1:]], seed),
        RUN: _figure(
            [(length, owner) for some, owner in said for length in run_lengths(some)], seed
        ),
        NEIGHBOURS: _figure([(adjacent_overlap(some), owner) for some, owner in said], seed),
        CARRIED: _figure([(overlap_above_chance(some), owner) for some, owner in said], seed),
    }


def _figure(
    values: Iterable[tuple[float, str]], seed: int, nothing: str = "nothing to measure"
) -> Figure:
    kept = [(value, owner) for value, owner in values if not math.isnan(value)]
    if not kept:
        return Figure(None, note=nothing)
    return bootstrap_mean([value for value, _ in kept], [owner for _, owner in kept], seed)
