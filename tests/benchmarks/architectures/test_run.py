"""Every stage on saved weights; the rest of the table is `python -m benchmarks architectures`."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.architectures import chain, run, saved_weights
from benchmarks.architectures.run import Row

# Each part is of another kind than `small`'s: sliding windows, norms of queries, rows of padding, a
# tokenizer without a token for the begin, towers of timm, files of the variant fp16 alone.
ROWS = (
    Row("gemma3_text", "bf16", "gemma3_text"),
    Row("qwen3", "fp16", "qwen3", "SigLIP's ViT, of timm", only_variant=True),
)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_every_stage_trains_resumes_and_generates_with_saved_weights(row):
    found = run.check(row)
    assert found == dict.fromkeys([*run.STAGES, "generate", "long story"], run.WORKS)


def test_a_fault_is_a_cell_and_what_depends_on_it_is_not_tried(monkeypatch):
    def train_and_resume(preset, dataset, folder, name):
        if name == "2-story":
            raise chain.Fault("a norm is\nmissing")

    monkeypatch.setattr(chain, "train_and_resume", train_and_resume)
    (table,) = run.run([Row("llama", "bf16")])
    assert table.cells["llama, bf16"] == {
        "de-tokenizer": "ok",
        "story": "Fault: a norm is\nmissing",
        "adaptation": "-",
        "generate": "-",
        "long story": "-",
    }
    assert run.failed(table) == 1


def test_a_run_whose_weights_differ_after_a_stop_is_a_fault(tmp_path, monkeypatch):
    """A stop that loses the optimizer's state."""
    from model import train

    restore = train._restore

    def forgets(checkpoint, model, optimizers, schedules, ema):
        state = restore(checkpoint, model, optimizers, schedules, ema)
        optimizers[0].state.clear()
        return state

    monkeypatch.setattr(train, "_restore", forgets)
    found = run.check(Row("llama", "bf16"))
    assert "other weights than one that was not" in found["de-tokenizer"]


def test_weights_are_laid_out_as_hubs_serve_them(tmp_path):
    folder = tmp_path / "qwen3"
    saved_weights.save_language_model(folder, "qwen3", "fp16")
    files = {path.name for path in folder.iterdir()}
    assert "model.safetensors.index.json" in files and "model.safetensors" not in files
    llm, tokenizer = (
        kind.from_pretrained(folder) for kind in (AutoModelForCausalLM, AutoTokenizer)
    )
    assert llm.dtype == torch.float16 and tokenizer.bos_token is None
    assert not llm.get_input_embeddings().weight[len(tokenizer) :].any()  # padding
    assert len(tokenizer.encode("[INST]")) > 1

    saved_weights.save_diffusion_model(tmp_path / "sdxl", "fp16", "fp16")
    assert [path.name for path in sorted((tmp_path / "sdxl").rglob("*.safetensors"))] == [
        "diffusion_pytorch_model.fp16.safetensors"
    ] * 2
    tower = saved_weights.save_tower(tmp_path / "tower", "open_clip's ViT", "bf16")
    assert tower["model"] == f"local-dir:{tmp_path / 'tower'}"
    weights = load_file(tmp_path / "tower" / "open_clip_model.safetensors")
    assert weights["visual.conv1.weight"].dtype == torch.bfloat16
