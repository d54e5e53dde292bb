"""Asks a judge model about windows of tales: may these texts be printed below these pictures?

The judge reads the captions, as the tales have no pictures. Its answers are cached and its prices
and budget kept as those of the judge of stories are.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from benchmarks.judge.client import JudgeRun, JudgeSettings, ask_judge
from benchmarks.judge.questions import LONGEST, PROMPTS, Question
from benchmarks.story_checks.tales import Tale
from pipeline.annotation import prompts
from pipeline.inference.protocol import Request


class Fit(BaseModel):
    """Whether texts fit their pictures."""

    reason: str
    good: bool


def ask(
    judge: str,
    role: str,
    windows: Sequence[tuple[Tale, str, int, list[str]]],
    settings: JudgeSettings,
) -> tuple[list[bool | None], JudgeRun]:
    """Returns for each window (tale, kind, start, texts) whether the judge calls it good, and what
    the run cost. None is a window without an answer. Raises as `ask_judge` does."""
    questions = [
        Question(f"{tale.film}: {tale.style}", (kind,), number, _request(tale, kind, start, texts))
        for number, (tale, kind, start, texts) in enumerate(windows)
    ]
    run = ask_judge(judge, role, questions, settings)
    found = {id(answer.question): answer.value for answer in run.answers}
    values = [found[id(question)] for question in questions]
    return [value.good if isinstance(value, Fit) else None for value in values], run


def _request(tale: Tale, kind: str, start: int, texts: Sequence[str]) -> Request:
    pictures = [caption.sentence for _, caption in tale.frames[start : start + len(texts)]]
    facts = {
        "language": tale.language,
        "characters": {character.name: character.look for character in tale.characters},
        "pictures": pictures,
        "texts": list(texts),
    }
    asked = prompts.render("fit", PROMPTS, **facts)
    key = f"{tale.film}, {tale.style}: {kind} from {start}"
    return Request(key, "fit", asked.question, facts, Fit, system=asked.system, longest=LONGEST)
