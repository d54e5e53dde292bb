"""Markup is taken out of what models write, and nothing else is."""

import pytest

from pipeline.inference.plain_text import plain


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("**Tilda** ran _very_ fast.", "Tilda ran very fast."),
        ("It was *so* big, and ***so*** red.", "It was so big, and so red."),
        ("## Tilda ran.", "Tilda ran."),
        ("> Tilda ran.", "Tilda ran."),
        ("`Tilda` ran to the [old mill](mill.html).", "Tilda ran to the old mill."),
        ("```\nTilda ran.\n```", "Tilda ran."),
        ("Tilda &amp; Bruno took Bruno&#39;s hat.", "Tilda & Bruno took Bruno's hat."),
        ("&quot;Wait!&quot; she said.", '"Wait!" she said.'),
        ("Tilda ran.<br>Bruno <i>walked</i>.", "Tilda ran. Bruno walked."),
        (r"Tilda ran.\nBruno walked.", "Tilda ran. Bruno walked."),
        (r"\"Wait!\" she said in the caf\u00e9.", '"Wait!" she said in the café.'),
        ("Tilda ran. (2 words)", "Tilda ran."),
        ("Tilda lief los. [3 Wörter]", "Tilda lief los."),
        ("蒂尔达跑了。（5字）", "蒂尔达跑了。"),
        ("Tilda ran. (Word count: 2 words)", "Tilda ran."),
    ],
)  # fmt: skip
def test_markup_is_removed(text, without):
    assert plain(text) == without
    assert plain(without) == without


@pytest.mark.parametrize(
    "text",
    [
        "Tilda ran.",
        "“Three * four is twelve * one,” said the owl.",
        "They sang: la_la_la!",
        "AT&T and black&white films; R&B.",
        "He counted on (all 12 of them).",
        "She was #1, and he was 2 < 3.",
        "- Bonjour ! dit-elle.",
        "1 < 2 > 0",
        "*",
        " A line\nand another ",
        "The password was ***.",
    ],
)
def test_what_has_no_markup_stays(text):
    assert plain(text) == text
