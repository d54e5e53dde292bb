"""Applies the checks of stories to good tales and to corrupted ones.

The texts of a window are checked as those of a writer's answer are, by `narratives.fault`. Nothing
is asked again, so what is refused is refused. A judge model may be asked about windows of ten, each
good and corrupted once in every way.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence

from benchmarks.judge.client import JudgeSettings
from benchmarks.judge.tables import cost_table, description
from benchmarks.results.tables import Cell, Column, Figure, Table
from benchmarks.story_checks import judged
from benchmarks.story_checks.corruptions import KINDS, ORDER, corrupt
from benchmarks.story_checks.tales import Tale, read_tales
from pipeline.annotation import prompts
from pipeline.annotation.checks import narratives
from pipeline.annotation.window_facts import window_facts
from pipeline.config import DatasetConfig, StoriesConfig
from schemas.answers import NarrativeAnswer

SIZES = (10, 5, 3, 1)  # of windows
ROUNDS = 3  # corruptions of each window of ten
_NOTE = (
    "Good windows are of tales in many styles and languages; corrupted ones, of up to ten texts, "
    "are made of them by program."
)

Measured = dict[str, list[bool]]  # by kind of window: whether the checks are wrong


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


def run(
    seed: int = 0,
    judges: Sequence[str] = (),
    settings: JudgeSettings | None = None,
    judged_tales: int | None = None,
) -> list[Table]:
    """Returns what is refused and accepted of the tales: in all, and by language and by style of
    those that are not held out; with judges, what they refuse and accept as well.

    `judged_tales` is how many tales judges are asked about, drawn by the seed; None for all. Raises
    ValueError for a judge that cannot be used, before anything is asked.
    """
    tales = sorted(read_tales(), key=lambda tale: tale.language)  # a dictionary at a time
    measured = [(tale, _measured(tale, tales, seed)) for tale in tales]
    seen = [(tale, found) for tale, found in measured if not tale.held_out]
    unseen = [(tale, found) for tale, found in measured if tale.held_out]
    tables = [_summary(seen, unseen, seed), _by("language", seen, seed), _by("style", seen, seed)]
    if not judges:
        return tables
    return [*tables, *_judged(tales, judges, seed, settings or JudgeSettings(), judged_tales)]


def windows(length: int, size: int) -> list[int]:
    """Returns the starts of windows of this size; the last one ends with the tale."""
    return sorted({max(0, min(start, length - size)) for start in range(0, length, size)})


def _measured(tale: Tale, tales: Sequence[Tale], seed: int) -> Measured:
    """Returns which good windows of a tale are refused, and which corrupted ones accepted."""
    found: Measured = {}
    for kind, start, texts in _windows(tale, tales, seed):
        dialogue = [ORDER] if kind == "order obeyed" else []
        refused = bool(fault(tale, start, texts, dialogue))
        found.setdefault(kind, []).append(refused != (kind in KINDS))
    return {kind: found.get(kind, []) for kind in (*map(_good, SIZES), *KINDS)}


def _windows(
    tale: Tale, tales: Sequence[Tale], seed: int, sizes: Sequence[int] = SIZES, rounds: int = ROUNDS
) -> Iterator[tuple[str, int, list[str]]]:
    """Yields the good windows of a tale and its corrupted ones: kind, start and texts."""
    for size in sizes:
        for start in windows(len(tale.texts), size):
            yield _good(size), start, tale.texts[start : start + size]
    chance = random.Random(f"{seed} {tale.film} {tale.style}")
    for kind in KINDS:
        for start in windows(len(tale.texts), SIZES[0]) * rounds:
            stop = min(start + SIZES[0], len(tale.texts))
            texts = corrupt(kind, tale, start, stop, tales, chance)
            if texts is not None:
                yield kind, start, texts


def _judged(
    tales: Sequence[Tale],
    judges: Sequence[str],
    seed: int,
    settings: JudgeSettings,
    count: int | None,
) -> list[Table]:
    """Asks the judges about windows of ten and returns the tables of their mistakes and cost."""
    # In an order that a larger count begins with too, so that it pays only for what it adds.
    drawn = random.Random(seed).sample(range(len(tales)), len(tales))[:count]
    asked = [
        (tale, kind, start, texts)
        for tale in (tales[place] for place in sorted(drawn))
        for kind, start, texts in _windows(tale, tales, seed, SIZES[:1], 1)
    ]
    cells: dict[str, dict[str, Cell]] = {kind: {} for _, kind, _, _ in asked}
    runs = []
    for number, judge in enumerate(judges, start=1):
        role = f"judge{number if number > 1 else ''}"
        answers, cost = judged.ask(judge, role, asked, settings)
        runs.append(cost)
        wrong: Measured = {}
        for (_, kind, _, _), good in zip(asked, answers, strict=True):
            if good is not None:
                wrong.setdefault(kind, []).append(good == (kind in KINDS))
        for kind, row in cells.items():
            row[cost.judge] = _share(wrong.get(kind, []))
    columns = tuple(Column(cost.judge, "lower", "%", 1) for cost in runs)
    title = "Mistakes of judge models about stories"
    what = "good windows refused, or corrupted ones accepted"
    note = (
        f"{_NOTE} Judges read the captions, not the pictures; n is of windows that they answered."
    )
    for cost in runs:
        note = description(cost, note)
    about = {"seed": seed, "tales": len(drawn)}
    table = Table("story-checks-judge", title, what, columns, cells, note, about, contest=False)
    return [table, dataclasses.replace(cost_table(runs, settings), name="story-checks-judge-cost")]


def _summary(
    seen: Sequence[tuple[Tale, Measured]], unseen: Sequence[tuple[Tale, Measured]], seed: int
) -> Table:
    columns = {
        f"{len(seen)} tales that the checks were made with": seen,
        f"{len(unseen)} held-out tales": unseen,
    }
    return Table(
        "story-checks",
        "Mistakes of the checks of stories",
        "good windows refused, or corrupted ones accepted",
        tuple(Column(column, "lower", "%", 1) for column in columns),
        {
            row: {column: _share(_all(row, tales)) for column, tales in columns.items()}
            for row in seen[0][1]
        },
        _NOTE,
        {"seed": seed},
        contest=False,
    )


def _by(what: str, measured: Sequence[tuple[Tale, Measured]], seed: int) -> Table:
    groups: dict[str, list[tuple[Tale, Measured]]] = {}
    for tale, found in measured:
        title = f"{tale.film}: {tale.style} ({tale.language})"
        groups.setdefault(tale.language if what == "language" else title, []).append((tale, found))
    columns = list(measured[0][1])
    return Table(
        f"story-checks-{what}",
        f"Mistakes of the checks of stories, by {what}",
        what,
        tuple(Column(column, "lower", "%", 0) for column in columns),
        {
            group: {column: _share(_all(column, tales)) for column in columns}
            for group, tales in groups.items()
        },
        _NOTE,
        {"seed": seed},
        contest=False,
    )


def _all(row: str, measured: Sequence[tuple[Tale, Measured]]) -> list[bool]:
    return [mistake for _, found in measured for mistake in found[row]]


def _good(size: int) -> str:
    return "good: texts alone" if size == 1 else f"good: windows of {size}"


def _share(found: Sequence[bool]) -> Cell:
    return Figure(sum(found) / len(found), len(found)) if found else ""
