"""The ways to train on a chunk that are compared learn the same, and the table compares them."""

from __future__ import annotations

import shutil

import pytest
import torch
import yaml
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.speed import training_step
from model import config, stages
from tests.model.tiny import STORY, TOKENS, WIDTH, story


def test_all_ways_have_the_same_gradients():
    _, vocabulary, model, _ = story()
    chunks = training_step.made_up(2, WIDTH, TOKENS)
    cpu = torch.device("cpu")
    weight = model.llm.get_input_embeddings().weight

    def gradient(passes, share):
        model.zero_grad()
        for layout, features in passes:
            (model(layout, features).loss * share).backward()
        return weight.grad.clone()

    every = stages.laid_out(chunks, vocabulary, "every", cpu)
    ours = gradient([every], 1)
    # All texts have the same length, so that the mean of the passes' means is that of all.
    each = gradient(
        [training_step.ending(chunks, [turn, turn], vocabulary, cpu) for turn in range(1, 10)],
        1 / 9,
    )
    with sdpa_kernel(SDPBackend.MATH):
        spelled_out = gradient([every], 1)
    assert ours.abs().max() > 1e-3
    for other in (each, spelled_out, gradient([every], 1)):
        torch.testing.assert_close(other, ours, rtol=1e-3, atol=1e-6)


def test_a_turn_has_the_moments_before_it_and_no_others():
    _, vocabulary, _, _ = story()
    chunks = training_step.made_up(2, WIDTH, TOKENS)
    layout, features = training_step.ending(chunks, [2, 5], vocabulary, torch.device("cpu"))
    assert len(features) == 3 + 6 and torch.equal(features[3:], chunks[1].features[:6])
    assert [row.unique().tolist() for row in layout.asked] == [[-1, 2], [-1, 8]]
    assert [row.unique().tolist() for row in layout.given] == [[-1, 0, 1], [-1, *range(3, 8)]]


@pytest.fixture
def preset(tmp_path):
    """`tiny` with a smaller story model."""
    shutil.copytree(config.PRESETS / "tiny", tmp_path / "preset")
    path = tmp_path / "preset" / "model.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["story"] = {
        **settings["story"],
        **STORY.model_dump(
            include={"architecture", "image_tokens", "input_tokens", "resampler_heads"}
        ),
    }
    path.write_text(yaml.safe_dump(settings))
    return str(tmp_path / "preset")


def test_the_table_has_a_row_a_way_and_ratios_of_ours(preset):
    (table,) = training_step.run(preset, rounds=2, batch=2, peak=100)
    assert list(table.cells) == [
        training_step.OURS,
        training_step.EACH,
        training_step.RELEASED,
        training_step.SPELLED_OUT,
    ]
    ours = table.cells[training_step.OURS]
    for peer, name in training_step._PEERS.items():
        found = ours[f"time per turn relative to {peer}"]
        beside = table.cells[name]["pictures/s"]
        assert found.n == 2 and found.low <= found.value <= found.high
        assert (
            beside.low / ours["pictures/s"].high
            <= found.value
            <= beside.high / ours["pictures/s"].low
        )
        assert not any(head.startswith("time a turn") for head in table.cells[name])
    assert ours["pictures/s"].high == pytest.approx(2 * 9 / ours["step"].low)
    assert ours["tokens/s"].value / ours["pictures/s"].value == pytest.approx(
        1 + training_step.WORDS + 4 + 2, rel=0.2
    )
    assert ours["TFLOP/s"].value > 0
    if not torch.cuda.is_available():
        assert "of the device's peak" not in [column.name for column in table.columns]
