import pytest

from pipeline.config import ConfigError, DatasetConfig, describe, load


def test_settings_come_after_the_file_and_the_file_after_the_defaults(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("writer: openai:other\nkeyframes:\n  every: 2\n  flat: 3\n")
    config = load(str(file), ["keyframes.every=1.5", "captioner=openai:mine"])
    assert (config.writer, config.captioner) == ("openai:other", "openai:mine")
    assert (config.keyframes.every, config.keyframes.flat) == (1.5, 3)
    assert config.keyframes.black == DatasetConfig().keyframes.black


@pytest.mark.parametrize(
    "setting, message",
    [
        ("keyframes.evry=2", r"no setting keyframes\.evry; valid names are every, shortest_shot"),
        ("evry=2", "no setting evry; valid names are captioner, writer"),
        ("keyframes.every=often", r"keyframes\.every: .*'often'"),
        ("keyframes.every=0", r"keyframes\.every: .*greater than 0"),
        ("writer=gpt", "writer: 'gpt' is not a backend; use 'embedded', 'openai:MODEL'"),
        (
            "writer=openai:m@http://me:secret@host/v1",
            r"^writer: openai:m: a key does not belong (?!.*secret)",
        ),
        (
            "stories.language=de",
            r"^stories\.language: the embedded writer supports the default only",
        ),
        (
            "stories.tense=future",
            r"stories\.tense: Input should be 'past' or 'present', not 'future'",
        ),
        ("prices={m: {inputs: 3}}", r"no setting prices\.m\.inputs; valid names are input, output"),
        ("quality.max_repetition=2", r"quality\.max_repetition: .*less than or equal to 1"),
        ("calls.extra={max_tokens: 5}", r"calls\.extra: max_tokens is set by calls\.max_tokens"),
        ("calls.extra={judge: {messages: []}}", "messages is set by the pipeline itself"),
        ("calls.extra={writer: 5}", "write the fields of one role as a map"),
        ("calls.extra={since: 2026-01-01}", "it goes into a request as JSON"),
        ("keyframes.every", "write it as name=value"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(setting, message):
    with pytest.raises(ConfigError, match=message):
        load("", [setting])


def test_more_fields_of_requests_are_for_all_or_for_one_role():
    calls = load("", ["calls.extra={top_k: 20, writer: {top_k: 5, reasoning_effort: low}}"]).calls
    assert calls.extra_of("captioner") == {"top_k": 20}
    assert calls.extra_of("writer") == {"top_k": 5, "reasoning_effort": "low"}


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load(str(tmp_path / "missing.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"bad\.yaml is not YAML"):
        load(str(tmp_path / "bad.yaml"))
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(ConfigError, match=r"list\.yaml must hold settings"):
        load(str(tmp_path / "list.yaml"))


def test_a_budget_needs_a_price():
    with pytest.raises(
        ConfigError, match="a budget needs the price of gpt-x per million tokens, such as prices: "
    ):
        load("", ["writer=openai:gpt-x", "budget=5"])
    load("", ["writer=openai:gpt-x", "budget=5", "prices={gpt-x: {input: 1, output: 2}}"])


def test_where_a_server_runs_is_not_written_down():
    config = load(
        "", ["captioner=openai:eyes@http://10.0.0.7:8000/v1", "writer=transformers:/models/pen"]
    )
    assert config.published()["captioner"] == "openai:eyes"
    assert config.published()["writer"] == "transformers:/models/pen"
    assert "10.0.0.7" not in str(config.published())


def test_what_all_settings_are_is_a_file_that_can_be_loaded(tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text(describe())
    assert load(str(file)) == DatasetConfig()
    assert 'tense: "past"  # of the narrative' in file.read_text()


def test_a_config_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "c.yaml").write_text("captioner: embedded", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"c.yaml is not UTF-8 text .*: save it as UTF-8"):
        load(str(tmp_path / "c.yaml"))
