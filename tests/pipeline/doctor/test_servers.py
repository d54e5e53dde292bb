"""What a model server can do, asked of servers that behave in known ways."""

from __future__ import annotations

import socket

import pytest

from pipeline import doctor
from pipeline.doctor import servers
from pipeline.model_specs import parse
from pipeline.testing import behaviours
from pipeline.testing.behaviours import answering
from pipeline.testing.model_server import serving
from pipeline.testing.replies import MODEL, error, texts_and_pictures


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret-key")


def asked(behaviour, role: str = "captioner", model: str = MODEL) -> dict[str, bool]:
    """Returns what the doctor finds of a server that behaves so."""
    with serving(behaviour) as server:
        found = doctor.server(role, parse(f"openai:{model}@{server.url}"))
    return {finding.what.removeprefix(f"{role}: "): finding.there for finding in found}


def test_a_server_that_does_all_that_a_captioner_needs():
    found = asked(answering())
    assert all(found.values())
    assert f"model {MODEL}" in found
    assert "the server reads pictures" in found and "the server takes JSON schemas" in found


def test_a_writer_is_sent_no_picture():
    with serving(answering()) as server:
        found = doctor.server("writer", parse(f"openai:{MODEL}@{server.url}"))
    assert all(finding.there for finding in found)
    assert not any(texts_and_pictures(question)[1] for question in server.asked)


def test_a_server_without_the_model_names_those_that_it_has():
    with serving(answering()) as server:
        found = doctor.server("writer", parse(f"openai:another@{server.url}"))
    assert f"missing: writer: model another - the server has {MODEL}" in map(str, found)


def test_a_server_that_reads_no_pictures():
    async def blind(question, server):
        if texts_and_pictures(question)[1]:
            return error(400, "this model does not support images")
        return await answering()(question, server)

    found = asked(blind)
    assert not found["the server reads pictures"] and found["the server takes JSON schemas"]


def test_a_server_without_schemas_is_no_hindrance():
    with serving(behaviours.without_schema(answering())) as server:
        found = doctor.server("captioner", parse(f"openai:{MODEL}@{server.url}"))
    (missing,) = (finding for finding in found if not finding.there)
    assert missing.what == "captioner: the server takes JSON schemas" and not missing.needed


@pytest.mark.parametrize(
    "behaviour",
    [behaviours.html(), behaviours.no_json(), behaviours.hanging_up(), behaviours.no_key()],
)
def test_a_server_that_is_none_is_told_without_the_key(behaviour):
    with serving(behaviour) as server:
        found = doctor.server("writer", parse(f"openai:{MODEL}@{server.url}"))
    missing = [finding for finding in found if not finding.there]
    assert missing and "a-secret-key" not in "".join(map(str, found))


def test_a_server_that_never_answers_costs_a_few_seconds(monkeypatch):
    monkeypatch.setattr(servers, "SECONDS", 0.05)
    found = asked(behaviours.hanging())
    assert found[f"model {MODEL}"] and not found["the server reads pictures"]


def test_no_server_at_an_address():
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        (found,) = doctor.server("captioner", parse(f"openai:{MODEL}@{url}"))
    assert str(found).startswith("missing: captioner: server at http://127.0.0.1:")
    assert "is it running?" in found.remedy


def test_without_a_key_no_server_is_asked(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    (found,) = doctor.server("writer", parse("openai:model@http://127.0.0.1:1/v1"))
    assert "set OPENAI_API_KEY" in str(found)


@pytest.mark.parametrize(
    ("length", "said"),
    [(8192, "context of 8,192 tokens"), (0, "the server does not say its context length")],
)
def test_the_context_length_is_read_as_in_a_run(length, said):
    with serving(answering()) as server:
        server.context = length
        found = doctor.server("writer", parse(f"openai:{MODEL}@{server.url}"))
    assert f"writer: {said}" in [finding.what for finding in found]
