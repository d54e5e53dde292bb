"""Collects what a writer is told of a window of pictures, and its answer is checked against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.annotation.checks import described_characters
from pipeline.config import StoriesConfig
from schemas.rows import Caption, Character, Keyframe


def window_facts(
    frames: Sequence[tuple[Keyframe, Caption]],
    texts: Sequence[str],
    start: int,
    stop: int,
    characters: Sequence[Character],
    settings: StoriesConfig,
    title: str = "",
) -> dict[str, Any]:
    """Returns the facts of a story's pictures from `start` to `stop`, for a prompt and the checks.

    `frames` are all of the story's, `texts` those it has so far: those before `start` are the story
    so far, and those of the window, if any, are what linking starts from.
    """
    return {
        "title": title,
        "reader": {
            "age": settings.reader_age,
            "words": settings.words,
            "tense": settings.tense,
            "language": settings.language,
            "style": settings.style,
        },
        "characters": [
            {
                "name": character.name,
                "look": character.look,
                "role": character.role,
                "names": list(character.names),
            }
            for character in characters
        ],
        "frames": list(range(start, stop)),
        "captions": [_described(*frames[frame], frame, characters) for frame in range(start, stop)],
        "told": list(texts[:start]),
        "so_far": " ".join(texts[:start]),
        "before": texts[start - 1] if start else "",
        "texts": list(texts[start:stop]),
    }


def _described(
    keyframe: Keyframe, caption: Caption, frame: int, characters: Sequence[Character]
) -> dict[str, Any]:
    """Returns what is said of one keyframe."""
    resolved = described_characters.resolve(caption.characters, characters)
    names = {character.name for character in characters}
    return {
        "frame": frame,
        "sentence": caption.sentence,
        "characters": caption.characters,
        "who": {
            description: name
            for description, name in zip(caption.characters, resolved, strict=True)
            if name in names
        },
        "place": caption.place,
        "action": caption.action,
        "mood": caption.mood,
        "objects": caption.objects,
        "camera": caption.camera,
        "dialogue": list(keyframe.dialogue),
        "text": list(keyframe.text),
    }
