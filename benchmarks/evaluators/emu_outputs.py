"""Reads the stories that Emu3.5 has told: `proto/<name>.pb`, as its `inference.py` writes them.

A story of it is texts, each followed by pictures; a text that no picture follows is told with the
next one. The pictures are in the files, and are unpacked beside them.

Source: `ProtoWriter` in `src/utils/painting_utils.py` of github.com/baaivision/Emu3.5.
"""

from __future__ import annotations

from pathlib import Path

from schemas import emu_story

_UNPACKED = "pictures"


def story_files(folder: str | Path) -> list[Path]:
    """Returns the files of stories in a folder, or in its folder `proto`."""
    return sorted(Path(folder).glob("*.pb")) or sorted(Path(folder, "proto").glob("*.pb"))


def read_outputs(folder: str | Path) -> dict[str, list[tuple[str, str]]]:
    """Reads texts and paths of pictures by the name of the story.

    Raises ValueError for a file that is no story of Emu3.5.
    """
    found = {}
    for file in story_files(folder):
        try:
            segments = emu_story.decode(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file} is no story of Emu3.5: {error}") from error
        panels: list[tuple[str, str]] = []
        told = ""
        for segment in segments:
            told = f"{told} {segment.text.strip()}".strip()
            for picture in segment.pictures:
                path = file.parent / _UNPACKED / file.stem / f"{len(panels) + 1:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture.file)
                panels.append((told, str(path)))
                told = ""
        found[file.stem] = panels
    return found
