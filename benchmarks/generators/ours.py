"""A trained run as a generator. What it told is kept, and told again only where something changed."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.stories import Opening, Story
from model import generate, storybook
from model.checkpoints import key
from model.generate import Sampling, Teller


def tell(
    teller: Teller, policy: str, openings: Sequence[Opening], folder: str | Path, seed: int = 0
) -> list[Story]:
    """The stories of the openings, told by one of the policies of `model.attention`.

    A story's files go to FOLDER/<its id>. One that is there, of the same model, opening, policy and
    seed, is taken as it is; the others are told together, as many as are equally long.
    """
    sampling = Sampling()
    about = generate.about(teller) | {
        "attention": policy,
        "seed": seed,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    made = {
        one.id: about
        | {
            "id": one.id,
            "key": key(
                about,
                teller.run.preset.model.attention.model_dump(mode="json"),
                dataclasses.astuple(one),
                hashlib.sha256(Path(one.image).read_bytes()).hexdigest(),
            ),
        }
        for one in openings
    }
    missing = [one for one in openings if _kept(Path(folder, one.id), made[one.id]) is None]
    for _, group in itertools.groupby(
        sorted(missing, key=lambda one: one.length), lambda one: one.length
    ):
        some = list(group)
        starts = [
            generate.start(teller, at, _opened(one.image), one.text) for at, one in enumerate(some)
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
            texts=[one.following for one in some],
            policy=policy,
            attention=teller.run.preset.model.attention,
        )
        for one, moments in zip(some, zip(starts, *told, strict=True), strict=True):
            for _ in storybook.write(
                Path(folder, one.id), ([moment] for moment in moments), [made[one.id]]
            ):
                pass
    return [_story(one, Path(folder, one.id)) for one in openings]


def _story(opening: Opening, folder: Path) -> Story:
    found = json.loads((folder / "story.json").read_text(encoding="utf-8"))
    return Story(
        opening.id,
        tuple(found["texts"]),
        (opening.image, *(str(folder / name) for name in found["images"][1:])),
    )


def _opened(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _kept(folder: Path, made: dict[str, object]) -> dict | None:
    """A story that was told before and is whole."""
    if not (folder / "story.html").exists():  # written last
        return None
    found = json.loads((folder / "story.json").read_text(encoding="utf-8"))
    whole = all((folder / name).exists() for name in found["images"])
    return found if found.get("key") == made["key"] and whole else None
