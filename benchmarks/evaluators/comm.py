"""CoMM: its documents as openings, and results in the layout that its evaluation reads.

    OUT/<data_id>_task3/results.json    model_input, model_output, the lists of pictures
    OUT/<data_id>_task3/predict_2.jpg   the model's, origin/ has the given and the true ones

Of its four tasks, two are those of a story model: task 3 continues a document, of which we give the
first step; task 2 draws pictures for given texts. A text of a step is everything between "(2) " and
"(3)"; brackets and "<" would be taken for pictures, so they become other marks. The evaluation
looks at ten pictures at most.

Source: `eval/eval_metric.py`, `eval/utils.py`, `eval/example` and `models/MiniGPT-5/dataloader.py`
of github.com/HKUST-LongGroup/CoMM.
"""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.evaluators.grey import grey_picture
from benchmarks.stories import Opening, Story

TASKS = ("task2", "task3")
MOST_PICTURES = 10
_STEP = re.compile(r"\(\d+\)\s(.*?)\s*(?=\(\d+\)|$)", re.DOTALL)  # as in its eval/utils.py
_MARKS = str.maketrans({"[": "(", "]": ")", "<": "‹", ">": "›"})


@dataclass(frozen=True)
class Item:
    """A document: steps, each a text with the path of a picture."""

    id: str
    title: str
    steps: tuple[tuple[str, str], ...]


def read_items(file: str | Path, images: str | Path) -> list[Item]:
    """Reads the documents of a split, `.pth` as it is published, or the same as JSON.

    `images` is the folder of downloaded pictures. A step without a picture joins the next one; a
    document ends before a picture that is not there, and one of fewer than two steps is left out.
    Raises ValueError for another file.
    """
    if not Path(file).is_file():
        raise ValueError(f"{file} is not there: give a split of CoMM")
    try:
        if Path(file).suffix == ".json":
            documents = json.loads(Path(file).read_text(encoding="utf-8"))
        else:
            import torch

            documents = torch.load(file, map_location="cpu", weights_only=True)
        items = [_read_item(document, Path(images)) for document in documents]
    except (ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{file} is not a split of CoMM: {error!r}") from error
    return [item for item in items if len(item.steps) > 1]


def _read_item(document: Mapping[str, Any], images: Path) -> Item:
    steps: list[tuple[str, str]] = []
    text = ""
    for step in document["step_info"]:
        for part in step:
            if part["type"] == "text":
                text = f"{text} {part['content'].strip()}".strip()
            elif not (path := images / part["image_path"]).is_file():
                return Item(str(document["data_id"]), document["title"] or "", tuple(steps))
            elif text and len(steps) < MOST_PICTURES:
                steps.append((text, str(path)))
                text = ""
    return Item(str(document["data_id"]), document["title"] or "", tuple(steps))


def make_openings(items: Sequence[Item], task: str, work: str | Path) -> list[Opening]:
    """Returns the opening of each document for a task, one of TASKS.

    For task 3 it is the first step; for task 2 a grey picture in the folder `work` with the title,
    and the texts of all steps are to be illustrated.
    """
    if task == "task3":
        return [
            Opening(item.id, item.steps[0][1], item.steps[0][0], len(item.steps)) for item in items
        ]
    return [
        Opening(
            item.id,
            grey_picture(work),
            item.title or item.steps[0][0],
            1 + len(item.steps),
            tuple(text for text, _ in item.steps),
        )
        for item in items
    ]


def write_outputs(
    stories: Sequence[Story], items: Sequence[Item], outputs: str | Path, task: str
) -> Path:
    """Writes told stories, whose panel 0 is the opening; returns the folder that they are in.

    Raises ValueError where a result is there.
    """
    by_id = {item.id: item for item in items}
    for story in stories:
        _write(story, by_id[story.id], Path(outputs, f"{story.id}_{task}"), task)
    return Path(outputs)


def _write(story: Story, item: Item, folder: Path, task: str) -> None:
    if folder.exists():
        raise ValueError(f"{folder} is there already: give an empty folder")
    origin = folder / "origin"
    origin.mkdir(parents=True)
    continued = task == "task3"
    first = 2 if continued else 1  # number of the first step that the model made
    made = list(zip(story.texts[1:], story.images[1:], strict=True))
    made = made[: MOST_PICTURES - (first - 1)]
    true = item.steps[first - 1 : first - 1 + len(made)]
    given = item.steps[:1] if continued else item.steps
    for number, (_, path) in enumerate(true, first):
        _copy(path, origin / f"output_gt_{number}.jpg")
    for number, (_, path) in enumerate(made, first):
        _copy(path, folder / f"predict_{number}.jpg")
    if continued:
        _copy(item.steps[0][1], origin / "input_1.jpg")
    kind = "with" if continued else "without"
    ask = "the rest steps" if continued else "images for each step"
    said = " ".join(
        f"({number}) {_plain(text)}{' <IMAGE>' if continued else ''}"
        for number, (text, _) in enumerate(given, 1)
    )
    answer = " ".join(
        f"({number}) {_plain(text) + ' ' if continued else ''}<IMAGE>"
        for number, (text, _) in enumerate(made, first)
    )
    result = {
        "model_input": f"Here are step-by-step instructions {kind} images about "
        f"{_plain(item.title)}: {said} According to the above steps, can you generate {ask}?",
        "model_output": answer,
        "input_image_list": ["input_1.jpg"] if continued else [],
        "output_gt_image_list": [f"output_gt_{first + at}.jpg" for at in range(len(true))],
        "prediction_image_list": [f"predict_{first + at}.jpg" for at in range(len(made))],
    }
    (folder / "results.json").write_text(
        json.dumps(result, indent=4, ensure_ascii=False), encoding="utf-8"
    )


def _plain(text: str) -> str:
    """Returns a text without what the evaluation takes for a step or a picture."""
    return re.sub(r"\((\d+)\)", r"\1:", " ".join(text.translate(_MARKS).split()))


def _copy(path: str, to: Path) -> None:
    """Copies a picture as a JPEG file: one that is one stays as it is."""
    if Path(path).suffix.lower() in (".jpg", ".jpeg"):
        shutil.copyfile(path, to)
        return
    with Image.open(path) as picture:
        picture.convert("RGB").save(to, quality=95)


def result_files(folder: str | Path, task: str = "task[23]") -> list[Path]:
    """Returns the results of a task in a folder, or of tasks 2 and 3."""
    return sorted(Path(folder).glob(f"*_{task}/results.json"))


def read_outputs(folder: str | Path, task: str) -> dict[str, list[tuple[str, str]]]:
    """Reads the results of a model by document: texts, "" for task 2, with paths of pictures.

    Raises ValueError for a file that is not a result.
    """
    found = {}
    for file in result_files(folder, task):
        try:
            result = json.loads(file.read_text(encoding="utf-8"))
            texts = [
                step.replace("<IMAGE>", " ").strip()
                for step in _STEP.findall(result["model_output"])
            ]
            paths = [str(file.parent / name) for name in result["prediction_image_list"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is not a result of CoMM: {error!r}") from error
        name = file.parent.name.rpartition("_")[0]
        found[name] = list(zip(texts, paths, strict=False))
    return found
