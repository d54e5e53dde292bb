"""Captions -> stories: 30 keyframes of a film, each with the next sentence of one narrative.

A film's keyframes are cut into stories of 30 in film order. Each is written in windows of 10, so
that the question stays short, with the text before as context; then one linking pass over the whole
smooths the seams. Stories are independent of each other and are written at the same time.

No answer is trusted. `check` says all that is wrong with one: the wrong pictures, an empty text, a
copy of its neighbour, a refusal, the question itself, what words in the film ask for, a name that
nobody has, a character by another name, a text that is not about its picture. The model is told and
asked once more; what fails again is asked for in smaller windows, and a story that fails even so is
a reject.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pipeline.annotation import prompts
from pipeline.annotation.captions import NO_ANSWER
from pipeline.annotation.checks import character_names, grounding, prompt_injection, refusals
from pipeline.config import DatasetConfig
from pipeline.inference.backends import Request
from pipeline.inference.client import Asker, Outcome, ask, together
from pipeline.runtime.progress import Tick
from schemas.answers import NarrativeAnswer
from schemas.rows import STORY_LENGTH, Caption, Character, Keyframe, Reject, Story

_FAULTS = 6  # that a model is told at once


@dataclasses.dataclass(frozen=True)
class _Teller:
    """What all questions about a film have in common."""

    asker: Asker
    config: DatasetConfig
    title: str
    characters: Sequence[Character]


@dataclasses.dataclass(frozen=True)
class _Text:
    """The text of one picture, and how it came about."""

    text: str
    plain: bool = False
    repaired: bool = False


@dataclasses.dataclass(frozen=True)
class _Draft:
    """A story being written: its frames, and the texts it has so far."""

    id: str
    frames: list[tuple[Keyframe, Caption]]
    texts: list[_Text] = dataclasses.field(default_factory=list)


async def tell(
    keyframes: Sequence[Keyframe],
    captions: Sequence[Caption],
    characters: Sequence[Character],
    asker: Asker,
    config: DatasetConfig,
    tick: Tick,
    *,
    title: str = "",
) -> tuple[list[Story], list[Reject]]:
    """The stories of one film, and what was rejected.

    `keyframes` are all of the film's, in film order; those without a caption are left out. A tail
    of fewer than 30 makes an incomplete story, or a reject where it is too short. Raises Stop where
    no more questions are answered.
    """
    by_keyframe = {caption.keyframe: caption for caption in captions}
    frames = [
        (keyframe, by_keyframe[keyframe.id]) for keyframe in keyframes if keyframe.id in by_keyframe
    ]
    drafts, rejects = _cut(frames, config.stories.shortest)
    teller = _Teller(asker, config, title, characters)
    written = 0

    async def one(draft: _Draft) -> Story | Reject:
        nonlocal written
        told = await _tell(draft, teller)
        written += 1
        tick(0.99 * written / len(drafts))
        return told

    told = await together(one(draft) for draft in drafts)
    return (
        [story for story in told if isinstance(story, Story)],
        [*rejects, *(reject for reject in told if isinstance(reject, Reject))],
    )


async def _tell(draft: _Draft, teller: _Teller) -> Story | Reject:
    window = teller.config.stories.window
    for start in range(0, len(draft.frames), window):
        stop = min(start + window, len(draft.frames))
        outcome = await _write(draft, start, stop, teller)
        if isinstance(outcome, Outcome):
            reason = "bad narrative" if outcome.answered else NO_ANSWER
            return _reject(draft, reason, f"from picture {start} on: {outcome.fault}")
        draft = outcome
    outcome = await _ask(draft, "link", 0, len(draft.frames), teller)
    if not outcome.answered:
        return _reject(draft, NO_ANSWER, f"to the question that links it: {outcome.fault}")
    return _story(_linked(draft, outcome), teller, linked=outcome.value is not None)


async def _write(draft: _Draft, start: int, stop: int, teller: _Teller) -> _Draft | Outcome:
    """The draft with the texts from `start` to `stop`, in as many questions as it takes, or what
    came of the smallest one."""
    outcome = await _ask(draft, "narrate", start, stop, teller)
    if outcome.value is not None:
        own = teller.config.writer == "embedded"  # no other may flag its texts
        texts = [
            _Text(one.text, own and one.plain, outcome.repaired) for one in outcome.value.sentences
        ]
        return dataclasses.replace(draft, texts=[*draft.texts, *texts])
    if stop - start == 1 or not outcome.answered:
        return outcome
    size = (stop - start + 1) // 2 if stop - start > 5 else 1
    for first in range(start, stop, size):
        part = await _write(draft, first, min(first + size, stop), teller)
        if isinstance(part, Outcome):
            return part
        draft = part
    return draft


def _linked(draft: _Draft, outcome: Outcome) -> _Draft:
    """The draft with the linked texts. A text that linking left alone was still written by who
    wrote it; where linking failed the texts stay, as they passed already."""
    if outcome.value is None:
        return draft
    texts = [
        old
        if _same(old.text, new.text)
        else _Text(new.text, False, old.repaired or outcome.repaired)
        for old, new in zip(draft.texts, outcome.value.sentences, strict=True)
    ]
    return dataclasses.replace(draft, texts=texts)


async def _ask(draft: _Draft, task: str, start: int, stop: int, teller: _Teller) -> Outcome:
    facts = _facts(draft, start, stop, teller)

    def prompt(retry: str = "") -> str:
        return prompts.render(task, teller.config.prompts, **facts, retry=retry)

    def check_(answer: NarrativeAnswer) -> str:
        return check(
            facts,
            answer,
            teller.characters,
            teller.config,
            prompts.instructions(task, teller.config.prompts),
        )

    request = Request(
        f"{draft.id}_{task}_{start:02d}-{stop:02d}", task, prompt(), facts, NarrativeAnswer
    )
    return await ask(request, teller.asker, check_, prompt)


def _facts(draft: _Draft, start: int, stop: int, teller: _Teller) -> dict[str, Any]:
    """All that a question says, and an answer is held against."""
    settings = teller.config.stories
    texts = [one.text for one in draft.texts]
    captions = [_described(*draft.frames[frame], frame, teller) for frame in range(start, stop)]
    return {
        "title": teller.title,
        "reader": {
            "age": settings.reader_age,
            "words": settings.words,
            "tense": settings.tense,
            "language": settings.language,
            "style": settings.style,
        },
        "characters": [
            {"name": one.name, "look": one.look, "role": one.role} for one in teller.characters
        ],
        "frames": list(range(start, stop)),
        "captions": captions,
        "so_far": " ".join(texts[:start]),
        "before": texts[start - 1] if start else "",
        "texts": texts[start:stop],
        "plain": [one.plain for one in draft.texts[start:stop]],
    }


def _described(keyframe: Keyframe, caption: Caption, frame: int, teller: _Teller) -> dict[str, Any]:
    """What a writer may know of one picture."""
    meant = character_names.resolve(caption.characters, teller.characters)
    known = {one.name for one in teller.characters}
    return {
        "frame": frame,
        "sentence": caption.sentence,
        "characters": caption.characters,
        "who": {
            called: name
            for called, name in zip(caption.characters, meant, strict=True)
            if name in known
        },
        "place": caption.place,
        "action": caption.action,
        "mood": caption.mood,
        "objects": caption.objects,
        "camera": caption.camera,
        "dialogue": list(keyframe.dialogue),
        "text": list(keyframe.text),
    }


def check(
    facts: dict[str, Any],
    answer: NarrativeAnswer,
    characters: Sequence[Character],
    config: DatasetConfig,
    instructions: Sequence[str],
) -> str:
    """What is wrong with a narrative, for the model to read; "" if nothing.

    `facts` are those of the question, `instructions` the lines of its prompt that hold no data.
    """
    numbers = [sentence.frame for sentence in answer.sentences]
    if numbers != facts["frames"]:
        return f"the pictures must be {facts['frames']}, in this order, but were {numbers}"
    texts = [sentence.text.strip() for sentence in answer.sentences]
    pairs = list(zip(texts, facts["captions"], [facts["before"], *texts], strict=False))
    faults = [
        _form_fault(text, before, facts, characters, instructions) for text, _, before in pairs
    ]
    if config.writer != "embedded":  # which builds on the caption and invents no name
        faults = [
            fault or _name_fault(text, caption, facts, characters, config)
            for fault, (text, caption, _) in zip(faults, pairs, strict=True)
        ]
        faults = _with_ungrounded(faults, pairs, config)
    told = [
        f"picture {number}: {fault}" for number, fault in zip(numbers, faults, strict=True) if fault
    ]
    return "; ".join(told[:_FAULTS])


def _form_fault(
    text: str,
    before: str,
    facts: dict[str, Any],
    characters: Sequence[Character],
    instructions: Sequence[str],
) -> str:
    """What makes a text no text of a story."""
    if not text:
        return "the text is empty"
    film = [line for one in facts["captions"] for line in (*one["dialogue"], *one["text"])]
    return (
        refusals.copied(text, before)
        or refusals.refusal(text)
        or refusals.echo(text, instructions)
        or prompt_injection.obeyed(text, film, [one.name for one in characters])
    )


def _name_fault(
    text: str,
    caption: dict[str, Any],
    facts: dict[str, Any],
    characters: Sequence[Character],
    config: DatasetConfig,
) -> str:
    """Who is called by a name that is not theirs."""
    for called, name in character_names.misnamed(text, caption["characters"], characters).items():
        return f"{called!r} is {name}: use the name"
    strangers = character_names.unknown(text, characters, _grounds(facts), config.stories.language)
    return f"nobody is called {strangers[0]}" if strangers else ""


def _with_ungrounded(
    faults: list[str], pairs: Sequence[tuple[str, dict[str, Any], str]], config: DatasetConfig
) -> list[str]:
    """The faults, with those texts that are not about their pictures where they are too many.

    Some may be: the measure knows words, and a good story has its own.
    """
    if config.stories.language.partition("-")[0] != "en":
        return faults
    loose = [
        grounding.ungrounded(
            text,
            [*caption["characters"], *caption["objects"]],
            list(caption["who"].values()),
            caption["action"],
            caption["sentence"],
            before,
            dialogue=caption["dialogue"],
        )
        for text, caption, before in pairs
    ]
    held = sum(not fault for fault in loose) / len(loose)
    if held >= config.stories.grounded:
        return faults
    return [fault or other for fault, other in zip(faults, loose, strict=True)]


def _grounds(facts: dict[str, Any]) -> str:
    """Words that may be in a story because the film has them: all but the captioner's names."""
    return " ".join(
        [
            facts["title"],
            facts["so_far"],
            *(
                part
                for one in facts["captions"]
                for part in (*one["dialogue"], *one["text"], one["place"], *one["objects"])
            ),
        ]
    )


