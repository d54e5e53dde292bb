"""What the doctor says of an installation, a machine and a model server."""

import importlib.metadata
import os
import socket
from types import SimpleNamespace

import pytest

import storystream
from pipeline import __main__, doctor
from pipeline.config import load
from pipeline.doctor import installation, machine, servers
from pipeline.model_specs import parse
from pipeline.testing import behaviours, films
from pipeline.testing.behaviours import answering
from pipeline.testing.model_server import serving
from pipeline.testing.replies import MODEL, error, texts_and_pictures

AVX2 = "processor : 0\nflags : fpu sse2 avx2 fma\n"
AMX = "processor : 0\nflags : fpu avx2 avx512f avx512_bf16 amx_bf16\n"
ARM = "processor : 0\nFeatures : fp asimd bf16\n"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret-key")


def asked(behaviour, role: str = "captioner", model: str = MODEL) -> dict[str, bool]:
    """Returns what the doctor finds of a server that behaves so."""
    with serving(behaviour) as server:
        found = doctor.server(role, parse(f"openai:{model}@{server.url}"))
    return {finding.what.removeprefix(f"{role}: "): finding.there for finding in found}


@pytest.fixture
def without_torch(monkeypatch):
    """PyTorch takes seconds to load, and the tests are about something else."""
    monkeypatch.setattr(doctor, "gpu", lambda: doctor.Finding(False, "GPU", "none", False))


@pytest.mark.parametrize(
    ("cpuinfo", "said"),
    [
        (AVX2, "avx2, no bfloat16, models train in float32"),
        (AMX, "avx2, avx512f, avx512_bf16, amx_bf16, models train in bfloat16"),
        (ARM, "asimd, bf16, models train in bfloat16"),
        ("", "instruction sets unknown"),
    ],
)
def test_the_instruction_sets_of_a_cpu(cpuinfo, said, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert str(doctor.cpu(cpuinfo)) == f"ok: CPU: 4 cores, {said}"


def test_free_memory_is_compared_with_what_a_run_takes():
    meminfo = "MemTotal: 16000000 kB\nMemAvailable: 3000000 kB\n"
    assert str(doctor.memory(meminfo, 2)) == "ok: memory: 3.1 GB free, a run takes up to 2.0"
    assert str(doctor.memory(meminfo, 8)) == (
        "missing: memory: 3.1 GB free, a run takes up to 8.0 - "
        "end other programs, or add --direct_num_workers=1"
    )
    assert doctor.memory("", 8).there  # no such file on macOS


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    version = importlib.metadata.version

    def lacking(package):
        if package in ("av", "torch"):
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", lacking)
    (missing,) = (finding for finding in doctor.packages() if not finding.there)
    assert str(missing) == "missing: package av - make install, or pip install storystream"
    assert missing.needed
    extras = {finding.what: finding for finding in doctor.extras()}
    models = next(finding for what, finding in extras.items() if what.startswith("extra models"))
    assert str(models) == (
        "missing: extra models, for models of a folder or hub (transformers:...), quality.clip: "
        "torch - pip install 'storystream[models]'"
    )
    assert not models.needed


def test_a_package_that_does_not_load_says_why(monkeypatch):
    monkeypatch.setattr(installation, "_fault", lambda module: "no libGL" * (module == "cv2"))
    (missing,) = (finding for finding in doctor.packages() if not finding.there)
    assert "opencv-python-headless, which does not load: no libGL - reinstall it" in str(missing)


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
    ("fields", "length"),
    [({"max_model_len": 8192}, 8192), ({"meta": {"n_ctx_train": 4096}}, 4096), ({}, 0)],
)
def test_the_context_length_is_where_servers_say_it(fields, length):
    assert servers._context(SimpleNamespace(model_extra=fields)) == length


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


def test_the_disk_is_compared_with_what_these_films_take(tmp_path, monkeypatch):
    films.make_film(tmp_path / "film.mp4", films.shots(4))
    found, disk, permission = doctor.disk(
        load(), str(tmp_path / "film.mp4"), str(tmp_path / "new/folder")
    )
    assert found.what.startswith("films: 1, ")
    assert disk.there and "this dataset takes" in disk.what
    assert permission.there and permission.what == f"permission to write to {tmp_path}"
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    _, disk, _ = doctor.disk(load(), str(tmp_path / "film.mp4"), str(tmp_path))
    assert not disk.there and "make room" in str(disk)


def test_films_that_are_not_there_are_named(tmp_path):
    (found,) = doctor.disk(load(), str(tmp_path / "nowhere"), str(tmp_path))
    assert not found.there and "nowhere" in str(found)


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
