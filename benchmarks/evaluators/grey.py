"""Draws the picture that a story begins with where none is given."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

SIDE = 512  # pixels


def grey_picture(folder: str | Path) -> str:
    """Writes a grey square, once, and returns its path."""
    path = Path(folder, "grey.png")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE, SIDE), (127, 127, 127)).save(path)
    return str(path)
