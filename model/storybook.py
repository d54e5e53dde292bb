"""Writes a story to disk while it is generated: pictures, JSON, a sheet of all panels, a web page.

    FOLDER/
      00.jpg 01.jpg ...   the pictures, each as soon as it is generated
      story.json          texts, names of the pictures, models and settings
      panels.jpg          all pictures with their texts
      story.html          a page that is one file and needs no other

Of several stories, each has a folder (1, 2, ...) with the first three, and the page shows all of
them side by side. Generated pictures are squares, as those of training; they are stretched to the
shape of the first picture, which is given.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model.generate import Panel

_LARGEST = 1280  # pixels of the longer side of the first picture
_PANEL, _GAP = 320, 20  # pixels
_PAPER, _INK = "#fbf8f1", "#2b2622"


def write(
    folder: Path, stories: Iterable[Sequence[Panel]], about: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Sequence[Panel], list[Path]]]:
    """Writes panels as they come, from number 0 on; yields them with the paths of their pictures.

    `about`, one per story, goes into its JSON. Page and sheet are written at the end, also after an
    exception, of the panels until then.
    """
    folders = [folder / str(1 + at) for at in range(len(about))] if len(about) > 1 else [folder]
    for earlier in [*folder.glob("[0-9]*/"), folder]:
        _clear(earlier)
    books: list[dict[str, Any]] = [{"texts": [], "images": [], **facts} for facts in about]
    shapes: list[float] = []
    try:
        for panels in stories:
            if not shapes:
                shapes = [panel.picture.shape[1] / panel.picture.shape[0] for panel in panels]
            paths = []
            for panel, where, book, shape in zip(panels, folders, books, shapes, strict=True):
                where.mkdir(parents=True, exist_ok=True)
                paths.append(where / f"{panel.number:02d}.jpg")
                _resized(panel, shape).save(paths[-1], quality=92)
                book["texts"].append(panel.text)
                book["images"].append(paths[-1].name)
                _replace(where / "story.json", json.dumps(book, indent=1, ensure_ascii=False))
            yield panels, paths
    finally:
        for where, book in zip(folders, books, strict=True):
            if book["images"]:
                sheet([where / name for name in book["images"]], book["texts"]).save(
                    where / "panels.jpg", quality=90
                )
        if books[0]["images"]:
            _replace(folder / "story.html", page(folders, books))


def page(folders: Sequence[Path], books: Sequence[Mapping[str, Any]]) -> str:
    """Renders HTML of a story, or of several side by side, with their pictures embedded."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("model"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    stories = []
    for folder, book in zip(folders, books, strict=True):
        sources = [
            "data:image/jpeg;base64," + base64.b64encode((folder / name).read_bytes()).decode()
            for name in book["images"]
        ]
        with Image.open(folder / book["images"][0]) as first:
            stories.append(
                {
                    "panels": list(zip(sources, book["texts"], strict=True)),
                    "width": first.width,
                    "height": first.height,
                }
            )
    facts = {
        name.replace("_", " "): value
        for name, value in books[0].items()
        if name not in ("texts", "images")
    }
    return environment.get_template("storybook.html").render(stories=stories, facts=facts)


def sheet(pictures: Sequence[Path], texts: Sequence[str]) -> Image.Image:
    """Draws all pictures on one sheet, in rows, with their texts below them."""
    across = min(len(pictures), max(5, math.ceil(math.sqrt(len(pictures)))))
    font = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSerif.ttf"), 15)
    line = 21
    with Image.open(pictures[0]) as first:
        high = round(_PANEL * first.height / first.width)
    wrapped = [_wrapped(text, font, _PANEL) for text in texts]
    rows = [range(at, min(at + across, len(texts))) for at in range(0, len(texts), across)]
    tops = np.cumsum(
        [_GAP, *(high + 2 * _GAP + line * max(len(wrapped[at]) for at in row) for row in rows)]
    ).tolist()
    canvas = Image.new("RGB", (across * (_PANEL + _GAP) + _GAP, tops[-1]), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for top, row in zip(tops, rows, strict=False):
        for column, at in enumerate(row):
            left = _GAP + column * (_PANEL + _GAP)
            with Image.open(pictures[at]) as picture:
                canvas.paste(picture.resize((_PANEL, high)), (left, top))
            for number, text in enumerate(wrapped[at]):
                draw.text((left, top + high + 8 + line * number), text, _INK, font)
    return canvas


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Wraps a text to lines of at most `width` pixels; a word that is longer is cut."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            longer = word
        while font.getlength(longer) > width:
            fits = max(
                1,
                next(
                    count
                    for count in range(len(longer), -1, -1)
                    if font.getlength(longer[:count]) <= width
                ),
            )
            lines.append(longer[:fits])
            longer = longer[fits:]
        line = longer
    return [*lines, line]


def _resized(panel: Panel, shape: float) -> Image.Image:
    """Stretches a picture to a width of `shape` times its height; never makes it smaller, but for
    the first, where it is large."""
    picture = Image.fromarray(panel.picture)
    if panel.number == 0:
        picture.thumbnail((_LARGEST, _LARGEST))
        return picture
    side = picture.height
    return picture.resize(
        (round(side * max(shape, 1)), round(side / min(shape, 1))), Image.Resampling.BICUBIC
    )


def _clear(folder: Path) -> None:
    """Removes the files of an earlier story: those that its JSON names, and no others."""
    if (folder / "story.json").exists():
        names = json.loads((folder / "story.json").read_text(encoding="utf-8"))["images"]
        for name in [*names, "story.json", "panels.jpg"]:
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


def _replace(path: Path, text: str) -> None:
    """Replaces a file atomically."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
