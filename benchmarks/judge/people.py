"""People as judges: `--judge human:FOLDER` writes the pairs there and reads what people answered.

`storystream review FOLDER` shows the pairs, a story on each side, without the generators' names.
Which side is which is drawn from the pair's digest. A person is asked once, where a model is asked
in both orders: so an answer stands for both, and there is no bias of position to measure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.judge.client import JudgedQuestion, JudgeRun, JudgeSettings
from benchmarks.judge.questions import CRITERIA, Question, answer_field, answer_model
from pipeline.inference.protocol import Picture, Request
from pipeline.runtime import decisions, storage
from pipeline.runtime.stage_outputs import digest
from schemas import layout
from schemas.decisions import Pair, Prefer, Told

PREFIX = "human:"


def is_person(judge: str) -> bool:
    """Returns whether a judge is people."""
    return judge.startswith(PREFIX)


def ask(judge: str, questions: Sequence[Question], settings: JudgeSettings) -> list[JudgeRun]:
    """Writes the pairs for people and returns the answers so far, a run for each person.

    Without any answers it is one run that says how to give them. Raises OSError if the folder
    cannot be written, and DecisionsError if the answers cannot be read.
    """
    folder = Path(judge.removeprefix(PREFIX))
    compared = [question for question in questions if len(question.shown) == 2]
    written = {}
    for question in compared:
        if question.request is not None:
            pair, _ = _pair(question.request, settings)
            written[pair.id] = pair
            _copy_pictures(question.request, folder)
    lines = "".join(pair.model_dump_json() + "\n" for pair in written.values())
    storage.write_bytes(str(folder / layout.PAIRS), lines.encode())
    answers: dict[str, dict[str, Prefer]] = defaultdict(dict)
    for row in decisions.standing(decisions.read(str(folder), decisions.version(str(folder)))):
        if isinstance(row, Prefer) and row.pair in written:
            answers[row.by][row.pair] = row
    return [
        _run(name, answers[name], compared, len(written), folder, settings)
        for name in sorted(answers) or ["nobody yet"]
    ]


def _pair(request: Request, settings: JudgeSettings) -> tuple[Pair, bool]:
    """Returns the pair that a question is about, and whether its first story is shown second."""
    pictures = list(request.images)
    sides = []
    for texts in request.facts["stories"]:
        shown, pictures = pictures[: len(texts)], pictures[len(texts) :]
        sides.append(Told(texts=list(texts), images=[_name(picture) for picture in shown]))
    names = [digest(side.model_dump()) for side in sides]
    id_ = digest([sorted(names), list(settings.criteria)])
    turned = digest([id_, names[0]]) > digest([id_, names[1]])
    first, second = reversed(sides) if turned else sides
    criteria = {name: CRITERIA[name] for name in settings.criteria}
    return Pair(id=id_, criteria=criteria, first=first, second=second), turned


def _name(picture: Picture) -> str:
    """Names a picture by its content, which tells nothing of where it is from."""
    return f"pictures/{picture.sha256}{Path(picture.path).suffix.lower()}"


def _copy_pictures(request: Request, folder: Path) -> None:
    for picture in request.images:
        target = folder / _name(picture)
        if not target.exists():
            storage.write_bytes(str(target), Path(picture.path).read_bytes())


def _run(
    name: str,
    answers: Mapping[str, Prefer],
    compared: Sequence[Question],
    pairs: int,
    folder: Path,
    settings: JudgeSettings,
) -> JudgeRun:
    """Returns a person's answers as those of a judge who is asked in both orders."""
    judged = [_judged(question, answers, settings) for question in compared]
    missing = pairs - len(answers)
    return JudgeRun(
        judge=f"a person, {name}",
        answers=tuple(judged),
        calls=0,
        kept=len(answers),
        input_tokens=0,
        output_tokens=0,
        cost=0.0,
        paid=None,
        stopped=f"{missing} of {pairs} pairs wait: storystream review {folder}" if missing else "",
        words=str(folder / layout.DECISIONS),
    )


def _judged(
    question: Question, answers: Mapping[str, Prefer], settings: JudgeSettings
) -> JudgedQuestion:
    if question.request is None:  # both stories are the same
        return JudgedQuestion(question, "answered")
    pair, turned = _pair(question.request, settings)
    answer = answers.get(pair.id)
    if answer is None:
        return JudgedQuestion(question, "not asked")
    choices = {"tie": "tie", "first": "B" if turned else "A", "second": "A" if turned else "B"}
    model = answer_model("compare", tuple(settings.criteria))
    value = model.model_validate(
        {
            answer_field(criterion): {"reason": "", "better": choices[answer.answers[criterion]]}
            for criterion in settings.criteria
        }
    )
    return JudgedQuestion(question, "answered", value)
