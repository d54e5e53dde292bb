"""Chooses the precision that models compute in: bfloat16 where the device has instructions for it.

Elsewhere bfloat16 is emulated: on a CPU with AVX2 alone, a product of matrices takes 25 to 70 times
as long in it as in float32 (`make bench-cpu`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

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


def has_bf16(device: torch.device) -> bool:
    """Returns whether a device has instructions for products in bfloat16.

    Apple's GPUs count as without: torch does not say which have them, and those are hardly faster.
    """
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
