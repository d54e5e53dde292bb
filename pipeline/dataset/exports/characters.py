"""Exports a folder of pictures per character, as trainers of LoRAs read them.

    <split>/<repeats>_<character>/<keyframe>.jpg, .txt    a picture and its caption
    <split>-dataset.toml                                  for kohya's sd-scripts
    <split>-musubi.toml                                   for musubi-tuner
    <split>-concepts.json                                 for OneTrainer

sd-scripts takes the repeats of a folder from its name; they are such that characters are shown
about equally often, at most MOST_REPEATS times. A caption is one line and begins with the
character's name. A picture of two characters lies in both folders. Characters of two series are
two, also where they have one name: the series then follows it.

Sources: `library/config_util.py` and `docs/config_README-en.md` of github.com/kohya-ss/sd-scripts;
`docs/dataset_config.md` of github.com/kohya-ss/musubi-tuner, which knows no classes and no names of
subsets;
`modules/util/config/ConceptConfig.py` of github.com/Nerogar/OneTrainer, of whose settings those
that are not given have their defaults; without `__version` it reads those of its first one.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection

from pipeline.dataset.exports.documents import read_picture, require_empty, write_sources
from pipeline.dataset.manifest import read_manifest
from pipeline.dataset.reader import read_films, read_rows, read_splits
from pipeline.ingest.naming import safe_name, video_ids
from pipeline.runtime import progress, storage
from schemas import layout
from schemas.rows import Appearance, Caption, Keyframe

MOST_REPEATS = 10

_Character = tuple[str, str]  # series and name


def export(out: str, folder: str) -> list[str]:
    """Writes the pictures of the characters of the dataset `out` into `folder`.

    Those of films with stories count, by who `appearances.parquet` says is in them. Returns the
    paths of the settings. Raises ValueError where nobody is known in any of these pictures, else as
    the other exports do.
    """
    splits = sorted(read_manifest(out).splits)
    require_empty(folder)
    seen: dict[str, set[_Character]] = defaultdict(set)  # keyframe: who is in it
    for row in read_rows(out, layout.APPEARANCES, Appearance):
        seen[row.keyframe].add((row.series, row.character))
    captions = {row.keyframe: row.sentence for row in read_rows(out, layout.CAPTIONS, Caption)}
    side = read_splits(out)
    pictures: dict[str, dict[_Character, list[Keyframe]]] = defaultdict(dict)
    for film, _, keyframes in read_films(out):
        for keyframe in keyframes.values():
            for character in seen.get(keyframe.id, ()):
                pictures[side[film]].setdefault(character, []).append(keyframe)
    if not pictures:
        raise ValueError(f"{out} does not know who is in its pictures: cast.figures makes it look")
    names = _names({character for of_split in pictures.values() for character in of_split})
    folder_names = dict(zip(names, video_ids(list(names.values())), strict=True))
    paths = []
    for split in filter(pictures.__contains__, splits):
        of_split = sorted(pictures[split].items())
        most = max(len(rows) for _, rows in of_split)
        folders = {}
        for character, rows in of_split:
            name = f"{_repeats(len(rows), most)}_{folder_names[character]}"
            folders[names[character]] = path = storage.join(folder, split, name)
            for keyframe in rows:
                progress.doing("export", keyframe.id)
                file = storage.join(path, safe_name(keyframe.id))
                caption = f"{character[1]}. {captions.get(keyframe.id, '')}"
                storage.write_bytes(f"{file}.jpg", read_picture(out, keyframe))
                storage.write_bytes(f"{file}.txt", " ".join(caption.split()).encode())
        paths += _write_settings(folder, split, folders)
    write_sources(out, folder)
    return paths


def _names(characters: Collection[_Character]) -> dict[_Character, str]:
    """Returns what each character is called: its name, with the series where two have it."""
    count = Counter(name for _, name in characters)
    return {
        (series, name): f"{name} ({series})" if count[name] > 1 else name
        for series, name in sorted(characters)
    }


def _repeats(pictures: int, most: int) -> int:
    return max(1, min(MOST_REPEATS, round(most / pictures)))


def _write_settings(folder: str, split: str, folders: dict[str, str]) -> list[str]:
    """Writes the settings of all trainers, with absolute paths on a disk."""
    place = {
        name: path if storage.is_remote(path) else os.path.abspath(path)
        for name, path in folders.items()
    }
    subsets = "".join(
        "\n  [[datasets.subsets]]\n"
        f"  image_dir = {_toml(path)}\n"
        f"  class_tokens = {_toml(name)}\n"
        f"  num_repeats = {_repeats_of(path)}\n"
        for name, path in place.items()
    )
    general = '[general]\ncaption_extension = ".txt"\n'
    toml = f"{general}\n[[datasets]]\nenable_bucket = true\n{subsets}"
    musubi = f"{general}enable_bucket = true\n" + "".join(
        f"\n[[datasets]]\nimage_directory = {_toml(path)}\nnum_repeats = {_repeats_of(path)}\n"
        for path in place.values()
    )
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
        f"{split}-musubi.toml": musubi,
        f"{split}-concepts.json": json.dumps(concepts, indent=1, ensure_ascii=False),
    }
    for name, text in written.items():
        storage.write_bytes(storage.join(folder, name), text.encode())
    return [storage.join(folder, name) for name in written]


def _toml(text: str) -> str:
    """Returns a text as TOML has it: as JSON does, but with no escapes of half a character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _repeats_of(path: str) -> int:
    return int(path.rpartition("/")[2].partition("_")[0])
