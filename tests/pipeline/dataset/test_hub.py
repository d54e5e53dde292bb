"""Pushing a dataset to a hub on loopback, and what its users then find there."""

import hashlib
import json
import shutil

import datasets
import mlcroissant
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard
from PIL import Image

from pipeline.__main__ import main
from pipeline.dataset import hub as hub_push
from pipeline.dataset.dataset_card import may_be_shared
from pipeline.dataset.file_digests import file_record
from pipeline.dataset.manifest import dataset_version
from schemas.rows import Keyframe, Video, from_table, to_table
from tests.pipeline.dataset.hub_server import point_to, serving
from tests.pipeline.dataset.untrusted import TEXTS, copy_of


@pytest.fixture
def tales(untrusted, tmp_path):
    """The dataset whose names mean harm, with the digests that it has, as one that is whole."""
    out = copy_of(untrusted, tmp_path)
    for number, path in enumerate(sorted(out.rglob("*.jpg"))):
        Image.new("RGB", (64, 36), (3 * number, 99, 0)).save(path)
    keyframes = from_table(pq.read_table(out / "keyframes.parquet"), Keyframe)
    values = [vars(row) | vars(file_record(str(out), row.image)) for row in keyframes]
    [value.pop("path") for value in values]
    keyframes = [Keyframe(**value) for value in values]
    pq.write_table(to_table(keyframes, Keyframe), out / "keyframes.parquet")
    content = json.loads((out / "dataset.json").read_text())
    films = [
        Video(film["id"], film["uri"], film["series"], film["title"], license=film["license"])
        for film in content["videos"]
    ]
    pq.write_table(to_table(films, Video), out / "videos.parquet")
    (out / "shards").mkdir()
    (out / "shards/train-00000-of-00001.tar").write_bytes(b"a shard")
    (out / "work").mkdir()
    (out / "work/answers.json").write_text("what a model was asked")
    names = [path.name for path in out.glob("*.parquet")] + ["shards/train-00000-of-00001.tar"]
    crops = [path.relative_to(out).as_posix() for path in (out / "characters").rglob("*.jpg")]
    records = [file_record(str(out), name) for name in sorted([*names, *crops])]
    content["files"] = [vars(record) for record in records]
    content["version"] = dataset_version(records)
    content["config"]["output"] = {"split_likeness": 0.95}
    (out / "dataset.json").write_text(json.dumps(content))
    return out


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with serving(tmp_path / "repository") as hub:
        point_to(hub, monkeypatch)
        yield hub


def push(out, *more):
    return main(["push", str(out), "pip/tales", *more])


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def change(out, **values):
    content = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps(content | values))


def test_what_is_pushed_is_the_dataset_without_its_work(tales, hub, capsys):
    assert push(tales) == 0
    assert capsys.readouterr().out == f"{hub.address}/datasets/pip/tales\n"
    assert hub.visibility == "private"
    found = files_of(hub.folder)
    added = {"hub/train-00000.parquet", "hub/val-00000.parquet", "hub/sources.csv"}
    here = {path for path in files_of(tales) if not path.startswith("work/")}
    assert found == (here | added | {"croissant.json", "README.md"}) - {"run.json", "report.html"}
    changed = {"README.md", "dataset.json"} | added | {"croissant.json"}
    for path in found - changed:
        assert (hub.folder / path).read_bytes() == (tales / path).read_bytes()
    assert hub.commits[-1] == ["dataset.json"]
    ours, theirs = (
        json.loads((folder / "dataset.json").read_text()) for folder in (tales, hub.folder)
    )
    assert theirs["version"] == ours["version"]  # it is the same dataset
    card = file_record(str(hub.folder), "README.md")
    assert [file for file in theirs["files"] if file not in ours["files"]] == [vars(card)]


def test_a_push_that_was_stopped_goes_on_and_one_that_is_done_sends_nothing(
    tales, hub, monkeypatch, capsys
):
    monkeypatch.setattr(hub_push, "FILES_PER_COMMIT", 10)
    hub.fails_after = 3
    assert push(tales) == 2
    assert "the hub is full" in capsys.readouterr().err
    assert len(hub.commits) == 3 and not (hub.folder / "dataset.json").exists()
    hub.fails_after = 1000
    assert push(tales) == 0
    assert len(hub.uploads) == len(set(hub.uploads))  # nothing twice
    sent = [path for commit in hub.commits for path in commit]
    assert sorted(sent) == sorted(set(sent)) and set(sent) == files_of(hub.folder)
    commits = len(hub.commits)
    assert push(tales) == 0
    assert len(hub.commits) == commits


def test_a_new_version_deletes_what_it_no_longer_has(tales, hub):
    assert push(tales) == 0
    (hub.folder / "images/old").mkdir()
    (hub.folder / "images/old/old.jpg").write_bytes(b"of an earlier version")
    (hub.folder / "notes.md").write_text("its owner's")
    change(tales, name="Other tales")
    assert push(tales) == 0
    first, *_, last = hub.commits[-3:]
    assert first == ["-dataset.json", "-images/old/old.jpg"] and last == ["dataset.json"]
    assert (hub.folder / "notes.md").exists()
    assert "Other tales" in (hub.folder / "README.md").read_text()


@pytest.mark.parametrize("license", ["CC BY-NC-ND 4.0", "", "all rights reserved"])
def test_a_film_that_may_not_be_shared_is_named_and_nothing_is_pushed(tales, hub, capsys, license):
    films = json.loads((tales / "dataset.json").read_text())["videos"]
    films[1]["license"] = license
    change(tales, videos=films)
    assert push(tales) == 2
    said = capsys.readouterr().err
    assert "the licences of 1 films" in said and "--i-have-the-rights" in said
    assert f"({license or 'no licence given'})" in said
    assert not hub.visibility and not hub.commits
    assert push(tales, "--i-have-the-rights") == 0
    assert hub.commits


