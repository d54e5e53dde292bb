"""CPU, memory and disk beside what a run takes."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from pipeline import doctor
from pipeline.config import load
from pipeline.doctor import machine
from pipeline.testing import films

AVX2 = "processor : 0\nflags : fpu sse2 avx2 fma\n"
AMX = "processor : 0\nflags : fpu avx2 avx512f avx512_bf16 amx_bf16\n"
ARM = "processor : 0\nFeatures : fp asimd bf16\n"


@pytest.mark.parametrize(
    ("cpuinfo", "said"),
    [
        (AVX2, "avx2, no bfloat16, models train in float32"),
        (AMX, "avx2, avx512f, avx512_bf16, amx_bf16, models train in bfloat16"),
        (ARM, "asimd, bf16, models train in bfloat16"),
        ("", "instruction sets unknown"),
    ],
)
def test_the_instruction_sets_of_a_cpu(cpuinfo, said, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert str(doctor.cpu(cpuinfo)) == f"ok: CPU: 4 cores, {said}"


def test_free_memory_is_compared_with_what_a_run_takes():
    meminfo = "MemTotal: 16000000 kB\nMemAvailable: 3000000 kB\n"
    assert str(doctor.memory(meminfo, 2)) == "ok: memory: 3.1 GB free, a run takes up to 2.0"
    assert str(doctor.memory(meminfo, 8)) == (
        "missing: memory: 3.1 GB free, a run takes up to 8.0 - "
        "end other programs, or add --direct_num_workers=1"
    )
    assert doctor.memory("", 8).there  # no such file on macOS


def test_the_disk_is_compared_with_what_these_films_take(tmp_path, monkeypatch):
    films.make_film(tmp_path / "film.mp4", films.shots(4))
    found, disk, permission = doctor.disk(
        load(), str(tmp_path / "film.mp4"), str(tmp_path / "new/folder")
    )
    assert found.what.startswith("films: 1, ")
    assert disk.there and "this dataset takes" in disk.what
    assert permission.there and permission.what == f"permission to write to {tmp_path}"
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    _, disk, _ = doctor.disk(load(), str(tmp_path / "film.mp4"), str(tmp_path))
    assert not disk.there and "make room" in str(disk)


def test_films_that_are_not_there_are_named(tmp_path):
    (found,) = doctor.disk(load(), str(tmp_path / "nowhere"), str(tmp_path))
    assert not found.there and "nowhere" in str(found)
