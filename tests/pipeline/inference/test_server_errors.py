"""What servers say is wrong, and what is done about it."""

import pytest

from pipeline.inference import server_errors
from pipeline.inference.server_errors import Fault, of_status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "refused"),
        (401, "stop"),
        (402, "stop"),
        (403, "refused"),
        (404, "stop"),
        (408, "failed"),
        (413, "refused"),
        (414, "refused"),
        (422, "refused"),
        (429, "busy"),
        (500, "failed"),
        (503, "failed"),
    ],
)
def test_the_status_says_whether_to_try_again(status, kind):
    assert of_status(status, "says no").kind == kind


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        ("429", "says no", 429),
        ("rate_limit_exceeded", "", 429),
        ("18", "Open api qps request limit reached", 429),
        ("Throttling.RateQuota", "", 429),
        ("Arrearage", "Access denied", 402),
        ("1004", "authentication failed", 401),
        ("", "The model `story-7b` does not exist", 404),
        ("InvalidParameter", "temperature is not supported", 400),
        ("upstream", "says no", 500),
        ("1000", "", 500),  # no HTTP status
    ],
)
def test_the_words_of_an_error_say_its_status(code, text, status):
    assert server_errors.status_of(code, text) == status


@pytest.mark.parametrize(
    "text",
    [
        "At most 1 image(s) may be provided in one prompt.",
        "This model supports up to 5 images per message",
        "Too many images in request",
        "multiple images are not supported",
        "Only one image is allowed",
    ],
)
def test_servers_say_that_they_take_fewer_pictures(text):
    assert server_errors.wants_fewer_pictures(text)
    assert not server_errors.wants_fewer_pictures("image_url is not supported by this model")


@pytest.mark.parametrize(
    "text",
    [
        # Anthropic
        "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 6129904 bytes > "
        "5242880 bytes",
        "At least one of the image dimensions exceed max allowed size: 8000 pixels",
        # Gemini
        "Request payload size exceeds the limit: 4194304 bytes.",
        # vLLM
        "The decoder prompt contains a(n) image item with length 4200, which exceeds the "
        "pre-allocated encoder cache size 3721. Please reduce the input size",
        "Image dimensions 20000x20000 (400000000 pixels) exceed the maximum of 178956970 pixels.",
        # Pillow, where a server shows what it raised
        "Image size (400000000 pixels) exceeds limit of 178956970 pixels, could be decompression "
        "bomb DOS attack.",
        # Volcengine
        "Image 0 failed: Image exceeds the maximum allowed total pixels.",
        # DashScope
        "Exceeded limit on max bytes per data-uri item : 10485760",
        "Multimodal file size is too large",
        # Azure
        "The image size is not allowed to be zero or larger than 20971520 bytes.",
        # Sail
        "image too large: exceeds maximum of 20971520 bytes",
        # OpenAI's Responses and OpenRouter
        "image_too_large",
        # a gateway before OpenAI
        "image requires 67081 patches after processing, exceeding the limit of 30000",
        # nginx, Express, FastAPI
        "<center><h1>413 Request Entity Too Large</h1></center>",
        "Request payload is too large",
    ],
)
def test_servers_say_that_a_picture_is_too_large(text):
    assert server_errors.wants_smaller_pictures(text)


@pytest.mark.parametrize(
    "text",
    [
        "image_url is not supported by this model",
        "At most 1 image(s) may be provided in one prompt.",
        "max_tokens is too large: 8192. This model supports at most 4096 completion tokens",
        "This model's maximum context length is 4096 tokens",
        "Invalid image: it cannot be decoded",
        "The image length and width must be larger than 10. [height: 8, width: 400]",
    ],
)
def test_what_a_smaller_picture_does_not_help_is_not_about_its_size(text):
    assert not server_errors.wants_smaller_pictures(text)


def test_the_rest_of_an_error_may_say_more_than_its_status():
    assert of_status(503, "loading", wait=2.0) == Fault("busy", "loading", 2.0)
    assert of_status(429, "says no", code="insufficient_quota").kind == "stop"
    assert of_status(429, "Request too large for gpt-4o").kind == "refused"
    assert of_status(400, "no", parameter="temperature").parameter == "temperature"
