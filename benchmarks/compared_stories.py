"""Stories that are compared, of all generators, and the models that several benchmarks share.

Two sets of stories are compared, each with the generators as rows and the openings of the held-out
stories as cases:

- *illustrated*: the true sentences are given, and what each picture should show is known;
- *told*: the generator writes its own sentences.

Generated stories are kept in the report's folder, and generated again only where their model,
opening or policy changed.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

from benchmarks.generators import baselines, external_stories
from benchmarks.settings import Settings
from benchmarks.stories import Story, make_opening, read_stories

GROUND_TRUTH, RETRIEVED, COPIED, SHUFFLED = (
    "ground truth",
    "retrieval from training",
    "first picture repeated",
    "shuffled true panels",
)


@functools.cache
def true_stories(data: str, split: str = "val") -> tuple[Story, ...]:
    """Returns the true stories of one side of a dataset's split."""
    return tuple(read_stories(data, split))


@functools.cache
def picture_size(settings: Settings) -> int:
    """Returns the pixels that pictures are squashed to before they are compared: those of generated
    ones."""
    return int(load_run(settings.runs[0]).run.preset.model.detokenizer.image_size)


@functools.cache
def load_run(run: str) -> Any:
    """Loads a trained run."""
    from model import generate

    return generate.load(Path(run))


@functools.cache
def compared_stories(settings: Settings, illustrate: bool) -> dict[str, list[Story]]:
    """Returns the stories of all generators, generated now where they are not there yet. The names
    of those that are told freely end in ", told", except for the true stories.

    Raises ValueError where the dataset, a run or a folder of stories is missing.
    """
    from benchmarks.generators import trained_run

    true = true_stories(settings.data)
    openings = [make_opening(story, illustrate) for story in true]
    found: dict[str, list[Story]] = {GROUND_TRUTH: list(true)}
    suffix = "" if illustrate else ", told"
    for run in settings.runs:
        for policy in settings.policies if illustrate else settings.policies[:1]:
            name = f"{Path(run).name}, {policy}{suffix}"
            print(f"generating: {name}", file=sys.stderr, flush=True)
            found[name] = trained_run.tell_stories(
                load_run(run), policy, openings, Path(settings.out, "told", name), settings.seed
            )
    for name, folder in settings.illustrated if illustrate else settings.told:
        found[name + suffix], lacks = external_stories.read_external_stories(folder, openings)
        if lacks:
            print(lacks, file=sys.stderr)
    for name, simple in (
        (RETRIEVED, baselines.retrieve(true_stories(settings.data, "train"))),
        (COPIED, baselines.repeat_first),
        (SHUFFLED, baselines.shuffle(true, settings.seed)),
    ):
        found[name + suffix] = [simple(opening) for opening in openings]
    return found


@functools.cache
def load_encoders(settings: Settings) -> tuple[Any, ...]:
    """Loads the image and text encoders: the run's own, if it trained some, and the one of the
    settings."""
    from benchmarks.metrics import encoders

    pairs = (
        [encoders.load_run_encoders(settings.runs[0])]
        if load_run(settings.runs[0]).run.preset.model.vision.towers
        else []
    )
    if settings.clip:
        whole = settings.clip.startswith(("local-dir:", "hf-hub:"))
        model, _, weights = (settings.clip, "", "") if whole else settings.clip.partition(":")
        pairs.append(encoders.load_open_clip(model, weights))
    return tuple(pairs)
