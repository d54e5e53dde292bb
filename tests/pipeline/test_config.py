import pytest

from pipeline.config import ConfigError, DatasetConfig, load


def test_settings_come_after_the_file_and_the_file_after_the_defaults(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("writer: openai:other\nkeyframes:\n  every: 2\n  flat: 3\n")
    config = load(str(file), ["keyframes.every=1.5", "captioner=openai:mine"])
    assert (config.writer, config.captioner) == ("openai:other", "openai:mine")
    assert (config.keyframes.every, config.keyframes.flat) == (1.5, 3)
    assert config.keyframes.black == DatasetConfig().keyframes.black


@pytest.mark.parametrize("setting, message", [
    ("keyframes.evry=2", r"no setting keyframes\.evry; there are every, shortest_shot"),
    ("evry=2", "no setting evry; there are captioner, writer"),
    ("keyframes.every=often", r"keyframes\.every: .*'often'"),
    ("keyframes.every=0", r"keyframes\.every: .*greater than 0"),
    ("writer=gpt", "writer: 'gpt' is no backend; use 'embedded' or 'openai:MODEL'"),
    ("keyframes.every", "write it as name=value"),
])
def test_a_setting_that_cannot_be_used_is_named(setting, message):
    with pytest.raises(ConfigError, match=message):
        load("", [setting])


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load(str(tmp_path / "missing.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"bad\.yaml is not YAML"):
        load(str(tmp_path / "bad.yaml"))
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(ConfigError, match=r"list\.yaml must hold settings"):
        load(str(tmp_path / "list.yaml"))
