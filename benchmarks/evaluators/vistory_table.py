"""Scores pictures in ViStoryBench's layout, of our runs and of other models, in one table.

The scores are those of the benchmark, by `metrics.vistory_scores`, with an encoder of ours in the
place of CLIP and CSD's network, and consistency by recurrence gap of the characters of the shots.
Without a detector of figures (`figure_detector`) a whole picture stands for the figure of each of
its characters, so there is no OCCM. Figures are comparable within a table only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.array_types import Floats, Pictures
from benchmarks.evaluators import vistorybench
from benchmarks.evaluators.figure_detector import Detector
from benchmarks.evaluators.vistorybench import Item
from benchmarks.metrics import recurrence, vistory_scores
from benchmarks.metrics.consistency_features import consistency_encoder, split_features
from benchmarks.metrics.encoders import ImageEncoder, efficientnet, load_open_clip
from benchmarks.metrics.vistory_scores import SeenShot
from benchmarks.results.confidence_intervals import bootstrap_mean
from benchmarks.results.tables import Cell, Column, Table
from benchmarks.stories import read_pictures
from model.data import to_square

SIZE = 224  # pixels that pictures and figures are squashed to

_CROSS, _SELF = Column("CIDS cross", "higher"), Column("CIDS self", "higher")
_STYLE, _OWN_STYLE = Column("CSD cross", "higher"), Column("CSD self", "higher")
_OCCM, _COPIED = Column("OCCM", "higher", "", 1), Column("copy-paste", "lower")
_DRAWN = Column("shots drawn", "higher", "%", 0)


def run(
    items: str,
    outputs: Mapping[str, str],
    clip: str = "",
    detect: Detector | None = None,
) -> Table:
    """Makes the table of methods, `outputs` by name, on the stories of a folder of ViStoryBench.

    `clip` is open_clip's MODEL:WEIGHTS; without it the encoder is EfficientNet-Lite0. Raises
    ValueError for folders that are not in the benchmark's layout.
    """
    stories = vistorybench.read_items(items)
    if clip:
        whole = clip.startswith(("local-dir:", "hf-hub:"))
        model, _, weights = (clip, "", "") if whole else clip.partition(":")
        encoder = load_open_clip(model, weights).pictures
    else:
        encoder = efficientnet()
    columns = [_CROSS, _SELF, _STYLE, _OWN_STYLE, *([_OCCM] if detect else []), _COPIED, _DRAWN]
    gaps = [Column(f"back after {name}", "higher") for name in recurrence.COLUMNS]
    cells = {
        name: _row(stories, vistorybench.read_outputs(folder), encoder, detect)
        for name, folder in outputs.items()
    }
    seen = [column for column in gaps if any(column.name in row for row in cells.values())]
    return Table(
        "vistory",
        "ViStoryBench's scores",
        "method",
        (*columns, *seen),
        cells,
        "By the benchmark's formulas with other networks: comparable within this table only. "
        "`back after`: how much more similar a shot is to the one where its character was last "
        "seen than shots equally far apart of which only one shows it.",
        {
            "stories": len(stories),
            "encoder": f"{encoder.name} {encoder.version}",
            "style": f"EfficientNet-Lite0 {consistency_encoder().version}",
            "figures": "detected" if detect else "whole pictures",
            "interval": "95 %, bootstrap over stories",
        },
    )


def _row(
    stories: Sequence[Item],
    drawn: Mapping[str, Mapping[int, str]],
    encoder: ImageEncoder,
    detect: Detector | None,
) -> dict[str, Cell]:
    found: dict[str, list[float]] = {}
    recurrences = {}
    for item in stories:
        paths = drawn.get(item.id) or drawn.get(str(int(item.id))) or {}
        for name, value in _score_story(item, paths, encoder, detect).items():
            found.setdefault(name, []).append(value)
        if paths:
            recurrences[item.id] = _recurrences(item, paths)
    row: dict[str, Cell] = {
        name: bootstrap_mean(values, [str(at) for at in range(len(values))])
        for name, values in found.items()
    }
    for name, figure in recurrence.figures_by_gap(recurrences)[1].items():
        if figure.n:
            row[f"back after {name}"] = figure
    return row


def _score_story(
    item: Item, paths: Mapping[int, str], encoder: ImageEncoder, detect: Detector | None
) -> dict[str, float]:
    references = {
        key: encoder.embed(np.stack([_reference(path, detect) for path in character.references]))
        for key, character in item.characters.items()
        if character.references
    }
    mirrored = {
        key: encoder.embed(_reference(character.references[0], detect)[None, :, ::-1].copy())[0]
        for key, character in item.characters.items()
        if character.references
    }
    shots = [
        SeenShot(
            tuple(key for key in shot.characters if key in references),
            _shot_figures(paths[shot.number], shot.characters, encoder, detect)
            if shot.number in paths
            else None,
        )
        for shot in item.shots
    ]
    scores = vistory_scores.score_characters(shots, references, mirrored)
    values: dict[str, Any] = {
        _CROSS.name: scores.cross,
        _SELF.name: scores.self_similarity,
        _OCCM.name: scores.occm if detect else None,
        _COPIED.name: scores.copy_paste,
        _DRAWN.name: len([shot for shot in item.shots if shot.number in paths]) / len(item.shots),
        **_styles(item, paths),
    }
    return {name: value for name, value in values.items() if value is not None}


def _styles(item: Item, paths: Mapping[int, str]) -> dict[str, float | None]:
    style = consistency_encoder()

    def of(path: str) -> Floats:
        return split_features(style.embed(read_pictures([path], SIZE)))[0][0]

    references = {
        key: of(character.references[0])
        for key, character in item.characters.items()
        if character.references
    }
    shots = [
        (shot.characters, of(paths[shot.number])) for shot in item.shots if shot.number in paths
    ]
    own = np.stack([features for _, features in shots]) if shots else np.zeros((0, 1))
    return {
        _STYLE.name: vistory_scores.style_to_references(shots, references),
        _OWN_STYLE.name: vistory_scores.mean_of_pairs(own),
    }


def _recurrences(item: Item, paths: Mapping[int, str]) -> dict[Any, tuple[float, float]]:
    shots = [shot for shot in item.shots if shot.number in paths]
    seen = consistency_encoder().embed(read_pictures([paths[shot.number] for shot in shots], SIZE))
    centre = split_features(seen)[2]
    return recurrence.similarities([shot.characters for shot in shots], centre @ centre.T)


def _shot_figures(
    path: str, expected: Sequence[str], encoder: ImageEncoder, detect: Detector | None
) -> Floats:
    """Returns the features of the figures of a shot; without a detector the picture as often as
    there are characters."""
    if detect is None:
        whole = encoder.embed(read_pictures([path], SIZE))
        return np.repeat(whole, max(1, len(expected)), axis=0)
    found = _crops(path, detect)
    return encoder.embed(np.stack(found)) if found else np.zeros((0, 1))


def _reference(path: str, detect: Detector | None) -> Pictures:
    """Returns the most certain figure of a picture, or the whole picture where none is found."""
    found = _crops(path, detect) if detect else []
    return found[0] if found else read_pictures([path], SIZE)[0]


def _crops(path: str, detect: Detector) -> list[Pictures]:
    """Returns the figures of a picture, each [SIZE, SIZE, 3], cut from its full size."""
    with Image.open(path) as opened:
        picture = np.asarray(opened.convert("RGB"))
    height, width = picture.shape[:2]
    found = []
    for left, top, right, bottom in detect(picture):
        rows = slice(int(top * height), int(bottom * height))
        columns = slice(int(left * width), int(right * width))
        if picture[rows, columns].size:
            found.append(to_square(picture[rows, columns], SIZE))
    return found
