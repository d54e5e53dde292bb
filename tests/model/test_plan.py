"""The memory that training takes, computed without weights."""

import sys
from types import SimpleNamespace

import pytest
import torch
import yaml

from model import __main__ as command
from model import config, plan, train
from model.config import ConfigError, Optimisation
from tests.model.test_chain import MODEL, STAGES, TRAIN
from tests.model.test_detokenizer import SDXL, SDXL_VAE

MIB = 2**20


def written(folder, **settings):
    """Writes the small preset of the chain's tests, with settings for all stages."""
    folder.mkdir()
    (folder / "model.yaml").write_text(yaml.safe_dump(MODEL))
    for name, kind in STAGES.items():
        stage = {"stage": kind, "train": TRAIN | settings, "everything": True}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(stage))
    return str(folder)


def planned(*arguments, **settings):
    return {need.stage: need for need in plan.needs(config.read(written(*arguments, **settings)))}


def test_what_trains_is_counted_in_float32_by_kind(tmp_path):
    found = planned(tmp_path / "preset", ema=0.9)
    assert list(found) == ["0a-towers", "0b-autoencoder", "features", *list(STAGES)[2:]]
    painter, encoded = found["1-detokenizer"], found["features"]
    assert painter.kinds["gradients"] == 4 * painter.trained
    assert painter.kinds["moving average"] == 4 * painter.trained
    assert painter.kinds["optimizer"] == 8 * painter.trained
    assert painter.frozen == found["0b-autoencoder"].trained
    # what is frozen has matrices in bf16, and norms and biases of those in float32
    assert 4 * painter.trained + 2 * painter.frozen <= painter.kinds["weights"]
    assert painter.kinds["weights"] <= 4 * (painter.trained + painter.frozen)
    assert encoded.trained == 0 and encoded.kinds["gradients"] == 0
    assert all(need.kinds["activations"] > 0 for need in found.values())


def test_moments_in_8_bits_take_a_quarter_and_muons_one_moment(tmp_path):
    whole = planned(tmp_path / "a")["2-story"]
    assert (
        planned(tmp_path / "b", adam_8bit=True)["2-story"].kinds["optimizer"] == 2 * whole.trained
    )
    assert whole.kinds["optimizer"] == 8 * whole.trained
    muon = planned(tmp_path / "c", muon=1e-3)["2-story"].kinds["optimizer"]
    assert 4 * whole.trained < muon < 8 * whole.trained


def test_twice_the_batch_takes_twice_the_activations(tmp_path):
    one, two = (
        planned(tmp_path / f"{batch}", batch=batch)["2-story"].kinds["activations"]
        for batch in (8, 16)
    )
    assert two == pytest.approx(2 * one, rel=0.1)


def test_gradient_checkpointing_takes_less(tmp_path):
    deep = {
        **MODEL,
        "story": {**MODEL["story"], "architecture": dict(MODEL["story"]["architecture"])},
    }
    deep["story"]["architecture"]["num_hidden_layers"] = 8
    preset = config.read(written(tmp_path / "preset", batch=8))
    preset = preset.model_copy(update={"model": config.ModelConfig.model_validate(deep)})
    stage = preset.stages["2-story"]
    saving = stage.model_copy(
        update={"train": stage.train.model_copy(update={"checkpointing": True})}
    )
    plain, less = (
        list(plan.needs(preset.model_copy(update={"stages": {"2-story": settings}})))[-1]
        for settings in (stage, saving)
    )
    assert less.kinds["activations"] < 0.6 * plain.kinds["activations"]


def test_a_trace_adds_up_what_is_alive_at_once():
    a_mib = MIB // 4  # of float32
    with torch._subclasses.FakeTensorMode(), plan.Live() as live:
        first = torch.empty(a_mib)
        second = first + 1
        first.view(2, -1)  # the same memory
        assert (live.now, live.peak) == (2 * MIB, 2 * MIB)
        del first
        third = second * 2
        assert live.now == live.peak == 2 * MIB
    del second, third


def test_the_smallest_card_holds_all_kinds():
    need = plan.Need("story", 0, 0, {"weights": 10 * 2**30, "activations": 10 * 2**30})
    assert need.together == pytest.approx(20 * 1.1 + 1) and need.card == 24
    assert plan.Need("story", 0, 0, {"weights": 200 * 2**30}).card is None
    said = plan.report("mine", [plan.Need("s", 0, 0, dict.fromkeys(plan.KINDS, 2**31))])
    assert "| s | 0.0 M | 0.0 M | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 | 12.0 | 12 GB |" in said
    assert "mine needs a card of 12 GB" in said


def test_the_command_prints_a_row_for_each_stage(tmp_path, capsys):
    preset = written(tmp_path / "preset")
    assert command.main(["plan", preset, "--set", "2-story.train.batch=1"]) == 0
    said = capsys.readouterr().out
    assert [line.split(" ")[1] for line in said.splitlines()[2:8]] == [
        *list(STAGES)[:2],
        "features",
        *list(STAGES)[2:],
    ]
    assert "needs a card of 8 GB" in said


def test_sd_xls_parts_are_those_that_were_published():
    assert (plan.SDXL_UNET, plan.SDXL_VAE) == (SDXL, SDXL_VAE)


def test_8_bits_without_bitsandbytes_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ConfigError, match=r"train.adam_8bit=true needs bitsandbytes .*pip install"):
        optimizer(adam_8bit=True)


def test_8_bits_are_those_of_bitsandbytes(monkeypatch):
    class AdamW8bit(torch.optim.AdamW):
        pass

    there = SimpleNamespace(optim=SimpleNamespace(AdamW8bit=AdamW8bit))
    monkeypatch.setitem(sys.modules, "bitsandbytes", there)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", there.optim)
    found = optimizer(adam_8bit=True)
    assert type(found) is AdamW8bit and found.defaults["betas"] == (0.9, 0.98)
    assert type(optimizer()) is torch.optim.AdamW


def optimizer(**settings):
    config = Optimisation(steps=1, batch=1, learning_rate=1e-3, **settings)
    return train._optimizers(torch.nn.Linear(2, 2), config, "fp32")[0]
