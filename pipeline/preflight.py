"""Checks before a run what would stop it after hours: names, folders, files and models."""

from __future__ import annotations

import argparse
import difflib
import glob
import os
import sys
from collections.abc import Sequence

from pipeline import config, model_specs
from pipeline.graph import stages
from schemas import layout


def check_metrics(file: str, parser: argparse.ArgumentParser) -> None:
    """Exits with an error, before a run of hours, if the file cannot be written."""
    folder = os.path.dirname(file) or "."
    if not os.path.isdir(folder):
        parser.error(f"--metrics {file}: there is no folder {folder}")
    if os.path.isdir(file):
        parser.error(
            f"--metrics {file} is a folder: name a file in it, such as "
            f"{os.path.join(file, 'storystream.prom')}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        parser.error(f"--metrics {file}: no permission to write to {folder}")


def check_sample(folder: str) -> None:
    """Raises OSError for what is in the way of the sample's films."""
    place = os.path.abspath(folder)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise NotADirectoryError(f"{folder}: {place} is a file: name another folder")
    for path in glob.glob(os.path.join(glob.escape(folder), "*.mp4")):
        if os.path.isdir(path):
            raise IsADirectoryError(f"{path} is a folder where a film goes: move it away")


def check_force(forced: Sequence[str], films: Sequence[str]) -> None:
    valid = [*stages.names(), *films]
    for name in forced:
        if name not in valid:
            similar = difflib.get_close_matches(name, valid, 3) or stages.names()
            raise ValueError(
                f"--force {name}: there is no such stage and no film with this id; "
                f"similar names are {', '.join(similar)}"
            )


def check_out(out: str) -> None:
    """Raises OSError or ValueError for what is in the dataset folder and would stop the run at its
    end: a folder in a file's place, a file in a folder's, an edited file that cannot be read."""
    from pipeline.annotation import characters
    from pipeline.runtime import storage

    if not storage.is_remote(out):
        _check_places(out)
    characters.check_edited(out)


def _check_places(out: str) -> None:
    """Raises OSError if a file or folder that a run writes has one of the other kind in its way."""
    place = os.path.abspath(out)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise NotADirectoryError(f"--out {out}: {place} is a file: name another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(
            f"--out {out}: no permission to write to {place}: grant it, or name another folder"
        )
    in_work = (*stages.names(), *layout.WORK_FOLDERS)
    for folder in (*layout.FOLDERS, *(f"{layout.WORK}/{name}" for name in in_work)):
        if os.path.lexists(path := os.path.join(out, folder)) and not os.path.isdir(path):
            raise NotADirectoryError(f"{path} is a file where a folder goes: move it away")
    for pattern in (
        *(layout.MANIFEST, layout.CARD, layout.RUN_RECORD, layout.REPORT),
        *map(layout.table_path, layout.TABLES),
        f"{layout.WORK}/{layout.LOCK}",
        f"{layout.IMAGES}/*.jsonl",
        f"{layout.CHARACTERS}/*.yaml",
        f"{layout.SHARDS}/*.tar",
    ):
        for path in glob.glob(os.path.join(glob.escape(out), pattern)):
            if os.path.isdir(path):
                raise IsADirectoryError(f"{path} is a folder where a file goes: move it away")


def checked(chosen: config.DatasetConfig, with_keys: bool) -> config.DatasetConfig:
    """Checks before the run what would stop it after hours, such as prompts and, `with_keys`, API
    keys; returns the settings. Raises ValueError or OSError."""
    from pipeline.annotation import characters, prompts, story_scores
    from pipeline.cast import detectors
    from pipeline.inference.backends import loading
    from pipeline.ingest import speech

    for role, spec in (("captioner", chosen.captioner), ("writer", chosen.writer)):
        if with_keys and model_specs.parse(spec).kind == "openai":  # others take long to load
            loading.load(role, model_specs.parse(spec), chosen.calls)
    words = chosen.quality.toxic_words_file
    try:
        story_scores.word_list(chosen.stories.language, words)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"quality.toxic_words_file={words} is not UTF-8 text ({error}): save it as UTF-8"
        ) from None
    except OSError as error:
        raise ValueError(f"quality.toxic_words_file={words} cannot be read: {error}") from None
    if chosen.prompts:
        if os.path.lexists(chosen.prompts) and not os.path.isdir(chosen.prompts):
            raise NotADirectoryError(
                f"prompts={chosen.prompts} is a file: name the folder that it lies in"
            )
        prompts.check(chosen.prompts)
    for name in ("figures", "likeness"):
        detectors.check(f"cast.{name}", getattr(chosen.cast, name))
    if chosen.characters:
        characters.check_file(chosen.characters)
    if chosen.speech:
        speech.check(chosen.speech)
    return _without_missing_clip(chosen) if chosen.quality.clip else chosen


def _without_missing_clip(chosen: config.DatasetConfig) -> config.DatasetConfig:
    """Returns the settings, without the CLIP score if its weights are missing."""
    from pipeline.annotation import clip_score

    try:
        clip_score.load(chosen.quality.clip)
    except clip_score.NoWeights as error:
        print(f"The similarity of images and texts is not scored: {error}", file=sys.stderr)
        quality = chosen.quality.model_copy(update={"clip": ""})
        return chosen.model_copy(update={"quality": quality})
    return chosen
