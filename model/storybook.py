"""Puts a story on disk while it is told: pictures, JSON, one picture of all panels, a page.

    FOLDER/
      00.jpg 01.jpg ...   the pictures, each there as soon as it is painted
      story.json          texts, names of the pictures, and what they were made with
      panels.jpg          all pictures with their texts
      story.html          a page that is one file and needs nothing else

Of several stories, each has a folder (1, 2, ...) of the first three, and the page shows all of them
side by side. Pictures are told as squares, as the model has seen those it was trained on; they are
stretched to the shape of the one that the story begins with.
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

from model.generate import Moment

_LARGEST = 1280  # pixels of the longer side of the picture that a story begins with
_PANEL, _GAP = 320, 20  # pixels
_PAPER, _INK = "#fbf8f1", "#2b2622"


def write(
    folder: Path, told: Iterable[Sequence[Moment]], about: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Sequence[Moment], list[Path]]]:
    """Writes moments as they come, from number 0 on; gives them with the paths of their pictures.

    `about`, one a story, goes into its JSON. Page and panels are written at the end, also where
    that is an exception: what was told until then is a whole book.
    """
    folders = [folder / str(1 + at) for at in range(len(about))] if len(about) > 1 else [folder]
    for one in [*folder.glob("[0-9]*/"), folder]:
        _clear(one)
    books: list[dict[str, Any]] = [{"texts": [], "images": [], **one} for one in about]
    shapes: list[float] = []
    try:
        for moments in told:
            if not shapes:
                shapes = [one.picture.shape[1] / one.picture.shape[0] for one in moments]
            paths = []
            for one, where, book, shape in zip(moments, folders, books, shapes, strict=True):
                where.mkdir(parents=True, exist_ok=True)
                paths.append(where / f"{one.number:02d}.jpg")
                _shown(one, shape).save(paths[-1], quality=92)
                book["texts"].append(one.text)
                book["images"].append(paths[-1].name)
                _replace(where / "story.json", json.dumps(book, indent=1, ensure_ascii=False))
            yield moments, paths
    finally:
        for where, book in zip(folders, books, strict=True):
            if book["images"]:
                panels([where / name for name in book["images"]], book["texts"]).save(
                    where / "panels.jpg", quality=90
                )
        if books[0]["images"]:
            _replace(folder / "story.html", page(folders, books))


def page(folders: Sequence[Path], books: Sequence[Mapping[str, Any]]) -> str:
    """HTML of one story, or of several side by side, with their pictures in it."""
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
                    "moments": list(zip(sources, book["texts"], strict=True)),
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


def panels(pictures: Sequence[Path], texts: Sequence[str]) -> Image.Image:
    """All pictures on one sheet, line by line, their texts below them."""
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
    sheet = Image.new("RGB", (across * (_PANEL + _GAP) + _GAP, tops[-1]), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for top, row in zip(tops, rows, strict=False):
        for column, at in enumerate(row):
            left = _GAP + column * (_PANEL + _GAP)
            with Image.open(pictures[at]) as one:
                sheet.paste(one.resize((_PANEL, high)), (left, top))
            for number, text in enumerate(wrapped[at]):
                draw.text((left, top + high + 8 + line * number), text, _INK, font)
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines of at most `width` pixels; a word that is longer is cut."""
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


def _shown(moment: Moment, shape: float) -> Image.Image:
    """The picture with its width `shape` times its height; nothing is made smaller but the first,
    where it is large."""
    picture = Image.fromarray(moment.picture)
    if moment.number == 0:
        picture.thumbnail((_LARGEST, _LARGEST))
        return picture
    side = picture.height
    return picture.resize(
        (round(side * max(shape, 1)), round(side / min(shape, 1))), Image.Resampling.BICUBIC
    )


def _clear(folder: Path) -> None:
    """Takes an earlier story's files away: what its JSON names, and no others."""
    if (folder / "story.json").exists():
        names = json.loads((folder / "story.json").read_text(encoding="utf-8"))["images"]
        for name in [*names, "story.json", "panels.jpg"]:
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


def _replace(path: Path, text: str) -> None:
    """Writes a file that is never seen half written."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
