"""A dataset in S3, with a real server: moto's, in this process, on a port of its own."""

import boto3
import pytest
from moto.server import ThreadedMotoServer

from model import __main__ as command
from model import data, remote, runs
from model.data import DataError
from tests.model.test_chain import STAGES, place  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def bucket():
    """A client of a server that has a bucket `datasets`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="datasets")
        yield client
    server.stop()


@pytest.fixture(scope="module")
def there(bucket, place):  # noqa: F811
    """The address of the chain's dataset in the bucket, beside a file that is not for training."""
    for path in (place / "data").rglob("*.*"):
        bucket.upload_file(str(path), "datasets", f"pip/{path.relative_to(place / 'data')}")
    bucket.put_object(Bucket="datasets", Key="pip/images/a.jpg", Body=b"not read")
    return "s3://datasets/pip"


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_copy_has_the_manifest_and_the_shards(there, place, tmp_path):  # noqa: F811
    here = remote.copied(there, tmp_path / "here")
    assert files(tmp_path / "here") == files(place / "data")
    assert runs.digest(here) == runs.digest(str(place / "data"))
    assert remote.copied(str(place / "data"), tmp_path / "none") == str(place / "data")
    assert not (tmp_path / "none").exists()


def test_a_copy_that_was_stopped_goes_on_and_one_of_another_dataset_is_made_anew(
    bucket,
    there,
    tmp_path,
):
    folder = tmp_path / "here"
    remote.copied(there, folder, ["val"])
    val = folder / "shards" / "val-00000-of-00001.tar"
    assert data.shards(str(folder), "val") == [str(val)]
    before = val.stat().st_mtime_ns
    (folder / "shards" / "train-00000-of-00001.tar.part").write_bytes(b"half")
    remote.copied(there, folder)
    assert val.stat().st_mtime_ns == before
    assert [path.suffix for path in (folder / "shards").iterdir()] == [".tar", ".tar"]

    bucket.put_object(Bucket="datasets", Key="pap/dataset.json", Body=b'{"version": 2}')
    remote.copied("s3://datasets/pap", folder)
    assert list(files(folder)) == ["dataset.json"]


def test_a_run_learns_from_a_bucket_what_it_learns_from_a_folder(there, place, tmp_path):  # noqa: F811
    first = list(STAGES)[1]
    for name, source in (("far", there), ("near", str(place / "data"))):
        arguments = ["--data", source, "--run", str(tmp_path / name), "--stage", first]
        assert command.main(["train", str(place / "preset"), *arguments]) == 0
    far, near = (files(tmp_path / name / first) for name in ("far", "near"))
    weights = "diffusion_pytorch_model.safetensors"
    assert far[weights] == near[weights]


def test_a_dataset_that_is_not_there_is_named(bucket, tmp_path, capsys):
    with pytest.raises(DataError, match=r"s3://datasets/pup cannot be read .*make dataset OUT=s3:"):
        remote.copied("s3://datasets/pup", tmp_path / "here")
    run = ["--data", "s3://datasets/pup", "--run", str(tmp_path / "run")]
    assert command.main(["train", "tiny", *run]) == 2
    assert command.main(["generate", *run]) == 2
    assert capsys.readouterr().err.count("s3://datasets/pup cannot be read") == 2
    with pytest.raises(DataError, match=r"zz://x/y cannot be read"):
        remote.copied("zz://x/y", tmp_path / "here")
