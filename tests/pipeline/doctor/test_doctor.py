"""The command: all findings, and its exit code."""

from __future__ import annotations

import pytest

import storystream
from pipeline import __main__, doctor


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret-key")


@pytest.fixture
def without_torch(monkeypatch):
    """PyTorch takes seconds to load, and the tests are about something else."""
    monkeypatch.setattr(doctor, "gpu", lambda: doctor.Finding(False, "GPU", "none", False))


def test_the_default_dataset_can_be_made_here(tmp_path, without_torch, capsys):
    assert storystream.main(["doctor", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("ok: ", "missing: ")) for line in lines)
    assert any("EfficientNet" in line for line in lines)


def test_what_a_dataset_lacks_ends_with_1(tmp_path, without_torch, monkeypatch, capsys):
    monkeypatch.delenv("OPENAI_API_KEY")
    words = ["doctor", "--out", str(tmp_path), "--captioner", "openai:eyes@http://127.0.0.1:1/v1"]
    assert __main__.main(words) == 1
    assert "missing: captioner: an API key for eyes - set" in capsys.readouterr().out
