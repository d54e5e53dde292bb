"""`dataset.json`: what a dataset says of itself."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from pipeline.dataset.verify.problems import COPY
from pipeline.runtime import storage


class File(BaseModel):
    path: str
    bytes: int
    sha256: str


class _Film(BaseModel):
    id: str
    keyframes: int
    stories: int
    split: str


class _Output(BaseModel):
    split_likeness: float


class _Config(BaseModel):
    output: _Output


class Manifest(BaseModel):
    """What is used here of `dataset.json`."""

    version: str
    config: _Config
    counts: dict[str, int]
    splits: dict[str, dict[str, int]]
    videos: list[_Film]
    files: list[File]


def read_manifest(out: str) -> Manifest:
    path = storage.join(out, "dataset.json")
    try:
        return Manifest.model_validate_json(storage.read_bytes(path))
    except OSError as error:
        raise ValueError(
            f"{out} is no finished dataset: {path} cannot be read; was the run that "
            f"makes it stopped, or only a part copied? ({error})"
        ) from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(
            f"{out} is no dataset: {path}: {where or 'all of it'}: {fault['msg']}; {COPY}"
        ) from None
