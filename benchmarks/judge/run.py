"""Runs the judge's benchmark: asks the judges about the stories and makes the tables."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from benchmarks.judge import people, preferences
from benchmarks.judge.client import JudgeRun, JudgeSettings, ask_judge, parse_judge
from benchmarks.judge.questions import CRITERIA, make_questions
from benchmarks.judge.tables import (
    agreement_table,
    cost_table,
    position_bias_table,
    preference_tables,
    ratings_table,
    scores_table,
    warn_of_position_bias,
)
from benchmarks.results.tables import Table
from benchmarks.stories import Story


def run(
    stories: Mapping[str, Sequence[Story]],
    judges: Sequence[str] = (),
    settings: JudgeSettings | None = None,
) -> list[Table]:
    """Judges stories, given by generator, and returns the tables. Several judges are asked one
    after the other, the second with the key in JUDGE2_API_KEY.

    Raises ValueError for a judge, a setting or stories that cannot be used, before anything is
    asked; lock.Busy where another run caches answers in the same folder; KeyboardInterrupt. What
    ends the calls otherwise (budget, refused key) is said in the tables of the answers so far.
    """
    settings = settings or JudgeSettings()
    pairs = _pairs_to_compare(stories, judges, settings)
    if not judges:
        return [scores_table(None, (), settings), *preference_tables(None, settings)]
    asked = make_questions(
        stories, settings.criteria, settings.panels, settings.scores, pairs, settings.repeats
    )
    models = [judge for judge in judges if not people.is_person(judge)]
    found = [
        ask_judge(judge, f"judge{number if number > 1 else ''}", asked, settings)
        for number, judge in enumerate(models, start=1)
    ]
    of_people = [
        judge_run
        for judge in judges
        if people.is_person(judge)
        for judge_run in people.ask(judge, asked, settings)
    ]
    tables = [
        dataclasses.replace(
            table,
            name=f"{table.name}{f'-{number}' if number > 1 else ''}",
            title=f"{table.title} ({judge_run.judge})",
        )
        for number, judge_run in enumerate([*found, *of_people], start=1)
        for table in _tables_of_judge(
            judge_run, tuple(stories), settings, person=judge_run in of_people
        )
    ]
    found += of_people
    raters = _raters(found)
    return [
        *tables,
        *([agreement_table(raters, found, settings)] if raters else []),
        cost_table(found, settings),
    ]


def _pairs_to_compare(
    stories: Mapping[str, Sequence[Story]], judges: Sequence[str], settings: JudgeSettings
) -> list[tuple[str, str]]:
    """Returns the pairs of generators to compare. Raises ValueError for settings that cannot be
    used."""
    for judge in judges:
        if not people.is_person(judge):
            parse_judge(judge, settings)
    if len(set(judges)) < len(judges):
        raise ValueError("one judge is named twice: ask it the same again with repeats")
    if odd := set(settings.criteria) - set(CRITERIA):
        raise ValueError(
            f"there is no criterion {', '.join(sorted(odd))}; there are {', '.join(CRITERIA)}"
        )
    if min(settings.panels, settings.repeats, len(settings.criteria)) < 1:
        raise ValueError("a judge needs one panel, one criterion and one repeat at the least")
    if settings.against and settings.against not in stories:
        raise ValueError(
            f"there are no stories of {settings.against} to compare with; there are "
            f"{', '.join(stories)}"
        )
    if not settings.pairs:
        return []
    return [
        pair
        for pair in itertools.combinations(stories, 2)
        if not settings.against or settings.against in pair
    ]


def _tables_of_judge(
    judge_run: JudgeRun, generators: Sequence[str], settings: JudgeSettings, person: bool
) -> list[Table]:
    """Returns the tables of a judge. A person gives no scores and is asked in one order only."""
    scores = settings.scores and not person
    tables = [scores_table(judge_run, generators, settings)] if scores else []
    if settings.pairs and len(generators) > 1:
        found = {
            name: preferences.judged_pairs(judge_run.answers, name) for name in settings.criteria
        }
        order = position_bias_table(judge_run, found, settings)
        tables += [
            warn_of_position_bias(table, order)
            for table in (
                *preference_tables(judge_run, settings, found),
                ratings_table(judge_run, generators, found, settings),
            )
        ]
        tables += [] if person else [order]
    return tables


def _raters(found: Sequence[JudgeRun]) -> dict[str, list[tuple[JudgeRun, int | None]]]:
    """Returns the raters to compare: the repeats of a judge, and every two judges."""
    groups: dict[str, list[tuple[JudgeRun, int | None]]] = {}
    for judge_run in found:
        repeats = sorted({answer.question.repeat for answer in judge_run.answers})
        if len(repeats) > 1:
            groups[f"{judge_run.judge}, {len(repeats)} times"] = [
                (judge_run, repeat) for repeat in repeats
            ]
    for judge_run, other in itertools.combinations(found, 2):
        if judge_run.pictures != other.pictures:  # they answered other questions
            continue
        groups[f"{judge_run.judge} / {other.judge}"] = [(judge_run, None), (other, None)]
    return groups
