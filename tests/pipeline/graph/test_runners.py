"""The same graph on every runner that runs here: the same bytes, and what goes wrong is said."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import apache_beam as beam
import distributed
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dataflow.internal import apiclient

from pipeline.config import load
from pipeline.graph import build, run, runners, stage_cache
from pipeline.graph.stages import names as stage_names
from pipeline.inference.budget import BudgetSpent
from pipeline.ingest import discovery
from pipeline.testing.behaviours import answering
from pipeline.testing.films import make_film, shots
from pipeline.testing.model_server import serving
from schemas.rows import Reject, Video
from tests.pipeline.comparing import digests

ROOT = Path(__file__).parents[3]
IN_MEMORY = ["--direct_running_mode=in_memory"]


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two episodes of a series, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("films")
    for episode in (1, 2):
        make_film(folder / f"S01E0{episode}.mp4", shots(10, 16, seed=100 * episode))
    (folder / "S01E03.mp4").write_bytes(b"this is no film" * 100)
    return folder


@pytest.fixture(scope="module")
def settings():
    """Models that any process can ask: a server on loopback."""
    with serving(answering()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        yield [
            f"captioner=openai:eyes@{server.url}",
            f"writer=openai:pen@{server.url}",
            "quality.min_grounding=null",
        ]


@pytest.fixture(scope="module")
def job_server(tmp_path_factory) -> list[str]:
    """A portable job server in a process of its own; its workers are threads of this one."""
    port = tmp_path_factory.mktemp("server") / "port"
    command = [
        sys.executable,
        "-m",
        "apache_beam.runners.portability.local_job_service_main",
        "--port_file",
        str(port),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        while not port.exists() and server.poll() is None:
            time.sleep(0.1)
        yield [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{port.read_text()}",
            "--environment_type=LOOPBACK",
        ]
        server.kill()


@pytest.fixture(scope="module")
def dask(settings) -> list[str]:
    """A Dask cluster of two worker processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit=None, dashboard_address=":0"
    ) as cluster:
        yield ["--runner=DaskRunner", f"--dask_client_address={cluster.scheduler_address}"]


def make(films, out, settings, options) -> int:
    return run.run(*discovery.find(str(films)), load("", settings), str(out), options)


@pytest.fixture(scope="module")
def made(films, settings, tmp_path_factory) -> Path:
    """What one process makes of them."""
    out = tmp_path_factory.mktemp("made")
    assert make(films, out, settings, IN_MEMORY) == 0
    return out


@pytest.fixture(params=["several processes", "job server", "dask"])
def options(request) -> list[str]:
    """Beam's options for each of the other runners."""
    if request.param == "several processes":
        return []
    return request.getfixturevalue(request.param.replace(" ", "_"))


@pytest.mark.slow
def test_every_runner_makes_the_same_dataset(films, settings, made, options, tmp_path):
    assert make(films, tmp_path, settings, options) == 0
    assert digests(tmp_path) == digests(made)
    assert len(digests(made)) > 20
    assert (tmp_path / "report.html").exists()
    record = json.loads((tmp_path / "run.json").read_text())
    done = [stage["done"] for stage in record["stages"] if stage["name"] in stage_names()]
    if record["runner"] == "DaskRunner":  # which counts nothing; that is not zero
        assert done == [None] * len(stage_names())
    else:
        assert done == [3] * len(stage_names())


