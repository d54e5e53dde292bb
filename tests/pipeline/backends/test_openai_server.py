import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from pipeline import backends
from pipeline.backends import Request
from schemas.answers import CaptionAnswer
from tests.films import scene


class Handler(BaseHTTPRequestHandler):
    """Answers with what the test has put on the server, and keeps what it was asked."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        text = json.dumps({"sentence": body["messages"][0]["content"][-1]["text"]})
        answer = json.dumps({
            "id": "1", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After", "0.01")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.statuses = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    yield server
    server.shutdown()
    server.server_close()


def ask(prompt: str, *images: str) -> Request:
    return Request(prompt, "caption", prompt, {}, CaptionAnswer, images)


def test_answers_come_in_the_order_of_the_requests(server):
    answers = backends.load("captioner", "openai:tiny").answer([ask(f"n {i}") for i in range(40)])
    assert [json.loads(answer.text)["sentence"] for answer in answers] == [
        f"n {i}" for i in range(40)]
    assert {(answer.model, answer.input_tokens, answer.output_tokens) for answer in answers} == {
        ("tiny", 7, 3)}


def test_pictures_are_sent_scaled_and_the_schema_with_them(server, tmp_path):
    path = str(tmp_path / "a.jpg")
    cv2.imwrite(path, scene(1, 1080, 1920)[..., ::-1])
    backends.load("captioner", "openai:tiny").answer([ask("what is it?", path)])
    (body,) = server.asked
    picture, question = body["messages"][0]["content"]
    data = base64.b64decode(picture["image_url"]["url"].partition("base64,")[2])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), 1).shape == (432, 768, 3)
    assert question["text"] == "what is it?"
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["sentence"]


def test_a_busy_server_is_asked_again(server):
    server.statuses = [429, 503]
    (answer,) = backends.load("writer", "openai:tiny").answer([ask("again")])
    assert json.loads(answer.text)["sentence"] == "again" and len(server.asked) == 3


def test_a_refused_key_is_named_at_once_and_not_shown(server):
    server.statuses = [401] * 10
    with pytest.raises(OSError, match="answered 401 for tiny") as caught:
        backends.load("writer", "openai:tiny").answer([ask("let me in")])
    assert len(server.asked) == 1 and "sk-secret" not in str(caught.value)


def test_without_a_key_the_remedy_is_named(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="set OPENAI_API_KEY"):
        backends.load("captioner", "openai:tiny")


@pytest.mark.parametrize("spec", ["gpt", "openai:", ""])
def test_a_spec_that_names_no_backend_is_refused(spec):
    with pytest.raises(ValueError, match="use 'embedded' or 'openai:MODEL'"):
        backends.load("captioner", spec)
