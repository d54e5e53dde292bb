"""The training loop, on a model of one weight matrix."""

import json
import math
import pathlib
import re
import signal

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.data import DataLoader, Dataset

from model import checkpoints, config, precision, train
from model.config import Optimisation
from model.train import Interrupted, Stage, TrainingStopped

SETTINGS = Optimisation(
    steps=8,
    batch=2,
    learning_rate=0.1,
    warmup=2,
    precision="fp32",
    ema=0.9,
    save_every=3,
    check_every=4,
    accumulate=2,
)


class Numbered(Dataset):
    def __getitem__(self, number):
        return number, torch.randn(4, 3, generator=torch.Generator().manual_seed(number))


def stage(seen, fault=lambda number: None):
    """A regression with noise in its loss; `seen` gets each loss, `fault` is called before it."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def batches(start):
        return iter(DataLoader(Numbered(), sampler=range(start, 1000), batch_size=None))

    def losses(model, batch):
        number, values = batch
        fault(number)
        loss = (model(values) + torch.randn(()) - values.sum(1, keepdim=True)).square().mean()
        seen.append((number, loss.item()))
        return {"loss": loss}

    def check(model):
        assert not model.training
        torch.randn(5)  # must not change what comes after
        return {"weight": model.weight.sum().item()}

    return Stage(model, batches, losses, check)


def fit(folder, one, settings=SETTINGS, key="k"):
    said = []
    train.fit("1-test", one, settings, folder / "1-test", key, said.append)
    return said


@pytest.mark.parametrize("muon", [0.0, 0.05])
def test_a_stopped_run_goes_on_with_the_losses_of_one_that_was_not(muon, tmp_path):
    whole, parts = [], []
    settings = SETTINGS.model_copy(update={"muon": muon})
    fit(tmp_path / "a", stage(whole), settings)

    def stop(number):
        if number == 9:  # in the midst of step 5, of two batches each
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="stopped after step 5 of 8; the same command resumes"):
        fit(tmp_path / "b", stage(parts, stop), settings)
    said = fit(tmp_path / "b", stage(parts), settings)

    assert said[0] == "1-test: resumes from step 5"
    assert parts == whole
    assert [number for number, _ in whole] == list(range(16))
    results = [(tmp_path / run / "1-test" / "model.safetensors").read_bytes() for run in "ab"]
    assert results[0] == results[1]
    assert not (tmp_path / "b" / "1-test.checkpoint").exists()


def test_a_killed_run_goes_on_from_the_last_checkpoint(tmp_path):
    whole, parts = [], []
    fit(tmp_path / "a", stage(whole))

    def die(number):
        if number == 15:
            raise KeyboardInterrupt  # as good as any death: nothing is saved on the way out

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "b", stage([], die))
    fit(tmp_path / "b", stage(parts))

    assert parts == whole[12:]  # after step 6


def test_a_run_goes_on_on_a_machine_without_bf16_and_says_so(tmp_path, monkeypatch):
    settings = SETTINGS.model_copy(update={"precision": "auto", "muon": 0.05})
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    seen, parts = [], []

    def stop(number):
        if number == 9:  # in the midst of step 5
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="stopped after step 5 of 8"):
        fit(tmp_path, stage(seen, stop), settings)
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    said = fit(tmp_path, stage(parts), settings)

    assert said[:2] == [
        "1-test: resumes from step 5",
        "1-test: trains in fp32, as this CPU has no instructions for bf16",
    ]
    assert [number for number, _ in parts] == list(range(10, 16))
    about = json.loads((tmp_path / "1-test" / "about.json").read_text())
    assert about["precision"] == {"bf16": 5, "fp32": 3}  # steps


def test_each_stage_has_its_own_precision(tmp_path):
    for computes_in in ("bf16", "fp32", "bf16"):
        seen = []
        one = stage([])
        losses = one.losses

        def watching(model, batch, losses=losses, seen=seen):
            seen.append(model(batch[1]).dtype)
            seen.append((batch[1] @ batch[1].T).dtype)
            return losses(model, batch)

        one.losses = watching
        said = fit(
            tmp_path / computes_in,
            one,
            SETTINGS.model_copy(update={"precision": computes_in, "steps": 1}),
        )
        assert said[0] == f"1-test: trains in {computes_in}"
        assert (torch.bfloat16 in seen) == (computes_in == "bf16")


def test_another_key_begins_anew(tmp_path):
    def die(number):
        if number == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, stage([], die))
    seen = []

    fit(tmp_path, stage(seen), key="other")

    assert len(seen) == 16


def test_the_result_is_the_moving_average(tmp_path):
    weights, one = [], stage([])
    losses = one.losses

    def watching(model, batch):
        if batch[0] % 2 == 0:
            weights.append(one.model.weight.detach().clone())
        return losses(model, batch)

    one.losses = watching
    fit(tmp_path, one)
    weights.append(one.model.weight.detach().clone())

    average = weights[0]
    for step, weight in enumerate(weights[1:], 1):
        decay = 0.0 if step < 2 else min(0.9, 1 - step**-0.75)
        average = decay * average + (1 - decay) * weight
    saved = nn.Linear(3, 1)
    checkpoints.load(tmp_path / "1-test", saved)
    assert torch.allclose(saved.weight, average, atol=1e-6)
    assert not torch.allclose(saved.weight, one.model.weight)


def test_a_loss_that_is_no_number_says_where_and_what_to_do(tmp_path):
    one = stage([])
    one.losses = lambda model, batch: {"loss": model(batch[1]).mean() / 0}

    with pytest.raises(TrainingStopped, match=r"at step 1 loss is (nan|-?inf)") as stopped:
        fit(tmp_path, one)

    rate, precise = remedies(stopped)
    assert rate.train.learning_rate == SETTINGS.learning_rate / 2
    assert precise.train.precision == "fp32"


def test_too_little_memory_says_what_to_do(tmp_path):
    one = stage([])

    def full(model, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    one.losses = full

    with pytest.raises(TrainingStopped, match=r"a batch of 2 does not fit") as stopped:
        fit(tmp_path, one)

    batch, accumulate, checkpointing = remedies(stopped)
    assert batch.train.batch == 1 and accumulate.train.accumulate == 4
    assert checkpointing.train.checkpointing
    least = SETTINGS.model_copy(update={"batch": 1, "checkpointing": True})
    with pytest.raises(TrainingStopped, match="give a preset with a smaller model"):
        fit(tmp_path, one, least)


def remedies(stopped):
    """What each `--set` of a message makes of a preset, as the command line reads it."""
    given = re.findall(r"--set (\S+)", str(stopped.value).replace("1-test", "2-story"))
    return [config.read("tiny", [setting]).stages["2-story"] for setting in given]


class Overflowing(train.Accelerator):
    """As for fp16 on a GPU: the loss is scaled, here by so much that its gradient overflows."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=3e38)

    def unscale_gradients(self, optimizer=None):
        for prepared in self._optimizers:
            self.scaler.unscale_(prepared.optimizer)


