"""Folders by character, read by the rules of sd-scripts and OneTrainer."""

import json
import tomllib
from pathlib import Path

from pipeline.dataset.exports import characters


def as_sd_scripts(train_data_dir):
    """Repeats, class and pictures with captions as `generate_dreambooth_subsets_config_by_subdirs`
    and DreamBoothDataset of sd-scripts read a folder."""
    found = {}
    for folder in sorted(train_data_dir.iterdir()):
        tokens = folder.name.split("_")
        pictures = sorted(path for path in folder.iterdir() if path.suffix == ".jpg")
        texts = [path.with_suffix(".txt").read_text().splitlines()[0] for path in pictures]
        found["_".join(tokens[1:])] = (int(tokens[0]), pictures, texts)
    return found


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


def test_the_settings_of_both_trainers_name_the_folders(dataset, tmp_path):
    paths = characters.export(str(dataset), str(tmp_path / "to"))
    assert [Path(path).name for path in paths] == [
        f"{split}-{name}"
        for split in ("train", "val")
        for name in ("dataset.toml", "concepts.json")
    ]
    settings = tomllib.loads(Path(paths[0]).read_text())
    concepts = json.loads(Path(paths[1]).read_text())
    (sd,) = settings["datasets"]
    assert settings["general"] == {"caption_extension": ".txt"}
    assert [subset["class_tokens"] for subset in sd["subsets"]] == ["Momo", "Pip / Q"]
    for subset, concept in zip(sd["subsets"], concepts, strict=True):
        assert Path(subset["image_dir"]).is_dir() and subset["image_dir"] == concept["path"]
        assert subset["num_repeats"] == concept["balancing"]
        assert concept["text"] == {"prompt_source": "sample"}
    assert [
        concept["validation_concept"] for concept in json.loads(Path(paths[3]).read_text())
    ] == [
        True,
        True,
    ]
