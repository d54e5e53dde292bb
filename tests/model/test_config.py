import pytest

from model import config
from model.config import ConfigError


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
    lora = paper.model.story.lora
    assert (lora.rank, lora.alpha, lora.dropout, lora.targets) == (16, 32, 0.05, [])
    assert paper.model.story.longest == 1280


def test_mistakes_are_named_with_what_would_do(tmp_path):
    with pytest.raises(ConfigError, match=r"a preset .paper, pretrained, small, tiny. nor"):
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
