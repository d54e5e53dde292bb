"""Films and datasets in S3, with a real server: moto's, in this process, on a port of its own."""

import json
import logging
import os
import re
from pathlib import Path

import boto3
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from pipeline.dataset import report
from pipeline.dataset.verify import describe, verify
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.runtime import buckets, storage
from pipeline.testing.films import make_film, shots
from tests.pipeline.graph import test_build
from tests.pipeline.graph.test_build import IN_MEMORY, config, digests

scripted = test_build.scripted


class Requests(logging.Handler):
    """Notes what the server is asked: method and address of each request."""

    def __init__(self):
        super().__init__()
        self.requests = []

    def emit(self, entry):
        self.requests += re.findall(r'"\S*?([A-Z]+ /\S*)', entry.getMessage().replace("\x1b", ""))


@pytest.fixture(scope="module")
def server():
    """The server's notes of what it is asked; the buckets `films` and `datasets` are there."""
    log = logging.getLogger("werkzeug")
    before = log.level, log.handlers, log.propagate
    logging.disable(logging.NOTSET)  # the command line switches all logs off
    notes = Requests()
    log.setLevel(logging.INFO)
    log.handlers, log.propagate = [notes], False
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    with pytest.MonkeyPatch.context() as patch:
        host, port = served.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for bucket in ("films", "datasets"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        yield notes
    served.stop()
    log.level, log.handlers, log.propagate = before
    buckets._bucket.cache_clear()


@pytest.fixture(scope="module")
def films(server, tmp_path_factory):
    """A folder with a manifest, two films and the subtitles of one; it is in s3://films/pip too."""
    folder = tmp_path_factory.mktemp("all") / "pip"
    folder.mkdir()
    for episode in (1, 2):
        make_film(folder / f"Été [{episode}].mp4", shots(12, 16, seed=100 * episode))
    (folder / "lines.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nPip: Hello!\n")
    (folder / "manifest.csv").write_text(
        "uri,subtitles,series\nÉté [1].mp4,lines.srt,Pip\nÉté [2].mp4,,Pop\n"
    )
    for path in folder.iterdir():
        storage.write_bytes(f"s3://films/pip/{path.name}", path.read_bytes())
    return str(folder)


def make(source, out):
    return run.run(*discovery.find(str(source)), config(), str(out), IN_MEMORY)


def fetched(out, folder: Path) -> Path:
    """A dataset of the bucket, copied to a folder."""
    for path, _ in storage.find_in(out, "**"):
        if "/work/" not in path:
            storage.write_bytes(
                f"{folder}/{path.removeprefix(f'{out}/')}", storage.read_bytes(path)
            )
    return folder


@pytest.fixture
def empty(server):
    """The address of a dataset that is not there yet."""
    out = "s3://datasets/of films/pip"
    storage.remove([path for path, _ in storage.find_in(out, "**")])
    return out


@pytest.mark.slow
def test_the_dataset_is_the_same_wherever_films_and_dataset_are(films, empty, scripted, tmp_path):
    assert make(films, tmp_path / "all here") == 0
    here = digests(tmp_path / "all here")
    pictures = [name for name in here if name.endswith(".jpg")]
    assert sum(not name.startswith("characters/") for name in pictures) == 24
    assert make(films, empty) == 0
    assert digests(fetched(empty, tmp_path / "dataset there")) == here

    scripted.asked.clear()
    storage.remove([path for path, _ in storage.find_in(empty, "**")])
    assert make("s3://films/pip", empty) == 0
    there = digests(fetched(empty, tmp_path / "all there"))
    assert make("s3://films/pip", tmp_path / "films there") == 0
    assert digests(tmp_path / "films there") == there
    # Only the manifest says where the films are.
    assert {name for name in here if here[name] != there[name]} == {"dataset.json"}
    (first, _) = json.loads((tmp_path / "all there/dataset.json").read_text())["videos"]
    assert first["uri"] == "s3://films/pip/Été [1].mp4"
    keyframes = pq.read_table(tmp_path / "all there/keyframes.parquet").to_pylist()
    assert [line for row in keyframes for line in row["dialogue"]] == ["Pip: Hello!"]


@pytest.mark.slow
def test_a_dataset_in_a_bucket_is_verified_reported_and_gone_on_with(
    films, empty, scripted, server, tmp_path
):
    (first, second), _ = discovery.find("s3://films/pip")
    server.requests.clear()
    run.run([first], [], config(), empty, IN_MEMORY)
    name = storage.find_in(f"{empty}/characters", "**.jpg")[0][0].rpartition("_")[2]
    # A picture of a character is written and copied, and read for its text, its figures, the crop,
    # its colours and the shard.
    assert sorted(
        request.split(" ")[0]
        for request in server.requests
        if f"_{name}" in request and "/characters/" not in request
    ) == ["GET", "GET", "GET", "GET", "GET", "HEAD", "PUT", "PUT"]
    scripted.asked.clear()
    run.run([first, second], [], config(), empty, IN_MEMORY)
    assert {
        request.key.split("_")[0] for request in scripted.asked if request.task == "caption"
    } == {second.id}
    before = digests(fetched(empty, tmp_path / "once"))

    scripted.asked.clear()
    server.requests.clear()
    make("s3://films/pip", empty)
    assert scripted.asked == []
    pictures = [  # those of characters are read for their digests
        request
        for request in server.requests
        if ".jpg" in request and "/characters/" not in request
    ]
    assert pictures == [], "what is there already is listed, a folder at a time"
    assert digests(fetched(empty, tmp_path / "twice")) == before

    verdict = verify(empty)
    assert not verdict.counts, describe(verdict)
    storage.remove([f"{empty}/report.html"])
    report.write(empty)
    assert storage.exists(f"{empty}/report.html")
    picture = next(path for path, _ in storage.find_in(f"{empty}/images", "**.jpg"))
    storage.write_bytes(picture, storage.read_bytes(picture)[:-1])
    assert verify(empty).counts
    make("s3://films/pip", empty)  # a picture of another size is copied again
    assert not verify(empty).counts


@pytest.mark.slow
def test_worker_processes_read_and_write_there_too(films, empty):
    found, _ = discovery.find("s3://films/pip")
    run.run(found[:1], [], config(), empty, until="keyframes")
    assert len(storage.find_in(f"{empty}/work/pictures", "**.jpg")) == 12
    assert storage.find_in(f"{empty}/work", "running.json") == []


@pytest.mark.parametrize("source", ["s3://nobody", "s3://nobody/films", "s3://films/none/"])
def test_films_that_are_not_there_are_named(source, server):
    with pytest.raises(discovery.SourceError, match=source):
        discovery.find(source)


def test_a_bucket_as_a_whole_is_a_source(films):
    found, _ = discovery.find("s3://films")
    assert [video.title for video in found] == ["Été", "Été"]


def test_what_is_broken_off_leaves_nothing_in_the_bucket(server):
    with pytest.raises(KeyError), storage.writing("s3://datasets/broken off") as file:
        file.write(os.urandom(12_000_000))
        raise KeyError
    assert storage.find("s3://datasets/broken*") == []
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket="datasets")


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(server):
    data = os.urandom(12_000_000)
    storage.write_bytes("s3://datasets/large", data)
    assert storage.read_bytes("s3://datasets/large") == data
    with storage.reading("s3://datasets/large") as file:
        assert (file.seek(11_000_000), file.read(5)) == (11_000_000, data[11_000_000:11_000_005])
    storage.write_bytes("s3://datasets/empty", b"")
    assert storage.read_bytes("s3://datasets/empty") == b""
    with pytest.raises(OSError, match="s3://nobody/large"):
        storage.write_bytes("s3://nobody/large", data)
    storage.remove(["s3://datasets/large", "s3://datasets/empty", "s3://datasets/never"])
    assert storage.find("s3://datasets/large") == []
