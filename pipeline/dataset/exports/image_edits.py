"""Exports stories as edits of images: from the pictures before to the next one, by its text.

The JSONL of DiffSynth-Studio, with which Qwen-Image-Edit (2509 and 2511) and FLUX.2 klein are
fine-tuned: `image` is the target, `edit_image` lists what it is made from, `prompt` is the text. We
give the previous picture and, where it is another one, the first picture of the story, which shows
what the characters look like.

Source: `diffsynth/core/data/unified_dataset.py` and the scripts under `examples/*/model_training`
of github.com/modelscope/DiffSynth-Studio: paths are relative to `--dataset_base_path`, and an entry
may be a list.
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
from pipeline.runtime import progress, storage


def export(out: str, folder: str) -> list[str]:
    """Writes the dataset `out` into `folder`, with the pictures under `images/`.

    Returns the paths of `{train,val}.jsonl`. Raises as the other exports do.
    """
    splits = read_manifest(out).splits
    require_empty(folder)
    paths = []
    for split in sorted(splits):
        paths.append(storage.join(folder, f"{split}.jsonl"))
        with storage.writing(paths[-1]) as file:
            for document in read_documents(out, split):
                for keyframe in document.keyframes:
                    copy_picture(out, keyframe, folder)
                file.writelines(map(json_line, _edits(document)))
    write_sources(out, folder)
    return paths


def _edits(document: Document) -> Iterator[dict[str, Any]]:
    """Yields an edit for each picture of a story but the first."""
    story = document.story
    if len(story.images) == 1:
        progress.say(f"{story.id} has one picture, which is made from none: left out")
    for at in range(1, len(story.images)):
        yield {
            "prompt": story.captions[at],
            "image": story.images[at],
            "edit_image": list(dict.fromkeys([story.images[0], story.images[at - 1]])),
            "story": story.id,
            **document.film,
        }
