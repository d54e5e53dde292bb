"""The keyframes with their pictures, and the captions, each of a keyframe."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pipeline.dataset.verify.known import Known, Picture, image_path, text_digest
from pipeline.dataset.verify.pictures import keyframe_picture_problem
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.dataset.verify.tables import batches, rows
from schemas.rows import Keyframe
from schemas.storystream import parse_keyframe_id


def check_keyframes(known: Known) -> Generator[Problem, None, Counter[str]]:
    """The keyframes and their pictures; returns how many there are of each film."""
    counted: Counter[str] = Counter()
    with ThreadPoolExecutor() as pool:
        for batch in batches(known, "keyframes"):
            for found in pool.map(partial(keyframe_picture_problem, known.out), batch):
                if found:
                    yield found
            for keyframe in batch:
                counted[keyframe.video] += 1
                what = _keyframe_fault(keyframe, known)
                if what:
                    yield Problem("keyframe", keyframe.id, what, RUN)
                known.pictures[keyframe.id] = Picture(
                    sys.intern(keyframe.video), keyframe.sha256, keyframe.phash
                )
    return counted


def _keyframe_fault(keyframe: Keyframe, known: Known) -> str:
    if keyframe.id in known.pictures:
        return "is in the table twice"
    if keyframe.video not in known.side:
        return f"dataset.json knows no film {keyframe.video}"
    try:
        video, time = parse_keyframe_id(keyframe.id)
    except ValueError as error:
        return str(error)
    if video != keyframe.video:
        return f"its name says {video}, its row {keyframe.video}"
    if abs(time - keyframe.time) > 0.0006:  # a name has milliseconds
        return f"its name says {time} s, its row {keyframe.time} s"
    if keyframe.image != image_path(video, keyframe.id):
        return f"its image is called {keyframe.image}"
    return ""


def check_captions(known: Known) -> Iterator[Problem]:
    """The captions, each of a keyframe."""
    for caption in rows(known, "captions"):
        picture = known.pictures.get(caption.keyframe)
        what = (
            "is of no keyframe"
            if picture is None
            else "is there twice"
            if caption.keyframe in known.described
            else f"its row says {caption.video}, its keyframe {picture.video}"
            if caption.video != picture.video
            else "its sentence is blank"
            if not caption.sentence.strip()
            else ""
        )
        if what:
            yield Problem("caption", caption.keyframe, what, RUN)
        known.described[caption.keyframe] = text_digest(caption.sentence)
