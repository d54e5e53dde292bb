"""Applies what people decided to the stories of a film: a pure function of both.

Each decision names the content that was seen by a digest. Where a stage before has since made other
content, the decision is not applied and becomes a conflict, which the page and the rejects show.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pipeline.runtime.stage_outputs import digest
from schemas import layout
from schemas.decisions import Accept, Drop, Edit, Move, OfStory, RejectStory, Swap
from schemas.published import keyframe_id
from schemas.rows import REVIEWER, STORY_LENGTH, Keyframe, Reject, Story

STAGE = "review"  # of the rejects
CONFLICT, REJECTED, DROPPED, SWAPPED, EMPTY = (
    "conflict",
    "rejected",
    "dropped",
    "swapped",
    "no pictures",
)


@dataclasses.dataclass
class Page:
    """A picture of a story with its sentence."""

    keyframe: str  # as selected, also where another frame was put in its place
    image: str
    caption: str
    description: str
    writer: str
    repaired: bool
    characters: list[str]
    boxes: list[list[int]]


@dataclasses.dataclass(frozen=True)
class Applied:
    """The stories of a film as people decided."""

    stories: list[Story]  # all, also those that are rejected or empty; in the order given
    pages: dict[str, list[Page]]  # of each story, by its id
    rejects: list[Reject]  # stories and pictures that are left out, and conflicts
    swaps: dict[str, Swap]  # by the selected keyframe
    verdicts: dict[str, Accept | RejectStory]  # by story: the last one
    conflicts: dict[str, str]  # by decision: why it was not applied


def picture_digest(keyframe: Keyframe) -> str:
    """Returns the digest of a picture that decisions name."""
    return keyframe.sha256[:16]


def sentence_digest(keyframe: Keyframe, sentence: str) -> str:
    """Returns the digest of a picture with its sentence that decisions name."""
    return digest([keyframe.sha256, sentence])


def story_digest(story: Story, keyframes: Mapping[str, Keyframe]) -> str:
    """Returns the digest of a story that decisions name; `keyframes` are by image."""
    return digest([[keyframes[image].sha256 for image in story.images], story.captions])


def boundary_digest(before: Story, story: Story, keyframes: Mapping[str, Keyframe]) -> str:
    """Returns the digest of two neighbouring stories' pictures that decisions name."""
    return digest([[keyframes[image].sha256 for image in part.images] for part in (before, story)])


def apply(
    stories: Sequence[Story],
    keyframes: Iterable[Keyframe],
    decisions: Iterable[OfStory],
    unreachable: Collection[str] = (),
) -> Applied:
    """Applies the standing decisions about a film, in their order, to its stories as written.

    `keyframes` are those selected; `unreachable` are Swaps, by id, whose frame cannot be decoded.
    """
    film = _Film(stories, {keyframe.image: keyframe for keyframe in keyframes})
    for decision in decisions:
        fault = film.decide(decision, decision.id in unreachable)
        if fault:
            film.conflicts[decision.id] = fault
            film.rejects.append(
                Reject(STAGE, decision.id, CONFLICT, _detail(decision, fault), decision.film)
            )
    return film.applied()


def _detail(decision: OfStory, fault: str) -> str:
    keyframe = getattr(decision, "keyframe", "")
    about = f"{decision.story}, {keyframe}" if keyframe else decision.story
    return f"the decision to {decision.what} ({about}) is not applied: {fault}"


