"""Keyframes -> captions: what one picture shows, as fields and as one sentence.

A keyframe becomes a question with its picture (and, where the config says so, its neighbours), the
dialogue spoken over it, the words read in it and how it moves; the answer must be a `CaptionAnswer`
that neither refuses, repeats the question nor does what words in the film ask for. One that is not
is asked for again with the fault stated, and then rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pipeline.annotation import prompts
from pipeline.annotation.checks import prompt_injection, refusals
from pipeline.config import DatasetConfig
from pipeline.inference.backends import Picture, Request
from pipeline.inference.client import Asker, Outcome, ask, together
from pipeline.runtime import storage
from pipeline.runtime.progress import Tick
from pipeline.runtime.stage_outputs import NO_ANSWER
from schemas.answers import CaptionAnswer
from schemas.rows import Caption, Keyframe, Reject

STILL = 0.03  # frame widths a second below which a picture counts as still


async def caption(
    keyframes: Sequence[Keyframe], asker: Asker, root: str, config: DatasetConfig, tick: Tick
) -> tuple[list[Caption], list[Reject]]:
    """Captions of a film's keyframes, whose pictures lie under `root`, in order, and the rejects.

    A picture that cannot be read is a reject. Raises Stop where no more questions are answered.
    """
    done = 0

    async def one(at: int) -> Outcome:
        nonlocal done
        outcome = await _one(keyframes, at, asker, root, config)
        done += 1
        tick(0.99 * done / len(keyframes))
        return outcome

    outcomes = await together(one(at) for at in range(len(keyframes)))
    captions, rejects = [], []
    for keyframe, outcome in zip(keyframes, outcomes, strict=True):
        if outcome.value is None:
            reason = "unreadable answer" if outcome.answered else NO_ANSWER
            rejects.append(
                Reject(
                    "caption", keyframe.id, reason, outcome.fault, keyframe.video, keyframe.image
                )
            )
        else:
            captions.append(_row(keyframe, outcome.value, asker.name))
    return captions, rejects


def direction(motion: Sequence[float]) -> str:
    """A movement (x, y in frame widths a second, y down) in words: "not at all", "left", "up"."""
    x, y = motion
    if math.hypot(x, y) < STILL:
        return "not at all"
    if abs(x) >= abs(y):
        return "right" if x > 0 else "left"
    return "down" if y > 0 else "up"


async def _one(
    keyframes: Sequence[Keyframe], at: int, asker: Asker, root: str, config: DatasetConfig
) -> Outcome:
    keyframe = keyframes[at]
    first = max(0, at - config.captions.neighbours)
    shown = keyframes[first : at + config.captions.neighbours + 1]
    facts: dict[str, Any] = {
        "dialogue": list(keyframe.dialogue),
        "recognised": keyframe.recognised,
        "text": list(keyframe.text),
        "camera_motion": list(keyframe.camera_motion),
        "subject_motion": list(keyframe.subject_motion),
    }

    def prompt(retry: str = "") -> str:
        return prompts.render(
            "caption",
            config.prompts,
            **facts,
            retry=retry,
            camera=direction(keyframe.camera_motion),
            subject=direction(keyframe.subject_motion),
            before=at - first,
            after=len(shown) - (at - first) - 1,
        )

    def check(answer: CaptionAnswer) -> str:
        return _check(
            answer,
            [line for one in shown for line in (*one.dialogue, *one.text)],
            prompts.instructions("caption", config.prompts),
        )

    # The picture that is asked about is the only one that the embedded captioner looks at.
    images = tuple(Picture(storage.join(root, one.image), one.sha256) for one in shown)
    facts["picture"] = at - first
    return await ask(
        Request(keyframe.id, "caption", prompt(), facts, CaptionAnswer, images),
        asker,
        check,
        prompt,
    )


def _check(answer: CaptionAnswer, film: Sequence[str], instructions: Sequence[str]) -> str:
    """What is wrong with a caption, "" for nothing. `film` is what the film says and shows."""
    text = answer.sentence
    if not text.strip():
        return "sentence: is blank"
    fault = refusals.refusal(text) or refusals.echo(text, instructions)
    if fault:
        return f"sentence: {fault}"
    for name, value in answer.model_dump().items():
        if fault := prompt_injection.obeyed(
            value if isinstance(value, str) else ". ".join(value), film
        ):
            return f"{name}: {fault}"
    return ""


def _row(keyframe: Keyframe, answer: CaptionAnswer, model: str) -> Caption:
    fields = answer.model_dump()
    fields["sentence"] = " ".join(answer.sentence.split())
    return Caption(keyframe=keyframe.id, video=keyframe.video, model=model, **fields)
