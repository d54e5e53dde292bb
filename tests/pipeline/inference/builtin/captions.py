"""Captions as a stage hands them to the writer, for its tests."""

from __future__ import annotations

from typing import Any

from pipeline.inference.builtin.captioner import caption
from pipeline.inference.builtin.image_analysis import ImageAnalysis, Subject

GREY_RABBIT = Subject("animal", "grey", 0.2, 0.3)


def image(**fields: Any) -> ImageAnalysis:
    """What is measured in a picture: green and brown in bright, warm light, unless said."""
    return ImageAnalysis(
        **{
            "subject": None,
            "ground": "",
            "sky": "",
            "colours": ["green", "brown"],
            "light": "bright",
            "warmth": "warm",
            "lettering": False,
            **fields,
        }
    )


def captioned(
    frame: int = 0,
    *,
    dialogue: tuple[str, ...] = (),
    text: tuple[str, ...] = (),
    subject_motion: tuple[float, float] = (0.0, 0.0),
    camera_motion: tuple[float, float] = (0.0, 0.0),
    cast: tuple[tuple[str, float], ...] = (),
    **fields: Any,
) -> dict[str, Any]:
    """What a writer is told of a picture with the embedded captioner's caption."""
    facts = {
        "dialogue": list(dialogue),
        "text": list(text),
        "subject_motion": subject_motion,
        "camera_motion": camera_motion,
        "cast": [
            {"name": name, "named": name[0].isupper(), "x": x, "width": 0.2, "height": 0.4}
            for name, x in cast
        ],
    }
    said = caption(image(**fields), facts).model_dump()
    return {"frame": frame, **said, "who": {}, "dialogue": list(dialogue), "text": list(text)}