class _Film:
    """A film's stories while decisions are applied to them."""

    def __init__(self, stories: Sequence[Story], keyframes: Mapping[str, Keyframe]) -> None:
        self.written = {story.id: story for story in stories}
        self.keyframes = keyframes
        self.by_id = {keyframe.id: keyframe for keyframe in keyframes.values()}
        self.pages = {story.id: _pages(story) for story in stories}
        self.rejects: list[Reject] = []  # of conflicts
        self.dropped: dict[str, tuple[str, Drop]] = {}  # by keyframe: from which story
        self.swaps: dict[str, Swap] = {}
        self.verdicts: dict[str, Accept | RejectStory] = {}
        self.conflicts: dict[str, str] = {}

    def decide(self, decision: OfStory, unreachable: bool) -> str:
        """Applies a decision; returns why it cannot be, "" if it was."""
        story = self.written.get(decision.story)
        if story is None:
            return "there is no such story any more"
        match decision:
            case Accept() | RejectStory():
                if decision.digest != story_digest(story, self.keyframes):
                    return "the story has changed since; look at it again"
                self.verdicts[story.id] = decision
                return ""
            case Edit():
                return self._edit(decision)
            case Drop():
                return self._drop(decision)
            case Swap():
                return self._swap(decision, unreachable)
            case Move():
                return self._move(decision, story)

    def _page(self, keyframe: str) -> tuple[str, int] | None:
        """Returns the story that a picture is in, and its place there."""
        return next(
            (
                (story, at)
                for story, pages in self.pages.items()
                for at, page in enumerate(pages)
                if page.keyframe == keyframe
            ),
            None,
        )

    def _edit(self, decision: Edit) -> str:
        place, written = self._page(decision.keyframe), self._sentence(decision.keyframe)
        if place is None or written is None:
            return "the picture is in no story any more"
        if decision.digest != sentence_digest(self.by_id[decision.keyframe], written):
            return f"the sentence or its picture has changed since; the sentence is now {written!r}"
        page = self.pages[place[0]][place[1]]
        page.caption, page.writer, page.repaired = decision.text, REVIEWER, False
        return ""

    def _sentence(self, keyframe: str) -> str | None:
        """Returns the sentence of a picture as it was written."""
        return next(
            (
                caption
                for story in self.written.values()
                for image, caption in zip(story.images, story.captions, strict=True)
                if layout.image_keyframe(image) == keyframe
            ),
            None,
        )

    def _drop(self, decision: Drop) -> str:
        place, fault = self._picture(decision)
        if place is None:
            return fault
        del self.pages[place[0]][place[1]]
        self.dropped[decision.keyframe] = place[0], decision
        return ""

    def _swap(self, decision: Swap, unreachable: bool) -> str:
        place, fault = self._picture(decision)
        if place is None:
            return fault
        keyframe = self.by_id[decision.keyframe]
        name = keyframe_id(keyframe.video, decision.time)
        if not keyframe.shot_start - 0.001 <= decision.time <= keyframe.shot_end + 0.001:
            return "the other frame is not of the same shot"
        pages = self.pages[place[0]]
        before, after = pages[: place[1]], pages[place[1] + 1 :]
        if (
            name in self.by_id
            or any(decision.time <= self._time(page) for page in before[-1:])
            or any(decision.time >= self._time(page) for page in after[:1])
        ):
            return "the other frame is, or is beyond, another picture of the film"
        if unreachable:
            return "the other frame cannot be decoded from the film"
        pages[place[1]].image = layout.image_path(keyframe.video, name)
        self.swaps[keyframe.id] = decision
        return ""

    def _time(self, page: Page) -> float:
        swap = self.swaps.get(page.keyframe)
        return swap.time if swap else self.by_id[page.keyframe].time

    def _picture(self, decision: Drop | Swap) -> tuple[tuple[str, int] | None, str]:
        """Returns the story that a picture is in and its place there, or None and why."""
        keyframe = self.by_id.get(decision.keyframe)
        if keyframe is None or decision.digest != picture_digest(keyframe):
            return None, "the picture has changed since"
        return self._page(decision.keyframe), "the picture is in no story any more"

    def _move(self, decision: Move, story: Story) -> str:
        ids = list(self.written)
        at = ids.index(story.id)
        if at == 0:
            return "no story is before it"
        before = ids[at - 1]
        if decision.digest != boundary_digest(self.written[before], story, self.keyframes):
            return "the pictures of the two stories have changed since"
        both = [*self.pages[before], *self.pages[story.id]]
        first = next(
            (at for at, page in enumerate(both) if page.keyframe == decision.keyframe), None
        )
        if first is None:
            return "the picture is in neither story any more"
        if not 0 < first < len(both) or max(first, len(both) - first) > STORY_LENGTH:
            return f"a story has 1 to {STORY_LENGTH} pictures; drop one first"
        self.pages[before], self.pages[story.id] = both[:first], both[first:]
        return ""

    def applied(self) -> Applied:
        """Returns the stories as decided."""
        accepted = {
            story for story, verdict in self.verdicts.items() if isinstance(verdict, Accept)
        }
        stories = [
            _story(story, self.pages[story.id], story.id in accepted)
            for story in self.written.values()
        ]
        shown = {page.keyframe for pages in self.pages.values() for page in pages}
        swaps = {keyframe: swap for keyframe, swap in self.swaps.items() if keyframe in shown}
        return Applied(
            stories,
            self.pages,
            [*self._left_out(stories, swaps), *self.rejects],
            swaps,
            self.verdicts,
            self.conflicts,
        )

    def _left_out(self, stories: Sequence[Story], swaps: Mapping[str, Swap]) -> Iterator[Reject]:
        """Yields a reject for each story and picture that is left out."""
        for story in stories:
            verdict = self.verdicts.get(story.id)
            if isinstance(verdict, RejectStory):
                detail = f"a person left it out{_because(verdict)}"
                image = self.written[story.id].images[0]
                yield Reject(STAGE, story.id, REJECTED, detail, story.video, image)
            elif not story.images:
                detail = "people left out or moved all of its pictures"
                yield Reject(STAGE, story.id, EMPTY, detail, story.video)
        for keyframe, (left, drop) in self.dropped.items():
            row, detail = self.by_id[keyframe], f"a person left it out of {left}{_because(drop)}"
            yield Reject(STAGE, keyframe, DROPPED, detail, row.video, row.image)
        for keyframe, swap in swaps.items():
            row = self.by_id[keyframe]
            detail = f"a person put {keyframe_id(row.video, swap.time)} in its place"
            yield Reject(STAGE, keyframe, SWAPPED, detail, row.video, row.image)


def _because(decision: Drop | RejectStory) -> str:
    return f": {decision.reason}{f', {decision.note}' if decision.note else ''}"


def _pages(story: Story) -> list[Page]:
    return [
        Page(
            layout.image_keyframe(image),
            image,
            story.captions[at],
            story.descriptions[at],
            story.writers[at],
            story.repaired[at],
            story.characters[at] if story.characters else [],
            story.boxes[at] if story.boxes else [],
        )
        for at, image in enumerate(story.images)
    ]


def _story(story: Story, pages: Sequence[Page], accepted: bool) -> Story:
    """Returns a story with these pages."""
    looked = story.characters or any(page.characters for page in pages)
    return dataclasses.replace(
        story,
        complete=len(pages) == STORY_LENGTH,
        images=[page.image for page in pages],
        captions=[page.caption for page in pages],
        orders=list(range(len(pages))),
        descriptions=[page.description for page in pages],
        writers=[page.writer for page in pages],
        repaired=[page.repaired for page in pages],
        characters=[page.characters for page in pages] if looked else [],
        boxes=[page.boxes for page in pages] if looked else [],
        accepted=accepted,
    )
