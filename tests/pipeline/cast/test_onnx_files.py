"""Detectors of every layout that tools publish find the same two figures, in files made here.

Each file has the outputs of its kind as constants: a figure that fills the left half of the lower
half of the picture (score 0.9), one in the upper right corner (0.6), and one that no threshold lets
through (0.1).
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.cast import onnx_files
from pipeline.cast.onnx_files import UnusableFile

SIDE = 64  # of the input
PICTURE = np.full((36, 64, 3), 90, np.uint8)  # as wide as the input, 14 rows lie above and below

# In shares of the picture: left, top, right, bottom.
BOXES = [(0.0, 0.5, 0.5, 1.0), (0.75, 0.0, 1.0, 0.25), (0.4, 0.4, 0.6, 0.6)]
SCORES = [0.9, 0.6, 0.1]
CLASSES = [1, 0, 1]
NAMES = {"names": "{0: 'head', 1: 'person'}", "imgsz": f"[{SIDE}, {SIDE}]"}


def write(path, outputs, *, size=(SIDE, SIDE), kind=TensorProto.FLOAT, more=(), metadata=()):
    """Writes a file that takes pictures and gives the outputs, whatever the picture."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Cast", ["mean"], ["level"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["level", "zero"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.float32(0), "zero")]
    for name, values in outputs.items():
        constants.append(numpy_helper.from_array(np.asarray(values, np.float32), f"{name}_is"))
        nodes.append(helper.make_node("Add", [f"{name}_is", "nothing"], [name]))
    graph = helper.make_graph(
        nodes,
        "detector",
        [
            helper.make_tensor_value_info("images", kind, [1, 3, *size]),
            *(helper.make_tensor_value_info(name, TensorProto.INT64, [1, 2]) for name in more),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in dict(metadata).items():
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    path.write_bytes(model.SerializeToString())
    return str(path)


def letterboxed(boxes=BOXES):
    """Corners in pixels of the input, in which the picture lies in the middle."""
    return [(64 * a, 14 + 36 * b, 64 * c, 14 + 36 * d) for a, b, c, d in boxes]


def centred(boxes):
    return [((a + c) / 2, (b + d) / 2, c - a, d - b) for a, b, c, d in boxes]


def by_class():
    return [
        [score * (at == kind) for at in range(2)]
        for score, kind in zip(SCORES, CLASSES, strict=True)
    ]


def yolo_v5(count=40):
    rows = [
        [*box, score, *(float(at == kind) for at in range(2))]
        for box, score, kind in zip(centred(letterboxed()), SCORES, CLASSES, strict=True)
    ]
    return {"output": [rows + [[0.0] * 7] * (count - len(rows))]}


def yolo_v8(masks=0, count=40):
    rows = [
        [*box, *scores, *[0.5] * masks]
        for box, scores in zip(centred(letterboxed()), by_class(), strict=True)
    ]
    rows += [[0.0] * len(rows[0])] * (count - len(rows))
    found = {"output0": np.array(rows).T[None]}
    return found | ({"output1": np.zeros((1, masks, 16, 16))} if masks else {})


def yolo_v10():
    rows = [
        [*box, score, float(kind)]
        for box, score, kind in zip(letterboxed(), SCORES, CLASSES, strict=True)
    ]
    return {"output0": [rows + [[0.0] * 6] * 5]}


def yolo_rt_detr():
    inside = [(a, b / 64, c, d / 64) for a, b, c, d in letterboxed()]
    inside = [(a / 64, b, c / 64, d) for a, b, c, d in inside]
    return {
        "output0": [
            [[*box, *found] for box, found in zip(centred(inside), by_class(), strict=True)]
        ]
    }


def detr():
    odds = np.clip(np.array(by_class()), 1e-4, 1)
    return {"logits": np.log(odds / (1 - odds))[None], "pred_boxes": [centred(BOXES)]}


def authors_rt_detr():
    stretched = [[SIDE * side for side in box] for box in BOXES]
    return {"labels": [CLASSES], "boxes": [stretched], "scores": [SCORES]}


LAYOUTS = {
    "YOLOv5": (yolo_v5(), {}),
    "YOLOv8": (yolo_v8(), {}),
    "YOLOv8 with masks": (yolo_v8(masks=32, count=60), {}),
    "YOLOv10": (yolo_v10(), {}),
    "YOLO's RT-DETR": (yolo_rt_detr(), {}),
    "DETR of transformers": (detr(), {}),
    "RT-DETR of its authors": (authors_rt_detr(), {"more": ("orig_target_sizes",)}),
    "half precision": (yolo_v8(), {"kind": TensorProto.FLOAT16}),
    "any size": (yolo_v8(), {"size": ("height", "width"), "metadata": NAMES}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_same_figures(tmp_path, layout):
    outputs, how = LAYOUTS[layout]
    found = onnx_files.detect(write(tmp_path / "m.onnx", outputs, **how), PICTURE, least=0.3)

    assert [figure.score for figure in found] == pytest.approx([0.9, 0.6], abs=1e-3)
    for figure, box in zip(found, BOXES[:2], strict=True):
        assert figure.box == pytest.approx(box, abs=1e-3)


def test_one_class_only(tmp_path):
    """With one class YOLOv5 has as many values per box as YOLOv10, YOLOv8 five."""
    rows = [[*box, score, 1.0] for box, score in zip(centred(letterboxed()), SCORES, strict=True)]
    five = write(tmp_path / "5.onnx", {"output": [rows + [[0.0] * 6] * 1200]})
    eight = write(
        tmp_path / "8.onnx",
        {"output0": np.array([row[:5] for row in rows] + [[0.0] * 5] * 30).T[None]},
    )
    for file in (five, eight):
        found = onnx_files.detect(file, PICTURE, least=0.3)
        assert [figure.box for figure in found] == [
            pytest.approx(box, abs=1e-3) for box in BOXES[:2]
        ]


def test_labels_are_those_of_the_file_and_choose_among_them(tmp_path):
    file = write(tmp_path / "m.onnx", yolo_v8(), metadata=NAMES)

    assert [figure.label for figure in onnx_files.detect(file, PICTURE, 0.3)] == ["person", "head"]
    assert [figure.label for figure in onnx_files.detect(file, PICTURE, 0.3, ["Head"])] == ["head"]


def test_two_boxes_of_one_figure_are_one(tmp_path):
    box = letterboxed()[0]
    near = (box[0] + 1, box[1], box[2] + 1, box[3])
    rows = [[*box, 0.9, 0.0], [*near, 0.8, 0.0]]

    file = write(tmp_path / "m.onnx", {"output0": [rows]})
    assert [figure.score for figure in onnx_files.detect(file, PICTURE, 0.3)] == [0.9]


def test_a_file_that_is_no_detector_says_what_it_gives(tmp_path):
    file = write(tmp_path / "m.onnx", {"classes": np.zeros((1, 1000))})
    with pytest.raises(UnusableFile, match=r"gives \[\[1, 1000\]\], which no known detector does"):
        onnx_files.detect(file, PICTURE, 0.3)

    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(UnusableFile, match="cannot be opened"):
        onnx_files.detect(str(tmp_path / "text.onnx"), PICTURE, 0.3)


@pytest.mark.parametrize(
    ("shape", "name"), [((1, 8), "pooled"), ((1, 5, 8), "tokens"), ((1, 8, 2, 2), "map")]
)
def test_encoders_give_a_vector_for_each_picture(tmp_path, shape, name):
    file = write(tmp_path / "m.onnx", {name: np.ones(shape)})

    assert onnx_files.encode(file, [PICTURE, PICTURE]).tolist() == [[1.0] * 8] * 2
