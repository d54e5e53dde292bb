"""Keyframes -> captions: what one picture shows, as fields and as one sentence.

A keyframe becomes a question with its picture, the dialogue spoken over it, the words read in it
and how it moves; the answer must be a `CaptionAnswer`. One that is not is asked for again with the
fault stated, and then rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pipeline import prompts, storage
from pipeline.asking import ask, with_fault
from pipeline.backends import Backend, Request
from schemas.answers import CaptionAnswer
from schemas.rows import Caption, Keyframe, Reject

STILL = 0.03  # frame widths a second below which a picture counts as still


def caption(keyframes: Sequence[Keyframe], backend: Backend,
            root: str) -> tuple[list[Caption], list[Reject]]:
    """Captions of the keyframes whose pictures lie under `root`, in their order, and the rejects.

    All questions go to the backend at once. Raises OSError where it or a picture cannot be reached.
    """
    requests = [_request(keyframe, root) for keyframe in keyframes]
    answers = ask(requests, backend, CaptionAnswer, _check, _again)
    captions, rejects = [], []
    for keyframe, answer in zip(keyframes, answers, strict=True):
        if isinstance(answer, str):
            rejects.append(Reject("caption", keyframe.id, "unreadable answer", answer,
                                  keyframe.video, keyframe.image))
        else:
            captions.append(_row(keyframe, answer, backend.name))
    return captions, rejects


def direction(motion: Sequence[float]) -> str:
    """A movement (x, y in frame widths a second, y down) in words: "not at all", "left", "up"."""
    x, y = motion
    if math.hypot(x, y) < STILL:
        return "not at all"
    if abs(x) >= abs(y):
        return "right" if x > 0 else "left"
    return "down" if y > 0 else "up"


def _request(keyframe: Keyframe, root: str) -> Request:
    facts: dict[str, Any] = {
        "dialogue": list(keyframe.dialogue),
        "text": list(keyframe.text),
        "camera_motion": list(keyframe.camera_motion),
        "subject_motion": list(keyframe.subject_motion),
    }
    return Request(key=keyframe.id, task="caption", prompt=_prompt(facts), facts=facts,
                   answer=CaptionAnswer, images=(storage.join(root, keyframe.image),))


def _prompt(facts: dict[str, Any], retry: str = "") -> str:
    return prompts.render("caption", dialogue=facts["dialogue"], text=facts["text"],
                          camera=direction(facts["camera_motion"]),
                          subject=direction(facts["subject_motion"]), retry=retry)


def _again(request: Request, fault: str) -> Request:
    return with_fault(request, _prompt(request.facts, fault), fault)


def _check(request: Request, answer: CaptionAnswer) -> str:
    return "" if answer.sentence.strip() else "sentence: is blank"


def _row(keyframe: Keyframe, answer: CaptionAnswer, model: str) -> Caption:
    fields = answer.model_dump()
    fields["sentence"] = " ".join(answer.sentence.split())
    return Caption(keyframe=keyframe.id, video=keyframe.video, model=model, **fields)
