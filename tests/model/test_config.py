import pytest

from model import config, story_lm
from model.config import ConfigError
from model.tokens import Vocabulary

LLAMA = (
    '{"model_type": "llama", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,'
    ' "num_attention_heads": 2, "vocab_size": 8}'
)


def test_a_preset_is_a_folder_of_files_and_settings_change_single_values():
    tiny = config.read("tiny", ["2-story.train.steps=7", "model.story.longest=99"])

    assert list(tiny.stages)[-3:] == ["1-detokenizer", "2-story", "3-adaptation"]
    assert tiny.stages["2-story"].train.steps == 7
    assert tiny.model.story.longest == 99
    assert config.read("tiny").stages["2-story"].train.steps != 7
    paper = config.read("paper", ["model.attention.window=4"])  # a section that it leaves out
    assert (paper.model.attention.window, paper.model.attention.start) == (4, 4)


def test_the_paper_preset_has_the_paper_s_settings():
    paper = config.read("paper")

    story = paper.stages["2-story"].train
    assert (story.learning_rate, story.warmup, story.end, story.weight_decay, story.steps) == (
        1e-4,
        100,
        0.05,
        0.05,
        6000,
    )
    assert (story.betas, story.epsilon, story.precision) == ((0.9, 0.98), 1e-6, "auto")
    last = paper.stages["3-adaptation"].train
    assert (last.learning_rate, last.warmup, last.end, last.weight_decay) == (1e-4, 500, 0.01, 0.03)
    assert (last.batch, last.accumulate, last.steps) == (4, 4, 1600)
    assert (last.betas, last.epsilon, last.ema) == ((0.9, 0.999), 1e-8, 0)
    assert 8 * story.batch * story.accumulate == 240  # chunks of a step, on 8 GPUs
    lora = paper.model.story.lora
    assert (lora.rank, lora.alpha, lora.dropout, lora.targets) == (16, 32, 0.05, [])
    assert paper.model.story.longest == 1280
    assert paper.model.story.input_tokens == paper.model.vision.tokens == 256
    llama = paper.model.story.architecture
    assert (llama["rms_norm_eps"], llama["max_position_embeddings"]) == (1e-5, 4096)


def test_mistakes_are_named_with_what_would_do(tmp_path):
    with pytest.raises(
        ConfigError, match=r"a preset .paper, pretrained, seed-story, small, tiny. nor"
    ):
        config.read("huge")
    with pytest.raises(ConfigError, match=r"--set steps=7: write FILE.NAME=VALUE, with FILE"):
        config.read("tiny", ["steps=7"])
    with pytest.raises(ConfigError, match=r"stages.2-story.train.stepz: Extra inputs"):
        config.read("tiny", ["2-story.train.stepz=7"])
    with pytest.raises(ConfigError, match=r"model.atention: Extra inputs"):
        config.read("tiny", ["model.atention.window=7"])
    with pytest.raises(ConfigError, match=r"model.attention: .*boi and eoi count tokens"):
        config.read("tiny", ["model.attention.boi=[4, 0]"])
    with pytest.raises(ConfigError, match="either a model to load or towers to make"):
        config.read("tiny", ["model.vision.model=ViT-B-32"])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "cannot be loaded"),  # nothing there
        ({"config.json": '{"model_type": "of tomorrow"}'}, "of tomorrow"),
        ({"config.json": "{}"}, "cannot be loaded"),
        ({"config.json": "no JSON"}, "cannot be loaded"),
        ({"config.json": '{"model_type": "llama"}'}, "cannot be loaded"),  # and no weights
        ({"config.json": LLAMA, "model.safetensors": "cut off"}, "cannot be loaded"),
    ],
    ids=["nothing", "unknown", "no-type", "no-json", "no-weights", "damaged"],
)
def test_a_language_model_that_cannot_be_loaded_is_named(written, said, tmp_path):
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    settings = config.StoryConfig(model=str(tmp_path))
    with pytest.raises(ConfigError, match=f"model.story.model: {tmp_path}") as raised:
        story_lm.build(settings, Vocabulary(0, 1, 2, 3, [4], [5]), 6, 8, 4)
    assert said in str(raised.value) and "Give a folder, or a name" in str(raised.value)
