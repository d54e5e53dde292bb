"""bf16 is chosen where there are instructions for it and nowhere else."""

import os
import subprocess
import sys

import pytest
import torch

from model import precision
from model.config import ConfigError

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    "cpu, capabilities, level, onednn, bf16",
    [
        ("Zen 5", {"avx2": True, "avx512_f": True, "avx512_bf16": True}, "AVX512", True, True),
        (
            "Sapphire Rapids",
            {"avx512_f": True, "avx512_bf16": True, "amx_bf16": True},
            "AVX512",
            True,
            True,
        ),
        ("Ice Lake", {"avx2": True, "avx512_f": True, "avx512_bf16": False}, "AVX512", True, False),
        ("Haswell", {"avx2": True, "avx512_f": False}, "AVX2", False, False),
        ("Zen 5 with ATEN_CPU_CAPABILITY=avx2", {"avx512_bf16": True}, "AVX2", True, False),
        ("Zen 5 with ONEDNN_MAX_CPU_ISA=AVX2", {"avx512_bf16": True}, "AVX512", False, False),
        ("Graviton 3", {"neon": True, "bf16": True}, "SVE256", True, True),
        ("Graviton 2", {"neon": True, "bf16": False}, "DEFAULT", False, False),
        (
            "Apple M2, where torch has no oneDNN",
            {"neon": True, "bf16": True},
            "DEFAULT",
            False,
            False,
        ),
    ],
)
def test_cpus_with_instructions_for_bf16(cpu, capabilities, level, onednn, bf16):
    assert precision.cpu_has_bf16(capabilities, level, onednn) == bf16


@pytest.mark.parametrize(
    "there, setting, trained, used",
    [
        (True, "auto", "bf16", "bf16"),
        (False, "auto", "fp32", "fp32"),
        (True, "bf16", "bf16", "bf16"),
        (False, "bf16", "bf16", "fp32"),
        (True, "fp32", "fp32", "fp32"),
        (False, "fp32", "fp32", "fp32"),
    ],
)
def test_a_setting_that_is_given_is_trained_in_and_auto_is_what_the_device_can(
    there, setting, trained, used, monkeypatch
):
    monkeypatch.setattr(precision, "has_bf16", lambda device: there)
    assert precision.chosen(setting, CPU) == trained
    assert precision.in_use(setting, CPU) == used
    with precision.autocast(setting, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (
            torch.bfloat16 if used == "bf16" else torch.float32
        )


def test_fp16_trains_on_gpus_alone(monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    assert (precision.chosen("fp16", GPU), precision.in_use("fp16", GPU)) == ("fp16", "fp32")
    with pytest.raises(ConfigError, match="fp16 needs a GPU: give auto, bf16 or fp32"):
        precision.chosen("fp16", CPU)


def test_gpus_that_only_emulate_bf16_do_not_have_it(monkeypatch):
    for real in (True, False):
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation=True, real=real: including_emulation or real,
        )
        assert precision.has_bf16(GPU) == real
    assert not precision.has_bf16(torch.device("mps"))


def test_the_variables_that_lower_the_instruction_set_are_heeded():
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import torch; from model import precision; "
            "print(precision.has_bf16(torch.device('cpu')))",
        ],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    )
    assert found.stdout.strip() == "False"
