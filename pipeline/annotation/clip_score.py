"""Computes the CLIP similarity of pictures and texts with an open_clip model.

The score is the cosine of the two embeddings: CLIPScore (Hessel et al. 2021, arXiv 2104.08718)
without its scaling. Every model has its own range, so scores of two models do not compare.

A model is named by one line:

    ViT-B-32:/models/weights.safetensors   an architecture of open_clip, and a file of weights
    ViT-B-32:laion2b_s34b_b79k             the same, and the name of weights that it can download
    local-dir:/models/clip                 a folder with open_clip_config.json and weights
    hf-hub:laion/CLIP-ViT-B-32-...         a model of the Hugging Face Hub, or of its local cache
"""

from __future__ import annotations

import dataclasses
import os
import textwrap
from collections.abc import Callable, Sequence

import open_clip
import torch
from PIL import Image

from pipeline.runtime import storage
from pipeline.runtime.images import decode_pil

BATCH = 32  # pairs at once


class NoWeights(Exception):
    """A model that cannot be loaded, with what is missing and the remedy."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """A loaded model with its preprocessing."""

    network: torch.nn.Module
    preprocess: Callable[[Image.Image], torch.Tensor]  # to [3, side, side]
    tokenize: Callable[[list[str]], torch.Tensor]  # to [texts, context]
    device: str


def load(spec: str) -> Clip:
    """Loads the model that `spec` names, in fp32, on the GPU if there is one.

    Weights come from safetensors or through `torch.load(weights_only=True)`. Raises NoWeights.
    """
    name, weights = _parse(spec)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        network, preprocess = open_clip.create_model_from_pretrained(
            name, weights or None, device=device, weights_only=True
        )
        # A downloaded config may ask to run its own code; only this kind of tokenizer can.
        text = open_clip.get_model_config(name)["text_cfg"]
        safe = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
        tokenize = open_clip.get_tokenizer(name, **safe)
    except Exception as error:  # open_clip and the readers of weights raise errors of any type
        raise NoWeights(
            f"the CLIP model {spec} cannot be loaded: {_shortened(error)}; {_remedy(name, weights)}"
        ) from error
    return Clip(network.eval(), preprocess, tokenize, device)


def similarities(clip: Clip, images: Sequence[str], texts: Sequence[str]) -> list[float]:
    """Returns the cosine of each picture, by path, with its own text, -1..1, in the order given.

    A text is cut at the model's context length. Raises ValueError if there are not as many texts as
    pictures, and OSError for a picture that cannot be read.
    """
    pairs = list(zip(images, texts, strict=True))
    cosines: list[float] = []
    for start in range(0, len(pairs), BATCH):
        cosines += _cosines(clip, pairs[start : start + BATCH])
    return cosines


@torch.inference_mode()
def _cosines(clip: Clip, pairs: Sequence[tuple[str, str]]) -> list[float]:
    images = [decode_pil(storage.read_bytes(path), path) for path, _ in pairs]
    pictures = torch.stack([clip.preprocess(image) for image in images]).to(clip.device)
    tokens = clip.tokenize([text for _, text in pairs]).to(clip.device)
    image_features = clip.network.encode_image(pictures, normalize=True)  # type: ignore[operator]
    text_features = clip.network.encode_text(tokens, normalize=True)  # type: ignore[operator]
    cosines = (image_features * text_features).sum(dim=-1)
    return cosines.clamp(-1, 1).tolist()  # rounding can exceed 1 slightly


def _parse(spec: str) -> tuple[str, str]:
    """Returns the model's name for open_clip and its weights. Raises NoWeights."""
    if spec.startswith("hf-hub:"):
        return spec, ""
    if spec.startswith("local-dir:"):
        folder = spec.removeprefix("local-dir:")
        if not os.path.isfile(os.path.join(folder, "open_clip_config.json")):
            raise NoWeights(
                f"the CLIP model {spec} is not there: {folder} must be a folder with "
                "open_clip_config.json and weights"
            )
        return spec, ""
    name, _, weights = spec.partition(":")
    name = name.replace("/", "-")  # ViT-B/32, as papers write it
    if open_clip.get_model_config(name) is None:
        raise NoWeights(
            f"the CLIP model {spec} is unknown: open_clip has no {name}; "
            "open_clip.list_models() names what it has"
        )
    if not weights:
        raise NoWeights(f"the CLIP model {spec} has no weights: write {name}:WEIGHTS.safetensors")
    if weights not in open_clip.list_pretrained_tags_by_model(name) and not os.path.isfile(weights):
        raise NoWeights(
            f"the CLIP model {spec} is not there: there is no file {weights}; "
            f"write {name}:WEIGHTS.safetensors with the path of one"
        )
    return name, weights


def _remedy(name: str, weights: str) -> str:
    if name.startswith("hf-hub:"):
        model = name.removeprefix("hf-hub:")
        return f"download it once where there is a network, with 'hf download {model}'"
    if weights and not os.path.isfile(weights):
        return f"its weights are downloaded; without a network write {name}:WEIGHTS.safetensors"
    return "check that the weights are whole and belong to this model"


def _shortened(error: Exception) -> str:
    """Returns the start of an error's text; errors about weights are pages long."""
    return textwrap.shorten(str(error) or type(error).__name__, 240, placeholder=" ...")
