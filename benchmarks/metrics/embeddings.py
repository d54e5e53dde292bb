"""What turns pictures into features, and texts into the same space, for the measures that compare.

    efficientnet      EfficientNet-Lite0, always at hand: a package carries its weights
    inception         the Inception of FID, by torchmetrics and torch-fidelity, where weights are
    open_clip_towers  a picture and a text tower, any that open_clip knows
    run_towers        the pair that a run of the story model has trained on the sample

Each says what its weights are, by a digest. `features` keeps what it finds out about pictures in a
folder, under a name that depends on the network, the pictures' bytes and their size, so whatever
changes is seen anew. Weights are read as safetensors or with `weights_only`, never unpickled.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.stories import Pictures, pictures
from pipeline.inference.builtin import efficientnet as _efficientnet

Floats = NDArray[np.float32]

BATCH = 32
REVISION = 1  # of what is kept; to be raised where pictures are prepared in another way


@dataclass(frozen=True)
class Embedder:
    """From pictures, uint8 RGB [n, any, any, 3], to features, float32 [n, width]."""

    name: str
    kind: Literal["imagenet", "inception", "clip", "towers"]  # what its measures are called by
    version: str  # of its weights
    embed: Callable[[Pictures], Floats]
    missing: str = ""  # why there are no weights, and what to do; `embed` then fails


@dataclass(frozen=True)
class Towers:
    """A pair that was trained by contrast. Features of pictures and of texts have length 1, and
    their dot product says how well they go together."""

    pictures: Embedder
    texts: Callable[[Sequence[str]], Floats]


def features(
    embedder: Embedder, paths: Sequence[str], size: int, cache: str | Path | None = None
) -> Floats:
    """Of pictures, at least one, squashed to squares of `size` pixels: float32 [n, width].

    Raises ValueError for a picture that is missing or does not decode.
    """
    if cache is None:
        return _embedded(embedder, paths, size)
    known = Path(cache, f"{_key(embedder, paths, size)}.npy")
    try:
        found = np.load(known, allow_pickle=False)
        if len(found) == len(paths):
            return found
    except (OSError, ValueError, EOFError):  # not there, or damaged: made again
        pass
    found = _embedded(embedder, paths, size)
    known.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=known.parent, suffix=".part", delete=False) as file:
        np.save(file, found)
    os.replace(file.name, known)
    return found


def by_path(
    embedder: Embedder, rows: Iterable[Sequence[str]], size: int, cache: str | Path | None = None
) -> dict[str, Floats]:
    """The features [width] of all pictures in all rows, each picture seen once.

    Each row is kept on its own, without what rows before it have: one that changes costs no other.
    """
    known: dict[str, Floats] = {}
    for row in rows:
        if new := [path for path in dict.fromkeys(row) if path not in known]:
            known.update(zip(new, features(embedder, new, size, cache), strict=True))
    return known


def _embedded(embedder: Embedder, paths: Sequence[str], size: int) -> Floats:
    return np.concatenate(
        [
            embedder.embed(pictures(paths[at : at + BATCH], size))
            for at in range(0, len(paths), BATCH)
        ]
    )


def _key(embedder: Embedder, paths: Sequence[str], size: int) -> str:
    said = hashlib.sha256(repr((REVISION, embedder.name, embedder.version, size)).encode())
    for path in paths:
        try:
            said.update(hashlib.sha256(Path(path).read_bytes()).digest())
        except OSError as error:
            raise ValueError(f"{path}: {error}; make it again") from error
    return said.hexdigest()[:32]


def digest(network: nn.Module) -> str:
    """What identifies weights: a digest of their names and values, 16 hex digits."""
    said = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        said.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        said.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return said.hexdigest()[:16]


def efficientnet() -> Embedder:
    """EfficientNet-Lite0's pooled features, of length 1."""
    return Embedder(
        "EfficientNet-Lite0", "imagenet", digest(_efficientnet.network()), _efficientnet.features
    )


