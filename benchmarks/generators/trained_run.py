"""Generates stories with a trained run. They are cached, and generated again only where inputs
change.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from benchmarks.stories import Opening, Story
from model import generate, storybook
from model.checkpoints import key
from model.generate import Sampling, Teller


def tell_stories(
    teller: Teller, policy: str, openings: Sequence[Opening], folder: str | Path, seed: int = 0
) -> list[Story]:
    """Generates the stories of the openings with one of the policies of `model.attention`.

    A story's files go to FOLDER/<its id>. A story that is there, of the same model, opening, policy
    and seed, is read; the others are generated in batches of equal length.
    """
    sampling = Sampling()
    about = generate.about(teller) | {
        "attention": policy,
        "seed": seed,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    made = {
        opening.id: about
        | {
            "id": opening.id,
            "key": key(
                about,
                teller.run.preset.model.attention.model_dump(mode="json"),
                dataclasses.astuple(opening),
                hashlib.sha256(Path(opening.image).read_bytes()).hexdigest(),
            ),
        }
        for opening in openings
    }
    missing = [
        opening
        for opening in openings
        if _read_complete(Path(folder, opening.id), made[opening.id]) is None
    ]
    for _, group in itertools.groupby(
        sorted(missing, key=lambda opening: opening.length), lambda opening: opening.length
    ):
        some = list(group)
        starts = [
            generate.start(teller, at, _read_image(opening.image), opening.text)
            for at, opening in enumerate(some)
        ]
        told = generate.tell(
            teller.model,
            teller.tokenizer,
            teller.vocabulary,
            starts,
            generate.painting(teller, [seed] * len(some)),
            some[0].length - 1,
            sampling=sampling,
            seeds=[seed] * len(some),
            texts=[opening.following for opening in some],
            policy=policy,
            attention=teller.run.preset.model.attention,
        )
        for opening, moments in zip(some, zip(starts, *told, strict=True), strict=True):
            for _ in storybook.write(
                Path(folder, opening.id), ([moment] for moment in moments), [made[opening.id]]
            ):
                pass
    return [_read_story(opening, Path(folder, opening.id)) for opening in openings]


def _read_story(opening: Opening, folder: Path) -> Story:
    found = json.loads((folder / "story.json").read_text(encoding="utf-8"))
    return Story(
        opening.id,
        tuple(found["texts"]),
        (opening.image, *(str(folder / name) for name in found["images"][1:])),
    )


def _read_image(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _read_complete(folder: Path, made: Mapping[str, object]) -> dict[str, Any] | None:
    """Reads a story that was generated before, if it is complete and of the same key."""
    if not (folder / "story.html").exists():  # written last
        return None
    found = json.loads((folder / "story.json").read_text(encoding="utf-8"))
    whole = all((folder / name).exists() for name in found["images"])
    return found if found.get("key") == made["key"] and whole else None
