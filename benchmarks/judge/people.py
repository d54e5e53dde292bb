"""People as judges: `--judge human:FOLDER` writes the pairs there and reads what people answered.

`storystream review FOLDER` shows the pairs, a story on each side, without the generators' names.
Which side is which is drawn from the pair's digest. A person is asked once, where a model is asked
in both orders: so an answer stands for both, and there is no bias of position to measure.

`--judge human-pictures:FOLDER` does so for single pictures: of each two stories the panels at one
place, drawn by the opening's digest from those at which they differ, each picture with its text.
What both have before it is shown with them. So it is quick to answer, and n counts openings still.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from benchmarks.judge.client import JudgedQuestion, JudgeRun, JudgeSettings
from benchmarks.judge.questions import CRITERIA, Question, answer_field, answer_model
from pipeline.inference.protocol import Picture, Request
from pipeline.runtime import decisions, storage
from pipeline.runtime.stage_outputs import digest
from schemas import layout
from schemas.decisions import Pair, Prefer, Told

STORIES, PICTURES = "human:", "human-pictures:"  # of stories, of single pictures
# What is asked of pictures, by the names of the criteria of stories.
_OF_PICTURES = {
    "style consistency": "which looks more as if the artist of the pictures before had drawn it: "
    "the same style, colours and quality, and characters who keep their look?",
    "engagement": "which would you rather have in your book: is it vivid, clear, well composed?",
    "image-text coherence": "which shows better what its text tells: who is there, what they do, "
    "where they are?",
}


def is_person(judge: str) -> bool:
    """Returns whether a judge is people."""
    return judge.startswith((STORIES, PICTURES))


def ask(judge: str, questions: Sequence[Question], settings: JudgeSettings) -> list[JudgeRun]:
    """Writes the pairs for people and returns the answers so far, a run for each person.

    Without any answers it is one run that says how to give them. Raises OSError if the folder
    cannot be written, and DecisionsError if the answers cannot be read.
    """
    pictures = judge.startswith(PICTURES)
    folder = Path(judge.removeprefix(PICTURES if pictures else STORIES))
    compared = [question for question in questions if len(question.shown) == 2]
    written = {}
    for question in compared:
        if question.request is not None:
            pair, _ = _pair(question, settings, pictures)
            written[pair.id] = pair
            _copy_pictures(question.request, folder)
    lines = "".join(pair.model_dump_json() + "\n" for pair in written.values())
    storage.write_bytes(str(folder / layout.PAIRS), lines.encode())
    answers: dict[str, dict[str, Prefer]] = defaultdict(dict)
    for row in decisions.standing(decisions.read(str(folder), decisions.version(str(folder)))):
        if isinstance(row, Prefer) and row.pair in written:
            answers[row.by][row.pair] = row
    return [
        _run(name, answers[name], compared, len(written), folder, settings, pictures)
        for name in sorted(answers) or ["nobody yet"]
    ]


def _pair(question: Question, settings: JudgeSettings, pictures: bool) -> tuple[Pair, bool]:
    """Returns the pair that a question is about, and whether its first story is shown second."""
    request = question.request
    assert request is not None
    images = list(request.images)
    sides = []
    for texts in request.facts["stories"]:
        shown, images = images[: len(texts)], images[len(texts) :]
        sides.append(Told(texts=list(texts), images=[_name(picture) for picture in shown]))
    before, asked = None, CRITERIA
    if pictures:
        before, sides = _panels(question.opening, *sides)
        asked = _OF_PICTURES
    names = [digest(side.model_dump()) for side in sides]
    drawn_from = [sorted(names), list(settings.criteria)]
    id_ = digest([*drawn_from, before.model_dump()] if before else drawn_from)
    turned = digest([id_, names[0]]) > digest([id_, names[1]])
    first, second = reversed(sides) if turned else sides
    criteria = {name: asked[name] for name in settings.criteria}
    kind: Literal["story", "picture"] = "picture" if pictures else "story"
    pair = Pair(id=id_, kind=kind, criteria=criteria, before=before, first=first, second=second)
    return pair, turned


def _panels(opening: str, first: Told, second: Told) -> tuple[Told | None, list[Told]]:
    """Returns a panel of each of two stories, at the same place, and the panels before that are the
    same in both, None without any."""
    panels = [list(zip(told.texts, told.images, strict=True)) for told in (first, second)]
    differ = [at for at, (one, other) in enumerate(zip(*panels, strict=True)) if one != other]
    at = differ[int(digest([opening]), 16) % len(differ)]
    same = differ[0]  # panels that both begin with
    before = Told(texts=first.texts[:same], images=first.images[:same]) if same else None
    return before, [Told(texts=[told[at][0]], images=[told[at][1]]) for told in panels]


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
    pictures: bool,
) -> JudgeRun:
    """Returns a person's answers as those of a judge who is asked in both orders."""
    judged = [_judged(question, answers, settings, pictures) for question in compared]
    missing = pairs - len(answers)
    return JudgeRun(
        judge=f"a person, {name}{', of single pictures' if pictures else ''}",
        answers=tuple(judged),
        calls=0,
        kept=len(answers),
        input_tokens=0,
        output_tokens=0,
        cost=0.0,
        paid=None,
        stopped=f"{missing} of {pairs} pairs wait: storystream review {folder}" if missing else "",
        words=str(folder / layout.DECISIONS),
        pictures=pictures,
    )


def _judged(
    question: Question, answers: Mapping[str, Prefer], settings: JudgeSettings, pictures: bool
) -> JudgedQuestion:
    if question.request is None:  # both stories are the same
        return JudgedQuestion(question, "answered")
    pair, turned = _pair(question, settings, pictures)
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
