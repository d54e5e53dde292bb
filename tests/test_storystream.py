"""The one command `storystream`: it knows every verb of the three programs, and starts quickly."""

import subprocess
import sys

import pytest

import storystream


@pytest.mark.parametrize("verb", storystream.VERBS)
def test_each_verb_shows_its_own_help(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        storystream.main([verb, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: storystream {verb} [-h]")


@pytest.mark.parametrize("package", ["pipeline", "model"])
def test_each_verb_of_a_program_is_one_of_ours(package):
    shown = subprocess.run(
        [sys.executable, "-m", package, "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = {
        line.split()[0] for line in shown.splitlines() if line.startswith("    ") and line[4] != " "
    }
    # `storystream plan` and `export` are those of the pipeline
    commands -= {"plan", "export"} if package == "model" else set()
    assert commands == {
        verb for verb, (owner, _, _) in storystream.VERBS.items() if owner == package
    }


def test_help_lists_all_verbs_and_loads_none_of_them():
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, storystream\n"
            "try: storystream.main(['--help'])\n"
            "finally: print({'torch', 'apache_beam', 'numpy', 'pydantic'} & set(sys.modules))",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.splitlines()[-1] == "set()"
    for verb, (_, _, text) in storystream.VERBS.items():
        assert any(line.split()[:1] == [verb] and text[:20] in line for line in shown.splitlines())


def test_a_missing_package_is_named_with_its_remedy(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "model.__main__", None)
    assert storystream.main(["train", "tiny"]) == 2
    assert "pip install 'storystream[train]'" in capsys.readouterr().err


def test_a_verb_that_is_none(capsys):
    with pytest.raises(SystemExit) as ended:
        storystream.main(["dream"])
    assert ended.value.code == 2 and "choose from" in capsys.readouterr().err
