"""Asks the captioner where the figures of keyframes are, for `cast.figures=captioner`.

Every vision-language model has a scale of its own for boxes, whatever it is asked for: 0 to 1000
(Qwen2-VL, Qwen3-VL, InternVL, Gemini), pixels of the picture as it was sent (Qwen2.5-VL) or of the
file, percent, shares. One answer does not tell them apart, but all answers about a film do: figures
of so many pictures come near the right and the lower edges, and never pass them (`shares`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.annotation import prompts
from pipeline.config import DatasetConfig
from pipeline.inference.client import ModelClient, gather
from pipeline.inference.protocol import Picture, Request
from pipeline.inference.repair import Outcome, ask, reason_of
from pipeline.runtime import progress, storage
from pipeline.runtime.progress import Tick
from pipeline.runtime.stage_outputs import UNREADABLE
from schemas.answers import FigureAnswer, FiguresAnswer
from schemas.rows import Keyframe, Reject

Box = tuple[float, float, float, float]  # left, top, right, bottom

_LONGEST = 700  # tokens of an answer; a figure has thirty
_OVER = 1.02  # times the edge that a box may pass by rounding
_ENOUGH = 5  # boxes that tell pixels from thousandths
_WHOLE = 0.98  # share of a picture from which a box is no figure's


async def find(
    keyframes: Sequence[Keyframe],
    client: ModelClient,
    root: str,
    config: DatasetConfig,
    tick: Tick,
) -> tuple[list[list[Box]], list[Reject]]:
    """Returns the boxes of the figures in each of a film's keyframes, as shares of the picture, and
    a reject for each keyframe without a usable answer, which then has none."""
    done = 0

    async def outcome_of(keyframe: Keyframe) -> Outcome:
        nonlocal done
        asked = prompts.render("figures", config.prompts)
        outcome = await ask(
            Request(
                keyframe.id,
                "figures",
                asked.question,
                {},
                FiguresAnswer,
                (Picture(storage.join(root, keyframe.image), keyframe.sha256),),
                system=asked.system,
                longest=_LONGEST,
            ),
            client,
            lambda answer: "",
            lambda again, fault: prompts.corrected(again, config.prompts, fault=fault),
        )
        await client.ask_again(outcome.failed)
        done += 1
        progress.doing("figures", f"asked {done} of {len(keyframes)}, {keyframe.video}")
        tick(0.8 * done / len(keyframes))
        return outcome

    outcomes = await gather(outcome_of(keyframe) for keyframe in keyframes)
    answers = {
        keyframe.id: outcome.value.figures
        for keyframe, outcome in zip(keyframes, outcomes, strict=True)
        if outcome.value is not None
    }
    rejects = [
        Reject(
            "figures",
            keyframe.id,
            reason_of(outcome, UNREADABLE),
            outcome.fault,
            keyframe.video,
            keyframe.image,
        )
        for keyframe, outcome in zip(keyframes, outcomes, strict=True)
        if outcome.value is None
    ]
    longest_sides = [
        (outcome.answers and outcome.answers[-1].longest_side) or config.calls.longest_side
        for outcome in outcomes
    ]
    return shares(keyframes, answers, longest_sides), rejects


def shares(
    keyframes: Sequence[Keyframe],
    answers: Mapping[str, Sequence[FigureAnswer]],
    longest_sides: Sequence[int],
) -> list[list[Box]]:
    """Returns the boxes of answers, by keyframe, as shares of the picture, whatever their scale.

    `longest_sides` are what the pictures were scaled down to when they were sent, in pixels. Boxes
    without an area, and those that are the whole picture, are left out.
    """
    sizes = [(keyframe.width, keyframe.height) for keyframe in keyframes]
    sent = [
        (width * scale, height * scale)
        for (width, height), longest_side in zip(sizes, longest_sides, strict=True)
        for scale in (min(1.0, longest_side / max(width, height)),)
    ]
    given = [
        [(box.left, box.top, box.right, box.bottom) for box in answers.get(keyframe.id, ())]
        for keyframe in keyframes
    ]
    scale = _scale(given, sent, sizes)
    found = []
    for boxes, (width, height) in zip(given, scale, strict=True):
        inside = [
            tuple(
                round(min(max(side / whole, 0.0), 1.0), 5)
                for side, whole in zip(box, (width, height) * 2, strict=True)
            )
            for box in boxes
        ]
        found.append(
            [
                (left, top, right, bottom)
                for left, top, right, bottom in inside
                if right > left and bottom > top and (right - left) * (bottom - top) < _WHOLE
            ]
        )
    return found


def _scale(
    boxes: Sequence[Sequence[Box]],
    sent: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
) -> Sequence[tuple[float, float]]:
    """Returns which width and height the boxes of each picture are measured by."""
    highest = max((max(box) for found in boxes for box in found), default=0.0)
    for whole in (1.0, 100.0):
        if highest <= whole * _OVER:
            return [(whole, whole)] * len(boxes)
    count = sum(map(len, boxes))
    if highest > 1000 * _OVER:  # the smaller of the two sizes in which all boxes are
        return sent if _within(boxes, sent) else sizes
    if count >= _ENOUGH and _within(boxes, sent):
        return sent
    return [(1000.0, 1000.0)] * len(boxes)


def _within(boxes: Sequence[Sequence[Box]], sizes: Sequence[tuple[float, float]]) -> bool:
    """Returns whether all boxes lie in pictures of these sizes."""
    return all(
        box[2] <= width * _OVER and box[3] <= height * _OVER
        for found, (width, height) in zip(boxes, sizes, strict=True)
        for box in found
    )
