"""Labels panels with main character and place, by ground truth or by names in their texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.attributes.labels import Labels
from benchmarks.attributes.tables import has_true_texts
from benchmarks.stories import Story


def recurring_names(texts: Iterable[str], least: int = 3) -> list[str]:
    """Finds capitalised words inside sentences of at least `least` texts that no text writes in
    lower case: names, in languages that capitalise names alone."""
    texts = list(texts)
    inside = Counter(
        word for text in texts for word in set(re.findall(r"(?<=[\w,;:] )[A-Z]\w+", text))
    )
    small = {word for text in texts for word in re.findall(r"\b[a-z]\w*", text)}
    return sorted(
        word for word, times in inside.items() if times >= least and word.lower() not in small
    )


def first_name_in(text: str, names: Iterable[str]) -> str | None:
    """Returns the name that a text says first."""
    found = [
        (match.start(), name)
        for name in names
        if (match := re.search(rf"\b{re.escape(name)}\b", text))
    ]
    return min(found)[1] if found else None


def panel_labels(
    story: Story,
    true: Story | None,
    shown: Mapping[str, Sequence[Labels | None]],
    names: Sequence[str],
) -> tuple[list[str | None], list[str | None]]:
    """Returns main character and place of each panel but the first: by ground truth where the story
    has the true story's texts, else the first name in the text, and no place."""
    count = len(story.images)
    if story.id in shown and has_true_texts(story, true):
        known = shown[story.id][1:count]
        return (
            [label.main if label else None for label in known],
            [label.place if label else None for label in known],
        )
    return [first_name_in(text, names) for text in story.texts[1:]], [None] * (count - 1)
