"""The documents name only what exists: links, files, commands, options, make targets, settings."""

import contextlib
import functools
import glob
import io
import itertools
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks.__main__ import main as benchmarks_main
from model.__main__ import main as model_main
from model.config import read as read_preset
from pipeline.__main__ import main as pipeline_main
from pipeline.config import DatasetConfig, load
from pipeline.cost import rates
from pipeline.runtime.stage_inputs import setting
from storystream import main as storystream_main

ROOT = Path(__file__).parent.parent
DOCS = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
DOCS += sorted((ROOT / "docs").glob("*.md"))
MAINS = {"pipeline": pipeline_main, "model": model_main, "benchmarks": benchmarks_main}

each_document = pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)


@functools.cache
def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    files = listed.stdout.split() or [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.*")]
    return {Path(file).name for file in files}


@functools.cache
def help_of(package, verb=""):
    """Returns what `python -m PACKAGE VERB --help` prints, "" where there is no such verb."""
    if package == "benchmarks":
        pytest.importorskip("torch")  # a light installation has no benchmarks
    main = storystream_main if package == "storystream" else MAINS[package]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            main([verb, "--help"] if verb else ["--help"])
        except SystemExit as end:
            return "" if end.code else printed.getvalue()
    return ""


def quoted(document):
    """Returns what stands in single backquotes."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", text)


def commands(document):
    """Returns the lines of code blocks, and what stands in backquotes, a command in one line."""
    text = document.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    return [*lines, *quoted(document)]


def slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@each_document
def test_links_lead_somewhere(document):
    text = document.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), f"{document.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.MULTILINE)
            assert anchor in map(slug, headings), f"{document.name}: {target}"


def expanded(path):
    """Returns the paths that braces stand for: a/{b,c}.py is a/b.py and a/c.py."""
    pieces = [piece.split(",") for piece in re.split(r"[{}]", path)]
    return ["".join(pieces_of_one) for pieces_of_one in itertools.product(*pieces)]


@each_document
def test_files_exist(document):
    rooms = r"(?:pipeline|schemas|model|benchmarks|tests|docs|tools|\.ci|\.github)/"
    for name in quoted(document):
        if re.fullmatch(rf"{rooms}[\w./{{}},*-]*", name):
            for path in expanded(name):
                assert glob.glob(str(ROOT / path)), f"{document.name}: {path}"
        elif re.fullmatch(r"\w+\.py", name):
            assert name in tracked(), f"{document.name}: {name}"


@each_document
def test_functions_are_in_the_files_that_are_named_with_them(document):
    for file, functions in re.findall(
        r"`([\w/]+\.py)`: ((?:`\w+\(\)`(?:, )?)+)", document.read_text()
    ):
        code = (ROOT / file).read_text()
        for function in re.findall(r"\w+(?=\(\))", functions):
            assert re.search(rf"^(?:async )?def {function}\(", code, re.MULTILINE), (file, function)


@each_document
def test_commands_and_their_options_exist(document):
    for command in commands(document):
        for package, verb, rest in re.findall(
            r"python -m (pipeline|model|benchmarks)\b(?!\.) ?([a-z-]*)([^|&]*)", command
        ):
            text = help_of(package, "" if verb.startswith("-") else verb)
            assert text, f"{document.name}: {command}"
            beam = "--runner" in rest or "_" in rest  # Beam's own options are not in our help
            for option in [] if beam else re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
                assert re.search(rf"{option}\b", text), f"{document.name}: {option} in {command}"
        for verb in re.findall(r"^storystream ([a-z]+)", command):
            assert verb in help_of("storystream"), f"{document.name}: {command}"


@each_document
def test_make_targets_and_variables_exist(document):
    makefile = (ROOT / "Makefile").read_text()
    [line] = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    package = {"train": "model", "generate": "model", "bench": "benchmarks", "dataset": "pipeline"}
    for command in commands(document):
        if not (called := re.match(r"make(?: ([a-z-]+))?((?: .*)?)$", command)):
            continue
        target, rest = called[1], called[2]
        assert target is None or target in line.split(), f"{document.name}: {command}"
        for variable in re.findall(r" ([A-Z]+)=", rest):
            assert re.search(
                rf"\$\({variable}\)|\({variable}\)|\${{?{variable}\b|\({variable},", makefile
            ), f"{document.name}: {variable} in {command}"
        if target in package:
            verb = {"bench": "all"}.get(target, target)
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
                assert option in help_of(package[target], verb), f"{document.name}: {command}"


def test_the_words_of_storystream_are_all_in_its_help():
    assert "dataset" in help_of("storystream") and not help_of("storystream", "datasets")


@each_document
def test_settings_exist(document):
    text = document.read_text()
    sections = "|".join(
        name for name in DatasetConfig.model_fields if hasattr(getattr(load(), name), "model_dump")
    )
    for path in re.findall(rf"`((?:{sections})\.[a-z_]+)[`=]", text):
        if not path.endswith(".parquet"):
            setting(load(), path)
    for given in re.findall(r"--set ([\w.-]+)=", text):
        if "." in given and given[0].isdigit():  # of a stage of a preset
            stage, *path = given.split(".")
            assert stage in read_preset("tiny").stages, f"{document.name}: {given}"
            value = read_preset("tiny").stages[stage]
            for name in path:
                value = getattr(value, name)
        else:
            setting(load(), given)
    for path in re.findall(r"\"(model\.[\w.]+)=", text):
        value = read_preset("tiny")
        for name in path.split("."):
            value = getattr(value, name)


def test_the_plan_is_what_its_command_prints_today(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rates, "of_this_machine", lambda: rates.BUILT_IN)
    text = (ROOT / "docs" / "scale.md").read_text()
    config = re.search(r"^```yaml\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    command = re.search(r"python -m pipeline (plan .*?)\n```", text, flags=re.DOTALL)
    (tmp_path / "plan.yaml").write_text(config[1])
    words = (
        command[1].replace("\\\n", " ").replace("plan.yaml", str(tmp_path / "plan.yaml")).split()
    )
    assert pipeline_main(words) == 0
    assert f"```\n{capsys.readouterr().out}```" in text


def test_yaml_blocks_are_settings(tmp_path):
    for document in DOCS:
        text = document.read_text()
        for block in re.findall(r"^```yaml\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
            values = yaml.safe_load(block)
            if set(values) <= set(DatasetConfig.model_fields):  # not a file of characters
                [model, *_] = values.get("prices", ["any"])  # named by the command, not the block
                (tmp_path / "config.yaml").write_text(block)
                load(str(tmp_path / "config.yaml"), [f"writer=openai:{model}"])


def test_the_figures_in_readme_are_those_of_the_benchmark_page():
    readme, page = (ROOT / name for name in ("README.md", "docs/benchmark.md"))
    for row, name in (
        ("the trained `tiny` model", "run, multimodal"),
        ("the training image with the most similar text", "retrieval from training"),
    ):
        [shown] = re.findall(rf"^\| {row} \| (.*) \| (.*) \|$", readme.read_text(), re.MULTILINE)
        attributes = page.read_text().partition("### Attributes")[2]
        [cells] = re.findall(rf"^\| {name} \|(.*)\|$", attributes.partition("###")[0], re.MULTILINE)
        cells = [cell.strip(" *") for cell in cells.split("|")]
        assert list(shown) == [cells[1], cells[3]]
