"""All benchmarks under one name, and what they share: the stories that are compared, told once.

Every benchmark is a function from a `Setting` to tables. Two sets of stories are compared, each
with the generators as rows and the openings of the held-out stories as cases:

- *illustrated*: the true sentences are given, and what each picture should show is known;
- *told*: the generator writes its own sentences.

Stories that were told are kept in the report's folder, and told again only where their model,
opening or policy changed; so are features and the reader, beside the dataset.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import compare, readback, readme, report, results
from benchmarks.generators import baselines, outputs
from benchmarks.results import Table
from benchmarks.stories import Story, of_dataset, opening

TRUE, RETRIEVED, COPIED, SHUFFLED = (
    "ground truth",
    "retrieval from training",
    "first picture again",
    "shuffled true panels",
)
POLICIES = ("multimodal", "dense")  # the first tells freely too


@dataclass(frozen=True)
class Setting:
    """What is measured, on what, and how thoroughly."""

    runs: tuple[str, ...]  # folders of trained runs
    data: str  # dataset
    sample: str  # that it was made from; "" for other films: there is no truth then
    out: str  # the report's folder
    seed: int = 0
    policies: tuple[str, ...] = POLICIES
    illustrated: tuple[tuple[str, str], ...] = ()  # name and folder of other generators' stories
    told: tuple[tuple[str, str], ...] = ()
    datasets: tuple[str, ...] = ()  # more of them, for the table of datasets
    clip: str = ""  # open_clip's MODEL[:WEIGHTS], beside the sample-trained towers
    inception: str = ""  # file with its weights, or "hub"
    language_model: str = ""  # "" for the embedded one
    judges: tuple[str, ...] = ()  # lines of backends
    judge_prices: tuple[tuple[float, ...], ...] = ()  # a million tokens in and out, of each
    budget: float | None = None
    repeats: int = 1
    thorough: bool = False  # long stories and speed as in the docs: an hour
    film: str = ""  # that keyframes are timed on, else the sample's

    @property
    def cache(self) -> str:
        """What is found out about pictures, for later runs."""
        return str(Path(self.data, ".benchmarks"))


# What they share ---------------------------------------------------------------------------------


@functools.cache
def _true(data: str, split: str = "val") -> tuple[Story, ...]:
    return tuple(of_dataset(data, split))


@functools.cache
def _size(setting: Setting) -> int:
    """Pixels that pictures are squashed to before they are compared: those that are painted."""
    return int(_teller(setting.runs[0]).run.preset.model.detokenizer.image_size)


@functools.cache
def _teller(run: str) -> Any:
    from model import generate

    return generate.load(Path(run))


@functools.cache
def stories(setting: Setting, illustrate: bool) -> dict[str, list[Story]]:
    """The stories of all generators, told now where they are not there yet. The names of those that
    are told freely end in ", told", but for the true stories.

    Raises ValueError where the dataset, a run or somebody's stories are not there.
    """
    from benchmarks.generators import ours

    true = _true(setting.data)
    openings = [opening(one, illustrate) for one in true]
    found: dict[str, list[Story]] = {TRUE: list(true)}
    suffix = "" if illustrate else ", told"
    for run in setting.runs:
        for policy in setting.policies if illustrate else setting.policies[:1]:
            name = f"{Path(run).name}, {policy}{suffix}"
            print(f"telling: {name}", file=sys.stderr, flush=True)
            found[name] = ours.tell(
                _teller(run), policy, openings, Path(setting.out, "told", name), setting.seed
            )
    for name, folder in setting.illustrated if illustrate else setting.told:
        found[name + suffix], lacks = outputs.read(folder, openings)
        if lacks:
            print(lacks, file=sys.stderr)
    for name, simple in (
        (RETRIEVED, baselines.retrieval(_true(setting.data, "train"))),
        (COPIED, baselines.copy_first),
        (SHUFFLED, baselines.shuffled(true, setting.seed)),
    ):
        found[name + suffix] = [simple(one) for one in openings]
    return found


@functools.cache
def _towers(setting: Setting) -> tuple[Any, ...]:
    from benchmarks.metrics import embeddings

    pairs = (
        [embeddings.run_towers(setting.runs[0])]
        if _teller(setting.runs[0]).run.preset.model.vision.towers
        else []
    )
    if setting.clip:
        whole = setting.clip.startswith(("local-dir:", "hf-hub:"))
        model, _, weights = (setting.clip, "", "") if whole else setting.clip.partition(":")
        pairs.append(embeddings.open_clip_towers(model, weights))
    return tuple(pairs)


# The benchmarks ----------------------------------------------------------------------------------


def _dataset(setting: Setting) -> list[Table]:
    from benchmarks import dataset
    from benchmarks.metrics import embeddings, image_text

    folders = [setting.data, *setting.datasets]
    if not _towers(setting):
        return dataset.run(folders, seed=setting.seed)
    pair = _towers(setting)[-1]  # the one that was asked for, if any

    def score(paths: Sequence[str], said: Sequence[str]) -> Any:
        seen = embeddings.features(pair.pictures, paths, _size(setting), setting.cache)
        return image_text.cosines(seen, pair.texts(said))

    return dataset.run(
        folders, score=score, score_name=f"cosine, {pair.pictures.name}", seed=setting.seed
    )


def _pictures(setting: Setting) -> list[Table]:
    from benchmarks.metrics import embeddings, pictures

    embedders = [
        embeddings.efficientnet(),
        embeddings.inception(setting.inception),
        *(one.pictures for one in _towers(setting)),
    ]
    return pictures.tables(
        stories(setting, True),
        _true(setting.data),
        _size(setting),
        embedders,
        setting.seed,
        {"true pictures of training": _true(setting.data, "train")},
        setting.cache,
    )


def _image_text(setting: Setting) -> list[Table]:
    from benchmarks.metrics import image_text

    return [
        dataclasses.replace(
            table, name=f"{table.name}-{name}", title=f"{table.title}, {said}", bounds=(TRUE,)
        )
        for name, illustrate, said in (
            ("illustrated", True, "true sentences illustrated"),
            ("told", False, "stories told freely"),
        )
        for table in image_text.tables(
            stories(setting, illustrate),
            _towers(setting),
            _size(setting),
            setting.seed,
            setting.cache,
        )
    ]


def _consistency(setting: Setting) -> list[Table]:
    from benchmarks.metrics import consistency, texts, truth

    true = _true(setting.data)
    shown = (
        truth.shown(true, readback.truth(setting.data, setting.sample), setting.data)
        if setting.sample
        else None
    )
    return consistency.tables(
        stories(setting, True),
        true,
        _size(setting),
        shown,
        names=[one.name for one in texts.cast_of(setting.data)],
        training=consistency.training_hashes(setting.data),
        embedders=[one.pictures for one in _towers(setting)],
        seed=setting.seed,
        cache=setting.cache,
    )


def _truth(setting: Setting) -> list[Table]:
    from benchmarks.metrics import truth

    size = _size(setting)
    return truth.tables(
        stories(setting, True),
        _true(setting.data),
        readback.truth(setting.data, setting.sample),
        setting.data,
        size,
        readback.train(setting.data, setting.sample, size, setting.seed),
        setting.seed,
    )


def _texts(setting: Setting) -> list[Table]:
    from benchmarks.metrics import perplexity, texts

    return [
        dataclasses.replace(one, bounds=(TRUE,))
        for one in texts.tables(
            stories(setting, False),
            perplexity.load(setting.language_model),
            texts.cast_of(setting.data),
            texts.captions_of(setting.data),
            setting.seed,
        )
    ]


def _judged(setting: Setting) -> list[Table]:
    from benchmarks.judge import tables
    from benchmarks.judge.asking import Settings
    from pipeline import model_specs
    from pipeline.config import Price

    if not setting.judges:
        return tables.run({})
    prices = {
        model_specs.parse(one).model: Price(input=paid, output=got)
        for one, (paid, got) in zip(setting.judges, setting.judge_prices, strict=False)
    }
    return tables.run(
        stories(setting, False),
        setting.judges,
        Settings(repeats=setting.repeats, prices=prices, budget=setting.budget, seed=setting.seed),
    )


def _story_model(setting: Setting) -> list[Table]:
    from benchmarks import story_model

    return [
        table
        for run in setting.runs
        for table in story_model.run(run, setting.data, setting.sample, setting.out, setting.seed)
    ]


def _attention_map(setting: Setting) -> list[Table]:
    from benchmarks import attention_map

    return attention_map.run(setting.runs[0], setting.data, setting.out)


def _long_story(setting: Setting) -> list[Table]:
    from benchmarks import long_story

    if setting.thorough:
        return long_story.run(setting.runs[0], setting.data, setting.sample, setting.out)
    return long_story.run(
        setting.runs[0],
        setting.data,
        setting.sample,
        setting.out,
        lengths=(10, 25, 40),
        seeds=2,
        longest=0,
        rounds=3,
    )


def _films(setting: Setting) -> list[Table]:
    from benchmarks.speed import pipeline

    if setting.thorough:
        return pipeline.run(setting.film, drawn=setting.sample)
    return pipeline.run(
        setting.film, rounds=2, episodes=2, calls=100, copies=2, drawn=setting.sample
    )


def _loader(setting: Setting) -> list[Table]:
    from benchmarks.speed import loader

    if setting.thorough:
        return loader.run(setting.data, setting.runs[0])
    return loader.run(
        setting.data, setting.runs[0], rounds=3, batches=6, sizes=((_size(setting), 0),)
    )


def _training_step(setting: Setting) -> list[Table]:
    from benchmarks.speed import training_step

    return training_step.run(
        str(Path(setting.runs[0], "preset")),
        batch=0 if setting.thorough else 2,
        rounds=7 if setting.thorough else 3,
    )


def _generation(setting: Setting) -> list[Table]:
    from benchmarks.speed import generation

    return generation.run(setting.runs[0], rounds=7 if setting.thorough else 3)


def _growth(setting: Setting) -> list[Table]:
    from benchmarks.speed import growth

    first = next(iter(sorted(Path(setting.sample).glob("*.mp4"))), "") if setting.sample else ""
    film = setting.film or str(first)
    if setting.thorough:
        return growth.run(setting.out, setting.runs[0], film=film)
    return growth.run(
        setting.out,
        setting.runs[0],
        films=(1, 2),
        lengths=(1, 2),
        pictures=(10, 25, 40),
        rounds=2,
        film=film,
    )


Benchmark = Callable[[Setting], list[Table]]

# In the order of the report: how good first, then how fast.
BENCHMARKS: dict[str, tuple[str, Benchmark]] = {
    "dataset": ("size, texts, duplicates, leaks of datasets, beside published ones", _dataset),
    "pictures": ("Frechet and kernel distances to the true pictures: FID, KID, CMMD", _pictures),
    "image-text": ("pictures and their texts: CLIPScore", _image_text),
    "consistency": ("style, characters, places across a story; copies", _consistency),
    "truth": ("character, place, action, count against the sample's truth", _truth),
    "texts": ("perplexity, repetition, names, grounding", _texts),
    "judge": ("scores and preferences of a model that looks and reads", _judged),
    "story-model": ("predicted features and pictures, beside simple guesses", _story_model),
    "attention-map": ("where the story model looks", _attention_map),
    "long-story": ("what each policy for the cache costs and loses, by length", _long_story),
    "pipeline": ("keyframes, shots, model calls: speed and what is found", _films),
    "loader": ("chunks a second that a trainer is given", _loader),
    "training-step": ("a step of the story stage, by how turns are supervised", _training_step),
    "generation": ("a picture and its text, by what is computed again", _generation),
    "growth": ("how cost grows with films, their length and stories' length", _growth),
}
NEEDS_TRUTH = ("truth", "story-model", "long-story")  # of the sample


# One report --------------------------------------------------------------------------------------


def run(
    setting: Setting,
    names: Sequence[str],
    compare_with: Path | None = None,
    readme_file: Path | None = None,
) -> int:
    """Runs the benchmarks of these names: prints the tables of one, writes a report of several.

    Returns 1 where one failed or got worse than in the results to compare with, and 130 after
    Ctrl-C, with a report of what was measured until then. A benchmark that fails is said and costs
    none of the others.
    """
    Path(setting.out).mkdir(parents=True, exist_ok=True)
    if compare_with:
        results.load(compare_with)  # before an hour of work, not after
    if len(names) == 1:
        tables, failed, stopped = BENCHMARKS[names[0]][1](setting), [], False
        print("\n\n".join(map(results.markdown, tables)))
    else:
        told = stories(setting, True) | stories(setting, False)  # says at once what is missing
        tables, failed, stopped = _each(setting, names)
        report.write(Path(setting.out), tables, told, about(setting))
        print(f"look at it: {setting.out}/report.html", file=sys.stderr)
    if readme_file:
        places = readme.places(readme_file)
        readme.update(readme_file, [one for one in tables if one.name in places])
    worse = False
    if compare_with:
        said, worse = compare.compare(compare_with, tables)
        print(said)
    return 130 if stopped else 1 if failed or worse else 0


def _each(setting: Setting, names: Sequence[str]) -> tuple[list[Table], list[str], bool]:
    """The tables of all, the names of those that failed, and whether the user stopped it."""
    began, tables, failed = time.monotonic(), [], []
    for number, name in enumerate(names, 1):
        said = f"[{time.monotonic() - began:5.0f} s] {number} of {len(names)}: {name}"
        if name in NEEDS_TRUTH and not setting.sample:
            print(f"{said}: left out, it needs the sample's truth", file=sys.stderr)
            continue
        print(said, file=sys.stderr, flush=True)
        try:
            tables += BENCHMARKS[name][1](setting)
        except ValueError as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
            failed.append(name)
        except KeyboardInterrupt:
            print(f"stopped in {name}; the same command goes on from what is kept", file=sys.stderr)
            return tables, failed, True
    print(f"[{time.monotonic() - began:5.0f} s] all measured", file=sys.stderr)
    return tables, failed, False


def about(setting: Setting) -> dict[str, Any]:
    """What was measured, with what, on which machine."""
    from model import generate, runs

    packages = ("torch", "transformers", "diffusers", "open_clip_torch", "apache-beam")
    return {
        "dataset": f"{setting.data} ({runs.digest(setting.data)})",
        "run": "; ".join(
            "{run}: {story_model}; {painter}".format(**generate.about(_teller(one)))
            for one in setting.runs
        ),
        "seed": setting.seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