def _same(text: str, other: str) -> bool:
    return text.strip().casefold() == other.strip().casefold()


def _cut(
    frames: Sequence[tuple[Keyframe, Caption]], shortest: int
) -> tuple[list[_Draft], list[Reject]]:
    drafts: list[_Draft] = []
    for number, start in enumerate(range(0, len(frames), STORY_LENGTH)):
        part = list(frames[start : start + STORY_LENGTH])
        draft = _Draft(f"{part[0][0].video}_story_{number:03d}", part)
        if len(part) < shortest:
            detail = (
                f"{len(part)} keyframes are left for it, and a story needs {shortest}; "
                "lower the setting for the shortest story to keep it"
            )
            return drafts, [_reject(draft, "too short", detail)]
        drafts.append(draft)
    return drafts, []


def _reject(draft: _Draft, reason: str, detail: str) -> Reject:
    first = draft.frames[0][0]
    return Reject("story", draft.id, reason, detail, first.video, first.image)


def _story(draft: _Draft, teller: _Teller, linked: bool) -> Story:
    first_keyframe, first_caption = draft.frames[0]
    return Story(
        id=draft.id,
        video=first_keyframe.video,
        series=first_keyframe.series,
        split="",
        complete=len(draft.frames) == STORY_LENGTH,
        images=[keyframe.image for keyframe, _ in draft.frames],
        captions=[" ".join(one.text.split()) for one in draft.texts],
        orders=list(range(len(draft.frames))),
        descriptions=[caption.sentence for _, caption in draft.frames],
        caption_model=first_caption.model,
        writers=["plain" if one.plain else teller.asker.name for one in draft.texts],
        repaired=[one.repaired for one in draft.texts],
        linked=linked,
    )
