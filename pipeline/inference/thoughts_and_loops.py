"""Tells apart what a model writes beside its answer: thoughts before it, and loops that never end.

Models that think before they answer put their thoughts into fields of their own, into parts of the
content, or into the text itself, between tags of which some servers cut off the first or the last.
"""

from __future__ import annotations

import re

# What opens and closes thoughts: DeepSeek, Qwen, Seed and most others; Mistral; Kimi; Cohere;
# OpenThinker; gpt-oss; Gemma.
_WORDS = "(?:seed:)?(?:think|thinking|thought|thoughts|reasoning|analysis|scratchpad|reflection)"
_OPENS = re.compile(
    rf"\s*(?:<{_WORDS}(?: [^>]*)?>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|begin_of_thought\|>"
    r"|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)[^<]*<\|message\|>"
    r"|<unused94>thought|<\|channel>thought)",
    re.IGNORECASE,
)
_CLOSES = re.compile(
    rf"</{_WORDS}>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|end_of_thought\|>"
    r"|<\|channel\|>final(?:[^<]|<\|constrain\|>)*<\|message\|>|<unused95>|<channel\|>",
    re.IGNORECASE,
)
# What some models write around their answer.
_AROUND = re.compile(
    r"<\|(?:START_RESPONSE|END_RESPONSE|begin_of_solution|end_of_solution|return|end|im_end|eot_id)"
    r"\|>|^\s*<answer>|</answer>\s*$"
)
# A loop: so many characters at the end of a text that repeat a run of at most so many.
_LOOP, _LONGEST_RUN, _REPEATS = 300, 600, 4
_BLANK = 200  # white space at the end; an indented answer has a tenth of it
_PROBE = 40  # characters by which an earlier run is found


def split_thoughts(text: str, whole: bool = True) -> tuple[str, str]:
    """Splits a text into the answer and the thoughts before it.

    Thoughts that were not closed may have the answer in them, unless the text is not `whole`: then
    there is none.
    """
    closes = list(_CLOSES.finditer(text))
    if closes:
        return _AROUND.sub("", text[closes[-1].end() :]), text[: closes[-1].start()]
    if opens := _OPENS.match(text):
        thoughts = text[opens.end() :]
        return (thoughts if whole else ""), thoughts
    return _AROUND.sub("", text), ""


def loops(text: str) -> bool:
    """Returns whether a text ends in a loop: a run of characters at least four times over, 300
    characters and more, or 200 blanks."""
    if len(text) >= _BLANK and text[-_BLANK:].isspace():
        return True
    end = text[-_REPEATS * _LONGEST_RUN :]
    if len(end) < _LOOP:
        return False
    before = end.rfind(end[-_PROBE:], 0, -1)
    run = len(end) - _PROBE - before
    if before < 0 or run > _LONGEST_RUN:
        return False
    length = max(_LOOP, _REPEATS * run)
    return len(end) >= length and end[-length:-run] == end[-length + run :]
