"""Writes stories: 30 keyframes of a film, each with the next sentence of one narrative.

A film's keyframes are cut into stories of 30 in film order (`story_cuts`). Each is written in
windows of 10, so that the prompt stays short, with the text before as context; then one linking
pass over the whole story smooths the seams. Stories are independent of each other and are written
at the same time.

No answer is trusted: `checks.narratives` says what is wrong with one, and the model is asked once
more with the fault stated. What fails again is asked for in smaller windows, and a story that fails
even so is a reject, whose last window the next run asks for again. So it does with a story that was
not linked, which keeps the texts of its windows meanwhile. Linking is the longest question: if it
is too long for the model, or its answer is cut off, the parts of a story are linked one by one.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from pipeline.annotation import prompts, story_cuts
from pipeline.annotation.checks import narratives
from pipeline.annotation.window_facts import window_facts
from pipeline.config import DatasetConfig
from pipeline.inference.client import ModelClient, gather
from pipeline.inference.protocol import Request
from pipeline.inference.repair import Outcome, ask, reason_of
from pipeline.runtime import progress
from pipeline.runtime.progress import Tick
from pipeline.runtime.stage_outputs import BAD_NARRATIVE
from schemas.answers import NarrativeAnswer, narrative_schema
from schemas.rows import (
    STORY_LENGTH,
    Appearance,
    Caption,
    Character,
    Keyframe,
    Reject,
    Scene,
    Story,
)

_SHORTEST_LINK = 3  # texts of the smallest part that is linked by itself
_WORD, _AROUND = 5, 40  # tokens of a word at most, in whatever language, and around a text


@dataclasses.dataclass(frozen=True)
class _Writer:
    """What all requests about a film have in common."""

    client: ModelClient
    config: DatasetConfig
    title: str
    characters: Sequence[Character]
    seen: Mapping[str, list[Appearance]]  # keyframe -> who is there, from the left to the right
    repeat: int = 0  # of all requests: how often a person has asked for other texts


@dataclasses.dataclass(frozen=True)
class _Text:
    """The narrative of one keyframe, and how it was made."""

    text: str
    plain: bool = False
    repaired: bool = False


@dataclasses.dataclass(frozen=True)
class _Draft:
    """A story being written: its keyframes, and its texts so far."""

    id: str
    frames: list[tuple[Keyframe, Caption]]
    texts: list[_Text] = dataclasses.field(default_factory=list)


async def tell(
    keyframes: Sequence[Keyframe],
    captions: Sequence[Caption],
    characters: Sequence[Character],
    client: ModelClient,
    config: DatasetConfig,
    tick: Tick,
    *,
    title: str = "",
    appearances: Sequence[Appearance] = (),
    scenes: Sequence[Scene] = (),
) -> tuple[list[Story], list[Reject]]:
    """Writes the stories of one film. Returns the stories and the rejects.

    `keyframes` are all of the film's, in film order; those without a caption are left out. A tail
    of fewer than 30 makes an incomplete story, or a reject if it is too short. `appearances` are
    who is seen in them; if the settings say so, stories end where `scenes` do. `tick` is called
    with the share done. Raises Stop when no further request can be answered.
    """
    by_keyframe = {caption.keyframe: caption for caption in captions}
    frames = [
        (keyframe, by_keyframe[keyframe.id]) for keyframe in keyframes if keyframe.id in by_keyframe
    ]
    begin = {keyframe for scene in scenes for keyframe in scene.keyframes[:1]}
    by_scenes = config.stories.cut == "scenes"
    drafts, rejects = _drafts(
        frames,
        story_cuts.at_scenes(
            [keyframe.id in begin for keyframe, _ in frames], config.stories.shortest
        )
        if by_scenes
        else story_cuts.by_length(len(frames)),
        config.stories.shortest,
    )
    seen: dict[str, list[Appearance]] = {}
    for row in sorted(appearances, key=lambda row: row.box[0]):
        seen.setdefault(row.keyframe, []).append(row)
    writer = _Writer(client, config, title, characters, seen)
    done = 0

    async def story_of(draft: _Draft) -> Story | Reject:
        nonlocal done
        story = await _write_story(draft, writer)
        done += 1
        tick(0.99 * done / len(drafts))
        return story

    results = await gather(story_of(draft) for draft in drafts)
    return (
        [story for story in results if isinstance(story, Story)],
        [*rejects, *(reject for reject in results if isinstance(reject, Reject))],
    )


async def tell_again(
    frames: Sequence[tuple[Keyframe, Caption]],
    texts: Sequence[str],
    part: tuple[int, int],
    characters: Sequence[Character],
    client: ModelClient,
    config: DatasetConfig,
    repeat: int,
    *,
    title: str = "",
) -> tuple[list[str], str]:
    """Writes a part of a story once more. Returns its new texts, or none and what was wrong.

    `frames` are all of the story's and `texts` what they have now; `part` is where the part begins
    and ends, and goes on from the texts before it. The whole story is linked too. `repeat` counts
    from 1: each has answers of its own, which are cached. Raises Stop as `tell` does.
    """
    writer = _Writer(client, config, title, characters, {}, repeat)
    start, stop = part
    draft = _Draft(f"{frames[0][0].video}_again", list(frames), [*map(_Text, texts[:start])])
    if part == (0, len(frames)):
        story = await _write_story(draft, writer)
        return (story.captions, "") if isinstance(story, Story) else ([], story.detail)
    outcome = await _write_window(draft, start, stop, writer)
    if isinstance(outcome, Outcome):
        await client.ask_again(outcome.failed)
        return [], outcome.fault
    return [" ".join(text.text.split()) for text in outcome.texts[start:]], ""


async def _write_story(draft: _Draft, writer: _Writer) -> Story | Reject:
    window = writer.config.stories.window
    for start in range(0, len(draft.frames), window):
        stop = min(start + window, len(draft.frames))
        outcome = await _write_window(draft, start, stop, writer)
        if isinstance(outcome, Outcome):
            await writer.client.ask_again(outcome.failed)
            reason = reason_of(outcome, BAD_NARRATIVE)
            return _reject(draft, reason, f"from picture {start} on: {outcome.fault}")
        draft = outcome
        progress.doing("stories", f"asked {stop} of {len(draft.frames)}, {draft.id}")
    draft, linked, failed = await _link(draft, 0, len(draft.frames), writer)
    if not linked:
        await writer.client.ask_again(failed)
    return _story(draft, writer, linked)


async def _link(
    draft: _Draft, start: int, stop: int, writer: _Writer
) -> tuple[_Draft, bool, tuple[Request, ...]]:
    """Links the texts from `start` to `stop`, in as many requests as the model's context takes.

    If linking fails or gets no answer the texts stay, as they have passed the checks already.
    Returns the draft, whether all was linked, and the requests that failed.
    """
    outcome = await _ask(draft, "link", start, stop, writer)
    if outcome.value is not None:
        return _linked(draft, start, outcome), True, ()
    if not (outcome.too_long or outcome.cut) or stop - start < 2 * _SHORTEST_LINK:
        return draft, False, outcome.failed
    middle = (start + stop) // 2
    draft, first, failed = await _link(draft, start, middle, writer)
    draft, second, others = await _link(draft, middle, stop, writer)
    return draft, first and second, outcome.failed + failed + others


async def _write_window(
    draft: _Draft, start: int, stop: int, writer: _Writer, *, split: bool = False
) -> _Draft | Outcome:
    """Adds the texts from `start` to `stop`, in as many requests as it takes.

    A window that fails is halved, down to one text; `split` says that it is a part of one whose
    answer failed, so that its texts are asked for once more. What was too long to be asked had no
    answer. Returns the outcome of the request that failed in the end, with all that failed before
    it.
    """
    outcome = await _ask(draft, "narrate", start, stop, writer)
    if outcome.value is not None:
        embedded = writer.config.writer == "embedded"  # no other may flag its texts as plain
        texts = [
            _Text(sentence.text, embedded and sentence.plain, split or outcome.repaired)
            for sentence in outcome.value.sentences
        ]
        return dataclasses.replace(draft, texts=[*draft.texts, *texts])
    unanswered = not outcome.answered and not outcome.too_long
    if stop - start == 1 or unanswered or outcome.refused:
        return outcome
    size = (stop - start + 1) // 2 if stop - start > 5 else 1
    split = split or outcome.answered
    for first in range(start, stop, size):
        part = await _write_window(draft, first, min(first + size, stop), writer, split=split)
        if isinstance(part, Outcome):
            return dataclasses.replace(part, failed=outcome.failed + part.failed)
        draft = part
    return draft


def _linked(draft: _Draft, start: int, outcome: Outcome) -> _Draft:
    """Takes over the linked texts from `start` on. One that did not change is plain if it was."""
    stop = start + len(outcome.value.sentences)
    texts = [
        old
        if _equal(old.text, new.text)
        else _Text(new.text, False, old.repaired or outcome.repaired)
        for old, new in zip(draft.texts[start:stop], outcome.value.sentences, strict=True)
    ]
    return dataclasses.replace(draft, texts=[*draft.texts[:start], *texts, *draft.texts[stop:]])


async def _ask(draft: _Draft, task: str, start: int, stop: int, writer: _Writer) -> Outcome:
    """Asks for the texts from `start` to `stop`: `task` is "narrate" or "link".

    Returns the checked answer, or what was wrong with it. Raises Stop when no further request can
    be answered.
    """
    facts = window_facts(
        draft.frames,
        [text.text for text in draft.texts],
        start,
        stop,
        writer.characters,
        writer.config.stories,
        writer.title,
    )
    facts["plain"] = [text.plain for text in draft.texts[start:stop]]
    facts["repeat"] = writer.repeat

    folder = writer.config.prompts
    asked = prompts.render(task, folder, **facts)

    checked: list[NarrativeAnswer] = []
    kept: list[NarrativeAnswer] = []  # the answer of which a repair is a part

    def check(answer: NarrativeAnswer) -> str:
        checked.append(answer)
        return narratives.fault(
            _merged(*kept, answer),
            facts,
            writer.characters,
            writer.config,
            prompts.instructions(task, folder),
        )

    request = Request(
        f"{draft.id}_{task}_{start:02d}-{stop:02d}",
        task,
        asked.question,
        facts,
        NarrativeAnswer,
        system=asked.system,
        schema=narrative_schema(facts["frames"]),
        longest=(stop - start) * (_WORD * writer.config.stories.words + _AROUND),
        repeat=writer.repeat,
    )

    def correct(again: Request, fault: str) -> Request:
        """Asks for the texts at fault only, where the others can stay."""
        frames = narratives.frames_at_fault(fault) if checked else []
        if frames:
            kept.append(checked[-1])
        asked_for = frames or facts["frames"]
        corrected = prompts.corrected(again, folder, fault=fault, **facts | {"frames": asked_for})
        return dataclasses.replace(corrected, schema=narrative_schema(asked_for))

    outcome = await ask(request, writer.client, check, correct)
    if outcome.value is None:
        return outcome
    return dataclasses.replace(outcome, value=_merged(*kept, outcome.value))


def _merged(*answers: NarrativeAnswer) -> NarrativeAnswer:
    """Returns the first answer with the texts of the later ones in place of its own."""
    sentences = {
        sentence.frame: sentence for answer in answers[1:] for sentence in answer.sentences
    }
    kept = [sentences.pop(sentence.frame, sentence) for sentence in answers[0].sentences]
    return NarrativeAnswer(sentences=[*kept, *sentences.values()])


def _equal(text: str, other: str) -> bool:
    return text.strip().casefold() == other.strip().casefold()


def _drafts(
    frames: Sequence[tuple[Keyframe, Caption]], ends: Sequence[int], shortest: int
) -> tuple[list[_Draft], list[Reject]]:
    """Cuts a film into drafts; one that is shorter than `shortest` is a reject."""
    drafts: list[_Draft] = []
    rejects: list[Reject] = []
    for number, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        part = list(frames[start:end])
        draft = _Draft(f"{part[0][0].video}_story_{number:03d}", part)
        if len(part) < shortest:
            detail = (
                f"{len(part)} keyframes are left for it, and a story needs {shortest}; "
                "lower the setting for the shortest story to keep it"
            )
            rejects.append(_reject(draft, "too short", detail))
        else:
            drafts.append(draft)
    return drafts, rejects


def _reject(draft: _Draft, reason: str, detail: str) -> Reject:
    first = draft.frames[0][0]
    return Reject("story", draft.id, reason, detail, first.video, first.image)


def _story(draft: _Draft, writer: _Writer, linked: bool) -> Story:
    first_keyframe, first_caption = draft.frames[0]
    seen = [writer.seen.get(keyframe.id, []) for keyframe, _ in draft.frames]
    return Story(
        id=draft.id,
        video=first_keyframe.video,
        series=first_keyframe.series,
        split="",
        complete=len(draft.frames) == STORY_LENGTH,
        images=[keyframe.image for keyframe, _ in draft.frames],
        captions=[" ".join(text.text.split()) for text in draft.texts],
        orders=list(range(len(draft.frames))),
        descriptions=[caption.sentence for _, caption in draft.frames],
        caption_model=first_caption.model,
        writers=["plain" if text.plain else writer.client.name for text in draft.texts],
        repaired=[text.repaired for text in draft.texts],
        linked=linked,
        characters=[[row.character for row in of_picture] for of_picture in seen],
        boxes=[[row.box for row in of_picture] for of_picture in seen],
    )
