"""What all exports have in common."""

import csv
import hashlib

import pytest

from pipeline.__main__ import main
from pipeline.dataset.exports import FORMATS


def digests(folder):
    """Digests of the files of a folder, but of those that name its own path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes().replace(str(folder).encode(), b"")
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_dataset_gives_the_same_bytes_and_names_who_holds_the_rights(
    dataset, tmp_path, name, capsys
):
    for to in ("first", "second"):
        assert main(["export", str(dataset), "--format", name, "--to", str(tmp_path / to)]) == 0
        for path in capsys.readouterr().out.split():
            assert (tmp_path / path).exists()
    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    rows = list(csv.DictReader((tmp_path / "first/sources.csv").open()))
    assert [(row["film"], row["license"], row["attribution"]) for row in rows] == [
        (film, "CC0-1.0", "Pip") for film in "abc"
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_a_picture_that_is_not_the_datasets_and_a_full_folder_are_refused(
    dataset, tmp_path, name, capsys
):
    picture = dataset / "images/a/a_keyframe_0-0-3-0.jpg"
    picture.write_bytes(picture.read_bytes()[:-1])
    arguments = ["export", str(dataset), "--format", name, "--to"]
    assert main([*arguments, str(tmp_path / "to")]) == 2
    assert "a_keyframe_0-0-3-0.jpg is not the picture" in capsys.readouterr().err
    assert main([*arguments, str(dataset)]) == 2
    assert "is not empty" in capsys.readouterr().err
