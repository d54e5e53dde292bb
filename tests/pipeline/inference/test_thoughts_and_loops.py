"""Thoughts beside answers, and loops."""

import json

import pytest

from pipeline.inference.thoughts_and_loops import loops, split_thoughts


def test_thoughts_end_where_they_are_closed_for_the_last_time():
    assert split_thoughts("<think>a</think>b") == ("b", "<think>a")
    assert split_thoughts("a</think>b</think>c") == ("c", "a</think>b")
    assert split_thoughts("no thoughts") == ("no thoughts", "")


@pytest.mark.parametrize(
    "text",
    [
        "<THINK>well</THINK>{}",
        '<think time="2">well</think>{}',
        "<thought>well</thought>{}",
        "<seed:think>well</seed:think>{}",
        "<reasoning>well</reasoning><answer>{}</answer>",
        "[THINK]well[/THINK]{}",
        "◁think▷well◁/think▷{}",
        "<|START_THINKING|>well<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
        "<|begin_of_thought|>well<|end_of_thought|><|begin_of_solution|>{}<|end_of_solution|>",
        "<unused94>thought\nwell<unused95>{}",
        "<|channel|>analysis<|message|>well<|end|><|start|>assistant<|channel|>final<|message|>{}",
        "<|start|>assistant<|channel|>analysis<|message|>well<|end|><|start|>assistant"
        "<|channel|>final <|constrain|>json<|message|>{}<|return|>",
    ],
)
def test_thoughts_of_every_family_are_no_part_of_the_answer(text):
    answer, thoughts = split_thoughts(text)
    assert answer == "{}" and "well" in thoughts


def test_thoughts_that_are_not_closed_hold_the_answer_or_were_cut_off():
    assert split_thoughts("<think>well {}") == ("well {}", "well {}")
    assert split_thoughts("<think>well {}", whole=False) == ("", "well {}")


@pytest.mark.parametrize(
    "text",
    [
        "ha " * 100,
        "a fox and " * 40,
        '{"a": "' + "\n" * 300,
        '{"characters": [' + '{"name": "Pip", "look": "a small fox, in a green scarf"}, ' * 20,
        "x" * 5000,
        "Once upon a time there was a fox. " * 3 + "0" * 300,
    ],
)
def test_a_run_that_repeats_itself_is_a_loop(text):
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "ha " * 20,
        json.dumps({f"picture_{at}": "Then Ben came and went." for at in range(30)}, indent=4),
        json.dumps(
            [{"name": f"Fox {at}", "look": "", "role": "", "called": []} for at in range(20)]
        ),
        "No, no, no! Run, run, run! " * 3,
        " " * 150,
        "",
    ],
)
def test_stories_may_repeat_themselves(text):
    assert not loops(text)
