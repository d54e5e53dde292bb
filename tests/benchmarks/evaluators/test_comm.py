"""CoMM's layout, read back by the rules of its evaluation."""

import json
import re

import pytest
import torch
from PIL import Image

from benchmarks.evaluators import comm
from benchmarks.generators import external_stories
from tests.benchmarks.evaluators import items


def as_comm(folder, lists, text):
    """Steps as `data_format` of its eval/utils.py reads them: texts and opened pictures."""
    steps = re.findall(r"\(\d+\)\s(.*?)\s*(?=\(\d+\)|$)", text, re.DOTALL)
    pictures = iter(lists)
    part = re.compile(r"(\[img\](.*?)\[/img\]|\[imgblock\](.*?)\[/imgblock\]|<IMAGE>|[^\[\]<]+)")
    found = []
    for step in steps:
        for match in part.findall(step):
            if match[0] == "<IMAGE>":
                found.append(Image.open(folder / next(pictures)).size)
            elif match[0].strip():
                found.append(match[0].strip())
    assert next(pictures, None) is None
    return found


@pytest.fixture
def documents(tmp_path):
    """Three steps, the second in two texts; a document of one step, which cannot be continued."""
    for at in range(3):
        items.picture(tmp_path / f"images/a/{at}.png", (0, 0, 80 * at))
    steps = [
        [
            {"type": "text", "content": f" Step {at} [tip] (2) a<b. "},
            {"type": "image", "image_path": f"a/{at}.png", "url": None},
        ]
        for at in range(3)
    ]
    gone = [[{"type": "text", "content": "No."}, {"type": "image", "image_path": "b/0.png"}]]
    split = [
        {"data_id": "a", "title": "a kite", "step_info": steps},
        {"data_id": "b", "title": None, "step_info": gone},
    ]
    torch.save(split, tmp_path / "test.pth")
    return comm.read_items(tmp_path / "test.pth", tmp_path / "images")


def test_a_split_is_read_as_it_is_published_and_without_running_code(documents, tmp_path):
    assert [(item.id, len(item.steps)) for item in documents] == [("a", 3)]
    (tmp_path / "evil.pth").write_bytes(b"cos\nsystem\n(S'touch /tmp/evil'\ntR.")
    with pytest.raises(ValueError, match="is not a split of CoMM"):
        comm.read_items(tmp_path / "evil.pth", tmp_path)


def test_its_evaluation_reads_a_continuation(documents, tmp_path):
    openings = comm.make_openings(documents, "task3", tmp_path / "work")
    assert (openings[0].length, openings[0].text) == (3, "Step 0 [tip] (2) a<b.")
    told = items.told(openings, tmp_path / "told")
    out = comm.write_outputs(told, documents, tmp_path / "out", "task3")
    result = json.loads((out / "a_task3/results.json").read_text())
    assert as_comm(out / "a_task3", result["prediction_image_list"], result["model_output"]) == [
        *("Text 1.", (16, 9)),
        *("Text 2.", (16, 9)),
    ]
    given = as_comm(out / "a_task3/origin", result["input_image_list"], result["model_input"])
    assert given[:2] == ["Step 0 (tip) 2: a‹b.", (16, 9)]
    assert [
        Image.open(out / "a_task3/origin" / name).size for name in result["output_gt_image_list"]
    ]
    assert result["prediction_image_list"] == ["predict_2.jpg", "predict_3.jpg"]
    read, lacks = external_stories.read_external_stories(out, openings)
    assert read[0].texts == told[0].texts and lacks == ""


def test_its_evaluation_reads_pictures_of_given_texts(documents, tmp_path):
    openings = comm.make_openings(documents, "task2", tmp_path / "work")
    told = items.told(openings, tmp_path / "told")
    out = comm.write_outputs(told, documents, tmp_path / "out", "task2")
    result = json.loads((out / "a_task2/results.json").read_text())
    assert result["model_output"] == "(1) <IMAGE> (2) <IMAGE> (3) <IMAGE>"
    assert len(result["prediction_image_list"]) == len(result["output_gt_image_list"]) == 3
    read, _ = external_stories.read_external_stories(out, openings)
    assert read[0].texts[1:] == openings[0].following
    # The other task's results lie in the same folder; the openings say which is meant.
    free = comm.make_openings(documents, "task3", tmp_path / "work")
    comm.write_outputs(items.told(free, tmp_path / "more"), documents, out, "task3")
    again, _ = external_stories.read_external_stories(out, openings)
    assert again == read
    assert external_stories.read_external_stories(out, free)[0][0].texts[1:] == (
        "Text 1.",
        "Text 2.",
    )
