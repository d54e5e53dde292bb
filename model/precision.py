"""Chooses the precision that models compute in: bfloat16 where the device has instructions for it.

Elsewhere bfloat16 is emulated: on a CPU with AVX2 alone, a product of matrices takes 25 to 70 times
as long in it as in float32 (`make bench-cpu`).

One policy for the dtypes of weights, whatever a checkpoint was saved in, in training and in use:

    weights that are trained    float32
    frozen matrices             bfloat16 where bfloat16 is computed in, else float32; so are biases
                                that are added to their products
    other frozen weights        float32: norms are small, and precise

`settle` casts the weights so, and every forward pass is made under autocast: that of `in_use` or,
where a model was settled already, of `of`. Matrices in bfloat16 are what autocast would make of
them for each product, in half of the memory. Where float32 is computed in there is no autocast,
so frozen weights in 16 bits are cast up.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from model.config import ConfigError


def chosen(setting: str, device: torch.device) -> str:
    """Returns the precision to train in, "fp32", "bf16" or "fp16", for a `train.precision`.

    Raises ConfigError for fp16 on a CPU.
    """
    if setting == "fp16" and device.type == "cpu":
        raise ConfigError("train.precision=fp16 needs a GPU: give auto, bf16 or fp32")
    if setting == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    return setting


def in_use(setting: str, device: torch.device) -> str:
    """Returns the precision to use a model in that was trained with the setting: "fp32" or "bf16".

    The device that a model is used on need not be the one that it was trained on. fp16 is for
    training alone: SD-XL's autoencoder exceeds its range.
    """
    return "bf16" if setting in ("auto", "bf16") and has_bf16(device) else "fp32"


def autocast(setting: str, device: torch.device) -> torch.autocast:
    """Returns the context that computes in the precision of `in_use`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=in_use(setting, device) == "bf16")


def settle(model: nn.Module, setting: str, device: torch.device) -> None:
    """Casts a model's weights, in place, as the policy says for a `train.precision`.

    Buffers stay: rotary frequencies need their digits.
    """
    named = dict(model.named_parameters(remove_duplicate=False))
    for name, dtype in dtypes(model, setting, device).items():
        named[name].data = named[name].data.to(dtype)


def dtypes(model: nn.Module, setting: str, device: torch.device) -> dict[str, torch.dtype]:
    """Returns the dtype of each of a model's weights, by name, as the policy has it."""
    frozen = torch.bfloat16 if in_use(setting, device) == "bf16" else torch.float32
    named = dict(model.named_parameters(remove_duplicate=False))
    found = {}
    for name, parameter in named.items():
        weight = named.get(name.removesuffix("bias") + "weight") if name.endswith("bias") else None
        matrix = weight.ndim > 1 if weight is not None else parameter.ndim > 1
        low = matrix and name.endswith(("weight", "bias")) and not parameter.requires_grad
        found[name] = frozen if low else torch.float32
    return found


def of(model: nn.Module) -> AbstractContextManager[Any]:
    """Returns the context for a forward pass of a model or a part of one that was settled: autocast
    where it has frozen matrices in bfloat16, else what it is called in."""
    for parameter in model.parameters():
        if parameter.dtype == torch.bfloat16:
            return torch.autocast(parameter.device.type, torch.bfloat16)
    return nullcontext()


def has_bf16(device: torch.device) -> bool:
    """Returns whether a device has instructions for products in bfloat16.

    Apple's GPUs count as without: torch does not say which have them, and those are hardly faster.
    The meta device stands for a GPU that has them.
    """
    if device.type == "meta":
        return True
    if device.type == "cpu":
        return cpu_has_bf16(
            torch.cpu.get_capabilities(),
            torch.backends.cpu.get_cpu_capability(),
            torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported(),
        )
    module = torch.get_device_module(device)
    return hasattr(module, "is_bf16_supported") and bool(
        module.is_bf16_supported(including_emulation=False)
    )


def cpu_has_bf16(capabilities: Mapping[str, Any], level: str, onednn: bool) -> bool:
    """Returns whether a CPU's instructions for bfloat16 are there and are used.

    `capabilities` are `torch.cpu.get_capabilities()`. `level` is the instruction set of torch's own
    kernels and `onednn` says whether oneDNN computes in bfloat16: ATEN_CPU_CAPABILITY and
    ONEDNN_MAX_CPU_ISA lower them, to see what a lesser CPU does.
    """
    arm = capabilities.get("bf16", False)
    x86 = level == "AVX512" and (
        capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    )
    return onednn and bool(arm or x86)
