"""The benchmarks by name, and how they are run: each is a function from `Settings` to tables.

A run of several writes one report, compares it with an earlier one and updates tables in a README.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.attributes import labels
from benchmarks.attributes.classifier import train_classifier
from benchmarks.compared_stories import (
    GROUND_TRUTH,
    compared_stories,
    load_encoders,
    load_run,
    picture_size,
    true_stories,
)
from benchmarks.results import comparison, markdown, readme, report, results_json
from benchmarks.results.tables import Table
from benchmarks.settings import Settings
from model.terminal import telling

if TYPE_CHECKING:
    from benchmarks.judge.client import JudgeSettings


def _dataset(settings: Settings) -> list[Table]:
    from benchmarks.datasets import comparison
    from benchmarks.metrics import clip_score, feature_cache

    folders = [settings.data, *settings.datasets]
    if not load_encoders(settings):
        return comparison.run(folders, seed=settings.seed)
    pair = load_encoders(settings)[-1]  # the one that was asked for, if any

    def score(paths: Sequence[str], said: Sequence[str]) -> Any:
        seen = feature_cache.picture_features(
            pair.pictures, paths, picture_size(settings), settings.cache
        )
        return clip_score.cosines(seen, pair.texts(said))

    return comparison.run(
        folders, score=score, score_name=f"cosine, {pair.pictures.name}", seed=settings.seed
    )


def _fid(settings: Settings) -> list[Table]:
    from benchmarks.metrics import encoders, image_distribution

    embedders = [
        encoders.efficientnet(),
        encoders.inception(settings.inception),
        *(pair.pictures for pair in load_encoders(settings)),
    ]
    return image_distribution.tables(
        compared_stories(settings, True),
        true_stories(settings.data),
        picture_size(settings),
        embedders,
        settings.seed,
        {"true pictures of training": true_stories(settings.data, "train")},
        settings.cache,
    )


def _clip_score(settings: Settings) -> list[Table]:
    from benchmarks.metrics import clip_score

    return [
        dataclasses.replace(
            table,
            name=f"{table.name}-{name}",
            title=f"{table.title}, {said}",
            bounds=(GROUND_TRUTH,),
        )
        for name, illustrate, said in (
            ("illustrated", True, "true sentences illustrated"),
            ("told", False, "stories told freely"),
        )
        for table in clip_score.tables(
            compared_stories(settings, illustrate),
            load_encoders(settings),
            picture_size(settings),
            settings.seed,
            settings.cache,
        )
    ]


def _consistency(settings: Settings) -> list[Table]:
    from benchmarks.attributes.tables import labels_of_stories
    from benchmarks.datasets import annotations
    from benchmarks.metrics import consistency, near_copies

    true = true_stories(settings.data)
    shown = (
        labels_of_stories(true, labels.read_labels(settings.data, settings.sample), settings.data)
        if settings.sample
        else None
    )
    return consistency.tables(
        compared_stories(settings, True),
        true,
        picture_size(settings),
        shown,
        names=[character.name for character in annotations.read_cast(settings.data)],
        training=near_copies.read_training_hashes(settings.data),
        embedders=[pair.pictures for pair in load_encoders(settings)],
        seed=settings.seed,
        cache=settings.cache,
    )


def _attributes(settings: Settings) -> list[Table]:
    from benchmarks.attributes import tables as accuracy_tables

    size = picture_size(settings)
    return accuracy_tables.tables(
        compared_stories(settings, True),
        true_stories(settings.data),
        labels.read_labels(settings.data, settings.sample),
        settings.data,
        size,
        train_classifier(settings.data, settings.sample, size, settings.seed),
        settings.seed,
    )


def _cast(settings: Settings) -> list[Table]:
    from benchmarks.cast import film_labels, scores, tables

    if film_labels.has_film(settings.data):
        return [tables.film_table(film_labels.count(settings.data, film_labels.read_labels()))]
    if not settings.sample:
        raise ValueError(
            "who is in a picture is known of the sample and of Big Buck Bunny only: give --sample, "
            f"or a dataset with the film {film_labels.FILM}"
        )
    return [tables.table({Path(settings.data).name: scores.count(settings.data, settings.sample)})]


def _scenes(settings: Settings) -> list[Table]:
    from benchmarks.scenes import scores, tables

    if not settings.sample:
        raise ValueError("where a scene is is known of the sample only: give --sample")
    return [tables.table(scores.count(settings.data, settings.sample))]


def _texts(settings: Settings) -> list[Table]:
    from benchmarks.datasets import annotations
    from benchmarks.metrics import perplexity, texts

    return [
        dataclasses.replace(table, bounds=(GROUND_TRUTH,))
        for table in texts.tables(
            compared_stories(settings, False),
            perplexity.load_language_model(settings.language_model),
            annotations.read_cast(settings.data),
            annotations.read_captions(settings.data),
            settings.seed,
        )
    ]


def _story_checks(settings: Settings) -> list[Table]:
    from benchmarks.story_checks.run import run as run_story_checks

    return run_story_checks(
        settings.seed, _models(settings), _judge_settings(settings), settings.tales
    )


def _judge(settings: Settings) -> list[Table]:
    from benchmarks.judge.run import run as run_judges

    if not settings.judges:
        return run_judges({})
    return run_judges(compared_stories(settings, False), settings.judges, _judge_settings(settings))


def _models(settings: Settings) -> tuple[str, ...]:
    """Returns the judges that are models, not people."""
    from benchmarks.judge.people import is_person

    return tuple(judge for judge in settings.judges if not is_person(judge))


def _judge_settings(settings: Settings) -> JudgeSettings:
    from benchmarks.judge.client import JudgeSettings
    from pipeline import model_specs
    from pipeline.config import Price

    prices = {
        model_specs.parse(judge).model: Price(input=paid, output=got)
        for judge, (paid, got) in zip(_models(settings), settings.judge_prices, strict=False)
    }
    return JudgeSettings(
        repeats=settings.repeats, prices=prices, budget=settings.budget, seed=settings.seed
    )


def _story_model(settings: Settings) -> list[Table]:
    from benchmarks.story_model.run import run

    return [
        table
        for folder in settings.runs
        for table in run(folder, settings.data, settings.sample, settings.out, settings.seed)
    ]


def _attention_map(settings: Settings) -> list[Table]:
    from benchmarks.story_model import attention_map

    return attention_map.run(settings.runs[0], settings.data, settings.out)


def _long_stories(settings: Settings) -> list[Table]:
    from benchmarks.long_stories.run import run as run_long_stories

    if settings.thorough:
        return run_long_stories(settings.runs[0], settings.data, settings.sample, settings.out)
    return run_long_stories(
        settings.runs[0],
        settings.data,
        settings.sample,
        settings.out,
        lengths=(10, 25, 40),
        seeds=2,
        longest=0,
        rounds=3,
    )


def _pipeline(settings: Settings) -> list[Table]:
    from benchmarks.speed import pipeline

    if settings.thorough:
        return pipeline.run(settings.film, drawn=settings.sample)
    return pipeline.run(
        settings.film, rounds=2, episodes=2, calls=640, copies=2, drawn=settings.sample
    )


def _shots(settings: Settings) -> list[Table]:
    from benchmarks.metrics import shot_detection

    drawn = (
        next(iter(sorted(Path(settings.sample).glob("*.mp4"))), None) if settings.sample else None
    )
    source = settings.film or drawn
    if not source:
        raise ValueError("give a film or a folder of films to take shots from: --film")
    return shot_detection.run(str(source), str(Path(settings.out, "shots")), settings.thorough)


def _loader(settings: Settings) -> list[Table]:
    from benchmarks.speed import loader

    if settings.thorough:
        return loader.run(settings.data, settings.runs[0])
    return loader.run(
        settings.data, settings.runs[0], rounds=3, batches=6, sizes=((picture_size(settings), 0),)
    )


def _training_step(settings: Settings) -> list[Table]:
    from benchmarks.speed import training_step

    return training_step.run(
        str(Path(settings.runs[0], "preset")),
        batch=0 if settings.thorough else 2,
        rounds=7 if settings.thorough else 3,
        peak=settings.peak,
    )


def _generation(settings: Settings) -> list[Table]:
    from benchmarks.speed import generation

    return generation.run(settings.runs[0], rounds=7 if settings.thorough else 3)


def _scaling_exponents(settings: Settings) -> list[Table]:
    from benchmarks.speed import scaling_exponents

    first = next(iter(sorted(Path(settings.sample).glob("*.mp4"))), "") if settings.sample else ""
    film = settings.film or str(first)
    if settings.thorough:
        return scaling_exponents.run(settings.out, settings.runs[0], film=film)
    return scaling_exponents.run(
        settings.out,
        settings.runs[0],
        films=(1, 2),
        lengths=(1, 2),
        pictures=(10, 25, 40),
        rounds=2,
        film=film,
    )


Benchmark = Callable[[Settings], list[Table]]

# In the order of the report: how good first, then how fast.
BENCHMARKS: dict[str, tuple[str, Benchmark]] = {
    "dataset": ("size, texts, duplicates, leaks of datasets, beside published ones", _dataset),
    "fid": ("Frechet and kernel distances to true pictures: FID, KID, CMMD", _fid),
    "clip-score": ("pictures and their texts: CLIPScore", _clip_score),
    "consistency": ("style, characters, places within a story; near copies", _consistency),
    "attributes": ("character, place, action, count by the sample's ground truth", _attributes),
    "cast": ("who is in which picture, by the sample's ground truth", _cast),
    "scenes": ("where scenes begin and which are at one place, by the sample's truth", _scenes),
    "texts": ("perplexity, repetition, names, grounding", _texts),
    "story-checks": ("good stories that the checks refuse, bad ones accepted", _story_checks),
    "judge": ("scores and preferences of a vision-language model", _judge),
    "story-model": ("predicted features and pictures, beside baselines", _story_model),
    "attention-map": ("attention by kind of token", _attention_map),
    "long-stories": ("cost and loss of each policy for the cache, by length", _long_stories),
    "pipeline": ("speed of keyframes and model calls, quality of shots", _pipeline),
    "shots": ("cuts and gradual transitions found in real shots, beside other detectors", _shots),
    "loader": ("chunks per second that a trainer is given", _loader),
    "training-step": (
        "time of a step of the story stage, by how turns are supervised",
        _training_step,
    ),
    "generation": ("time of a picture and its text, by what is computed again", _generation),
    "scaling-exponents": (
        "how cost scales with films, their length and stories' length",
        _scaling_exponents,
    ),
}
NEEDS_TRUTH = ("attributes", "cast", "scenes", "story-model", "long-stories")  # of the sample


def run(
    settings: Settings,
    names: Sequence[str],
    compare_with: Path | None = None,
    readme_file: Path | None = None,
) -> int:
    """Runs the benchmarks of these names: prints the tables of one, writes a report of several.

    Returns 1 where one failed or got worse than in the results to compare with, and 130 after
    Ctrl-C, with a report of what was measured until then. A benchmark that fails is reported and
    costs none of the others.
    """
    Path(settings.out).mkdir(parents=True, exist_ok=True)
    if compare_with:
        results_json.read_results(compare_with)  # before an hour of work, not after
    if len(names) == 1:
        tables = _run_one(settings, names[0])
        failed: list[str] = []
        stopped = False
        print("\n\n".join(map(markdown.table_to_markdown, tables)))
    else:
        told = compared_stories(settings, True) | compared_stories(
            settings, False
        )  # says at once what is missing
        tables, failed, stopped = _run_each(settings, names)
        report.write_report(Path(settings.out), tables, told, describe_run(settings))
        print(f"report: {settings.out}/report.html", file=sys.stderr)
    if readme_file:
        places = readme.table_places(readme_file)
        readme.update_readme(readme_file, [table for table in tables if table.name in places])
    worse = False
    if compare_with:
        said, worse = comparison.compare_results(compare_with, tables)
        print(said)
    return 130 if stopped else 1 if failed or worse else 0


def _run_one(settings: Settings, name: str) -> list[Table]:
    with telling(lambda: f"measuring {name}"):
        return BENCHMARKS[name][1](settings)


def _run_each(settings: Settings, names: Sequence[str]) -> tuple[list[Table], list[str], bool]:
    """Returns the tables of all, the names of those that failed, and whether the user stopped the
    run."""
    began = time.monotonic()
    tables: list[Table] = []
    failed: list[str] = []
    for number, name in enumerate(names, 1):
        said = f"[{time.monotonic() - began:5.0f} s] {number} of {len(names)}: {name}"
        if name in NEEDS_TRUTH and not settings.sample:
            print(f"{said}: left out, it needs the sample's ground truth", file=sys.stderr)
            continue
        if name == "shots" and not (settings.film or settings.sample):
            print(f"{said}: left out, it needs a film: --film", file=sys.stderr)
            continue
        print(said, file=sys.stderr, flush=True)
        try:
            tables += _run_one(settings, name)
        except ValueError as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
            failed.append(name)
        except KeyboardInterrupt:
            print(f"stopped in {name}; the same command resumes", file=sys.stderr)
            return tables, failed, True
    print(f"[{time.monotonic() - began:5.0f} s] all measured", file=sys.stderr)
    return tables, failed, False


def describe_run(settings: Settings) -> dict[str, Any]:
    """Returns what was measured, with what, on which machine."""
    from model import generate, runs

    packages = ("torch", "transformers", "diffusers", "open_clip_torch", "apache-beam")
    return {
        "dataset": f"{settings.data} ({runs.digest(settings.data)})",
        "run": "; ".join(
            "{run}: {story_model}; {painter}".format(**generate.about(load_run(run)))
            for run in settings.runs
        ),
        "seed": settings.seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
