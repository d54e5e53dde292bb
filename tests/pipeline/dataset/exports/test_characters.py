"""Folders by character, read by the rules of sd-scripts, musubi-tuner and OneTrainer."""

import dataclasses
import json
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.dataset.exports import characters
from schemas.rows import Appearance, from_table, to_table


def as_sd_scripts(train_data_dir):
    """Repeats, class and pictures with captions as `generate_dreambooth_subsets_config_by_subdirs`
    and DreamBoothDataset of sd-scripts read a folder."""
    return {
        "_".join(folder.name.split("_")[1:]): (int(folder.name.split("_")[0]), *captioned(folder))
        for folder in sorted(train_data_dir.iterdir())
    }


def captioned(folder):
    """The pictures of a folder, and the first line of the caption of each, as it reads them."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix == ".jpg")
    return pictures, [path.with_suffix(".txt").read_text().splitlines()[0] for path in pictures]


def as_sd_scripts_config(path):
    """Class, repeats and captioned pictures by the settings that `--dataset_config` names."""
    settings = tomllib.loads(path.read_text())
    assert settings["general"] == {"caption_extension": ".txt"}
    (dataset,) = settings["datasets"]
    assert set(dataset) == {"enable_bucket", "subsets"}
    for subset in dataset["subsets"]:
        assert set(subset) == {"image_dir", "class_tokens", "num_repeats"}
        yield subset["class_tokens"], subset["num_repeats"], captioned(Path(subset["image_dir"]))


def as_musubi_tuner(path):
    """Repeats and captioned pictures as musubi-tuner has them from its `--dataset_config`: known
    keys alone, a folder each, whose caches lie in it, so no folder twice. Its captions are whole
    files."""
    settings = tomllib.loads(path.read_text())
    assert settings["general"] == {"caption_extension": ".txt", "enable_bucket": True}
    folders = [Path(dataset["image_directory"]) for dataset in settings["datasets"]]
    assert len(set(folders)) == len(folders)
    for dataset, folder in zip(settings["datasets"], folders, strict=True):
        assert set(dataset) == {"image_directory", "num_repeats"}
        files = sorted(file for file in folder.iterdir() if file.suffix == ".jpg")
        texts = [file.with_suffix(".txt").read_text().strip() for file in files]
        yield dataset["num_repeats"], files, texts


def as_one_trainer(path):
    """Name, kind, balancing and captioned pictures of the concepts that OneTrainer has from a file.
    One without `__version` is migrated: `repeats` was the name of `balancing`, and
    `validation_concept` became `type`. Each line of a caption is a caption."""
    for concept in json.loads(path.read_text()):
        assert "__version" not in concept and "repeats" not in concept
        kind = "VALIDATION" if concept.pop("validation_concept") else "STANDARD"
        assert concept["enabled"] and concept["balancing_strategy"] in ("REPEATS", "SAMPLES")
        assert isinstance(concept["balancing"], float)
        assert concept["text"]["prompt_source"] == "sample"  # captions lie beside the pictures
        files = sorted(file for file in Path(concept["path"]).iterdir() if file.suffix == ".jpg")
        texts = [file.with_suffix(".txt").read_text().splitlines() for file in files]
        yield concept["name"], kind, concept["balancing"], files, texts


def test_each_character_has_a_folder_of_its_pictures_with_captions(dataset, tmp_path):
    characters.export(str(dataset), str(tmp_path / "to"))
    found = as_sd_scripts(tmp_path / "to/train")
    repeats, pictures, texts = found["Momo"]
    assert (repeats, len(pictures)) == (1, 60)
    assert texts[0] == "Momo. Caption of a_keyframe_0-0-0-0."
    first = dataset / "images/a/a_keyframe_0-0-0-0.jpg"
    assert pictures[0].read_bytes() == first.read_bytes()
    (rare,) = set(found) - {"Momo"}
    assert "/" not in rare
    repeats, pictures, texts = found[rare]
    assert (repeats, len(pictures)) == (10, 6)  # shown as often as Momo
    assert texts[1] == "Pip / Q. Caption of a_keyframe_0-0-10-0."
    assert len(as_sd_scripts(tmp_path / "to/val")["Momo"][1]) == 12


def test_the_settings_of_all_trainers_name_the_folders(dataset, tmp_path):
    paths = [Path(path) for path in characters.export(str(dataset), str(tmp_path / "to"))]
    assert [path.name for path in paths] == [
        f"{split}-{name}"
        for split in ("train", "val")
        for name in ("dataset.toml", "musubi.toml", "concepts.json")
    ]
    subsets = list(as_sd_scripts_config(paths[0]))
    folders = list(as_musubi_tuner(paths[1]))
    assert folders == [(repeats, *pictures) for _, repeats, pictures in subsets]
    concepts = list(as_one_trainer(paths[2]))
    assert [(name, repeats) for name, repeats, _ in subsets] == [("Momo", 1), ("Pip / Q", 10)]
    for (name, repeats, (pictures, texts)), concept in zip(subsets, concepts, strict=True):
        assert concept == (name, "STANDARD", repeats, pictures, [[text] for text in texts])
    assert [concept[1] for concept in as_one_trainer(paths[5])] == ["VALIDATION", "VALIDATION"]


def appearances_of(dataset, rename):
    rows = from_table(pq.read_table(dataset / "appearances.parquet"), Appearance)
    table = to_table([rename(row) for row in rows], Appearance)
    pq.write_table(table, dataset / "appearances.parquet")


def test_characters_of_two_series_with_one_name_are_two(dataset, tmp_path):
    series = {"a": "Kites", "b": "Boats: at sea", "c": "Kites"}
    appearances_of(dataset, lambda row: dataclasses.replace(row, series=series[row.video]))
    paths = characters.export(str(dataset), str(tmp_path / "to"))
    subsets = {name: texts for name, _, (_, texts) in as_sd_scripts_config(Path(paths[0]))}
    assert sorted(subsets) == [
        "Momo (Boats: at sea)",
        "Momo (Kites)",
        "Pip / Q (Boats: at sea)",
        "Pip / Q (Kites)",
    ]
    assert subsets["Momo (Kites)"][0] == "Momo. Caption of a_keyframe_0-0-0-0."
    assert {len(texts) for name, texts in subsets.items() if name.startswith("Momo")} == {30}


def test_names_that_would_share_a_folder_and_those_of_any_script_are_kept_apart(dataset, tmp_path):
    names = {"Momo": "Mr. 🐇 Ёжик", "Pip / Q": "Mr.   Ёжик"}
    appearances_of(dataset, lambda row: dataclasses.replace(row, character=names[row.character]))
    paths = characters.export(str(dataset), str(tmp_path / "to"))
    found = [(name, len(files)) for name, _, (files, _) in as_sd_scripts_config(Path(paths[0]))]
    assert found == [("Mr.   Ёжик", 6), ("Mr. 🐇 Ёжик", 60)]
    assert [concept[0] for concept in as_one_trainer(Path(paths[2]))] == [name for name, _ in found]


def test_a_dataset_that_knows_nobody_says_what_to_do(dataset, tmp_path):
    pq.write_table(to_table([], Appearance), dataset / "appearances.parquet")
    with pytest.raises(ValueError, match=r"who is in its pictures: cast\.figures"):
        characters.export(str(dataset), str(tmp_path / "to"))