def test_steps_whose_gradient_overflows_in_fp16_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "Accelerator", Overflowing)
    one, seen = stage([]), []
    losses = one.losses

    def watching(model, batch):
        seen.append(one.model.weight.detach().clone())
        return {"loss": 100 * losses(model, batch)["loss"]}

    one.losses = watching
    fit(tmp_path, one, SETTINGS.model_copy(update={"steps": 20, "warmup": 0, "accumulate": 1}))
    assert torch.equal(seen[0], seen[1])  # the first step is skipped
    assert not torch.equal(seen[0], seen[-1])


@pytest.mark.parametrize("left", [".old", ".new"])
def test_a_checkpoint_outlives_a_kill_at_any_moment(left, tmp_path, monkeypatch):
    folder = tmp_path / "1-test.checkpoint"
    weights = {"weight": torch.ones(1)}
    checkpoints.save(folder, weights, {"key": "k", "step": 1})
    rename, calls = pathlib.Path.rename, []

    def killed(self, target):
        calls.append(target)
        if len(calls) == (2 if left == ".old" else 1):
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pathlib.Path, "rename", killed)
        checkpoints.save(folder, weights, {"key": "k", "step": 2})

    assert checkpoints.about(folder) == {"key": "k", "step": 1}
    checkpoints.save(folder, weights, {"key": "k", "step": 3})
    assert checkpoints.about(folder) == {"key": "k", "step": 3}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_learning_rate_warms_up_and_falls_to_its_end(tmp_path):
    fit(tmp_path, stage([]), SETTINGS.model_copy(update={"steps": 20, "end": 0.25, "ema": 0.0}))

    events = EventAccumulator(str(tmp_path / "logs" / "1-test"))
    events.Reload()
    rates = {one.step: one.value for one in events.Scalars("train/learning_rate")}
    assert rates[20] == pytest.approx(0.1 * 0.25)
    assert rates[10] == pytest.approx(0.1 * (0.25 + 0.75 * 0.5 * (1 + math.cos(math.pi * 8 / 18))))
    about = json.loads((tmp_path / "1-test" / "about.json").read_text())
    assert about["steps"] == 20 and about["key"] == "k"


