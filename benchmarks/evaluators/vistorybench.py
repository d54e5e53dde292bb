"""ViStoryBench: its stories as openings, and pictures of shots in the layout that it evaluates.

    DATASET/01/story.json                 Shots, Characters; references in 01/image/<character>/
    OUTPUTS/<method>/<mode>/<language>/<YYYYMMDD-HHMMSS>/01/shots/shot_01.png

Its reader takes the number of a shot from a file's name, so a folder of shots has nothing else in
it. A story is told as its own `adapt2seedstory.py` asks SEED-Story to: the first reference picture
of the first character is given with who that is, then a prompt per shot is illustrated.

Source: `vistorybench/dataset_loader/{dataset_load,read_outputs}.py` and
`data_process/dataset_process/adapt2seedstory.py` of github.com/ViStoryBench/vistorybench.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.stories import Opening, Story

LANGUAGES = ("en", "ch")
_PICTURES = (".png", ".jpg", ".jpeg")
_FIELDS = {  # of a shot, in the order of its prompt; who is in it comes before the last
    "camera": "Shot Perspective Design",
    "plot": "Plot Correspondence",
    "script": "Static Shot Description",
    "scene": "Setting Description",
}
_TIME = re.compile(r"\d{8}[_-]\d{6}")


@dataclass(frozen=True)
class Character:
    """A character, with the paths of its reference pictures."""

    name: str
    description: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Shot:
    """A shot that is to be drawn: its number, from 1, who is in it, by key, and its prompt."""

    number: int
    characters: tuple[str, ...]
    prompt: str


@dataclass(frozen=True)
class Item:
    """A story of the benchmark."""

    id: str  # "01"
    shots: tuple[Shot, ...]
    characters: Mapping[str, Character]


def read_items(dataset: str | Path, language: str = "en") -> list[Item]:
    """Reads the stories of the benchmark by number. Raises ValueError where there are none, or
    where one lacks what it should have."""
    files = sorted(Path(dataset).glob("*/story.json"), key=lambda file: file.parent.name)
    files = [file for file in files if file.parent.name.isdigit()]
    if not files:
        raise ValueError(f"{dataset} has no NUMBER/story.json: give ViStoryBench's dataset/ViStory")
    return [_read_item(file, language) for file in sorted(files, key=_number)]


def _number(file: Path) -> int:
    return int(file.parent.name)


def _read_item(file: Path, language: str) -> Item:
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
        characters = {
            key.strip(): Character(
                value[f"name_{language}"],
                value[f"prompt_{language}"],
                tuple(
                    str(path)
                    for path in sorted((file.parent / "image" / key).rglob("*"))
                    if path.suffix.lower() in _PICTURES
                ),
            )
            for key, value in values["Characters"].items()
        }
        shots = tuple(_read_shot(shot, characters, language) for shot in values["Shots"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not a story of ViStoryBench: {error!r}") from error
    return Item(file.parent.name, shots, characters)


def _read_shot(shot: Mapping[str, Any], characters: Mapping[str, Character], language: str) -> Shot:
    keys = [key.strip() for key in shot["Characters Appearing"]["en"]]
    keys = [key for key in keys if key in characters]
    said = {name: shot[field][language] for name, field in _FIELDS.items()}
    who = ";".join(f"{characters[key].name} is {characters[key].description}" for key in keys)
    prompt = f"{said['camera']};{said['plot']};{said['script']};{who};{said['scene']};"
    return Shot(int(shot["index"]), tuple(keys), prompt)


def make_openings(items: Sequence[Item]) -> list[Opening]:
    """Returns the opening of each story, with the prompts of its shots to illustrate.

    Raises ValueError for a story of which no character has a reference picture.
    """
    openings = []
    for item in items:
        first = next(
            (
                item.characters[key]
                for shot in item.shots
                for key in shot.characters
                if item.characters[key].references
            ),
            None,
        )
        if first is None:
            raise ValueError(f"story {item.id} has no reference picture of anybody in its shots")
        openings.append(
            Opening(
                item.id,
                first.references[0],
                f"{first.name} is {first.description}",
                1 + len(item.shots),
                tuple(shot.prompt for shot in item.shots),
            )
        )
    return openings


def write_outputs(
    stories: Sequence[Story],
    items: Sequence[Item],
    outputs: str | Path,
    method: str,
    mode: str,
    language: str,
    time: str,
) -> Path:
    """Writes the shots of told stories, whose picture 0 is the opening, and returns their folder.

    `time` is YYYYMMDD-HHMMSS. Raises ValueError where that is not so or the folder is there.
    """
    if language not in LANGUAGES or not _TIME.fullmatch(time):
        raise ValueError(f"{language}, {time}: languages are en and ch, times YYYYMMDD-HHMMSS")
    run = Path(outputs, method, mode, language, time)
    if run.exists():
        raise ValueError(f"{run} is there already: give another time")
    by_id = {item.id: item for item in items}
    for story in stories:
        folder = run / story.id / "shots"
        folder.mkdir(parents=True)
        for shot, path in zip(by_id[story.id].shots, story.images[1:], strict=False):
            with Image.open(path) as picture:
                picture.convert("RGB").save(folder / f"shot_{shot.number:02d}.png")
    return run


def read_outputs(folder: str | Path) -> dict[str, dict[int, str]]:
    """Reads the pictures of a run: paths by story and number of the shot.

    `folder` is that of a method, mode, language or run; of several runs, the latest one counts.
    Raises ValueError where it has none, and where it is not clear which.
    """
    run = _find_run(Path(folder))
    found: dict[str, dict[int, str]] = {}
    for story in sorted(filter(_is_story, run.iterdir())):
        shots = {}
        for path in sorted(_shots_folder(story).iterdir()):
            if path.suffix.lower() not in _PICTURES:
                continue
            number = path.stem.split("_")[-1]
            if not number.isdigit():
                raise ValueError(f"{path}: its name does not end in the number of a shot")
            shots[int(number)] = str(path)
        found[story.name] = shots
    return found


def is_run(folder: str | Path) -> bool:
    """Tells whether a folder, or one in it, has a run in this layout."""
    try:
        return bool(_find_run(Path(folder)))
    except ValueError:
        return False


def _find_run(folder: Path) -> Path:
    below = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if any(map(_is_story, below)):
        return folder
    runs = [path for path in below if _TIME.fullmatch(path.name)]
    if runs:
        return _find_run(max(runs, key=lambda path: path.name.replace("_", "-")))
    if len(below) != 1:
        raise ValueError(
            f"{folder} has {len(below)} folders and none is a run of ViStoryBench: give that of a "
            "method, mode, language or time"
        )
    return _find_run(below[0])


def _is_story(folder: Path) -> bool:
    if not (folder.is_dir() and folder.name.isdigit()):
        return False
    return any(
        path.suffix.lower() in _PICTURES and path.stem.split("_")[-1].isdigit()
        for path in _shots_folder(folder).iterdir()
    )


def _shots_folder(story: Path) -> Path:
    """Returns the folder of a story's shots, which is the story's own where it has no other."""
    inside = (path for path in story.iterdir() if path.name.lower() in ("shots", "shot"))
    return next(inside, story)
