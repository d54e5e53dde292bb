"""The dataset card of a small dataset with names and texts that mean harm."""

import json
import re

import datasets
import pandas as pd
import pytest
import webdataset
from huggingface_hub import DatasetCard

from pipeline.dataset.dataset_card import card, license_id
from tests.pipeline.dataset.untrusted import EVIL, TEXTS, copy_of


def test_card_says_to_the_hub_what_it_wants_to_know(untrusted):
    dataset = json.loads((untrusted / "dataset.json").read_text())
    parsed = DatasetCard(card(dataset))
    data = parsed.data
    assert data.license == "cc-by-3.0"
    assert data.language == ["en"]
    assert data.pretty_name == "Tales " + EVIL
    assert data.task_categories == ["image-to-text", "text-to-image", "text-generation"]
    assert data.size_categories == ["n<1K"]
    assert data.configs == [
        {
            "config_name": "chunks",
            "version": "0.0.41394",  # a1b2
            "default": True,
            "data_files": [
                {"split": "train", "path": "shards/train-*.tar"},
                {"split": "validation", "path": "shards/val-*.tar"},
            ],
        }
    ]
    assert card(dataset) == card(dataset)


def test_card_names_only_splits_that_exist(untrusted):
    dataset = json.loads((untrusted / "dataset.json").read_text())
    del dataset["splits"]["val"]
    assert DatasetCard(card(dataset)).data.configs[0]["data_files"] == [
        {"split": "train", "path": "shards/train-*.tar"}
    ]
    assert "val-" not in card(dataset)
    dataset["splits"] = {}
    assert [config["config_name"] for config in DatasetCard(card(dataset)).data.configs] == [
        "stories",
        "keyframes",
    ]


def test_card_escapes_names_in_its_tables(untrusted):
    text = card(json.loads((untrusted / "dataset.json").read_text()))
    (row,) = [line for line in text.splitlines() if "bold" in line][:1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5  # four cells, whatever is in them
    assert r"\<b\>bold\</b\>" in row
    assert not re.search(r"(?<!\\)<script", text.split("---\n", 2)[2])


def test_card_with_licenses_that_differ(untrusted):
    dataset = json.loads((untrusted / "dataset.json").read_text())
    dataset["videos"][1]["license"] = "Studio licence 7"
    data = DatasetCard(card(dataset)).data
    assert (data.license, data.license_name) == ("other", "several-see-sources")
    dataset["videos"][0]["license"] = "Studio licence 7"
    data = DatasetCard(card(dataset)).data
    assert (data.license, data.license_name) == ("other", "studio-licence-7")


def test_card_speaks_of_scores_characters_and_recognised_dialogue(untrusted):
    dataset = json.loads((untrusted / "dataset.json").read_text())
    text = card(dataset)
    (cut,) = re.findall(r"^varied = (stories\[.*\])$", text, re.MULTILINE)
    varied = eval(cut, {"stories": pd.read_parquet(untrusted / "stories.parquet")})
    assert [scores["repetition"] for scores in varied.scores] == [
        0.0466
    ]  # not 0.5, not the unscored
    assert "| `characters/<series>.yaml` |" in text
    assert "recognised" not in text
    dataset["config"]["speech"] = "tiny`.en"
    assert "recognised from its sound by\n`tiny'.en`" in card(dataset)
    assert "characters/<series>.yaml" not in card({**dataset, "characters": []})


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("CC BY 3.0", "cc-by-3.0"),
        ("cc-by-sa-4.0", "cc-by-sa-4.0"),
        ("CC0 1.0", "cc0-1.0"),
        ("CC0", "cc0-1.0"),
        ("CC0 1.0 Universal", "cc0-1.0"),
        ("CC Zero", "cc0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
        ("CC-BY-4.0", "cc-by-4.0"),
        ("CC BY 4.0 International", "cc-by-4.0"),
        ("Creative Commons Attribution 4.0 International License", "cc-by-4.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 3.0 Unported", "cc-by-nc-sa-3.0"),
        ("CC BY-NC-ND 4.0 Deed", "cc-by-nc-nd-4.0"),
        ("http://creativecommons.org/licenses/by-sa/4.0/deed.de", "cc-by-sa-4.0"),
        ("https://spdx.org/licenses/CC-BY-SA-4.0.html", "cc-by-sa-4.0"),
        ("https://opensource.org/licenses/MIT", "mit"),
        ("MIT License", "mit"),
        ("Apache License, Version 2.0", "apache-2.0"),
        ("Apache-2.0", "apache-2.0"),
        ("The Unlicense", "unlicense"),
        ("CC BY", ""),
        ("CC BY 9.0", ""),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "cc-by-nc-4.0"),
        ("Creative Commons Attribution 3.0", "cc-by-3.0"),
        ("all rights reserved", ""),
        ("", ""),
    ],
)
def test_licenses_as_people_write_them(written, known):
    assert license_id(written) == known


