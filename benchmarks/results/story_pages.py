"""Pages of the report that show the stories of all generators from an opening, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from benchmarks.stories import Story

WIDTH, QUALITY = 192, 85  # of the pictures of stories; smaller ones stay as small as they are
TemplateValues = dict[str, Any]  # what a template reads


def list_openings(stories: Mapping[str, Sequence[Story]]) -> list[str]:
    """Lists the openings of all generators, in the order of the first one that has them."""
    return list(dict.fromkeys(story.id for told in stories.values() for story in told))


def write_thumbnails(
    folder: Path, stories: Mapping[str, Sequence[Story]]
) -> dict[str, TemplateValues]:
    """Writes a small copy of each picture to `folder`; returns its file and size, by the path of
    the picture."""
    found: dict[str, TemplateValues] = {}
    for path in dict.fromkeys(
        path for told in stories.values() for story in told for path in story.images
    ):
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        try:
            found[path] = _thumbnail(Path(path), folder)
        except OSError as error:
            raise ValueError(f"{path}: {error}; make it again") from error
    return found


def _thumbnail(path: Path, folder: Path) -> TemplateValues:
    data = hashlib.sha256(path.read_bytes()).hexdigest()[:20]
    file = f"pictures/{data}-{WIDTH}.jpg"  # the same picture of two generators is one file
    if not (folder / file).exists():
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * WIDTH, 2 * WIDTH))
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        picture.thumbnail((WIDTH, 4 * WIDTH), Image.Resampling.LANCZOS)
        fresh = folder / f"{file}.new"
        picture.save(fresh, "JPEG", quality=QUALITY)
        fresh.replace(folder / file)
    with Image.open(folder / file) as small:
        return {"file": file, "width": small.width, "height": small.height}


def story_page(
    opening: str, stories: Mapping[str, Sequence[Story]], pictures: Mapping[str, TemplateValues]
) -> TemplateValues:
    """Returns an opening's page: for each panel a picture of each generator. A text that all of
    them share is shown once."""
    told = [next((story for story in of if story.id == opening), None) for of in stories.values()]
    panels = []
    for at in range(max(len(story.images) for story in told if story)):
        here = [story if story and at < len(story.images) else None for story in told]
        texts = [story.texts[at] if story and at < len(story.texts) else "" for story in here]
        shared = {text for story, text in zip(here, texts, strict=True) if story}
        panels.append(
            {
                "text": texts[next(i for i, story in enumerate(here) if story)]
                if len(shared) == 1
                else "",
                "texts": texts if len(shared) > 1 else [""] * len(texts),
                "pictures": [pictures[story.images[at]] if story else None for story in here],
            }
        )
    return {"opening": opening, "generators": list(stories), "panels": panels}
