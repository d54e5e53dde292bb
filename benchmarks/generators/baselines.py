"""Baseline generators that need no model: repetition, retrieval, shuffling, and the true story."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.metrics.tfidf import most_similar
from benchmarks.stories import Opening, Story

Generator = Callable[[Opening], Story]


def ground_truth(known: Sequence[Story]) -> Generator:
    """Returns a generator of the true stories: the upper bound."""
    by_id = {story.id: story for story in known}

    def generate(opening: Opening) -> Story:
        """Returns the true story of the opening."""
        story = by_id[opening.id]
        return Story(story.id, story.texts[: opening.length], story.images[: opening.length])

    return generate


def repeat_first(opening: Opening) -> Story:
    """Repeats the first picture, with the given sentences or else the first sentence."""
    texts = opening.following or (opening.text,) * (opening.length - 1)
    return Story(opening.id, (opening.text, *texts), (opening.image,) * opening.length)


def retrieve(training: Sequence[Story]) -> Generator:
    """Returns a generator that illustrates each sentence with the training picture of the most
    similar text.

    Told freely, it continues with the training story whose text is most similar to the opening's.
    Similarity is that of `tfidf.most_similar`.
    """
    moments = [(story, at) for story in training for at in range(len(story.texts))]
    known = [story.texts[at] for story, at in moments]
    begins = [(story, at) for story, at in moments if at + 1 < len(story.texts)]

    def generate(opening: Opening) -> Story:
        """Returns the story of retrieved pictures, and texts where none are given."""
        if opening.following:
            found = [moments[at] for at in most_similar(opening.following, known)]
            texts = opening.following
        else:
            [nearest] = most_similar([opening.text], [story.texts[at] for story, at in begins])
            story, start = begins[nearest]
            order = [*range(start + 1, len(story.texts)), *range(start + 1)]  # round and round
            found = [(story, order[at % len(order)]) for at in range(opening.length - 1)]
            texts = tuple(story.texts[at] for story, at in found)
        return Story(
            opening.id,
            (opening.text, *texts),
            (opening.image, *(story.images[at] for story, at in found)),
        )

    return generate


def shuffle(known: Sequence[Story], seed: int = 0) -> Generator:
    """Returns a generator of true pictures and texts of other stories in random order, which no
    measure of a story may prefer.

    A story's panels after the first are drawn from all others; texts stay with their pictures,
    unless the sentences are given.
    """

    def generate(opening: Opening) -> Story:
        """Returns the opening with panels drawn from the other stories."""
        pool = [
            (story, at)
            for story in known
            if story.id != opening.id
            for at in range(len(story.texts))
        ]
        dice = np.random.default_rng([seed, *opening.id.encode()])
        found = [
            pool[at]
            for at in dice.choice(
                len(pool), opening.length - 1, replace=len(pool) < opening.length - 1
            )
        ]
        texts = opening.following or tuple(story.texts[at] for story, at in found)
        return Story(
            opening.id,
            (opening.text, *texts),
            (opening.image, *(story.images[at] for story, at in found)),
        )

    return generate
