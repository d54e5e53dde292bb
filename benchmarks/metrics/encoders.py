"""Encoders of pictures and texts whose features the metrics compare.

    efficientnet        EfficientNet-Lite0, always available: a package carries its weights
    inception           the Inception network of FID, by torchmetrics and torch-fidelity
    load_open_clip      an image and a text encoder, any that open_clip knows
    load_run_encoders   the image and text encoder that a run of the story model has trained

Each names its weights by a digest. Weights are read as safetensors or with `weights_only`, never
unpickled.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.array_types import Floats, Pictures
from pipeline.inference.builtin import efficientnet as _efficientnet

BATCH = 32


@dataclass(frozen=True)
class ImageEncoder:
    """An encoder of pictures, uint8 RGB [n, any, any, 3], to features, float32 [n, width]."""

    name: str
    kind: Literal[
        "imagenet", "inception", "clip", "sample-trained"
    ]  # what its measures are called by
    version: str  # of its weights
    embed: Callable[[Pictures], Floats]
    missing: str = ""  # why there are no weights, and what to do; `embed` then fails


@dataclass(frozen=True)
class DualEncoder:
    """An image and a text encoder trained contrastively. Features have length 1; their dot product
    measures how well a picture and a text match."""

    pictures: ImageEncoder
    texts: Callable[[Sequence[str]], Floats]


def weights_digest(network: nn.Module) -> str:
    """Computes a digest of a network's weights and their names, 16 hex digits."""
    said = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        said.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        said.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return said.hexdigest()[:16]


def efficientnet() -> ImageEncoder:
    """Returns the encoder of EfficientNet-Lite0's pooled features, of length 1."""
    return ImageEncoder(
        "EfficientNet-Lite0",
        "imagenet",
        _efficientnet.version()[:16],
        lambda seen: _efficientnet.features(list(seen)),
    )


def inception(weights: str = "") -> ImageEncoder:
    """Returns the encoder of Inception's 2048 pooled features, by which FID and KID are defined.

    `weights` is a file; "" is the one in torch hub's cache, if it is there; "hub" downloads it
    where it is not. Without weights the encoder's `missing` says so. Raises ValueError for a file
    that does not exist or does not hold these weights.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL
        from torchmetrics.image.fid import NoTrainInceptionV3
    except ImportError as error:
        return _missing_inception(f"pip install torchmetrics torch-fidelity ({error})")
    path = Path(torch.hub.get_dir(), "checkpoints", URL.rsplit("/", 1)[1])
    if weights == "hub" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:  # its name ends in what its digest begins with
            torch.hub.download_url_to_file(URL, str(path), path.stem.rsplit("-", 1)[1], False)
        except (OSError, RuntimeError) as error:
            return _missing_inception(
                f"{URL} cannot be downloaded ({error}); put it into "
                "checkpoints/ of torch hub's folder"
            )
    elif weights not in ("", "hub"):
        path = Path(weights)
        if not path.is_file():
            raise ValueError(f"{path} is not there: give a file with the weights of {URL}")
    if not path.exists():
        return _missing_inception(
            f"put {URL} into checkpoints/ of torch hub's folder, or give the file"
        )
    held: Any = (
        io.BytesIO()
    )  # torch-fidelity unpickles what it is given, so it gets what we have read
    torch.save(_read_weights(path), held)
    held.seek(0)
    try:
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], held).to(_device())
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of {URL}: {error}") from error

    @torch.no_grad()
    def embed(seen: Pictures) -> Floats:
        """Computes float32 features [n, 2048]."""
        values = torch.from_numpy(seen).permute(0, 3, 1, 2).to(_device())
        return network(values).float().cpu().numpy()

    return ImageEncoder("Inception", "inception", weights_digest(network), embed)


def _missing_inception(missing: str) -> ImageEncoder:
    def embed(seen: Pictures) -> Floats:
        """Raises ValueError: there are no weights."""
        raise ValueError(f"Inception's weights are missing: {missing}")

    return ImageEncoder("Inception", "inception", "", embed, missing)


def _read_weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise ValueError(f"{path} is not a file of weights only: {error}") from error


def load_open_clip(model: str, weights: str = "") -> DualEncoder:
    """Loads an open_clip model with its own preprocessing of pictures and its own tokenizer.

    `model` is open_clip's name, with `weights` its tag or a file; or `local-dir:FOLDER` or
    `hf-hub:NAME`, which bring their own. Pictures are resized as the model's are; they come square,
    so nothing is cropped. Raises ValueError where it cannot be loaded.
    """
    import open_clip
    from PIL import Image

    from model.config import naming

    if ":" not in model and not weights:
        raise ValueError(f"{model} without weights knows nothing: give open_clip's tag or a file")
    try:
        with naming("open_clip", f"{model} {weights}".strip()):
            pair, _, prepare = open_clip.create_model_and_transforms(
                model, weights or None, weights_only=True
            )
            # A downloaded config may ask to run its own code; only this kind of tokenizer can.
            text = (open_clip.get_model_config(model) or {}).get("text_cfg", {})
            safe = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
            tokenizer = open_clip.get_tokenizer(model, **safe)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{model} {weights} is not a file of weights only: {error}") from error
    pair.requires_grad_(False).eval().to(_device())

    def seen(made: Pictures) -> Tensor:
        """Preprocesses pictures as the model's own transform does."""
        return torch.stack([prepare(Image.fromarray(picture)) for picture in made])

    return _dual_encoder(
        f"{model} {weights}".strip(), "clip", pair, seen, lambda said: tokenizer(list(said))
    )


