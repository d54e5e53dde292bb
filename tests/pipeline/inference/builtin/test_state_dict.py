"""PyTorch's files read without PyTorch, and what is not a state dict refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from pipeline.inference.builtin import state_dict


class Hostile:
    def __reduce__(self):
        return os.system, ("echo this must not run",)


def write(path: Path, tensors: object) -> Path:
    """A file with the header of a state dict."""
    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, tensors, []):
            pickle.dump(part, file, protocol=2)
    return path


def test_reads_what_torch_saves(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {
        "weight": torch.arange(24.0).reshape(2, 3, 4),
        "turned": torch.arange(6.0).reshape(2, 3).T,  # another order in its storage
        "part": torch.arange(10.0)[4:7],
        "count": torch.tensor(7),
    }
    torch.save(tensors, tmp_path / "model.pth", _use_new_zipfile_serialization=False)
    read = state_dict.read(tmp_path / "model.pth")
    assert list(read) == list(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_a_file_that_would_run_code_is_refused(tmp_path):
    with pytest.raises(pickle.UnpicklingError, match=r"system is not part of a state dict"):
        state_dict.read(write(tmp_path / "model.pth", {"weight": Hostile()}))


def test_another_file_is_named(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"".join(pickle.dumps(part) for part in (1, 2, 3)))
    with pytest.raises(ValueError, match=r"model\.pth is not a file of torch\.save's older format"):
        state_dict.read(path)


def test_a_tensor_stays_within_its_storage(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "model.pth"
    torch.save({"weight": torch.zeros(3, 1000)}, path, _use_new_zipfile_serialization=False)
    longer = path.read_bytes().replace(b"K\x03M\xe8\x03\x86", b"K\x09M\xe8\x03\x86")  # of shape
    path.write_bytes(longer)
    with pytest.raises(ValueError, match=r"shape \(9, 1000\) goes beyond its storage"):
        state_dict.read(path)
