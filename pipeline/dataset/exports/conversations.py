"""Exports stories as conversations, for the fine-tuning of vision-language models.

    stories-<split>.jsonl     a chunk of pictures, each answered by its sentence; what was told
                              before it comes first
    captions-<split>.json     a picture, answered by its description
    dataset_info.json         both, for LLaMA-Factory

A record is LLaVA's: `image` has the picture, or a list of them in the order in which `<image>`
stands for them in the `conversations` of `human` and `gpt`. LLaVA itself reads JSON with one
picture; LLaVA-NeXT, Qwen-VL's fine-tuning code, LLaMA-Factory and ms-swift read both files.

Sources: `llava/train/train.py` of github.com/haotian-liu/LLaVA and LLaVA-VL/LLaVA-NeXT,
`qwen-vl-finetune/qwenvl/data/data_processor.py` of QwenLM/Qwen3-VL, which refuses a record with
more or fewer `<image>` than pictures, `src/llamafactory/data/{parser,converter}.py` of
hiyouga/LLaMA-Factory, and `swift/dataset/preprocessor/core.py` of modelscope/ms-swift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from pipeline.runtime import progress, storage
from schemas.rows import CHUNK_LENGTH

_TELL = "Tell the story of these pictures, one after the other: for each, its next sentence."
_DESCRIBE = "Describe this picture in one sentence."
_PLACEHOLDERS = {"<image>": "(image)", "<video>": "(video)"}  # of a text, which would ask for one


def export(out: str, folder: str) -> list[str]:
    """Writes the dataset `out` into `folder`, with the pictures under `images/`.

    Returns the paths of the files of records; the folder is what their pictures are relative to.
    Raises as the other exports do.
    """
    splits = read_manifest(out).splits
    require_empty(folder)
    names: list[str] = []
    filled: list[str] = []  # LLaMA-Factory does not take a file without records
    for split in sorted(splits):
        stories, captions = f"stories-{split}.jsonl", f"captions-{split}.json"
        described = pictures = 0
        with (
            storage.writing(storage.join(folder, stories)) as story_file,
            storage.writing(storage.join(folder, captions)) as caption_file,
        ):
            for document in read_documents(out, split):
                for keyframe in document.keyframes:
                    copy_picture(out, keyframe, folder)
                story_file.writelines(map(json_line, _told(document)))
                for record in _described(document):
                    caption_file.write((b",\n" if described else b"[\n") + json_line(record)[:-1])
                    described += 1
                pictures += len(document.keyframes)
            caption_file.write(b"\n]\n" if described else b"[]\n")
        if described < pictures:
            progress.say(f"{pictures - described} pictures of {split} have no description")
        names += [stories, captions]
        filled += [stories, captions] if described else [stories]
    _write_dataset_info(folder, filled)
    write_sources(out, folder)
    return [storage.join(folder, name) for name in names]


def _write_dataset_info(folder: str, names: Sequence[str]) -> None:
    """Writes what LLaMA-Factory looks for in its `dataset_dir`."""
    info = {
        f"storystream-{name.partition('.')[0]}": {
            "file_name": name,
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "image"},
        }
        for name in names
    }
    text = json.dumps(info, indent=1).encode()
    storage.write_bytes(storage.join(folder, "dataset_info.json"), text)


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
                "image": keyframe.image,
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
