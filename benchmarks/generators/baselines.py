"""Generators that need no model: a floor, a search, and a ceiling for all that do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.stories import Opening, Story
from benchmarks.story_model import likest

Generator = Callable[[Opening], Story]


def truth(known: Sequence[Story]) -> Generator:
    """The ceiling: the story itself, which its opening names."""
    by_id = {one.id: one for one in known}

    def generate(opening: Opening) -> Story:
        one = by_id[opening.id]
        return Story(one.id, one.texts[: opening.length], one.images[: opening.length])

    return generate


def copy_first(opening: Opening) -> Story:
    """The first picture again and again, with the sentences that are asked for, else the first."""
    texts = opening.following or (opening.text,) * (opening.length - 1)
    return Story(opening.id, (opening.text, *texts), (opening.image,) * opening.length)


def retrieval(training: Sequence[Story]) -> Generator:
    """Illustrates each sentence with the training picture whose own text is most like it.

    Told freely, it goes on with the training story whose text is most like the opening's. Likeness
    is that of `story_model.likest`: TF-IDF of words and pairs of words.
    """
    moments = [(story, at) for story in training for at in range(len(story.texts))]
    known = [story.texts[at] for story, at in moments]
    begins = [(story, at) for story, at in moments if at + 1 < len(story.texts)]

    def generate(opening: Opening) -> Story:
        if opening.following:
            found = [moments[at] for at in likest(opening.following, known)]
            texts = opening.following
        else:
            [nearest] = likest([opening.text], [story.texts[at] for story, at in begins])
            story, start = begins[nearest]
            order = [*range(start + 1, len(story.texts)), *range(start + 1)]  # round and round
            found = [(story, order[at % len(order)]) for at in range(opening.length - 1)]
            texts = tuple(one.texts[at] for one, at in found)
        return Story(
            opening.id,
            (opening.text, *texts),
            (opening.image, *(one.images[at] for one, at in found)),
        )

    return generate


def shuffled(known: Sequence[Story], seed: int = 0) -> Generator:
    """What no measure of a story may prefer: true pictures and texts of other stories, in disorder.

    A story's panels after the first are drawn from all others; texts stay with their pictures,
    unless the sentences are given.
    """

    def generate(opening: Opening) -> Story:
        pool = [(one, at) for one in known if one.id != opening.id for at in range(len(one.texts))]
        dice = np.random.default_rng([seed, *opening.id.encode()])
        found = [
            pool[at]
            for at in dice.choice(
                len(pool), opening.length - 1, replace=len(pool) < opening.length - 1
            )
        ]
        texts = opening.following or tuple(one.texts[at] for one, at in found)
        return Story(
            opening.id,
            (opening.text, *texts),
            (opening.image, *(one.images[at] for one, at in found)),
        )

    return generate
