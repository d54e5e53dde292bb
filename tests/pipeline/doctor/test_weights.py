"""Weights that are at hand."""

from __future__ import annotations

from pipeline import doctor
from pipeline.config import load


def test_the_weights_of_a_folder_and_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "model"
    folder.mkdir()
    settings = [f"captioner=transformers:{folder}", "writer=transformers:org/model"]
    of_folder, of_hub = (
        finding
        for finding in doctor.weights(load("", settings))
        if "weights of the " in finding.what and "OCR" not in finding.what
    )
    assert not of_folder.there and of_folder.needed
    assert not of_hub.there and not of_hub.needed  # it would be downloaded
    for file in (
        folder / "config.json",
        folder / "model.safetensors",
        tmp_path / "hub/models--org--model/snapshots/1/model.safetensors",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert all(finding.there for finding in doctor.weights(load("", settings)))
