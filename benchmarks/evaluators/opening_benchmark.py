"""OpenING: its instructions as openings, and answers in the layout that its judges read.

    test_data.jsonl                    a line: total_uid, ..., conversations [{input}, {output}]
    <name>_output/<total_uid>.json     that line, its output [{text, image}] the model's
    <name>_output/<total_uid>-o-0.jpg  a picture of it, named in the JSON without the folder

The number of steps of an answer is that of the true one, as in the benchmark's own scripts. An
instruction without a picture begins with a grey one, as our models begin with a picture.

Source: README, `gen_outputs`, `generator_codes/seedx_inference.py` and `IntJudge_judge_AB.py` of
github.com/LanceZPF/OpenING.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.evaluators.grey import grey_picture
from benchmarks.stories import Opening, Story


def read_items(file: str | Path) -> list[dict[str, Any]]:
    """Reads the lines of `test_data.jsonl` or `dev_data.jsonl`. Raises ValueError for another."""
    file = Path(file)
    if not file.is_file():
        raise ValueError(f"{file} is not there: give test_data.jsonl of OpenING")
    items = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            item = json.loads(line)
            uid(item), item["conversations"][0]["input"][0]["text"]
            item["conversations"][1]["output"][0]["text"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{file}, line {number} is not of OpenING: {error!r}") from error
        items.append(item)
    return items


def uid(item: Mapping[str, Any]) -> str:
    """Returns the id of an instruction, of which some lines have only the parts: "0302005"."""
    if "total_uid" in item:
        return str(item["total_uid"])
    parts = int(item["meta_task_id"]), int(item["subtask_id"]), int(item["data_id"])
    return "{:02d}{:02d}{:03d}".format(*parts)


def make_openings(
    items: Sequence[Mapping[str, Any]], folder: str | Path, work: str | Path
) -> list[Opening]:
    """Returns the opening of each instruction, to be told freely.

    `folder` is that of the benchmark, to which its paths are relative; `work` is one for a grey
    picture. Raises ValueError for a picture that is not there.
    """
    openings = []
    for item in items:
        given = item["conversations"][0]["input"]
        images = [step["image"] for step in given if step.get("image")]
        if images and not Path(folder, images[0]).is_file():
            missing = Path(folder, images[0])
            raise ValueError(f"{missing} is not there: OpenING's images/ belongs beside its lines")
        text = " ".join(step["text"] for step in given)
        openings.append(
            Opening(
                uid(item),
                str(Path(folder, images[0])) if images else grey_picture(work),
                text.replace("<BEGIN>", "").replace("<image>", "").strip(),
                1 + len(item["conversations"][1]["output"]),
            )
        )
    return openings


def write_outputs(
    stories: Sequence[Story],
    items: Sequence[Mapping[str, Any]],
    outputs: str | Path,
    method: str,
) -> Path:
    """Writes told stories, whose panel 0 is the opening, into `<method>_output`; returns that.

    Raises ValueError where the folder is there.
    """
    folder = Path(outputs, f"{method}_output")
    if folder.exists():
        raise ValueError(f"{folder} is there already: give another name")
    folder.mkdir(parents=True)
    by_id = {uid(item): item for item in items}
    for story in stories:
        answer = []
        for at, (text, path) in enumerate(zip(story.texts[1:], story.images[1:], strict=True)):
            name = f"{story.id}-o-{at}.jpg"
            with Image.open(path) as picture:
                picture.convert("RGB").save(folder / name, quality=95)
            answer.append({"text": text, "image": name})
        item = by_id[story.id]
        said = [item["conversations"][0], {"output": answer}]
        (folder / f"{story.id}.json").write_text(
            json.dumps({**item, "conversations": said}, indent=4, ensure_ascii=False),
            encoding="utf-8",
        )
    return folder


def read_outputs(folder: str | Path) -> dict[str, list[tuple[str, str]]]:
    """Reads the answers of a model by id: texts with the paths of their pictures.

    The text of a step without a picture goes to the next one that has one; the last may have none.
    Raises ValueError for a file that is not an answer.
    """
    found = {}
    for file in answer_files(folder):
        panels, text = [], ""
        try:
            for step in json.loads(file.read_text(encoding="utf-8"))["conversations"][1]["output"]:
                text = f"{text} {(step['text'] or '').strip()}".strip()
                if step.get("image"):
                    # Some scripts write the path that the picture had where it was made.
                    panels.append((text, str(file.parent / Path(step["image"]).name)))
                    text = ""
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{file} is not an answer of OpenING: {error!r}") from error
        found[file.stem] = panels
    return found


def answer_files(folder: str | Path) -> list[Path]:
    """Returns the files of answers in a folder: numbers, `.json` or `.jsonl`."""
    files = [*Path(folder).glob("*.json"), *Path(folder).glob("*.jsonl")]
    return sorted(file for file in files if file.stem.isdigit())