@pytest.mark.slow
def test_an_empty_budget_ends_the_run_on_every_runner(films, settings, made, options, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    dear = [
        "prices={eyes: {input: 1, output: 1}, pencil: {input: 1000, output: 1000}}",
        settings[1].replace(":pen@", ":pencil@"),
        "budget=0.001",
    ]
    with pytest.raises(RuntimeError) as stopped:
        make(films, tmp_path, [settings[0], *dear], options)
    code, reason = run.stop_code(stopped.value)
    assert code == BudgetSpent.exit_code
    assert reason.startswith("the budget of 0.001 does not allow another call")


def test_no_film_at_all_is_a_dataset_of_rejects(settings, tmp_path):
    reject = Reject("video", "a.mp4", "empty", "0 bytes")
    code = run.run([], [reject], load("", settings), str(tmp_path), IN_MEMORY)
    assert code == run.NO_STORIES
    counts = json.loads((tmp_path / "dataset.json").read_text())["counts"]
    assert (counts["videos"], counts["rejects"]) == (0, 1)


def test_a_job_server_that_is_not_there_is_named(films, settings, monkeypatch, tmp_path):
    monkeypatch.setattr(runners, "_JOB_SERVER_TIMEOUT", 0.2)
    with pytest.raises(OSError, match=r"no job server responds at localhost:1: is it running\?"):
        make(films, tmp_path, settings, ["--runner=PortableRunner", "--job_endpoint=localhost:1"])


# --- Dataflow ------------------------------------------------------------------------------------


def documented() -> list[str]:
    """The options of the Dataflow command in docs/runners.md."""
    commands = re.findall(
        r"^python -m pipeline dataset (?:.*\\\n)*.*",
        (ROOT / "docs/runners.md").read_text(),
        re.MULTILINE,
    )
    (command,) = [command for command in commands if "DataflowRunner" in command]
    values = {
        "PROJECT": "a-project",
        "REGION": "europe-west4",
        "BUCKET": "a-bucket",
        "IMAGE": "europe-west4-docker.pkg.dev/a-project/storystream/worker:1",
    }
    for name, value in values.items():
        command = command.replace(f"${name}", value)
    return shlex.split(command.replace("\\\n", " "))[4:]


def dataflow_options() -> list[str]:
    ours = ("--videos", "--out", "--captioner", "--writer")
    words = iter(documented())
    options = [word for word in words if word not in ours or not next(words)]
    return [*options, "--dry_run=True"]


VIDEO = Video("S01E01", "gs://a-bucket/films/S01E01.mp4", "Fox", "One")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a dry run reaches for the network")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("google.auth.default", refuse)


def test_dataflow_takes_the_graph(settings, no_network, capsys):
    code = run.run([VIDEO], [], load("", settings), "gs://a-bucket/dataset", dataflow_options())
    assert code == 0
    assert "DataflowRunner accepts the graph; nothing was run" in capsys.readouterr().out


def test_the_documented_command_asks_dataflow_for_what_the_page_says(settings, no_network):
    options = PipelineOptions(dataflow_options())
    pipeline = beam.Pipeline(options=options)
    out = "gs://a-bucket/dataset"
    build.dataset(pipeline, [VIDEO], [], stage_cache.Run(load("", settings), out, f"{out}/work"))
    job = pipeline.run().job
    names = {step.unique_name for step in job.proto_pipeline.components.transforms.values()}
    assert {name.capitalize() for name in stage_names()} | {"Shards", "Publish"} <= names
    environment = apiclient.Environment(
        packages=[],
        options=options,
        environment_version="8",
        proto_pipeline_staged_url="gs://a-bucket/tmp/graph",
        proto_pipeline=job.proto_pipeline,
    )
    (pool,) = environment.proto.worker_pools
    assert pool.machine_type == "n2-standard-4"
    assert pool.autoscaling_settings.max_num_workers == 200
    assert pool.autoscaling_settings.algorithm.name == "AUTOSCALING_ALGORITHM_BASIC"
    assert pool.num_threads_per_worker == 1
    (container,) = pool.sdk_harness_container_images
    assert container.container_image.endswith("/storystream/worker:1")


@pytest.mark.parametrize(
    ("options", "out", "message"),
    [
        (
            ["--runner=DataflowRunner"],
            "data/dataset",
            "data/dataset: Dataflow workers cannot access files on this machine",
        ),
        (["--dry_run=True"], "gs://a-bucket/dataset", "--dry_run is for DataflowRunner"),
        (["--dryrun"], "data/dataset", "unknown options: --dryrun;"),
        (
            ["--runner=DataflowRunner", "--max_workers=9"],
            "gs://a-bucket/dataset",
            "unknown options: --max_workers=9;",
        ),
    ],
)
def test_what_does_not_fit_the_runner_is_said(settings, options, out, message):
    with pytest.raises(ValueError, match=message):
        run.run([VIDEO], [], load("", settings), out, options)


# --- the container -------------------------------------------------------------------------------


def test_the_container_has_the_python_and_the_beam_that_start_the_job():
    # Other variables of the environment would be options of the make that runs the tests.
    command = subprocess.run(
        ["make", "-n", "image"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    ).stdout
    assert f"--build-arg BEAM={metadata.version('apache-beam')}" in command
    dockerfile = (ROOT / "Dockerfile").read_text()
    pythons = set(re.findall(r"(?:python:|beam_python)(\d+\.\d+)", dockerfile))
    assert len(pythons) == 1
    assert re.search(r"^USER (?!root)", dockerfile, re.MULTILINE)
    assert "_sdk:${BEAM}" in dockerfile
