"""Reads the tensors of a PyTorch file without PyTorch.

Knows the format that `torch.save` wrote before version 1.6: pickles of a header and of the state
dict, in which a tensor names a part of a storage, then the storages themselves. The unpickler
builds what such a file needs and nothing else, so that a file cannot run code.
"""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_COUNT = np.dtype("<i8")  # of a storage's elements, before them


class _Tensor(NamedTuple):
    """Where a tensor lies, in the terms of `torch._utils._rebuild_tensor_v2`."""

    storage: tuple[Any, ...]
    offset: int  # in elements, as the strides
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool
    hooks: Any


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not part of a state dict")

    def persistent_load(self, pid: Any) -> tuple[Any, ...]:
        return tuple(pid)


def read(path: str | Path) -> dict[str, NDArray[Any]]:
    """Returns the tensors of a state dict by name, float32 or int64.

    Raises OSError for a file that cannot be read, and pickle.UnpicklingError or ValueError for one
    that is no state dict of that format.
    """
    with open(path, "rb") as file:
        magic, protocol, _ = (_Unpickler(file).load() for _ in range(3))
        if (magic, protocol) != (_MAGIC, _PROTOCOL):
            raise ValueError(f"{path} is not a file of torch.save's older format")
        tensors: dict[str, _Tensor] = _Unpickler(file).load()
        keys = _Unpickler(file).load()
        dtypes = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
        storages = {key: _storage(file, dtypes[key]) for key in keys}
    return {name: _array(tensor, storages) for name, tensor in tensors.items()}


def _storage(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    (count,) = np.frombuffer(file.read(_COUNT.itemsize), _COUNT)
    return np.frombuffer(file.read(int(count) * dtype.itemsize), dtype)


def _array(tensor: _Tensor, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Copies a tensor out of its storage, within whose bounds it has to be."""
    storage = storages[tensor.storage[2]]
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if min(tensor.offset, *tensor.shape, *tensor.strides, 0) < 0 or last >= len(storage):
        raise ValueError(f"a tensor of shape {tensor.shape} goes beyond its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
    return np.array(view)