def inception(weights: str = "") -> Embedder:
    """The 2048 pooled features of the Inception that FID and KID are defined by.

    `weights` is a file; "" is the one in torch hub's cache, if it is there; "hub" downloads it
    where it is not. Without weights the embedder says what is missing. Raises ValueError for a file
    that is given and is not there, or holds no such weights.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL
        from torchmetrics.image.fid import NoTrainInceptionV3
    except ImportError as error:
        return _without(f"pip install torchmetrics torch-fidelity ({error})")
    path = Path(torch.hub.get_dir(), "checkpoints", URL.rsplit("/", 1)[1])
    if weights == "hub" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:  # its name ends in what its digest begins with
            torch.hub.download_url_to_file(URL, str(path), path.stem.rsplit("-", 1)[1], False)
        except (OSError, RuntimeError) as error:
            return _without(
                f"{URL} cannot be downloaded ({error}); put it into "
                "checkpoints/ of torch hub's folder"
            )
    elif weights not in ("", "hub"):
        path = Path(weights)
        if not path.is_file():
            raise ValueError(f"{path} is not there: give a file with the weights of {URL}")
    if not path.exists():
        return _without(f"put {URL} into checkpoints/ of torch hub's folder, or give the file")
    held = io.BytesIO()  # torch-fidelity unpickles what it is given, so it gets what we have read
    torch.save(_weights(path), held)
    held.seek(0)
    try:
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], held).to(_device())
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of {URL}: {error}") from error

    @torch.no_grad()
    def embed(seen: Pictures) -> Floats:
        values = torch.from_numpy(seen).permute(0, 3, 1, 2).to(_device())
        return network(values).float().cpu().numpy()

    return Embedder("Inception", "inception", digest(network), embed)


def _without(missing: str) -> Embedder:
    def embed(seen: Pictures) -> Floats:
        raise ValueError(f"Inception's weights are missing: {missing}")

    return Embedder("Inception", "inception", "", embed, missing)


def _weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise ValueError(f"{path} is no file of weights alone: {error}") from error


def open_clip_towers(model: str, weights: str = "") -> Towers:
    """An open_clip model with its own preparation of pictures and its own tokenizer.

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
            tokenizer = open_clip.get_tokenizer(model)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{model} {weights} is no file of weights alone: {error}") from error
    pair.requires_grad_(False).eval().to(_device())

    def seen(made: Pictures) -> Tensor:
        return torch.stack([prepare(Image.fromarray(one)) for one in made])

    return _pair(
        f"{model} {weights}".strip(), "clip", pair, seen, lambda said: tokenizer(list(said))
    )


def run_towers(folder: str | Path) -> Towers:
    """The towers that a run has trained on its dataset, with the run's tokenizer.

    Pictures and texts are prepared as in training. Raises model.runs.NotTrained, a ValueError,
    where the run has none.
    """
    import open_clip

    from model import config, runs, stages, vision

    run = runs.Run(Path(folder), config.read(str(Path(folder, "preset"))))
    towers = run.result("towers")
    side = run.preset.model.vision.image_size
    pair = open_clip.create_model(f"local-dir:{towers}", force_image_size=side, weights_only=True)
    pair.requires_grad_(False).eval().to(_device())
    tokenizer, vocabulary = runs.tokenizer(run)

    def seen(made: Pictures) -> Tensor:
        small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in made]
        return vision.normalised(np.stack(small), pair.visual)

    def said(texts: Sequence[str]) -> Tensor:
        ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return torch.tensor([stages.clipped(one, pair.context_length, vocabulary) for one in ids])

    return _pair("sample-trained towers", "towers", pair, seen, said)


def _pair(
    name: str,
    kind: Literal["clip", "towers"],
    pair: Any,
    seen: Callable[[Pictures], Tensor],
    said: Callable[[Sequence[str]], Tensor],
) -> Towers:
    @torch.no_grad()
    def embed(made: Pictures) -> Floats:
        return pair.encode_image(seen(made).to(_device()), normalize=True).float().cpu().numpy()

    @torch.no_grad()
    def texts(many: Sequence[str]) -> Floats:
        return np.concatenate(
            [
                pair.encode_text(said(many[at : at + BATCH]).to(_device()), normalize=True)
                .float()
                .cpu()
                .numpy()
                for at in range(0, len(many), BATCH)
            ]
        )

    return Towers(Embedder(name, kind, digest(pair), embed), texts)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
