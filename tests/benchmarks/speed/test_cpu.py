"""Work is measured under both instruction sets, and the table holds one against the other."""

import json
import os

import pytest
import yaml

from benchmarks.speed import cpu, cpu_dataset, cpu_products, cpu_training
from model import config
from tests.model import test_chain

MODULE = "tests.benchmarks.speed.test_cpu"


def prepare(folder):
    """As a piece of work has it."""
    (folder / "seconds").write_text("[3, 1, 2]")


def measure(folder):
    """As a piece of work has it: AVX2 takes twice as long here."""
    print("what work prints is not what it has measured")
    times = 2 if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2" else 1
    return {"walk": [times * one for one in json.loads((folder / "seconds").read_text())]}


@pytest.mark.slow
def test_a_piece_of_work_is_measured_in_processes_with_each_instruction_set(tmp_path, monkeypatch):
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    assert cpu._measured(MODULE, tmp_path, 2) == {"walk": {"native": [2, 2], "AVX2": [4, 4]}}


def test_work_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(RuntimeError, match=r"no\.such\.module ended with 1:[^$]*ModuleNotFound"):
        cpu._child("no.such.module", tmp_path, {})


def test_the_table_says_what_is_within_the_aim():
    table = cpu._work(
        {
            "walk": {"native": [1, 2, 4], "AVX2": [1.5, 3, 5]},
            "run": {"native": [1, 1], "AVX2": [2.5, 2.5]},
        },
        {},
    )
    assert list(table.cells) == ["walk", "run"]
    times = table.cells["walk"]["AVX2 to native"]
    assert (times.value, times.low, times.high, times.n) == (1.5, 1.25, 1.5, 3)
    assert [row["reached"] for row in table.cells.values()] == ["yes", "missed"]


@pytest.mark.slow
def test_a_dataset_of_the_sample_is_measured_by_stage(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu_dataset, "EPISODES", 1)
    cpu_dataset.prepare(tmp_path)
    found = cpu_dataset.measure(tmp_path)
    *stages, everything = found.values()
    assert list(found)[:2] == ["dataset: keyframes", "dataset: text"]
    assert all(seconds > 0 for (seconds,) in stages)
    assert sum(seconds for (seconds,) in stages) < everything[0]
    assert len(cpu_dataset.measure(tmp_path)) == len(found)  # anew, into another folder


def test_products_are_compared_in_both_dtypes(tmp_path):
    found = cpu_products.measure(tmp_path)
    assert all(seconds > 0 for times in found.values() for seconds in times)
    table = cpu._products(
        {row: {"native": [1e-6], "AVX2": [1e-6 if "float32" in row else 9e-6]} for row in found}, {}
    )
    assert list(table.cells) == ["24 x 576 x 1536", "240 x 576 x 576", "192 x 192 x 768"]
    row = table.cells["240 x 576 x 576"]
    assert row["bf16 to fp32, AVX2"].value == pytest.approx(9)
    assert row["fp32, native"].value == pytest.approx(1)


def test_a_step_of_every_stage_is_timed(tmp_path, monkeypatch):
    (tmp_path / "preset").mkdir()
    for name, part in {
        "model": test_chain.MODEL,
        **{
            name: {"stage": kind, "train": test_chain.TRAIN, "everything": True}
            for name, kind in test_chain.STAGES.items()
        },
    }.items():
        (tmp_path / "preset" / f"{name}.yaml").write_text(yaml.safe_dump(part))
    monkeypatch.setattr(cpu_training, "_WORDS", 4)
    cpu_training.prepare(tmp_path, str(tmp_path / "preset"), ["model.story.longest=1280"])
    found = cpu_training.measure(tmp_path)
    assert list(found) == [f"train {name}" for name in test_chain.STAGES]
    assert all(len(steps) == cpu_training._STEPS and min(steps) > 0 for steps in found.values())
    assert config.read(str(tmp_path / "run" / "preset")).stages["2-story"].train.steps == 1
