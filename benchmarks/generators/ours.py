"""A trained run as a generator. What it told is kept, and told again only where something changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.generators.baselines import Generator
from benchmarks.stories import Opening, Story
from model import generate, storybook
from model.checkpoints import key
from model.generate import Sampling, Teller


def generator(teller: Teller, policy: str, folder: str | Path, seed: int = 0) -> Generator:
    """Tells by one of the policies of `model.attention`; a story's files go to FOLDER/<its id>.

    A story that is there, of the same model, opening, policy and seed, is taken as it is.
    """
    sampling = Sampling()
    attention = teller.run.preset.model.attention
    about = generate.about(teller) | {"attention": policy, "seed": seed,
                                      "temperature": sampling.temperature, "top_p": sampling.top_p}

    def tell(opening: Opening) -> Story:
        where = Path(folder, opening.id)
        digest = hashlib.sha256(Path(opening.image).read_bytes()).hexdigest()
        made = about | {"id": opening.id, "key": key(
            about, attention.model_dump(mode="json"), dataclasses.astuple(opening), digest)}
        found = _kept(where, made)
        if found is None:
            start = generate.start(teller, 0, _opened(opening.image), opening.text)
            told = generate.tell(
                teller.model, teller.tokenizer, teller.vocabulary, [start],
                generate.painting(teller, [seed]), opening.length - 1, sampling=sampling,
                seeds=[seed], texts=[opening.following], policy=policy, attention=attention)
            for _ in storybook.write(where, [[start], *told], [made]):
                pass
            found = json.loads((where / "story.json").read_text(encoding="utf-8"))
        return Story(opening.id, tuple(found["texts"]),
                     (opening.image, *(str(where / name) for name in found["images"][1:])))

    return tell


def _opened(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _kept(folder: Path, made: dict[str, object]) -> dict | None:
    """A story that was told before and is whole."""
    path = folder / "story.json"
    if not (folder / "story.html").exists():  # written last
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    whole = all((folder / name).exists() for name in found["images"])
    return found if found.get("key") == made["key"] and whole else None
