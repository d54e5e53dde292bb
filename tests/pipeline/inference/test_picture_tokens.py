"""Tokens of pictures, by the figures that providers publish or that people were billed.

Those of models with open weights are what their processors in transformers count."""

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
        ("gpt-5.1", (768, 432), 350),
        ("o3", (128, 64), 225),
        ("gpt-5.4", (1024, 1024), 1229),  # the documentation's own examples
        ("gpt-5.4-nano", (2048, 2048), 3000),
        ("gpt-5.2", (768, 432), 404),
        ("openai/gpt-6-luna", (768, 432), 404),
        ("claude-haiku-4-5", (200, 200), 64),  # the documentation's table
        ("claude-sonnet-4-5", (1092, 1092), 1521),
        ("anthropic/claude-opus-4.1", (1920, 1080), 1560),
        ("claude-opus-4-20250514", (3840, 2160), 1560),
        ("claude-opus-4-7", (1920, 1080), 2691),
        ("claude-sonnet-5-5", (3840, 2160), 4784),
        ("gemini-2.5-flash-lite", (384, 384), 258),
        ("gemini-2.5-flash-lite", (960, 540), 1548),
        ("gemini-3.8-flash", (768, 432), 1120),
        ("gemini-flash-latest", (768, 432), 1120),
        ("Qwen/Qwen2.5-VL-7B-Instruct", (768, 432), 27 * 15 + 2),
        ("qwen2.5vl:7b", (768, 432), 27 * 15 + 2),
        ("zai-org/GLM-4.5V", (768, 432), 27 * 15 + 2),
        ("Qwen/Qwen3-VL-8B-Instruct", (768, 448), 24 * 14 + 2),
        ("qwen-vl-max", (768, 448), 24 * 14 + 2),
        ("moonshotai/Kimi-K2.5", (768, 432), 28 * 16),
        ("mistralai/Pixtral-12B-2409", (1024, 1024), 64 * 65),
        ("mistralai/Pixtral-12B-2409", (1920, 1080), 36 * 65),
        ("mistral-small-3.1-24b-instruct", (768, 432), 16 * 29),
        ("mistral-small-3.1-24b-instruct", (1920, 1080), 31 * 56),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", (768, 432), 1017),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", (128, 64), 147),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", (1920, 1080), 2322),
        ("google/gemma-3-12b-it", (768, 432), 260),
        ("gemma4:12b", (768, 432), 12 * 22 + 2),
        ("gemma4:12b", (128, 64), 11 * 23 + 2),
        ("OpenGVLab/InternVL3-8B", (448, 448), 258),
        ("OpenGVLab/InternVL3-8B", (768, 576), 3330),
        ("openbmb/MiniCPM-V-4_6", (448, 448), 66),
        ("openbmb/MiniCPM-V-4_6", (768, 432), 200),
        ("openbmb/MiniCPM-V-4_6", (1920, 1080), 596),
        ("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", (768, 432), 862),
        ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", (768, 432), 1083),
        ("HuggingFaceM4/Idefics3-8B-Llama3", (768, 432), 2227),
        ("llava-hf/llava-onevision-qwen2-7b-ov-hf", (768, 432), 2379),
        ("llava-hf/llava-onevision-qwen2-7b-ov-hf", (432, 768), 2403),
        ("llava-hf/llava-onevision-qwen2-7b-ov-hf", (1920, 1080), 7269),
    ],
)
def test_a_picture_costs_what_its_model_says(model, size, tokens):
    assert count(model, *size) == pytest.approx(tokens, rel=0.01)


def test_little_detail_costs_the_base_alone():
    assert count("gpt-4o-mini", 768, 432, "low") == 2833
    assert count("gpt-4o", 768, 432, "low") == 85


def test_little_detail_is_a_picture_of_512_pixels_for_newer_models():
    """512 x 288 pixels are 16 x 9 squares."""
    assert count("gpt-6-luna", 768, 432, "low") == 173
    assert count("gpt-5.4", 768, 432, "low") == count("gpt-5.4", 768, 432) == 404


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-6-luna", "gpt-4o", "claude-opus-5", "gemini-2.5-flash-lite", "qwen3-vl", "llama-4"),
        *("internvl3", "minicpm-v", "gemma-4", "smolvlm", "llava-onevision"),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (4000, 2), (2, 4000)])
def test_a_picture_of_any_shape_costs_something(model, size):
    assert count(model, *size) >= 1


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
    config = load("", ["captioner=openai:gpt-6-luna", "writer=openai:gpt-6.1-sol"])
    film = Video("film", "", "series", "", duration=60.0, width=1280, height=720)
    ((_, calls, tokens, _),) = expected_calls.of_captions(config, film, 20)
    words = 350  # of the instructions, the dialogue and the message's own frame, by o200k
    assert calls == 20
    assert tokens == pytest.approx(404 + words, rel=0.15)
