"""Finds captions that belong to no keyframe, are blank, or are there twice."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.dataset.reader import read_rows
from pipeline.dataset.verify.index import Index, text_digest
from pipeline.dataset.verify.problems import RUN, Problem
from schemas.layout import CAPTIONS
from schemas.rows import Caption


def check_captions(index: Index) -> Iterator[Problem]:
    """Checks the captions. Needs the keyframes."""
    for caption in read_rows(index.out, CAPTIONS, Caption):
        fault = _caption_fault(caption, index)
        if fault:
            yield Problem("caption", caption.keyframe, fault, RUN)
        index.captions[caption.keyframe] = text_digest(caption.sentence)


def _caption_fault(caption: Caption, index: Index) -> str:
    picture = index.pictures.get(caption.keyframe)
    if picture is None:
        return "is of no keyframe"
    if caption.keyframe in index.captions:
        return "is there twice"
    if caption.video != picture.video:
        return f"its row says {caption.video}, its keyframe {picture.video}"
    if not caption.sentence.strip():
        return "its sentence is blank"
    return ""
