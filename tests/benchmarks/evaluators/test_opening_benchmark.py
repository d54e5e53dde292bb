"""OpenING's layout, read back by the rules of its judges."""

import json

import pytest
from PIL import Image

from benchmarks.evaluators import opening_benchmark
from benchmarks.generators import external_stories
from tests.benchmarks.evaluators import items


def line(data, image, steps, **more):
    return {
        **more,
        "meta_task_id": "3",
        "subtask_id": "2",
        "data_id": str(data),
        "conversations": [
            {"input": [{"text": "<BEGIN> Tell of a kite. <image>", "image": image}]},
            {"output": [{"text": f"Step {at}", "image": None} for at in range(steps)]},
        ],
    }


@pytest.fixture
def asked(tmp_path):
    items.picture(tmp_path / "images/1-i-1.jpg")
    lines = [line(5, "./images/1-i-1.jpg", 2), line(6, None, 1, total_uid="0302006")]
    file = tmp_path / "test_data.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return opening_benchmark.read_items(file)


def as_judge(folder, name, uid):
    """Texts and opened pictures of an answer, as IntJudge_judge_AB.py and GPT_score_A.py do."""
    path = folder / f"{name}_output" / f"{uid}.json"
    answer = json.loads(path.read_text())["conversations"][1]["output"]
    return [(step["text"].strip(), Image.open(path.parent / step["image"]).size) for step in answer]


def test_an_instruction_is_an_opening_and_without_a_picture_begins_grey(asked, tmp_path):
    first, second = opening_benchmark.make_openings(asked, tmp_path, tmp_path / "work")
    assert (first.id, first.text, first.length) == ("0302005", "Tell of a kite.", 3)
    assert first.image == str(tmp_path / "images/1-i-1.jpg")
    assert second.id == "0302006"
    with Image.open(second.image) as grey:
        assert grey.getcolors() == [(512 * 512, (127, 127, 127))]


def test_lines_are_those_of_the_file_and_a_missing_picture_is_named(asked, tmp_path):
    separated = line(7, "./images/gone.jpg", 1) | {"note": "one\u2028line"}
    file = tmp_path / "more.jsonl"
    file.write_text(json.dumps(separated, ensure_ascii=False), encoding="utf-8")
    [item] = opening_benchmark.read_items(file)
    with pytest.raises(ValueError, match=r"gone.jpg is not there: OpenING's images/"):
        opening_benchmark.make_openings([item], tmp_path, tmp_path / "work")
    with pytest.raises(ValueError, match=r"is not there: give test_data\.jsonl"):
        opening_benchmark.read_items(tmp_path / "none.jsonl")


def test_judges_find_texts_and_pictures_and_other_models_stand_in_our_tables(asked, tmp_path):
    openings = opening_benchmark.make_openings(asked, tmp_path, tmp_path / "work")
    told = items.told(openings, tmp_path / "told")
    opening_benchmark.write_outputs(told, asked, tmp_path / "out", "ours")
    assert as_judge(tmp_path / "out", "ours", "0302005") == [
        ("Text 1.", (16, 9)),
        ("Text 2.", (16, 9)),
    ]
    answer = json.loads((tmp_path / "out/ours_output/0302005.json").read_text())
    assert answer["conversations"][0] == asked[0]["conversations"][0]
    read, lacks = external_stories.read_external_stories(tmp_path / "out/ours_output", openings)
    assert [story.texts for story in read] == [story.texts for story in told] and lacks == ""
    with pytest.raises(ValueError, match="is there already"):
        opening_benchmark.write_outputs(told, asked, tmp_path / "out", "ours")


def test_paths_and_steps_as_scripts_of_others_write_them(tmp_path):
    folder = tmp_path / "SEED-X_output"
    items.picture(folder / "0302005-o-1.jpg")
    steps = [
        {"text": "First. ", "image": None},
        {"text": "Then.", "image": "./elsewhere/0302005-o-1.jpg"},
        {"text": "The end.", "image": None},
    ]
    (folder / "0302005.jsonl").write_text(
        json.dumps({"conversations": [{"input": []}, {"output": steps}]}, indent=4)
    )
    assert opening_benchmark.read_outputs(folder) == {
        "0302005": [("First. Then.", str(folder / "0302005-o-1.jpg"))]
    }
    (folder / "0302006.json").write_text("{}")
    with pytest.raises(ValueError, match=r"0302006.json is not an answer"):
        opening_benchmark.read_outputs(folder)
