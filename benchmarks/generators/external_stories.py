"""Reads stories that other programs have generated, in the layouts that their scripts write.

`read_external_stories` detects the layout:

    ours             */story.json, or one story.json; or JSONL with id, texts (or captions), images
    SEED-Story       val_<n>/ori_<nn>.jpg and val_<n>/text.txt, as `gen_george.py` and
                     `vis_george_sink.py` write them
    MM-Interleaved   eval_results_<when>.json and gen_img_<when>/, as its `inference.py` writes them
    OpenING, CoMM    <uid>.json and <id>_task3/results.json, by `benchmarks.evaluators`
    ViStoryBench     <number>/shots/shot_<nn>.png, pictures of given texts, likewise
    Emu3.5           <name>.pb, or proto/<name>.pb, likewise

Theirs is the story of the opening with its id; where no opening has one of their ids, theirs are
numbered, and the n-th is that of the n-th opening. SEED-Story and MM-Interleaved always number. A
story that is shorter than its
opening asks for is taken as it is: missing panels are not scored, and their number is returned.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evaluators import comm, emu_outputs, opening_benchmark, vistorybench
from benchmarks.stories import Opening, Story

_SPECIAL_TOKENS = re.compile(r"\[INST\]|<[^<>\s]*>|<\|[^|]*\|>")  # tokens of pictures and turns
_PICTURE_NAME = re.compile(r"\d+_\d+_\d+\.png")


def read_external_stories(path: str | Path, openings: Sequence[Opening]) -> tuple[list[Story], str]:
    """Reads the stories of a folder or JSONL in the order of the openings; also returns what is
    missing, "" for nothing.

    Raises ValueError, naming the path, where its layout is unknown or it has no story of these
    openings.
    """
    path = Path(path)
    layouts: list[tuple[bool, Callable[[Path, Sequence[Opening]], dict[str, Story]]]] = [
        (path.is_file(), _read_jsonl),
        (any(path.glob("val_*/text.txt")), _read_seed_story),
        (any(path.glob("eval_results_*.json")), _read_mm_interleaved),
        (any(path.glob("story.json")) or any(path.glob("*/story.json")), _read_story_folders),
        (bool(comm.result_files(path)), _read_comm),
        (bool(opening_benchmark.answer_files(path)), _read_opening_benchmark),
        (bool(emu_outputs.story_files(path)), _read_emu),
        (vistorybench.is_run(path), _read_vistorybench),
    ]
    reader = next((read for fits, read in layouts if fits), None)
    if reader is None:
        raise ValueError(
            f"{path} holds no stories: a folder needs story.json, val_*/text.txt, "
            "eval_results_*.json, *_task3/results.json, *.pb of Emu3.5, answers of OpenING or "
            "shots of ViStoryBench in it, a file is JSONL with id, texts and images"
        )
    found = reader(path, openings)
    stories = [found[opening.id] for opening in openings if opening.id in found]
    if not stories:
        raise ValueError(
            f"{path} has no story that begins as those of the dataset do: "
            f"{', '.join(opening.id for opening in openings[:3])} ..."
        )
    short = sum(
        opening.length - len(found[opening.id].images)
        for opening in openings
        if opening.id in found
    )
    lacks = [f"{len(openings) - len(stories)} of {len(openings)} stories"] * (
        len(stories) < len(openings)
    ) + [f"{short} pictures"] * (short > 0)
    return stories, f"{path} lacks {' and '.join(lacks)}" if lacks else ""


def _read_story_folders(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    found = {}
    for file in sorted([*path.glob("story.json"), *path.glob("*/story.json")]):
        book = _read_json(file)
        name = str(book.get("id", file.parent.name))
        found[name] = _check_story(
            name, book["texts"], [str(file.parent / image) for image in book["images"]], file
        )
    return found


def _read_jsonl(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    found = {}
    for number, line in enumerate(path.read_bytes().splitlines()):
        try:
            values = json.loads(line)
            texts = values["texts"] if "texts" in values else values["captions"]
            name, images = (
                str(values["id"]),
                [str(path.parent / image) for image in values["images"]],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number + 1}: {error}; a line is JSON with id, texts "
                "(or captions) and images"
            ) from error
        found[name] = _check_story(name, texts, images, path)
    return found


def _read_seed_story(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    found = {}
    for number, opening in enumerate(openings):
        folder = path / f"val_{number}"
        images = sorted(folder.glob("ori_*.jpg"))
        if not images:
            continue
        lines = (folder / "text.txt").read_text(encoding="utf-8").splitlines()
        # The script writes a text before it paints, and the last one may have no picture. It also
        # appends: lines of several runs cannot be separated.
        if not len(images) <= len(lines) <= len(images) + 1:
            raise ValueError(
                f"{folder} has {len(images)} pictures and {len(lines)} lines of text: "
                "text.txt has lines of several runs; delete the folder and generate again"
            )
        found[opening.id] = _check_story(
            opening.id,
            [opening.text, *lines[: len(images)]],
            [opening.image, *map(str, images)],
            folder,
        )
    return found


def _read_mm_interleaved(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    file = max(path.glob("eval_results_*.json"))  # the latest
    painted = path / file.stem.replace("eval_results", "gen_img")
    found = {}
    for opening, result in zip(openings, _read_json(file), strict=False):
        texts, images, text = [opening.text], [opening.image], ""
        for said in result["generate_results"]:  # texts, and names of the pictures behind them
            if _PICTURE_NAME.fullmatch(said):
                texts.append(text)
                images.append(str(painted / said))
                text = ""
            else:
                text = f"{text} {said}".strip()
        found[opening.id] = _check_story(opening.id, texts, images, file)
    return found


def _read_comm(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    given = any(opening.following for opening in openings)
    task, other = ("task2", "task3") if given else ("task3", "task2")
    task = task if comm.result_files(path, task) else other
    return _continued(comm.read_outputs(path, task), path, openings)


def _read_opening_benchmark(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    return _continued(opening_benchmark.read_outputs(path), path, openings)


def _read_emu(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    return _continued(emu_outputs.read_outputs(path), path, openings)


def _read_vistorybench(path: Path, openings: Sequence[Opening]) -> dict[str, Story]:
    found = {}
    for name, shots in vistorybench.read_outputs(path).items():
        whole = itertools.takewhile(shots.__contains__, itertools.count(1))
        found[name] = [("", shots[number]) for number in whole]
    return _continued(found, path, openings)


def _continued(
    panels: Mapping[str, Sequence[tuple[str, str]]], path: Path, openings: Sequence[Opening]
) -> dict[str, Story]:
    """Returns the stories of openings that go on with texts and pictures; where a text is "", it is
    the one that the opening asks to illustrate."""
    if not {opening.id for opening in openings} & panels.keys():
        panels = {
            opening.id: panels[name]
            for opening, name in zip(openings, sorted(panels, key=_by_number), strict=False)
        }
    found = {}
    for opening in openings:
        some = panels.get(opening.id, ())[: opening.length - 1]
        if not some:
            continue
        texts = [text for text, _ in some]
        if not any(texts):
            texts = list(opening.following[: len(some)])
        found[opening.id] = _check_story(
            opening.id,
            [opening.text, *texts],
            [opening.image, *(image for _, image in some)],
            path,
        )
    return found


def _by_number(name: str) -> tuple[int, str]:
    return len(name), name


def _check_story(name: str, texts: Sequence[str], images: Sequence[str], source: Path) -> Story:
    missing = [image for image in images if not Path(image).is_file()]
    if missing or len(texts) != len(images):
        raise ValueError(
            f"{source}: story {name} has {len(texts)} texts and {len(images)} pictures"
            + (f", and {missing[0]} is not there" if missing else "")
        )
    return Story(
        name, tuple(_SPECIAL_TOKENS.sub(" ", text).strip() for text in texts), tuple(images)
    )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
