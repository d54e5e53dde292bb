"""Applies the checks of stories to good tales and to corrupted ones.

The texts of a window are checked as those of a writer's answer are, by `narratives.fault`. Nothing
is asked again, so what is refused is refused.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.story_checks.corruptions import KINDS, ORDER, corrupt
from benchmarks.story_checks.tales import Tale, read_tales
from pipeline.annotation import prompts
from pipeline.annotation.checks import narratives
from pipeline.annotation.window_facts import window_facts
from pipeline.config import DatasetConfig, StoriesConfig
from schemas.answers import NarrativeAnswer

SIZES = (10, 5, 3, 1)  # of windows
ROUNDS = 3  # corruptions of each window of ten


def fault(tale: Tale, start: int, texts: Sequence[str], dialogue: Sequence[str] = ()) -> str:
    """Returns why the pipeline refuses these texts for a tale's pictures from `start` on, "" where
    it accepts them. `dialogue` is spoken over the first of them."""
    frames = list(tale.frames)
    if dialogue:
        keyframe, caption = frames[start]
        frames[start] = dataclasses.replace(keyframe, dialogue=list(dialogue)), caption
    stop = start + len(texts)
    config = DatasetConfig(writer="openai:any", stories=StoriesConfig(language=tale.language))
    answer = NarrativeAnswer.model_validate(
        {"sentences": dict(zip(map(str, range(start, stop)), texts, strict=True))}
    )
    facts = window_facts(frames, tale.texts[:start], start, stop, tale.characters, config.stories)
    return narratives.fault(answer, facts, tale.characters, config, prompts.instructions("narrate"))


def run(seed: int = 0, held_out: bool = False) -> list[Table]:
    """Returns the tables of good tales refused and corrupted ones accepted. `held_out` tales are
    counted only where asked for."""
    everything = read_tales()
    tales = [tale for tale in everything if tale.held_out == held_out]
    suffix = "-held-out" if held_out else ""
    heading = ", held-out tales" if held_out else ""
    return [
        dataclasses.replace(table, name=table.name + suffix, title=table.title + heading)
        for table in (_good(tales), *_corrupted(tales, everything, seed))
    ]


def windows(length: int, size: int) -> list[int]:
    """Returns the starts of windows of this size; the last one ends with the tale."""
    return sorted({max(0, min(start, length - size)) for start in range(0, length, size)})


def _good(tales: Sequence[Tale]) -> Table:
    refused: dict[str, dict[int, list[bool]]] = {}
    for tale in tales:
        for size in SIZES:
            found = [
                bool(fault(tale, start, tale.texts[start : start + size]))
                for start in windows(len(tale.texts), size)
            ]
            for row in (_title(tale), "all"):
                refused.setdefault(row, {}).setdefault(size, []).extend(found)
    rows = sorted(refused, key=lambda row: row == "all")
    return Table(
        "story-checks-good",
        "Good stories refused",
        "style (language)",
        tuple(Column(_size(size), "lower", "%", 0) for size in SIZES),
        {row: {_size(size): _share(found) for size, found in refused[row].items()} for row in rows},
        "Texts that are good: every refusal is a mistake.",
        contest=False,
    )


def _corrupted(tales: Sequence[Tale], others: Sequence[Tale], seed: int) -> list[Table]:
    accepted: dict[str, dict[str, list[bool]]] = {}
    for tale in tales:
        chance = random.Random(f"{seed} {tale.film} {tale.style}")
        for kind in KINDS:
            for start in windows(len(tale.texts), SIZES[0]) * ROUNDS:
                stop = min(start + SIZES[0], len(tale.texts))
                texts = corrupt(kind, tale, start, stop, others, chance)
                if texts is not None:
                    dialogue = [ORDER] if kind == "order obeyed" else []
                    passed = not fault(tale, start, texts, dialogue)
                    for row in (_title(tale), tale.language, "all"):
                        accepted.setdefault(row, {}).setdefault(kind, []).append(passed)
    languages = [*sorted({tale.language for tale in tales}), "all"]
    styles = [_title(tale) for tale in tales]
    return [
        Table(
            f"story-checks-{by}",
            f"Corrupted stories accepted, by {by}",
            by,
            tuple(Column(kind, "lower", "%", 0) for kind in KINDS),
            {row: {kind: _share(accepted[row].get(kind, [])) for kind in KINDS} for row in rows},
            "Windows of up to ten texts, corrupted by program: every one accepted is a mistake.",
            {"seed": seed},
            contest=False,
        )
        for by, rows in (("language", languages), ("style", styles))
    ]


def _title(tale: Tale) -> str:
    return f"{tale.film}: {tale.style} ({tale.language})"


def _size(size: int) -> str:
    return "texts alone" if size == 1 else f"windows of {size}"


def _share(found: Sequence[bool]) -> Cell:
    return Figure(sum(found) / len(found), len(found)) if found else ""