def test_the_card_leads_datasets_to_the_shards(untrusted, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    out = copy_of(untrusted, tmp_path)
    dataset = json.loads((out / "dataset.json").read_text())
    (out / "README.md").write_text(card(dataset))
    pictures = sorted((out / "images").rglob("*.jpg"))[:10]
    for split in ("train", "val"):
        (out / "shards").mkdir(exist_ok=True)
        with webdataset.TarWriter(str(out / f"shards/{split}-00000-of-00001.tar")) as shard:
            shard.write(
                {
                    "__key__": f"{split}_chunk",
                    "json": {"captions": TEXTS},
                    **{f"{at:02d}.jpg": path.read_bytes() for at, path in enumerate(pictures)},
                }
            )
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: part.num_rows for name, part in loaded.items()} == {"train": 1, "validation": 1}
    chunk = loaded["validation"][0]
    assert chunk["__key__"] == "val_chunk"
    assert chunk["json"]["captions"] == TEXTS
    assert chunk["09.jpg"].size == (64, 36)


def offline(monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_a_dataset_that_is_made_again_is_not_served_from_an_old_cache(
    untrusted, tmp_path, monkeypatch
):
    offline(monkeypatch)
    dataset = json.loads((untrusted / "dataset.json").read_text()) | {"splits": {}}
    dataset["splits"]["train"] = {"videos": 1, "stories": 1, "chunks": 1}
    (tmp_path / "out/shards").mkdir(parents=True)
    for version, text in (("a1b2", "Once."), ("c3d4", "Once more.")):
        (tmp_path / "out/README.md").write_text(card(dataset | {"version": version}))
        shard = str(tmp_path / "out/shards/train-00000-of-00001.tar")
        with webdataset.TarWriter(shard) as tar:
            tar.write({"__key__": "a", "json": {"captions": [text]}})
        loaded = datasets.load_dataset(
            str(tmp_path / "out"), "chunks", split="train", cache_dir=str(tmp_path / "cache")
        )
        assert loaded[0]["json"]["captions"] == [text]


def test_builders_of_datasets_take_what_is_there(untrusted, tmp_path, monkeypatch):
    offline(monkeypatch)
    out = copy_of(untrusted, tmp_path)
    (out / "images/train_stories.jsonl").write_text("{}\n")
    (load,) = re.findall(r"^pictures = load_dataset\((.*)\)$", card_of(out), re.MULTILINE)
    arguments = load.replace("path/to/dataset", str(out))
    pictures = eval(f"datasets.load_dataset({arguments}, cache_dir={str(tmp_path / 'cache')!r})")
    assert pictures.num_rows == 57 and pictures[0]["image"].size == (64, 36)
    (out / "shards").mkdir()
    with webdataset.TarWriter(str(out / "shards/train-00000-of-00001.tar")) as shard:
        shard.write({"__key__": "a", "json": {"captions": TEXTS}})
    chunks = datasets.load_dataset(
        "webdataset",
        data_files=f"{out}/shards/train-*.tar",
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert chunks[0]["json"]["captions"] == TEXTS


def card_of(out):
    return card(json.loads((out / "dataset.json").read_text()))


def test_the_card_says_for_how_many_workers_there_are_shards(untrusted):
    dataset = json.loads((untrusted / "dataset.json").read_text())
    assert "Each worker" not in card(dataset)
    dataset["files"] += [
        {"path": f"shards/train-{at:05d}-of-00012.tar", "bytes": 1, "sha256": ""}
        for at in range(12)
    ]
    assert "`train` has 12, for as many\nworkers in all" in card(dataset)


def test_python_in_the_card_is_python(untrusted):
    text = card(json.loads((untrusted / "dataset.json").read_text()))
    blocks = re.findall("```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        compile(block, "card", "exec")
