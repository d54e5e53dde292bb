"""Left-over files: what an earlier dataset in the same folder has left, for the new to remove."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.cast import characters_file
from pipeline.dataset.reader import locate
from pipeline.runtime import storage
from schemas import layout

_IMAGE_FOLDERS = (layout.IMAGES, layout.REJECTED)  # each has a folder for each film


def of_film(out: str, film: str, images: Collection[str]) -> list[str]:
    """Finds the files in a film's image folders that are none of its `images`, by path."""
    current = {locate(out, image) for image in images}
    return [path for path in _film_images(out, film) if path not in current]


def of_dataset(out: str, films: Collection[str], files: Collection[str]) -> list[str]:
    """Finds what is left beside the films of a dataset, given the names of its `files`.

    That is pictures of films that are not in it, JSONL, characters that nobody has edited,
    pictures of characters, and what killed writers have left.
    """
    removed_films = {
        film
        for folder in _IMAGE_FOLDERS
        for film in storage.folders(locate(out, folder))
        if film not in films
    }
    current = {locate(out, name) for name in files}
    jsonl, drafts, crops = (
        [path for path, _ in storage.find_in(locate(out, folder), pattern) if path not in current]
        for folder, pattern in (
            (layout.IMAGES, "*"),
            (layout.CHARACTERS, "*.yaml"),
            (layout.CHARACTERS, "*/*/*.jpg"),
        )
    )
    return [
        *(path for film in sorted(removed_films) for path in _film_images(out, film)),
        *jsonl,
        *crops,
        *(path for path in drafts if characters_file.untouched(characters_file.read_text(path))),
        *storage.temporary_files(out),
    ]


def _film_images(out: str, film: str) -> list[str]:
    return [
        path
        for folder in _IMAGE_FOLDERS
        for path, _ in storage.find_in(storage.join(out, folder, film), "**")
    ]