class Parts(nn.Module):
    """One of each kind of weight."""

    def __init__(self):
        super().__init__()
        self.words, self.frozen = nn.Embedding(5, 6), nn.Linear(6, 6).requires_grad_(False)
        self.attention, self.layer = nn.MultiheadAttention(6, 2), nn.Linear(6, 3)
        self.head = nn.Linear(6, 5, bias=False)
        self.head.weight = self.words.weight
        self.query, self.image = nn.Parameter(torch.ones(4, 6)), nn.Conv2d(2, 3, 3)


def test_muon_has_the_weights_of_linear_layers_and_adam_the_rest():
    model = Parts()
    adam, muon = train._optimizers(model, SETTINGS.model_copy(update={"muon": 0.02}), "fp32")
    names = {id(one): name for name, one in model.named_parameters()}
    matrices, vectors, turned = (
        {names[id(one)] for one in group["params"]}
        for group in (*adam.param_groups, *muon.param_groups)
    )
    assert turned == {"attention.in_proj_weight", "attention.out_proj.weight", "layer.weight"}
    assert matrices == {"words.weight", "query", "image.weight"}
    assert vectors == {
        "attention.in_proj_bias",
        "attention.out_proj.bias",
        "layer.bias",
        "image.bias",
    }
    assert len(train._optimizers(model, SETTINGS, "fp32")) == 1


@pytest.mark.parametrize("computes_in, dtype", [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_muons_step_is_the_gradients_directions_without_their_sizes(computes_in, dtype):
    model = nn.Linear(30, 20)
    config = SETTINGS.model_copy(update={"muon": 0.02, "weight_decay": 0.0})
    _, muon = train._optimizers(model, config, computes_in)
    assert muon.dtype == dtype
    before = model.weight.detach().clone()
    model.weight.grad = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    muon.step()
    left, _, right = torch.linalg.svd(model.weight.grad, full_matrices=False)
    step = (before - model.weight.detach()) / (0.02 * 0.2 * 30**0.5)
    sizes = torch.linalg.svdvals(step)
    assert sizes.min() > 0.6 and sizes.max() < 1.3  # Newton and Schulz are not exact
    assert torch.nn.functional.cosine_similarity(step.flatten(), (left @ right).flatten(), 0) > 0.97


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_a_resumed_state_is_on_the_device_of_the_model(tmp_path):
    def training(device):
        model = nn.Linear(3, 1).to(device)
        return model, train._optimizers(model, SETTINGS, "fp32"), train._average(model, SETTINGS)

    model, optimizers, ema = training("cpu")
    model(torch.ones(3)).sum().backward()
    optimizers[0].step()
    ema.step(model.parameters())
    state = train._state(train._Progress(1), optimizers, [], ema)
    checkpoints.save(tmp_path / "checkpoint", checkpoints.trained(model), {"key": "k"}, state)

    model, optimizers, ema = training("meta")  # any device that is not the one of the file
    train._restore(tmp_path / "checkpoint", model, optimizers, [], ema)

    moments = [value for values in optimizers[0].state.values() for value in values.values()]
    assert all(value.is_meta for value in moments if value.ndim)
    assert all(value.is_meta for value in ema.shadow_params)
    ema.step(model.parameters())  # fails where one is on another device than the other
