"""What servers say of the length of a request, word for word."""

import pytest

from pipeline.inference.context_length import Told, listed, told

SAID = {
    "vLLM": (
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
        "(3000 in the messages, 2000 in the completion). Please reduce the length of the messages.",
        Told(4096, 3000),
    ),
    "vLLM of late": (
        "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context "
        "length is 4096 tokens and your request has 300 input tokens (4096 > 4096 - 300).",
        Told(4096, 300),
    ),
    "vLLM 0.25": (
        "This model's maximum context length is 8192 tokens. However, you requested 64 output "
        "tokens and your prompt contains 10000 input tokens, for a total of 10064 tokens. Please "
        "reduce the length of the input prompt or the number of requested output tokens.",
        Told(8192, 10000),
    ),
    "vLLM 0.25, which stopped counting": (
        "This model's maximum context length is 8192 tokens. However, you requested 64 output "
        "tokens and your prompt contains at least 8129 input tokens, for a total of at least 8193 "
        "tokens.",
        Told(8192),
    ),
    "vLLM with pictures": (
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make "
        "sure that `max_model_len` is no smaller than the number of text tokens plus multimodal "
        "tokens.",
        Told(4096, 5000),
    ),
    "Ollama": ("input length exceeds maximum context length", Told()),
    "Ollama of late": ("prompt too long; exceeded max context length by 12 tokens", Told()),
    "Ollama 0.30": (
        '{"error":{"code":400,"message":"request (351 tokens) exceeds the available context size '
        '(256 tokens), try increasing it","type":"exceed_context_size_error"}}',
        Told(256, 351),
    ),
    "DashScope": ("Range of input length should be [1, 30720]", Told(30720)),
    "SGLang": (
        "Requested token count exceeds the model's maximum context length of 8192 tokens. You "
        "requested a total of 9000 tokens: 5000 tokens from the input messages and 4000 tokens "
        "for the completion.",
        Told(8192, 5000),
    ),
    "llama.cpp": (
        "exceed_context_size_error request (5000 tokens) exceeds the available context size "
        "(4096 tokens), try increasing it",
        Told(4096, 5000),
    ),
    "LM Studio": (
        "Trying to keep the first 5000 tokens when context the overflows. However, the model is "
        "loaded with context length of only 4096 tokens",
        Told(4096, 5000),
    ),
    "TGI": (
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3000 `inputs` tokens and 2000 "
        "`max_new_tokens`",
        Told(4096, 3000),
    ),
    "TGI, the prompt alone": (
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 3000",
        Told(1024),
    ),
    "Mistral": (
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum "
        "context length",
        Told(32768, 40000),
    ),
    "Anthropic": (
        "prompt is too long: 200001 tokens > 200000 maximum",
        Told(200000, 200001),
    ),
    "Gemini": (
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        Told(1048576, 1200000),
    ),
    "OpenAI's code": ("context_length_exceeded Please shorten it", Told()),
    "the longest answer": (
        "max_tokens is too large: 8192. This model supports at most 4096 completion tokens, "
        "whereas you provided 8192.",
        Told(answer=4096),
    ),
}


@pytest.mark.parametrize("server", SAID)
def test_a_refusal_says_how_long_a_request_may_be(server):
    text, expected = SAID[server]
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "'response_format.type' json_schema is unsupported",
        "temperature must be between 1 and 2",
        "the picture is larger than 20 MB",
        "",
    ],
)
def test_other_refusals_are_about_something_else(text):
    assert told(text) is None


@pytest.mark.parametrize(
    ("models", "length"),
    [
        ({"data": [{"id": "pen", "max_model_len": 4096}, {"id": "eyes"}]}, 4096),
        ({"data": [{"id": "pen"}, {"id": "eyes", "max_model_len": 4096}]}, 0),
        ({"data": [{"id": "pen", "context_length": 8192}]}, 8192),
        ({"data": [{"id": "a.gguf", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}]}, 4096),
        ({"data": [{"id": "pen", "max_model_len": None}]}, 0),
        ({"data": None}, 0),
        ([], 0),
        ("busy", 0),
    ],
)
def test_a_list_of_models_may_have_it(models, length):
    assert listed(models, "pen") == length
