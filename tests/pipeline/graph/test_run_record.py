"""What a run leaves of itself: run.json, and the same for Prometheus."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline import __main__
from pipeline.dataset import report
from pipeline.graph import prometheus, run_record
from pipeline.graph.stages import names as stage_names
from pipeline.runtime import storage
from pipeline.testing.films import make_film, shots
from pipeline.testing.model_server import serving

PRICES = "prices={eyes: {input: 10, output: 20}, pen: {input: 100, output: 200}}"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with the dataset `out` of two films of ten shots, made by models behind a server."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "films").mkdir()
    for episode in (1, 2):
        make_film(folder / f"films/S01E0{episode}.mp4", shots(10, 16, seed=100 * episode))
    with pytest.MonkeyPatch.context() as patch, serving() as server:
        patch.setenv("OPENAI_API_KEY", "sk-very-secret")
        words = [
            "dataset",
            "--videos",
            str(folder / "films"),
            "--out",
            str(folder / "out"),
            "--captioner",
            f"openai:eyes@{server.url}",
            "--writer",
            f"openai:pen@{server.url}",
            "--set",
            PRICES,
            "--metrics",
            str(folder / "run.prom"),
            "--direct_running_mode=in_memory",
        ]
        patch.setattr("sys.argv", ["/home/me/pipeline/__main__.py", *words])
        assert __main__.main(words) == 0
    return folder


@pytest.fixture(scope="module")
def recorded(made) -> dict:
    return json.loads((made / "out/run.json").read_text())


def test_the_record_says_what_ran(made, recorded):
    manifest = json.loads((made / "out/dataset.json").read_text())
    assert recorded["command"].startswith("python -m pipeline dataset --videos")
    assert "http" not in recorded["command"] and "--captioner openai:eyes " in recorded["command"]
    assert recorded["dataset"] == {
        name: manifest[name] for name in ("name", "version", "config_digest", "models", "counts")
    }
    assert recorded["versions"]["storystream"] == "0.1.0"
    assert recorded["versions"]["av"] == manifest["versions"]["av"]
    assert recorded["runner"].startswith("local, ")
    assert recorded["seconds"] > 0 and recorded["environment"]["cores"] >= 1


def test_every_stage_tells_how_its_films_were_spread(recorded):
    stages = {stage["name"]: stage for stage in recorded["stages"]}
    assert list(stages) == [*stage_names(), "shards", "publish"]
    for name in stage_names():
        spread = stages[name]["distributions"]
        assert spread["milliseconds"]["count"] == spread["rows"]["count"] == 2, name
        assert spread["rows"]["sum"] == sum(
            number for kind, number in stages[name]["counters"].items() if kind[:5] == "rows "
        )
        assert spread["milliseconds"]["min"] <= spread["milliseconds"]["mean"]
        assert spread["milliseconds"]["mean"] <= spread["milliseconds"]["max"]
    assert stages["captions"]["distributions"]["rows"] == {
        "count": 2,
        "sum": 20,
        "min": 10,
        "max": 10,
        "mean": 10.0,
    }
    assert stages["captions"]["distributions"]["milliseconds a call"]["count"] == 20
    assert stages["keyframes"]["distributions"]["bytes"]["count"] == 2


def test_cpu_time_is_counted_by_stage_with_that_of_the_decoding_processes(recorded):
    stages = {stage["name"]: stage for stage in recorded["stages"]}
    assert stages["keyframes"]["cpu_user"] > 0.1  # decoded in another process
    for stage in recorded["stages"]:
        assert 0 <= stage["cpu_user"] < recorded["cpu_user"], stage["name"]
        assert 0 <= stage["cpu_system"] <= recorded["cpu_system"], stage["name"]
    in_all = sum(stage["cpu_user"] for stage in recorded["stages"])
    assert in_all < recorded["cpu_user"]  # which has the workers' start, too


def test_shards_and_publishing_are_recorded_too(made, recorded):
    shards, publish = recorded["stages"][-2:]
    sizes = [path.stat().st_size for path in (made / "out/shards").iterdir()]
    assert shards["done"] == len(sizes) and publish["done"] == 1
    assert shards["distributions"]["bytes"]["sum"] == sum(sizes)
    assert shards["seconds"] > 0 and publish["seconds"] > 0


def test_prometheus_reads_the_same_figures(made, recorded):
    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families((made / "run.prom").read_text())
        for sample in family.samples
    }
    assert values["storystream_run_exit_code",] == 0
    assert values["storystream_run_seconds",] == recorded["seconds"]
    assert values["storystream_dataset_items", "keyframes"] == 20
    for stage in recorded["stages"]:
        for name in (
            "done",
            "reused",
            "seconds",
            "cpu_user",
            "cpu_system",
            "calls",
            "input_tokens",
            "cost",
        ):
            assert values[f"storystream_stage_{name}", stage["name"]] == stage[name]
    assert values["storystream_stage_counter", "captions", "rows Caption"] == 20
    assert values["storystream_stage_distribution", "captions", "max", "rows"] == 10
    assert "sk-very" not in (made / "run.prom").read_text()


def test_a_run_that_is_stopped_says_so_to_prometheus(made, tmp_path, capsys):
    (tmp_path / "films").mkdir()
    code = __main__.main(
        [
            "dataset",
            "--videos",
            str(tmp_path / "films"),
            "--out",
            str(made / "out"),
            "--metrics",
            str(tmp_path / "run.prom"),
        ]
    )
    assert code == 2
    text = (tmp_path / "run.prom").read_text()
    assert "storystream_run_exit_code 2.0" in text
    assert 'storystream_dataset_items{kind="keyframes"} 20.0' in text  # of the run before


def test_where_no_metrics_can_be_written_is_found_out_before_the_run(tmp_path, capsys, monkeypatch):
    def error_for(file):
        with pytest.raises(SystemExit) as ended:
            __main__.main(["dataset", "--videos", "films", "--out", "out", "--metrics", str(file)])
        assert ended.value.code == 2
        return capsys.readouterr().err

    assert "--metrics no/run.prom: there is no folder no" in error_for("no/run.prom")
    assert f"--metrics {tmp_path} is a folder: name a file in it" in error_for(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path))
    file = tmp_path / "run.prom"
    assert f"--metrics {file}: no permission to write to {tmp_path}" in error_for(file)


def ends(monkeypatch, how):
    """Makes `how` all that a run does."""
    monkeypatch.setattr(__main__, "_dataset", lambda arguments: how())


def test_metrics_that_cannot_be_written_change_no_exit_code(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "metrics"
    folder.mkdir()

    def without_its_folder():
        shutil.rmtree(folder)
        return 3

    ends(monkeypatch, without_its_folder)
    assert (
        __main__.main(
            [
                "dataset",
                "--videos",
                "films",
                "--out",
                str(tmp_path / "out"),
                "--metrics",
                str(folder / "run.prom"),
            ]
        )
        == 3
    )
    assert f"--metrics {folder / 'run.prom'} could not be written: " in capsys.readouterr().err


@pytest.mark.parametrize("error", [RuntimeError("of a worker"), KeyError("of ours")])
def test_a_run_that_ends_in_a_traceback_says_so_to_prometheus(tmp_path, monkeypatch, error):
    def fails():
        raise error

    ends(monkeypatch, fails)
    (tmp_path / "run.prom").write_text("storystream_run_exit_code 0.0\n")  # yesterday's
    with pytest.raises(type(error)):
        __main__.main(
            [
                "dataset",
                "--videos",
                "films",
                "--out",
                str(tmp_path / "out"),
                "-v",
                "--metrics",
                str(tmp_path / "run.prom"),
            ]
        )
    assert "storystream_run_exit_code 1.0" in (tmp_path / "run.prom").read_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.pop("dataset"),
        lambda run: run["stages"][3].pop("counters"),
        lambda run: run["stages"][3].update(calls={}),
    ],
)
def test_a_record_of_another_shape_costs_prometheus_its_figures_alone(
    recorded, tmp_path, capsys, change
):
    run = json.loads(json.dumps(recorded))
    change(run)
    (tmp_path / "run.json").write_text(json.dumps(run))
    prometheus.write(str(tmp_path / "run.prom"), str(tmp_path), 0)
    lines = (tmp_path / "run.prom").read_text().splitlines()
    assert [line for line in lines if line[0] != "#"] == ["storystream_run_exit_code 0.0"]
    assert f"has only the exit code, as {tmp_path / 'run.json'}" in capsys.readouterr().err


def test_a_bucket_that_does_not_answer_costs_no_exit_code(tmp_path, monkeypatch, capsys):
    def silent(path):
        raise OSError(f"{path}: error sending request")

    monkeypatch.setattr(storage, "exists", silent)
    prometheus.write(str(tmp_path / "run.prom"), "s3://bucket/out", 6)
    assert "storystream_run_exit_code 6.0" in (tmp_path / "run.prom").read_text()
    assert "s3://bucket/out/run.json: error sending request" in capsys.readouterr().err


def test_what_a_runner_does_not_count_is_not_zero(made, tmp_path):
    def no_metrics():
        raise NotImplementedError

    out = tmp_path / "out"
    out.mkdir()
    for path in (made / "out").iterdir():
        if path.is_file():
            (out / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((out / "dataset.json").read_text())
    stages = run_record.write(
        str(out),
        manifest,
        SimpleNamespace(metrics=no_metrics),
        "2026-01-02T03:04:05Z",
        1.0,
        "DaskRunner",
    )["stages"]
    assert {stage["done"] for stage in stages} == {None}
    captions = by_name(stages)["captions"]
    assert captions["calls"] is None and captions["earlier"]["calls"] == 20
    assert captions["earlier"]["timed_calls"] == 20
    report.write(str(out))
    assert "Its runner does not count" in (out / "report.html").read_text()


def test_calls_of_a_run_that_was_stopped_are_known_but_not_their_time(made, tmp_path, capsys):
    shutil.copytree(made / "out", tmp_path / "out")
    out = tmp_path / "out"
    manifest = json.loads((out / "dataset.json").read_text())
    for before in (None, "{}"):  # no record, or one of another version
        (out / "run.json").unlink()
        if before:
            (out / "run.json").write_text(before)
        nothing = SimpleNamespace(
            metrics=lambda: SimpleNamespace(query=lambda: {"counters": [], "distributions": []})
        )
        record = run_record.write(str(out), manifest, nothing, "2026-01-02T03:04:05Z", 1.0, "")
        captions = by_name(record["stages"])["captions"]
        assert captions["earlier"]["calls"] == 20
        assert captions["earlier"]["timed_calls"] == captions["earlier"]["seconds"] == 0
    assert f"{out / 'run.json'} has another version's format" in capsys.readouterr().err


def by_name(stages):
    return {stage["name"]: stage for stage in stages}


def test_keys_and_addresses_stay_out_of_the_command():
    assert run_record.redacted_command(
        [
            "x.py",
            "dataset",
            "--s3_secret_access_key=abc",
            "--job_endpoint",
            "10.0.0.7:8099",
            "--captioner",
            "openai:eyes@http://10.0.0.8/v1",
            "--set",
            "keyframes.every=3",
            "--runner=FlinkRunner",
        ]
    ) == (
        "python -m pipeline dataset --s3_secret_access_key=... --job_endpoint ... "
        "--captioner openai:eyes --set keyframes.every=3 --runner=FlinkRunner"
    )
