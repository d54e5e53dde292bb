"""Every stage on weights that were saved before, in the layouts and dtypes that hubs serve."""

from __future__ import annotations

import pytest
import torch
import yaml
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from benchmarks.architectures.saved_weights import save_language_model
from model import __main__ as command
from model import (
    autoencoder,
    checkpoints,
    config,
    features,
    precision,
    runs,
    story_lm,
    tokens,
    train,
)
from model.config import ConfigError, LoraConfig, Optimisation
from model.data import once
from model.features import Chunk
from model.runs import Run
from model.stages import laid_out
from tests.model import tiny
from tests.model.test_chain import MODEL, SIZE, TRAIN, place  # noqa: F401 (a fixture)
from tests.model.test_detokenizer import POOLED
from tests.model.tiny import STORY, TEXTS, TOKENS, WIDTH

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
CPU = torch.device("cpu")


def language_model(folder, dtype):
    """Saves a Llama in a dtype, as hubs serve them, with its tokenizer."""
    tokenizer = tokens.train(TEXTS * 5, 400)
    sizes = STORY.architecture | {"vocab_size": len(tokenizer), "tie_word_embeddings": False}
    llm = AutoModelForCausalLM.from_config(AutoConfig.for_model(**sizes))
    llm.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def diffusion_model(folder, dtype):
    """Saves a UNet and an autoencoder in the layout of SD-XL."""
    unet = MODEL["detokenizer"]["unet"] | POOLED
    vae = {
        "latent_channels": 4,
        "block_out_channels": [8],
        "norm_num_groups": 4,
        "down_block_types": ["DownEncoderBlock2D"],
        "up_block_types": ["UpDecoderBlock2D"],
    }
    UNet2DConditionModel.from_config(unet).to(dtype).save_pretrained(folder / "unet")
    AutoencoderKL.from_config(vae).to(dtype).save_pretrained(folder / "vae")
    return str(folder)


