"""Exports stories as conversations, for the fine-tuning of vision-language models.

The JSONL of LLaVA and of Qwen-VL's fine-tuning code: `image` lists pictures in the order in which
`<image>` stands for them in the `conversations` of `human` and `gpt`. There are two tasks, a file
each: `stories-<split>.jsonl` (a chunk of pictures, each answered by the next sentence; what was
told before it comes first) and `captions-<split>.jsonl` (a picture, answered by its description).

Source: `qwen-vl-finetune/qwenvl/data/data_processor.py` of github.com/QwenLM/Qwen2.5-VL, which
refuses a line with more or fewer `<image>` than pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.dataset.exports.documents import (
    Document,
    copy_picture,
    json_line,
    read_documents,
    require_empty,
    write_sources,
)
from pipeline.dataset.manifest import read_manifest
from pipeline.runtime import storage
from schemas.rows import CHUNK_LENGTH

_TELL = "Tell the story of these pictures, one after the other: for each, its next sentence."
_DESCRIBE = "Describe this picture in one sentence."
_PLACEHOLDERS = {"<image>": "(image)", "<video>": "(video)"}  # of a text, which would ask for one


def export(out: str, folder: str) -> list[str]:
    """Writes the dataset `out` into `folder`, with the pictures under `images/`.

    Returns the paths of the JSONL files; the folder itself is their `data_path`. Raises as the
    other exports do.
    """
    splits = read_manifest(out).splits
    require_empty(folder)
    paths = []
    for split in sorted(splits):
        stories, captions = (
            storage.join(folder, f"{task}-{split}.jsonl") for task in ("stories", "captions")
        )
        with storage.writing(stories) as story_file, storage.writing(captions) as caption_file:
            for document in read_documents(out, split):
                for keyframe in document.keyframes:
                    copy_picture(out, keyframe, folder)
                story_file.writelines(map(json_line, _told(document)))
                caption_file.writelines(map(json_line, _described(document)))
        paths += [stories, captions]
    write_sources(out, folder)
    return paths


def _told(document: Document) -> Iterator[dict[str, Any]]:
    """Yields a conversation for each chunk of a story."""
    story = document.story
    for first in range(0, len(story.images), CHUNK_LENGTH):
        before = " ".join(map(_plain, story.captions[:first]))
        conversation = []
        for at in range(first, min(first + CHUNK_LENGTH, len(story.images))):
            asked = "<image>"
            if at == first:
                asked = "\n".join(
                    [_TELL, *([f"The story so far: {before}"] if before else []), asked]
                )
            conversation += [_turn("human", asked), _turn("gpt", _plain(story.captions[at]))]
        yield {
            "id": f"{story.id}_{first // CHUNK_LENGTH}",
            "image": story.images[first : first + CHUNK_LENGTH],
            "conversations": conversation,
            **document.film,
        }


def _described(document: Document) -> Iterator[dict[str, Any]]:
    """Yields a conversation for each picture of a story that has a description."""
    story = document.story
    pictures = zip(document.keyframes, story.descriptions, strict=True)
    for keyframe, description in pictures:
        if description:
            yield {
                "id": keyframe.id,
                "image": [keyframe.image],
                "conversations": [
                    _turn("human", f"<image>\n{_DESCRIBE}"),
                    _turn("gpt", _plain(description)),
                ],
                **document.film,
            }


def _turn(speaker: str, text: str) -> dict[str, str]:
    return {"from": speaker, "value": text}


def _plain(text: str) -> str:
    """Returns a text without what stands for a picture."""
    for placeholder, instead in _PLACEHOLDERS.items():
        text = text.replace(placeholder, instead)
    return text
