"""Captions keyframes: what each picture shows, as fields and as one sentence.

A request holds the keyframe's picture (and, if configured, its neighbours, and before them one
picture of the series' characters), the dialogue spoken over it, the text recognised in it and its
motion. The answer must be a `CaptionAnswer` that is not a refusal, does not repeat the prompt and
does not follow instructions in the film. A bad answer is asked for again with the fault stated; a
second bad answer makes the keyframe a reject, and the next run ask again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.annotation import prompts
from pipeline.annotation.checks import prompt_injection
from pipeline.annotation.checks.notes import placeholder
from pipeline.annotation.checks.prompt_echo import echo
from pipeline.annotation.checks.refusals import refusal
from pipeline.cast.montage import Montage
from pipeline.config import DatasetConfig
from pipeline.inference.client import ModelClient, gather
from pipeline.inference.protocol import Picture, Request
from pipeline.inference.repair import Outcome, ask, reason_of
from pipeline.runtime import progress, storage
from pipeline.runtime.progress import Tick
from pipeline.runtime.stage_outputs import UNREADABLE
from schemas.answers import CaptionAnswer
from schemas.rows import LIKENESS, Appearance, Caption, Keyframe, Reject

LONGEST = 800  # tokens of an answer, in whatever language; a usual one has a hundred
STILL = 0.03  # frame widths per second, below which a motion counts as none


async def caption(
    keyframes: Sequence[Keyframe],
    client: ModelClient,
    root: str,
    config: DatasetConfig,
    tick: Tick,
    *,
    appearances: Sequence[Appearance] = (),
    characters: Montage | None = None,
) -> tuple[list[Caption], list[Reject]]:
    """Captions a film's keyframes, whose images lie under `root` and show `appearances`, of
    `characters` that the model is shown first.

    Returns the captions in order, and a reject for each keyframe without one. `tick` is called with
    the share done. Raises Stop when no further request can be answered.
    """
    done = 0
    seen: dict[str, list[Appearance]] = defaultdict(list)
    for appearance in appearances:
        seen[appearance.keyframe].append(appearance)

    async def outcome_of(index: int) -> Outcome:
        nonlocal done
        outcome = await _ask_about(keyframes, index, seen, characters, client, root, config)
        await client.ask_again(outcome.failed)
        done += 1
        progress.doing("captions", f"asked {done} of {len(keyframes)}, {keyframes[0].video}")
        tick(0.99 * done / len(keyframes))
        return outcome

    outcomes = await gather(outcome_of(index) for index in range(len(keyframes)))
    captions, rejects = [], []
    for keyframe, outcome in zip(keyframes, outcomes, strict=True):
        if outcome.value is None:
            reason = reason_of(outcome, UNREADABLE)
            rejects.append(
                Reject(
                    "caption", keyframe.id, reason, outcome.fault, keyframe.video, keyframe.image
                )
            )
        else:
            captions.append(_row(keyframe, outcome.value, client.name))
    return captions, rejects


def direction(motion: Sequence[float]) -> str:
    """Returns a motion (x, y in frame widths per second, y down) in words: "not at all", "left"."""
    x, y = motion
    if math.hypot(x, y) < STILL:
        return "not at all"
    if abs(x) >= abs(y):
        return "right" if x > 0 else "left"
    return "down" if y > 0 else "up"


async def _ask_about(
    keyframes: Sequence[Keyframe],
    index: int,
    seen: Mapping[str, Sequence[Appearance]],
    characters: Montage | None,
    client: ModelClient,
    root: str,
    config: DatasetConfig,
) -> Outcome:
    keyframe = keyframes[index]
    first = max(0, index - config.captions.neighbours)
    shown = keyframes[first : index + config.captions.neighbours + 1]
    facts: dict[str, Any] = {
        "dialogue": list(keyframe.dialogue),
        "recognised": keyframe.recognised,
        "text": list(keyframe.text),
        "camera_motion": list(keyframe.camera_motion),
        "subject_motion": list(keyframe.subject_motion),
        "cast": [_place(appearance, keyframe) for appearance in seen.get(keyframe.id, ())],
    }

    asked = prompts.render(
        "caption",
        config.prompts,
        **facts,
        known=characters.names if characters else {},
        seen={who["name"]: _side(who) for who in facts["cast"]},
        camera=direction(keyframe.camera_motion),
        subject=direction(keyframe.subject_motion),
        before=index - first,
        after=len(shown) - (index - first) - 1,
    )

    def check(answer: CaptionAnswer) -> str:
        return _fault(
            answer,
            [line for neighbour in shown for line in (*neighbour.dialogue, *neighbour.text)],
            prompts.instructions("caption", config.prompts),
        )

    # The embedded captioner reads one picture, the keyframe's own.
    images = [characters.picture] if characters else []
    facts["picture"] = len(images) + index - first
    alone = "The picture:" if characters else ""
    images += [
        Picture(
            storage.join(root, neighbour.image),
            neighbour.sha256,
            f"Picture {number}:" if len(shown) > 1 else alone,
        )
        for number, neighbour in enumerate(shown, 1)
    ]
    return await ask(
        Request(
            keyframe.id,
            "caption",
            asked.question,
            facts,
            CaptionAnswer,
            tuple(images),
            system=asked.system,
            longest=LONGEST,
        ),
        client,
        check,
        lambda again, fault: prompts.corrected(again, config.prompts, fault=fault),
    )


def _place(appearance: Appearance, keyframe: Keyframe) -> dict[str, Any]:
    """Returns who is seen, whether that is a name, and where: shares of the picture."""
    x, y, width, height = appearance.box
    return {
        "name": appearance.character,
        "named": appearance.decided != LIKENESS,
        "x": round((x + width / 2) / keyframe.width, 3),
        "top": round(y / keyframe.height, 3),
        "width": round(width / keyframe.width, 3),
        "height": round(height / keyframe.height, 3),
    }


def _side(who: Mapping[str, Any]) -> str:
    return "left" if who["x"] < 0.4 else "right" if who["x"] > 0.6 else "middle"


def _fault(answer: CaptionAnswer, film: Sequence[str], instructions: Sequence[str]) -> str:
    """Returns what is wrong with a caption, "" for nothing.

    `film` is the film's dialogue and text, `instructions` the lines of the prompt without data.
    """
    text = answer.sentence
    if not text.strip():
        return "sentence: is blank"
    if fault := refusal(text) or placeholder(text) or echo(text, instructions):
        return f"sentence: {fault}"
    for name, value in answer.model_dump().items():
        field = value if isinstance(value, str) else ". ".join(value)
        if fault := prompt_injection.follows_injection(field, film):
            return f"{name}: {fault}"
    return ""


def _row(keyframe: Keyframe, answer: CaptionAnswer, model: str) -> Caption:
    fields = answer.model_dump()
    fields["sentence"] = " ".join(answer.sentence.split())
    return Caption(keyframe=keyframe.id, video=keyframe.video, model=model, **fields)
