"""The command line, where what would stop a run is found before it starts."""

import subprocess
import sys

import pytest

from pipeline.__main__ import main
from pipeline.testing.films import make_film, scene, still


@pytest.fixture
def film(tmp_path):
    make_film(tmp_path / "film.mp4", still(scene(1), 8))
    return tmp_path / "film.mp4"


@pytest.mark.parametrize("name", ["dataset.json", "stories.parquet", "README.md"])
def test_a_folder_in_a_files_place_is_named_before_the_run(film, tmp_path, name, capsys):
    (tmp_path / "out" / name).mkdir(parents=True)
    assert main(["dataset", "--videos", str(film), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}/out/{name} is a folder where a file goes: move it away" in error
    assert not (tmp_path / "out/work").exists()


def test_an_edited_file_of_characters_is_read_before_the_run(film, tmp_path, capsys):
    (tmp_path / "out/characters").mkdir(parents=True)
    (tmp_path / "out/characters/Pip.yaml").write_text("Pip: []", encoding="utf-16")
    assert main(["dataset", "--videos", str(film), "--out", str(tmp_path / "out")]) == 2
    assert "Pip.yaml is not UTF-8 text" in capsys.readouterr().err
    assert not (tmp_path / "out/work").exists()


def test_a_closed_stderr_is_no_fault_and_its_messages_do_not_go_elsewhere(tmp_path):
    command = f"{sys.executable} -m pipeline verify {tmp_path} 2>&-"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
