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


@pytest.mark.parametrize(
    "name",
    [
        "dataset.json",
        "stories.parquet",
        "README.md",
        "report.html",
        "run.json",
        "images/train_stories.jsonl",
        "shards/train-00000-of-00001.tar",
        "characters/Pip.yaml",
    ],
)
def test_a_folder_in_a_files_place_is_named_before_the_run(film, tmp_path, name, capsys):
    (tmp_path / "out" / name).mkdir(parents=True)
    assert main(["dataset", "--videos", str(film), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}/out/{name} is a folder where a file goes: move it away" in error
    assert not (tmp_path / "out/work").exists()


@pytest.mark.parametrize(
    "name", ["images", "shards", "rejected", "characters", "work", "work/text", "work/answers"]
)
def test_a_file_in_a_folders_place_is_named_before_the_run(film, tmp_path, name, capsys):
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("x")
    assert main(["dataset", "--videos", str(film), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}/out/{name} is a file where a folder goes: move it away" in error


@pytest.mark.parametrize("below", ["", "/a/b"])
def test_a_file_in_the_datasets_place_is_named_before_the_run(film, tmp_path, below, capsys):
    assert main(["dataset", "--videos", str(film), "--out", f"{film}{below}"]) == 2
    assert f"{film} is a file: name another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("prompts={file}", "prompts={file} is a file: name the folder that it lies in"),
        (
            "prompts={folder}",
            "prompts={folder}: the folder must hold some of figures.txt, caption.txt",
        ),
        ("characters={folder}", "{folder}: a folder, pipe or device where a file was expected"),
        ("characters={file}", "{file} is not UTF-8 text"),
        ("quality.toxic_words_file={file}", "quality.toxic_words_file={file} is not UTF-8 text"),
        ("quality.toxic_words_file={folder}", "quality.toxic_words_file={folder} cannot be read"),
        ("quality.toxic_words_file={missing}", "quality.toxic_words_file={missing} cannot be rea"),
    ],
)
def test_an_input_that_cannot_be_read_is_named_before_the_run(
    film, tmp_path, setting, said, capsys
):
    places = {name: str(tmp_path / name) for name in ("file", "folder", "missing")}
    (tmp_path / "file").write_text("Pip: []", encoding="utf-16")
    (tmp_path / "folder").mkdir()
    words = ["dataset", "--videos", str(film), "--out", str(tmp_path / "out")]
    assert main([*words, "--set", setting.format(**places)]) == 2
    assert said.format(**places) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "{file}"], "{file}: {file} is a file: name another folder"),
        (["report", "{folder}"], "{folder} is no finished dataset: "),
        (["report", "{file}"], "{file} is no finished dataset: "),
        (["verify", "{file}"], "{file} is no finished dataset: "),
        (["export", "{folder}", "--to", "{missing}"], "{folder} is no finished dataset: "),
        (["plan", "--hours", "1", "--from", "{folder}"], "name the folder of a finished dataset"),
        (["rebuild", "{folder}", "--videos", "."], "{folder} is not a manifest: name the"),
    ],
)
def test_every_command_names_a_path_that_it_cannot_use(tmp_path, words, said, capsys):
    places = {name: str(tmp_path / name) for name in ("file", "folder", "missing")}
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    assert main([word.format(**places) for word in words]) == 2
    assert said.format(**places) in capsys.readouterr().err
