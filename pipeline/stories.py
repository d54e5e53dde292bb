"""Captions -> stories: 30 keyframes of a film, each with the next sentence of one narrative.

A film's keyframes are cut into stories of 30 in film order. Each is written in windows of 10, so
that the question stays short, with the text of the windows before as context; then one linking pass
over the whole smooths the seams. All stories of a film take each step together, so a backend gets
them as one batch. No answer is trusted: `check` says what is wrong with one, the model is asked
once more, and a story that still fails is rejected.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from pipeline import prompts
from pipeline.asking import ask, with_fault
from pipeline.backends import Backend, Request
from schemas.answers import NarrativeAnswer, Sentence
from schemas.rows import CHUNK_LENGTH, STORY_LENGTH, Caption, Keyframe, Reject, Story

_REFUSAL = re.compile(
    r"\bas an ai\b|\blanguage model\b|\bi(?:'m| am) sorry\b|\bi (?:cannot|can't|am unable to)\b"
    r"|\bi(?:'m| am) unable to\b", re.IGNORECASE)
_QUOTED = re.compile(r'["“][^"”]*["”]')


def tell(keyframes: Sequence[Keyframe], captions: Sequence[Caption], backend: Backend, *,
         shortest: int = 10, title: str = "") -> tuple[list[Story], list[Reject]]:
    """The stories of one film, and what was rejected.

    `keyframes` are all of the film's, in film order; those without a caption are left out. A tail
    of fewer than 30 makes an incomplete story, or a reject where it has fewer than `shortest`.
    Raises OSError where the backend cannot be reached.
    """
    by_keyframe = {caption.keyframe: caption for caption in captions}
    frames = [(keyframe, by_keyframe[keyframe.id])
              for keyframe in keyframes if keyframe.id in by_keyframe]
    drafts, rejects = _cut(frames, shortest)
    alive = drafts
    for start in range(0, STORY_LENGTH, CHUNK_LENGTH):
        alive, failed = _write(alive, start, backend, title)
        rejects += failed
    return _link(alive, backend, title), rejects


def check(frames: Sequence[int], answer: NarrativeAnswer, *, before: str = "",
          prompt: str = "narrate") -> str:
    """What is wrong with a narrative for these frame numbers, for the model to read; "" if nothing.

    `before` is the text that the first one follows; `prompt` names the prompt that was answered.
    """
    numbers = [sentence.frame for sentence in answer.sentences]
    if numbers != list(frames):
        return f"the pictures must be {list(frames)}, in this order, but were {numbers}"
    for sentence in answer.sentences:
        text = sentence.text.strip()
        if not text:
            return f"picture {sentence.frame}: the text is empty"
        if _same(text, before):
            return f"picture {sentence.frame}: the text is the same as the one before"
        if _REFUSAL.search(_QUOTED.sub("", text)):
            return f"picture {sentence.frame}: the text is a refusal, not a story"
        if any(line.lstrip("- ") in text for line in prompts.instructions(prompt)):
            return f"picture {sentence.frame}: the text repeats the question"
        before = text
    return ""


@dataclasses.dataclass(frozen=True)
class _Draft:
    """A story being written: its frames, and the sentences it has so far."""

    id: str
    frames: list[tuple[Keyframe, Caption]]
    sentences: list[Sentence] = dataclasses.field(default_factory=list)


def _same(text: str, other: str) -> bool:
    return text.strip().casefold() == other.strip().casefold()


def _cut(frames: Sequence[tuple[Keyframe, Caption]],
         shortest: int) -> tuple[list[_Draft], list[Reject]]:
    drafts: list[_Draft] = []
    for number, start in enumerate(range(0, len(frames), STORY_LENGTH)):
        part = list(frames[start:start + STORY_LENGTH])
        draft = _Draft(f"{part[0][0].video}_story_{number:03d}", part)
        if len(part) < shortest:
            detail = (f"{len(part)} keyframes are left for it, and a story needs {shortest}; "
                      "lower the setting for the shortest story to keep it")
            return drafts, [_reject(draft, "too short", detail)]
        drafts.append(draft)
    return drafts, []


def _reject(draft: _Draft, reason: str, detail: str) -> Reject:
    first = draft.frames[0][0]
    return Reject("story", draft.id, reason, detail, first.video, first.image)


def _described(keyframe: Keyframe, caption: Caption, frame: int) -> dict[str, Any]:
    """What a writer may know of one picture."""
    return {
        "frame": frame,
        "sentence": caption.sentence,
        "characters": caption.characters,
        "place": caption.place,
        "action": caption.action,
        "mood": caption.mood,
        "objects": caption.objects,
        "camera": caption.camera,
        "dialogue": list(keyframe.dialogue),
        "text": list(keyframe.text),
    }


def _request(draft: _Draft, key: str, task: str, start: int, stop: int, title: str) -> Request:
    frames = list(range(start, min(stop, len(draft.frames))))
    texts = [sentence.text for sentence in draft.sentences]
    facts = {
        "title": title,
        "frames": frames,
        "captions": [_described(*draft.frames[frame], frame) for frame in frames],
        "so_far": " ".join(texts[:start]),
        "before": texts[start - 1] if start else "",
        "texts": texts[start:stop],
        "plain": [sentence.plain for sentence in draft.sentences[start:stop]],
    }
    return Request(key=key, task=task, prompt=prompts.render(task, retry="", **facts),
                   facts=facts, answer=NarrativeAnswer)


def _again(request: Request, fault: str) -> Request:
    prompt = prompts.render(request.task, **{**request.facts, "retry": fault})
    return with_fault(request, prompt, fault)


def _check(request: Request, answer: NarrativeAnswer) -> str:
    return check(request.facts["frames"], answer, before=request.facts["before"],
                 prompt=request.task)


def _write(drafts: Sequence[_Draft], start: int, backend: Backend,
           title: str) -> tuple[list[_Draft], list[Reject]]:
    """The drafts with one more window written; those with no frames left in it stay as they are."""
    waiting = [draft for draft in drafts if len(draft.frames) > start]
    requests = [_request(draft, f"{draft.id}_{start:02d}", "narrate", start, start + CHUNK_LENGTH,
                         title) for draft in waiting]
    answers = ask(requests, backend, NarrativeAnswer, _check, _again) if requests else []
    answered = {draft.id: answer for draft, answer in zip(waiting, answers, strict=True)}
    alive, rejects = [], []
    for draft in drafts:
        answer = answered.get(draft.id)
        if isinstance(answer, str):
            rejects.append(_reject(draft, "bad narrative", f"from picture {start} on: {answer}"))
        elif answer is None:
            alive.append(draft)
        else:
            sentences = [*draft.sentences, *answer.sentences]
            alive.append(dataclasses.replace(draft, sentences=sentences))
    return alive, rejects


def _link(drafts: Sequence[_Draft], backend: Backend, title: str) -> list[Story]:
    """The finished stories. Where linking fails the texts stay: they passed already."""
    requests = [_request(draft, f"{draft.id}_link", "link", 0, STORY_LENGTH, title)
                for draft in drafts]
    answers = ask(requests, backend, NarrativeAnswer, _check, _again) if requests else []
    return [
        _story(draft if isinstance(answer, str) else _linked(draft, answer), backend.name)
        for draft, answer in zip(drafts, answers, strict=True)
    ]


def _linked(draft: _Draft, answer: NarrativeAnswer) -> _Draft:
    """The linked texts. A text that linking left alone was still written by who wrote it."""
    sentences = [
        old if _same(old.text, new.text) else new
        for old, new in zip(draft.sentences, answer.sentences, strict=True)
    ]
    return dataclasses.replace(draft, sentences=sentences)


def _story(draft: _Draft, model: str) -> Story:
    first_keyframe, first_caption = draft.frames[0]
    return Story(
        id=draft.id,
        video=first_keyframe.video,
        series=first_keyframe.series,
        split="",
        complete=len(draft.frames) == STORY_LENGTH,
        images=[keyframe.image for keyframe, _ in draft.frames],
        captions=[" ".join(sentence.text.split()) for sentence in draft.sentences],
        orders=list(range(len(draft.frames))),
        descriptions=[caption.sentence for _, caption in draft.frames],
        caption_model=first_caption.model,
        writers=["plain" if sentence.plain else model for sentence in draft.sentences],
    )
