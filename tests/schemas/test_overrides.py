import pytest

from schemas.overrides import put

USAGE = "write it as name=value"


def test_a_setting_is_put_into_its_section_and_keeps_the_others():
    values = {"keyframes": {"every": 4.0, "flat": 3}}
    put(values, "keyframes.every=1.5", USAGE)
    put(values, "stories.style=dry, short = good", USAGE)
    put(values, "budget=null", USAGE)
    assert values == {
        "keyframes": {"every": 1.5, "flat": 3},
        "stories": {"style": "dry, short = good"},
        "budget": None,
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("keyframes.every", "--set keyframes.every: write it as name=value"),
        ("writer.model=pen", "--set writer.model=pen: writer is one value, not a section"),
        ("prices={m: 1", "--set prices={m: 1: the value is not YAML: "),
    ],
)
def test_what_cannot_be_put_is_said(setting, message):
    with pytest.raises(ValueError) as error:
        put({"writer": "embedded"}, setting, USAGE)
    assert str(error.value).startswith(message)