@pytest.mark.parametrize("there", [True, False], ids=["bf16-cpu", "other-cpu"])
@pytest.mark.parametrize("saved", ["bf16", "fp16"])
def test_every_stage_trains_from_weights_in_16_bits_and_tells_a_story(
    saved,
    there,
    place,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    monkeypatch.setattr(precision, "has_bf16", lambda device: there)
    dtype, preset, run = DTYPES[saved], tmp_path / "preset", tmp_path / "run"
    shared = {"image_size": SIZE, "width": 16, "depth": 1, "heads": 2, "queries": 4, "steps": 2}
    model = {
        "vision": MODEL["vision"],
        "story": {
            "model": language_model(tmp_path / "llm", dtype),
            "lora": {"rank": 2, "alpha": 4},
            **{name: MODEL["story"][name] for name in ("image_tokens", "input_tokens", "longest")},
            "resampler_heads": 2,
        },
        "detokenizer": shared
        | {"model": diffusion_model(tmp_path / "sdxl", dtype), "streams": [8, 8]},
    }
    preset.mkdir()
    (preset / "model.yaml").write_text(yaml.safe_dump(model))
    for name, kind in {
        "0-towers": "towers",
        "1-detokenizer": "detokenizer",
        "2-story": "story",
        "3-adaptation": "adaptation",
    }.items():
        (preset / f"{name}.yaml").write_text(
            yaml.safe_dump({"stage": kind, "train": TRAIN | {"precision": "auto", "ema": 0.9}})
        )
    data = ["--data", str(place / "data"), "--run", str(run)]

    assert command.main(["train", str(preset), *data]) == 0
    book = ["--images", "2", "--attention", "multimodal", "--out", str(tmp_path / "book")]
    assert command.main(["generate", *data, *book]) == 0

    trained = Run(run, config.read(str(run / "preset")))
    low = torch.bfloat16 if there else torch.float32
    teller = runs.story(trained)
    painter = runs.detokenizer(trained, "adaptation")
    for part in (teller, painter):
        dtypes = {
            name: one.dtype for name, one in part.named_parameters() if name.endswith("weight")
        }
        assert {dtypes[name] for name in dtypes if "norm" in name} == {torch.float32}
        assert low in dtypes.values() and torch.float16 not in dtypes.values()
    (chunk,) = once(features.shards(trained, "val"), features.read)
    with torch.no_grad():  # as benchmarks do, without a context
        out = teller(*laid_out([chunk], runs.tokenizer(trained)[1], "every", CPU))
    assert torch.isfinite(out.features).all()


def test_a_tokenizer_without_a_token_for_the_begin_begins_with_that_for_the_end(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(language_model(tmp_path, torch.bfloat16))
    tokenizer.bos_token = None  # as Qwen's and SmolLM3's are saved
    tokenizer.save_pretrained(tmp_path)
    vocabulary = tokens.with_pictures(AutoTokenizer.from_pretrained(tmp_path), 4)
    assert vocabulary.bos == vocabulary.eos == tokenizer.eos_token_id

    tokenizer.eos_token = None
    with pytest.raises(config.ConfigError, match="no eos_token; set it in its tokenizer_config"):
        tokens.with_pictures(tokenizer, 4)


@pytest.mark.parametrize("there", [True, False], ids=["bf16-cpu", "other-cpu"])
@pytest.mark.parametrize("saved", ["bf16", "fp16", "fp32"])
def test_every_trained_weight_is_float32_and_moves(saved, there, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda device: there)
    folder = language_model(tmp_path / "llm", DTYPES[saved])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    vocabulary = tokens.with_pictures(tokenizer, 4)
    settings = STORY.model_copy(
        update={"model": folder, "lora": LoraConfig(rank=2, dropout=0), "resampler_heads": 2}
    )
    torch.manual_seed(0)
    model = story_lm.build(settings, vocabulary, len(tokenizer), WIDTH, TOKENS)
    texts = [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
    seen, unused = torch.randn(len(TEXTS), TOKENS, WIDTH), torch.zeros(1)
    chunk = Chunk("", TEXTS, texts, seen, unused, unused)
    before, after = {}, {}

    def losses(model, batch):
        if not before:
            before.update({name: one.clone() for name, one in checkpoints.trained(model).items()})
        out = model(*laid_out([chunk], vocabulary, "every", CPU))
        return {"loss": out.loss}

    def check(model):
        after.update(checkpoints.trained(model))
        return {}

    train.fit(
        "2-story",
        train.Stage(model, lambda start: iter([None] * 6), losses, check),
        Optimisation(steps=5, batch=1, learning_rate=1e-4),
        tmp_path / "2-story",
        "key",
        lambda text: None,
    )

    assert any("norm" in name for name in after if name.startswith("llm"))
    assert {one.dtype for one in after.values()} == {torch.float32}
    assert [name for name in after if torch.equal(after[name], before[name])] == []


@pytest.mark.parametrize("family", ["qwen2", "phi3"])  # tied embeddings, and separate ones
def test_tokens_of_pictures_begin_like_words_where_the_vocabulary_is_padded(family, tmp_path):
    """Rows of padding are zeros, and as they were, all tokens of a picture would begin the same."""
    folder = save_language_model(tmp_path, family, "bf16")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    words = len(tokenizer)
    vocabulary = tokens.with_pictures(tokenizer, 4)
    settings = STORY.model_copy(update={"model": folder, "resampler_heads": 2})

    llm = story_lm.build(settings, vocabulary, len(tokenizer), WIDTH, TOKENS).llm

    for part in (llm.get_input_embeddings(), llm.get_output_embeddings()):
        matrix = part.weight.detach()
        assert matrix.shape[0] > len(tokenizer)  # some padding is left
        known, added = matrix[:words].float(), matrix[vocabulary.added].float()
        assert len(added.unique(dim=0)) == len(vocabulary.added)
        assert added.std() == pytest.approx(float(known.std()), rel=0.25)


def without(path, name):
    """Takes a weight out of a safetensors file."""
    weights = load_file(path)
    del weights[name]
    save_file(weights, path, {"format": "pt"})


def test_weights_of_which_some_are_missing_are_refused_and_not_random(tmp_path):
    llm, sdxl = (
        language_model(tmp_path / "llm", torch.bfloat16),
        diffusion_model(tmp_path, torch.float16),
    )
    without(tmp_path / "llm/model.safetensors", "model.layers.0.mlp.up_proj.weight")
    without(tmp_path / "unet/diffusion_pytorch_model.safetensors", "conv_in.bias")

    with pytest.raises(
        ConfigError, match=r"model.story.model: .* lack model.layers.0.mlp.up_proj.weight: get it"
    ):
        tiny.story(STORY.model_copy(update={"model": llm, "architecture": None}))
    with pytest.raises(OSError, match=r"its files lack conv_in.bias: get it again"):
        autoencoder.saved(UNet2DConditionModel, sdxl, "unet")
