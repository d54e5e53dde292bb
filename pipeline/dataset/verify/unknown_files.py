"""Finds unknown files: those in the dataset's folders that neither manifest nor tables name."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import DELETE, Problem
from pipeline.runtime import storage
from schemas import layout

_FOLDERS = (layout.IMAGES, layout.REJECTED, layout.SHARDS, layout.CHARACTERS)


def check_unknown_files(index: Index) -> Iterator[Problem]:
    """Checks the files in the dataset's own folders. Needs the keyframes and rejects."""
    named = {file.path for file in index.manifest.files} | index.reject_images
    for folder in _FOLDERS:
        root = storage.join(index.out, folder)
        for path, _ in storage.find_in(root, "**"):
            name = f"{folder}/{path[len(root) :].lstrip('/')}"
            if name not in named and not index.is_keyframe_image(name):
                yield Problem("unknown file", name, "nothing in the dataset names it", DELETE)
