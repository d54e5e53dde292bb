"""Finds keyframes whose rows contradict themselves, the manifest or their pictures."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pipeline.dataset.reader import read_batches
from pipeline.dataset.verify.index import Index, Picture
from pipeline.dataset.verify.pictures import keyframe_picture_problem
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.runtime import progress
from schemas.layout import KEYFRAMES, image_path
from schemas.published import parse_keyframe_id
from schemas.rows import Keyframe, row


def check_keyframes(index: Index) -> Generator[Problem, None, Counter[str]]:
    """Checks the keyframes and their pictures; returns how many keyframes each film has."""
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor() as pool:
        progress.doing("verify", "pictures of keyframes")
        for batch in read_batches(index.out, KEYFRAMES):
            keyframes = [row(Keyframe, values) for values in batch.to_pylist()]
            for problem in pool.map(partial(keyframe_picture_problem, index.out), keyframes):
                progress.advance("verify")
                if problem:
                    yield problem
            for keyframe in keyframes:
                counts[keyframe.video] += 1
                fault = _row_fault(keyframe, index)
                if fault:
                    yield Problem("keyframe", keyframe.id, fault, RUN)
                index.pictures[keyframe.id] = Picture(
                    sys.intern(keyframe.video),
                    keyframe.sha256,
                    keyframe.phash,
                    keyframe.width,
                    keyframe.height,
                )
    return counts


def _row_fault(keyframe: Keyframe, index: Index) -> str:
    if keyframe.id in index.pictures:
        return "is in the table twice"
    if keyframe.video not in index.splits:
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
