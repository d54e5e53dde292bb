"""Exports a folder of pictures per character, as trainers of LoRAs read them.

    <split>/<repeats>_<character>/<keyframe>.jpg, .txt    a picture and its caption
    <split>-dataset.toml                                  for kohya's sd-scripts
    <split>-concepts.json                                 for OneTrainer

sd-scripts takes the repeats of a folder from its name; they are such that characters are shown
about equally often, at most MOST_REPEATS times. A caption begins with the character's name. A
picture of two characters lies in both folders.

Sources: `library/config_util.py` and `docs/config_README-en.md` of github.com/kohya-ss/sd-scripts;
`modules/util/config/ConceptConfig.py` of github.com/Nerogar/OneTrainer, of whose settings those
that are not given have their defaults.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict

from pipeline.dataset.exports.documents import read_picture, require_empty, write_sources
from pipeline.dataset.manifest import read_manifest
from pipeline.dataset.reader import read_films, read_rows, read_splits
from pipeline.ingest.naming import safe_name
from pipeline.runtime import progress, storage
from schemas import layout
from schemas.rows import Appearance, Caption, Keyframe

MOST_REPEATS = 10


def export(out: str, folder: str) -> list[str]:
    """Writes the pictures of the characters of the dataset `out` into `folder`.

    Those of films with stories count, by who `appearances.parquet` says is in them. Returns the
    paths of the settings. Raises ValueError where nobody is known in any picture, else as the other
    exports do.
    """
    splits = sorted(read_manifest(out).splits)
    require_empty(folder)
    seen: dict[str, set[str]] = defaultdict(set)  # keyframe: who is in it
    for row in read_rows(out, layout.APPEARANCES, Appearance):
        seen[row.keyframe].add(row.character)
    if not seen:
        raise ValueError(f"{out} does not know who is in its pictures: cast.figures makes it look")
    captions = {row.keyframe: row.sentence for row in read_rows(out, layout.CAPTIONS, Caption)}
    side = read_splits(out)
    pictures: dict[tuple[str, str], list[Keyframe]] = defaultdict(list)
    for film, _, keyframes in read_films(out):
        for keyframe in keyframes.values():
            for name in sorted(seen.get(keyframe.id, ())):
                pictures[side[film], name].append(keyframe)
    paths = []
    for split in splits:
        of_split = {name: rows for (of, name), rows in sorted(pictures.items()) if of == split}
        folders = {}
        for name, rows in of_split.items():
            repeats = _repeats(len(rows), max(map(len, of_split.values())))
            folders[name] = storage.join(folder, split, f"{repeats}_{safe_name(name)}")
            for keyframe in rows:
                progress.doing("export", keyframe.id)
                path = storage.join(folders[name], f"{safe_name(keyframe.id)}")
                caption = f"{name}. {captions.get(keyframe.id, '')}".strip()
                storage.write_bytes(f"{path}.jpg", read_picture(out, keyframe))
                storage.write_bytes(f"{path}.txt", caption.encode())
        paths += _write_settings(folder, split, folders)
    write_sources(out, folder)
    return paths


def _repeats(pictures: int, most: int) -> int:
    return max(1, min(MOST_REPEATS, round(most / pictures)))


def _write_settings(folder: str, split: str, folders: dict[str, str]) -> list[str]:
    """Writes the settings of both trainers, with absolute paths on a disk."""
    place = {
        name: path if storage.is_remote(path) else os.path.abspath(path)
        for name, path in folders.items()
    }
    subsets = "".join(
        "\n  [[datasets.subsets]]\n"
        f"  image_dir = {json.dumps(path)}\n"
        f"  class_tokens = {json.dumps(name)}\n"
        f"  num_repeats = {_repeats_of(path)}\n"
        for name, path in place.items()
    )
    toml = f'[general]\ncaption_extension = ".txt"\n\n[[datasets]]\nenable_bucket = true\n{subsets}'
    concepts = [
        {
            "name": name,
            "path": path,
            "enabled": True,
            "validation_concept": split == layout.VAL,
            "balancing": float(_repeats_of(path)),
            "balancing_strategy": "REPEATS",
            "text": {"prompt_source": "sample"},
        }
        for name, path in place.items()
    ]
    written = {
        f"{split}-dataset.toml": toml,
        f"{split}-concepts.json": json.dumps(concepts, indent=1, ensure_ascii=False),
    }
    for name, text in written.items():
        storage.write_bytes(storage.join(folder, name), text.encode())
    return [storage.join(folder, name) for name in written]


def _repeats_of(path: str) -> int:
    return int(path.rpartition("/")[2].partition("_")[0])
