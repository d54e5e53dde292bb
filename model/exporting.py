"""Copies a run without what only training needs, with a model card: `python -m model export`.

What comes out is a run: its preset, its tokenizer, the result of each stage and what was imported,
all weights in safetensors. `generate` and the benchmark take it, and training goes on from it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from model import checkpoints, config
from model.config import ConfigError
from model.runs import NotTrained, Run

CARD, SUMS = "README.md", "SHA256SUMS"
KEPT = ("preset", "tokenizer", "imported")  # besides the results of stages

_CARD = """---
{head}---

# {title}

A model of illustrated stories: from a picture and a sentence it generates the next sentences and
their pictures. It is a run of StoryStream, which is built after SEED-Story
([arXiv 2407.08683](https://arxiv.org/abs/2407.08683)).

```sh
python -m model generate --run {title} --image first.jpg --text "Once upon a time, ..."
```

| part | what it is |
| --- | --- |
| image encoder | {vision} |
| language model | {story} |
| de-tokenizer | {detokenizer} |

{stages}
Weights are safetensors; `{sums}` has the digest of every file.{needs} What it was trained on and
the licences are not said here: add them before you publish it.
"""


def export(folder: Path, out: Path, say: Callable[[str], None] = print) -> None:
    """Copies the run in `folder` to the folder `out`, which must not be there yet.

    Raises NotTrained where it is no run with a story model and a de-tokenizer, and ConfigError.
    """
    if not (folder / "preset" / "model.yaml").is_file():
        raise NotTrained(f"{folder} is not the folder of a run")
    if out.exists():
        raise ConfigError(f"{out} is there already: give a new folder, or remove it")
    run = Run(folder, config.read(str(folder / "preset")))
    parts = run.preset.model
    if not parts.story.start:
        run.result("story")
    if not (parts.detokenizer.start or run.has("adaptation")):
        run.result("detokenizer")
    fresh = out.with_name(f".{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        for name in (*KEPT, *run.preset.stages):
            if (folder / name).is_dir():
                shutil.copytree(folder / name, fresh / name)
        (fresh / CARD).write_text(_card(run, out.name), encoding="utf-8")
        files = sorted(path for path in fresh.rglob("*") if path.is_file())
        (fresh / SUMS).write_text(
            "".join(f"{_digest(path)}  {path.relative_to(fresh)}\n" for path in files)
        )
        checkpoints.replace(out, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    say(f"{out}: a run with a model card; `sha256sum -c {SUMS}` checks it")


def _card(run: Run, title: str) -> str:
    """Formats the model card of a run."""
    parts, lines = run.preset.model, []
    for name in run.preset.stages:
        about = checkpoints.about(run.folder / name)
        if about:
            lines.append(f"| {name} | {about.get('steps', '')} | {about['key']} |")
    models = (parts.story.model, parts.detokenizer.model)
    outside = [name for name in models if name and run.located(name) == name]
    head = {"library_name": "storystream", "tags": ["story-generation", "multimodal"]}
    if hubs := [name for name in outside if re.fullmatch(r"[\w.-]+/[\w.-]+", name)]:
        head["base_model"] = hubs
    table = ["| stage | steps | key |", "| --- | --- | --- |", *lines, ""] if lines else []
    needs = f" It needs {' and '.join(f'`{name}`' for name in outside)} besides." if outside else ""
    return _CARD.format(
        head=yaml.safe_dump(head, sort_keys=False),
        title=title,
        vision=parts.vision.model or "a ViT of its own",
        story=parts.story.model or "one of its own",
        detokenizer=parts.detokenizer.model or "one of its own",
        stages="\n".join(table) + ("\n" if table else ""),
        sums=SUMS,
        needs=needs,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