def test_a_licence_without_derivatives_and_an_unknown_one_let_nobody_share():
    shared = ("CC BY 3.0", "CC0", "cc-by-nc-sa-4.0", "Public Domain", "Apache-2.0")
    assert all(map(may_be_shared, shared))
    assert not any(map(may_be_shared, ("CC BY-ND 4.0", "cc-by-nc-nd-3.0", "", "Studio licence")))


def test_a_hub_that_is_not_there_and_a_name_that_is_none_are_said(tales, hub, capsys, monkeypatch):
    assert main(["push", str(tales), "tales/of/pip"]) == 2
    assert "tales/of/pip" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert push(tales) == 2
    assert "error: http://127.0.0.1:9/datasets/pip/tales: " in capsys.readouterr().err


def test_a_file_that_changed_is_not_pushed(tales, hub, capsys):
    (tales / "shards/train-00000-of-00001.tar").write_bytes(b"a sharD")
    assert push(tales) == 2
    assert "is not the file that the dataset names" in capsys.readouterr().err
    assert not (hub.folder / "shards").exists()


@pytest.fixture
def films(tales, tmp_path, monkeypatch):
    """A source of films that a run makes the tales of; the runs' folders are listed."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here/kite.mp4").write_bytes(b"a film")
    (tmp_path / "here/films.csv").write_text("uri,license\nkite.mp4,CC BY 4.0\n")

    def run(found, rejects, chosen, out, *_):
        assert [film.license for film in found] == ["CC BY 4.0"]
        shutil.copytree(tales, out, dirs_exist_ok=True)
        return 0

    monkeypatch.setattr("pipeline.graph.run.run", run)
    return tmp_path / "here"


def make(*more, out="hf://pip/tales"):
    return main(["dataset", "--videos", "films.csv", "--out", out, *more])


def test_a_dataset_is_made_in_a_folder_and_then_pushed_to_the_repository_that_out_names(
    films, hub, capsys
):
    hub.fails_after = 1
    assert make() == 2  # the same command goes on where the push was stopped
    hub.fails_after = 1000
    assert make(out="hf://datasets/pip/tales") == 0  # the hub's other way to write it
    said = capsys.readouterr()
    assert said.out == f"{hub.address}/datasets/pip/tales\n"
    assert "made in data/hub/pip/tales and then pushed to hf://pip/tales" in said.err
    assert (films / "data/hub/pip/tales/dataset.json").exists()
    assert hub.commits[-1] == ["dataset.json"]


def test_films_that_may_not_be_shared_stop_such_a_run_before_it_begins(films, hub, capsys):
    (films / "films.csv").write_text("uri,license\nkite.mp4,all rights reserved\n")
    assert make() == 2
    assert "kite (all rights reserved)" in capsys.readouterr().err
    assert not (films / "data").exists() and not hub.visibility


def test_a_repository_without_an_owner_is_refused(films, hub, capsys):
    assert make(out="hf://tales") == 2
    assert "hf://OWNER/NAME" in capsys.readouterr().err


def test_every_config_loads(tales, hub, tmp_path, monkeypatch):
    assert push(tales) == 0
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    configs = DatasetCard((hub.folder / "README.md").read_text()).data.configs
    names = [config["config_name"] for config in configs]
    assert names == ["stories", "cast", "keyframes", "videos"]
    loaded = {
        name: datasets.load_dataset(str(hub.folder), name, cache_dir=str(tmp_path / "cache"))
        for name in names
    }
    stories = loaded["stories"]
    assert {side: part.num_rows for side, part in stories.items()} == {"train": 2, "validation": 1}
    story = stories["validation"][0]
    assert [picture.size for picture in story["images"]] == [(64, 36)] * 12
    assert story["captions"] == pq.read_table(tales / "stories.parquet")["captions"][2].as_py()
    assert story["license"] == "CC BY 3.0"
    assert loaded["keyframes"]["train"].num_rows == 57


def test_croissant_metadata_is_valid_and_leads_to_the_stories(tales, hub):
    assert push(tales) == 0
    content = json.loads((hub.folder / "croissant.json").read_text())
    files = [file["@id"] for file in content["distribution"] if "includes" not in file]
    described = mlcroissant.Dataset(
        jsonld=hub.folder / "croissant.json",
        mapping={name: hub.folder / name.removeprefix("repository") for name in files},
    )
    issues = described.metadata.ctx.issues
    assert list(issues.errors) == []
    assert [warning.split('"')[1] for warning in issues.warnings] == [
        "https://schema.org/datePublished"  # nobody knows it before it is pushed
    ]
    first = next(iter(described.records("films")))
    assert first["films/license"] == b"CC BY 3.0"
    story = next(iter(described.records("stories")))
    assert story["stories/id"].decode().endswith("_story_000")
    assert [text.decode() for text in story["stories/captions"]] == [
        TEXTS[at % 7] for at in range(30)
    ]
    assert [picture.size for picture in story["stories/images"]] == [(64, 36)] * 30
    digests = {
        file["@id"]: file["sha256"]
        for file in content["distribution"]
        if file["@id"].endswith(".parquet")
    }
    assert digests == {
        path: hashlib.sha256((hub.folder / path).read_bytes()).hexdigest()
        for path in ("hub/train-00000.parquet", "hub/val-00000.parquet", "videos.parquet")
    }
