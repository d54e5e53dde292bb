"""What can be said of a story's texts without looking at its pictures, and of their grounding.

Two tables. `texts` describes: length, repetition, likeness of texts and of stories, and how much of
a picture's caption its text keeps. None of these sees the order of the texts, so none says that a
story hangs together. `text-coherence` has what loses where a story's texts are shuffled: perplexity
given the story so far, order, and how names are carried from text to text.

The first text of a story is given to whoever goes on from it. Measures of single texts leave it
out; measures of a story as a whole include it.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml

from benchmarks.metrics import perplexity
from benchmarks.metrics.perplexity import LanguageModel
from benchmarks.results import Cell, Column, Figure, Table
from benchmarks.statistics import mean
from benchmarks.stories import Story
from pipeline.annotation.characters import FOLDER
from pipeline.annotation.checks import character_names
from pipeline.annotation.checks.grounding import grounding
from pipeline.annotation.story_scores import repetition
from pipeline.annotation.words import tokenize
from schemas.rows import Caption, Character

BLEU = 4  # longest run of words that is compared
REPEATED = 4  # words of a run, in rep-4
NO_NAMES = "no cast is known"
NO_CAPTIONS = "its pictures have no captions"


def self_bleu(texts: Sequence[str], owners: Sequence[str]) -> list[float]:
    """BLEU of each text, 0..1, against those of all other owners as its references.

    High where texts say the same in the same words. Each text its own owner compares the texts of
    a story; the story's id compares stories. Grows with the number of texts that are compared, so
    only sets of one size can be. A text without others to compare, or without words, has nan.

    BLEU-4 with clipped counts, the brevity penalty for the reference nearest in length, and 1 added
    to the counts of runs of 2 to 4 words (Lin and Och 2004), without which a short text has 0.
    Source: Zhu et al., Texygen (arXiv 1802.01886); Papineni et al., BLEU (2002).
    """
    told = [tokenize(text) for text in texts]
    counts = [Counter(gram for n in range(1, BLEU + 1) for gram in _runs(one, n)) for one in told]
    most: dict[tuple[str, ...], list[tuple[int, str]]] = {}  # the best two owners of each run
    for owner, some in zip(owners, counts, strict=True):
        for gram, count in some.items():
            held = dict((who, times) for times, who in most.get(gram, ()))
            held[owner] = max(count, held.get(owner, 0))
            most[gram] = sorted(((times, who) for who, times in held.items()), reverse=True)[:2]
    lengths = Counter((owner, len(one)) for owner, one in zip(owners, told, strict=True))
    found = []
    for owner, one, some in zip(owners, told, counts, strict=True):
        others = {length for who, length in lengths if who != owner}
        if not others or not one:
            found.append(math.nan)
            continue
        shared = [0] * BLEU
        for gram, count in some.items():
            best = next((times for times, who in most[gram] if who != owner), 0)
            shared[len(gram) - 1] += min(count, best)
        totals = [max(len(one) - n, 0) for n in range(BLEU)]
        precisions = [
            (hit + (n > 0)) / (total + (n > 0))
            for n, (hit, total) in enumerate(zip(shared, totals, strict=True))
        ]
        _, nearest = min((abs(length - len(one)), length) for length in others)
        penalty = min(0.0, 1 - nearest / len(one))
        found.append(
            math.exp(penalty + sum(map(math.log, precisions)) / BLEU) if shared[0] else 0.0
        )
    return found


def _runs(told: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(told[at:] for at in range(n)), strict=False)


def named(texts: Iterable[str], cast: Iterable[Character]) -> list[set[str]]:
    """Who of the cast each text names. "He" names nobody, so texts with many pronouns look as if
    nobody were in them."""
    known = sorted({one.name for one in cast})
    return [{name for name in known if character_names.says(text, name)} for text in texts]


def shared_by_neighbours(said: Sequence[Collection[str]]) -> float:
    """The share of neighbouring texts that name somebody both name; nan for a single text.

    The entity grid of Barzilay and Lapata (Modeling Local Coherence, 2008) reduced to its
    transitions of names from present to present: roles in the sentence would need a parser.
    """
    return _mean([bool(set(one) & set(other)) for one, other in itertools.pairwise(said)])


def carried(said: Sequence[Collection[str]]) -> float:
    """How much more often neighbours share a name than any two texts of the story do, -1..1.

    The second is what `shared_by_neighbours` is, on average over all orders of the texts: so a
    shuffled story has 0 on average, and so has one that names the same people in every text. nan
    for a single text.
    """
    pairs = itertools.combinations(said, 2)
    return shared_by_neighbours(said) - _mean([bool(set(one) & set(other)) for one, other in pairs])


def run_lengths(said: Sequence[Collection[str]]) -> list[int]:
    """For each name, each time it is taken up: in how many texts on end it is said.

    Long where a name is said everywhere, whatever else is told.
    """
    return [
        len(list(run))
        for name in sorted(set().union(*said))
        for there, run in itertools.groupby(name in one for one in said)
        if there
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def grounded(
    story: Story, captions: Mapping[str, Caption], cast: Sequence[Character]
) -> list[float] | None:
    """The share of its picture's caption that each text keeps, 0..1 (`pipeline.annotation.checks.grounding`), by the
    name of the picture's file. None where a picture has no caption: it was painted.

    For English. A good story keeps part of a caption, and one that copies it keeps all: the best
    value is not 1. Where a writer saw the captions, as that of a dataset did, this is high by
    construction.
    """
    shown = [captions.get(Path(image).stem) for image in story.images]
    found = []
    for before, text, one in zip(("", *story.texts), story.texts, shown, strict=False):
        if one is None:
            return None
        meant = [
            name
            for name in character_names.resolve(one.characters, cast)
            if any(name == known.name for known in cast)
        ]
        found.append(grounding(text, one.characters, meant, one.action, one.sentence, before))
    return found


def cast_of(dataset: str | Path) -> list[Character]:
    """The characters of all series of a dataset, by its folder `characters`; none where it has no
    such folder.

    Raises ValueError for a file there that is none of characters.
    """
    found = []
    for file in sorted(Path(dataset, FOLDER).glob("*.yaml")):
        try:
            for series, cast in yaml.safe_load(file.read_text(encoding="utf-8")).items():
                found += [
                    Character(
                        series,
                        one["name"],
                        one.get("look", ""),
                        one.get("role", ""),
                        list(one.get("called", ())),
                        "",
                    )
                    for one in cast
                ]
        except (yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
            raise ValueError(
                f"{file} does not say who is who: {error!r}; `make dataset` writes it "
                "anew where it is deleted"
            ) from error
    return found


def captions_of(dataset: str | Path) -> dict[str, Caption]:
    """The captions of a dataset by the stem of their picture's file; none where it has no
    captions.parquet."""
    path = Path(dataset, "captions.parquet")
    rows = pq.read_table(path).to_pylist() if path.exists() else []
    return {one["keyframe"]: Caption(**one) for one in rows}


WORDS, REPETITION, BLEU_WITHIN, BLEU_BETWEEN, GROUNDING = (
    "words a text",
    f"rep-{REPEATED}",
    "self-BLEU in a story",
    "self-BLEU between stories",
    "grounding",
)
PERPLEXITY, ORDER, NAMED, RUN, NEIGHBOURS, CARRIED = (
    "perplexity",
    "order",
    "texts with a name",
    "texts a name stays",
    "neighbours share a name",
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
    """Both tables, a row a generator. `cast` and `captions` are those of the dataset that the
    stories begin in (`cast_of`, `captions_of`); without a `model` nothing is foreseen. Each story
    is read once by it, and once for each of the `shuffles`.

    Rows with the same texts, as generators have that illustrate given ones, are scored once.
    """
    about: dict[str, Any] = {"seed": seed, "interval": "95 %, bootstrap over stories"}
    kept: dict[tuple[tuple[str, ...], ...], dict[str, Cell]] = {}
    coherence: dict[str, dict[str, Cell]] = {}
    for name, told in stories.items():
        texts = tuple(one.texts for one in told)
        if texts not in kept:
            kept[texts] = {**_foreseen(texts, model, seed, shuffles), **_carried(told, cast, seed)}
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
            {name: _described(told, cast, captions or {}, seed) for name, told in stories.items()},
            "Length, repetition (the share of runs of four words that the story had before), "
            "likeness of a story's texts and of the stories, and the share of its picture's "
            "caption that a text keeps. None of them sees the order of the texts: they say "
            "nothing of coherence. Self-BLEU grows with the number of texts; compare sets of one "
            "size.",
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
            "Perplexity of a word, given the story so far, and the share of shuffled versions "
            "that the language model finds less likely than the story itself (chance: 50 %). "
            "Then the names of the cast: the share of texts that say one, for how many texts on "
            "end a name stays, the share of neighbouring texts that share one, and how much that "
            "is above chance, which is any two texts of the story. A story that repeats itself "
            "has a low perplexity and many shared names, so neither marks a best: "
            "order and what is above chance show where a story leads nowhere.",
            {**about, "language model": teller, "shuffles a story": shuffles},
        ),
    ]


def _described(
    told: Sequence[Story], cast: Sequence[Character], captions: Mapping[str, Caption], seed: int
) -> dict[str, Cell]:
    later = [(len(text.split()), one.id) for one in told for text in one.texts[1:]]
    repeated = [
        (value, one.id) for one in told if (value := repetition(one.texts, REPEATED)) is not None
    ]
    within = [
        (value, one.id)
        for one in told
        for value in self_bleu(one.texts, list(map(str, range(len(one.texts)))))
    ]
    whole = [one.id for one in told]
    between = list(zip(self_bleu([" ".join(one.texts) for one in told], whole), whole, strict=True))
    kept = [(value, one.id) for one in told for value in (grounded(one, captions, cast) or ())[1:]]
    return {
        WORDS: _figure(later, seed),
        REPETITION: _figure(repeated, seed),
        BLEU_WITHIN: _figure(within, seed),
        BLEU_BETWEEN: _figure(between, seed),
        GROUNDING: _figure(kept, seed, NO_CAPTIONS),
    }


def _foreseen(
    stories: Sequence[Sequence[str]], model: LanguageModel | None, seed: int, shuffles: int
) -> dict[str, Cell]:
    if model is None:
        return {name: Figure(None, note="no language model") for name in (PERPLEXITY, ORDER)}
    surprise = [perplexity.nats(texts, model) for texts in stories]
    counts = [np.array([len(text.split()) for text in texts[1:]], float) for texts in stories]
    return {
        PERPLEXITY: perplexity.perplexity([one[1:] for one in surprise], counts, seed),
        ORDER: perplexity.order(stories, model, seed, shuffles, surprise),
    }


def _carried(told: Sequence[Story], cast: Sequence[Character], seed: int) -> dict[str, Cell]:
    if not cast:
        return {name: Figure(None, note=NO_NAMES) for name in (NAMED, RUN, NEIGHBOURS, CARRIED)}
    said = [(named(one.texts, cast), one.id) for one in told]
    return {
        NAMED: _figure([(bool(one), owner) for some, owner in said for one in some[1:]], seed),
        RUN: _figure([(one, owner) for some, owner in said for one in run_lengths(some)], seed),
        NEIGHBOURS: _figure([(shared_by_neighbours(some), owner) for some, owner in said], seed),
        CARRIED: _figure([(carried(some), owner) for some, owner in said], seed),
    }


def _figure(
    values: Iterable[tuple[float, str]], seed: int, nothing: str = "nothing to measure"
) -> Figure:
    kept = [(value, owner) for value, owner in values if not math.isnan(value)]
    if not kept:
        return Figure(None, note=nothing)
    return mean([value for value, _ in kept], [owner for _, owner in kept], seed)
