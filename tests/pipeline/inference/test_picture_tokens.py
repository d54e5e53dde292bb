"""Tokens of pictures, by the figures that providers publish or that people were billed."""

from __future__ import annotations

import pytest

from pipeline.annotation import expected_calls
from pipeline.config import load
from pipeline.inference.picture_tokens import count, find
from schemas.rows import Video


@pytest.mark.parametrize(
    "model, size, tokens",
    [
        ("gpt-4o", (1024, 1024), 765),  # the documentation's own examples
        ("gpt-4o", (2048, 4096), 1105),
        ("gpt-4o", (128, 64), 255),  # as billed: nothing is scaled up
        ("gpt-4o-mini-2024-07-18", (128, 64), 8500),
        ("openai/gpt-4o-mini", (768, 432), 14167),
        ("gpt-4.1", (128, 64), 255),
        ("gpt-4.1-mini", (1024, 1024), 1659),
        ("gpt-4.1-mini", (4000, 1474), 2488),
        ("gpt-5-nano", (2400, 1800), 2304),
        ("gpt-5", (768, 432), 350),
        ("o3", (128, 64), 225),
        ("claude-sonnet-4-5", (1092, 1092), 1590),
        ("claude-haiku-4-5", (200, 200), 54),
        ("gemini-2.5-flash", (384, 384), 258),
        ("gemini-2.5-flash", (960, 540), 1548),
        ("gemini-3-pro-preview", (768, 432), 1120),
        ("Qwen/Qwen2.5-VL-7B-Instruct", (768, 432), 27 * 15 + 2),
        ("qwen2.5vl:7b", (768, 432), 27 * 15 + 2),
        ("Qwen/Qwen3-VL-8B-Instruct", (768, 448), 24 * 14 + 2),
        ("mistralai/Pixtral-12B-2409", (1024, 1024), 64 * 65),
        ("mistral-small-3.1-24b-instruct", (768, 432), 15 * 28),
        ("google/gemma-3-12b-it", (768, 432), 260),
        ("OpenGVLab/InternVL3-8B", (448, 448), 256),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", (768, 432), 13 * 68),
    ],
)
def test_a_picture_costs_what_its_model_says(model, size, tokens):
    assert count(model, *size) == pytest.approx(tokens, rel=0.01)


def test_little_detail_costs_the_base_alone():
    assert count("gpt-4o-mini", 768, 432, "low") == 2833
    assert count("gpt-4o", 768, 432, "low") == 85


def test_an_unknown_model_is_taken_for_one_of_28_pixels_a_token():
    assert find("somebody/new-eyes") is None
    assert count("somebody/new-eyes", 280, 280) == 102


def test_a_picture_of_the_characters_is_estimated():
    """Six characters are 672 x 264 pixels, 24 x 9 tokens, beside about a hundred in words."""
    film = Video("film", "", "series", "", duration=60.0, width=1280, height=720)
    line = "captioner=openai:Qwen/Qwen2.5-VL-7B-Instruct"
    without, shown = (
        expected_calls.of_captions(load("", [line, *more]), film, 20)[0].input_tokens
        for more in ([], ["captions.references=true"])
    )
    assert shown - without == pytest.approx(24 * 9 + 2 + 110)


def test_the_dry_run_of_the_docs_example_is_as_published():
    config = load("", ["captioner=openai:gpt-4o-mini", "writer=openai:gpt-4o"])
    film = Video("film", "", "series", "", duration=60.0, width=1280, height=720)
    ((_, calls, tokens, _),) = expected_calls.of_captions(config, film, 20)
    words = 350  # of the instructions, the dialogue and the message's own frame, by o200k
    assert calls == 20
    assert tokens == pytest.approx(2833 + 2 * 5667 + words, rel=0.15)
