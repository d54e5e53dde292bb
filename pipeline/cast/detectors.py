"""Parses the lines that name a detector of figures and a measure of their likeness, and runs them.

    cast.figures    embedded, none, captioner, onnx:FILE, transformers:FOLDER
    cast.likeness   embedded, onnx:FILE, timm:MODEL, open_clip:MODEL

What is embedded learns from the film (`figures`) and compares by `features`. Others are models of
the user's. `transformers:` names a zero-shot detector (OWLv2, Grounding DINO), which looks for
`cast.labels`; `timm:` an image encoder, as in timm:local-dir:/models/dinov2; `open_clip:` one as
`quality.clip` names it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cast import onnx_files
from pipeline.cast.onnx_files import Detection, Picture
from pipeline.ingest.fingerprint import model_fingerprint

Vectors = NDArray[np.float32]  # [pictures, values]

ANYBODY = ("person", "animal", "cartoon character")  # whom a zero-shot detector looks for
_TEXT = 0.25  # least score of the words that Grounding DINO reads off a box


def detect(
    spec: str, pictures: Sequence[Picture], least: float, labels: Sequence[str]
) -> list[list[Detection]]:
    """Returns what the detector that `spec` names finds in each RGB picture.

    Raises UnusableFile for a file that is no detector, and ModuleNotFoundError where its packages
    are missing.
    """
    kind, _, model = spec.partition(":")
    if kind == "onnx":
        return [onnx_files.detect(model, picture, least, labels) for picture in pictures]
    return [_zero_shot(model, picture, least, tuple(labels) or ANYBODY) for picture in pictures]


def encode(spec: str, pictures: Sequence[Picture]) -> Vectors:
    """Returns the unit vectors that the encoder which `spec` names makes of RGB pictures."""
    kind, _, model = spec.partition(":")
    if kind == "onnx":
        found = onnx_files.encode(model, pictures)
    else:
        encoder = _timm(model) if kind == "timm" else _open_clip(model)
        found = np.array([encoder(picture) for picture in pictures], np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)


def identity(spec: str) -> str:
    """Returns a digest of the files that `spec` names, "" where they are not local."""
    model = spec.partition(":")[2]
    return model_fingerprint(model) or model_fingerprint(model.partition(":")[2])


def check(setting: str, spec: str) -> None:
    """Loads what `spec` names, if it is a model. Raises ValueError, naming the setting, for one
    that cannot be loaded."""
    kind, _, model = spec.partition(":")
    loaders: dict[str, Callable[[str], Any]] = {
        "onnx": onnx_files.session,
        "transformers": _grounded,
        "timm": _timm,
        "open_clip": _open_clip,
    }
    if kind in loaders:
        try:
            loaders[kind](model)
        except Exception as error:  # the packages raise errors of any type
            raise ValueError(f"{setting}={spec} cannot be loaded: {error}") from None


def _zero_shot(
    folder: str, picture: Picture, least: float, labels: tuple[str, ...]
) -> list[Detection]:
    import torch

    processor, model = _grounded(folder)
    texts = (
        ". ".join(labels) + "."
        if "dino" in model.config.model_type
        else [[f"a photo of a {label}" for label in labels]]
    )
    inputs = processor(images=picture, text=texts, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    height, width = picture.shape[:2]
    more: dict[str, Any] = {}
    if "dino" in model.config.model_type:
        more = {"input_ids": inputs["input_ids"], "text_threshold": min(_TEXT, least)}
    (found,) = processor.post_process_grounded_object_detection(
        outputs, threshold=least, target_sizes=[(height, width)], **more
    )
    size = np.array([width, height, width, height], np.float64)
    boxes = found["boxes"].float().numpy().astype(np.float64).reshape(-1, 4) / size
    scores = found["scores"].float().numpy().astype(np.float64)[:, None]
    return onnx_files.chosen(np.clip(boxes, 0, 1), scores, least)


@functools.cache
def _grounded(folder: str) -> tuple[Any, Any]:
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    model, info = AutoModelForZeroShotObjectDetection.from_pretrained(
        folder, trust_remote_code=False, use_safetensors=True, output_loading_info=True
    )
    if missing := sorted(info["missing_keys"]):  # they would be random
        raise OSError(f"its files lack {len(missing)} weights, such as {missing[0]}")
    return processor, model.eval()


@functools.cache
def _timm(name: str) -> Callable[[Picture], Vectors]:
    import timm
    import torch
    from PIL import Image

    model = timm.create_model(name, pretrained=True, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))

    def vector(picture: Picture) -> Vectors:
        with torch.inference_mode():
            found: Vectors = model(transform(Image.fromarray(picture))[None])[0].float().numpy()
        return found

    return vector


@functools.cache
def _open_clip(spec: str) -> Callable[[Picture], Vectors]:
    import open_clip
    import torch
    from PIL import Image

    name, weights = spec, ""
    if not spec.startswith(("local-dir:", "hf-hub:")):
        name, _, weights = spec.partition(":")
    model, transform = open_clip.create_model_from_pretrained(
        name, weights or None, weights_only=True
    )
    model.eval()

    def vector(picture: Picture) -> Vectors:
        with torch.inference_mode():
            pixels = transform(Image.fromarray(picture))[None]
            found: Vectors = model.encode_image(pixels)[0].float().numpy()
        return found

    return vector