def load_run_encoders(folder: str | Path) -> DualEncoder:
    """Loads the image and text encoder that a run has trained on its dataset, with the run's
    tokenizer.

    Pictures and texts are prepared as in training. Raises model.runs.NotTrained, a ValueError,
    where the run has none.
    """
    import open_clip

    from model import config, data, runs, stages, vision

    run = runs.Run(Path(folder), config.read(str(Path(folder, "preset"))))
    towers = run.result("towers")
    side = run.preset.model.vision.image_size
    pair = open_clip.create_model(f"local-dir:{towers}", force_image_size=side, weights_only=True)
    pair.requires_grad_(False).eval().to(_device())
    tokenizer, vocabulary = runs.tokenizer(run)

    def seen(made: Pictures) -> Tensor:
        """Resizes and normalises pictures as in training."""
        small = [data.to_square(picture, side) for picture in made]
        return vision.normalised(np.stack(small), pair.visual)

    def said(texts: Sequence[str]) -> Tensor:
        """Tokenises texts as in training."""
        ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return torch.tensor(
            [stages.clipped(tokens, pair.context_length, vocabulary) for tokens in ids]
        )

    return _dual_encoder("sample-trained encoders", "sample-trained", pair, seen, said)


def _dual_encoder(
    name: str,
    kind: Literal["clip", "sample-trained"],
    pair: Any,
    seen: Callable[[Pictures], Tensor],
    said: Callable[[Sequence[str]], Tensor],
) -> DualEncoder:
    @torch.no_grad()
    def embed(made: Pictures) -> Floats:
        """Computes features of pictures, float32 [n, width]."""
        return pair.encode_image(seen(made).to(_device()), normalize=True).float().cpu().numpy()

    @torch.no_grad()
    def texts(many: Sequence[str]) -> Floats:
        """Computes features of texts, float32 [n, width]."""
        return np.concatenate(
            [
                pair.encode_text(said(many[at : at + BATCH]).to(_device()), normalize=True)
                .float()
                .cpu()
                .numpy()
                for at in range(0, len(many), BATCH)
            ]
        )

    return DualEncoder(ImageEncoder(name, kind, weights_digest(pair), embed), texts)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
