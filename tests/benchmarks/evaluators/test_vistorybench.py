"""ViStoryBench's layout, read back by the rules of its own reader."""

import os
import re
from datetime import datetime

import pytest
from PIL import Image

from benchmarks.evaluators import vistory_table, vistorybench
from benchmarks.generators import external_stories
from tests.benchmarks.evaluators import items

TIME = "20260102-030405"


def as_vistorybench(root, method, mode, language):
    """Shots by story as its `load_outputs` finds them: the latest time; a folder that ends in
    "shots"; the number is what is behind the last "_" of any picture's name."""
    below = os.path.join(root, method, mode, language)
    times = [name for name in os.listdir(below) if re.match(r"^\d{8}[_-]\d{6}$", name)]
    latest = max(times, key=lambda name: datetime.strptime(name, "%Y%m%d-%H%M%S"))
    found = {}
    for story in sorted(os.listdir(os.path.join(below, latest)), key=int):
        folder = os.path.join(below, latest, story)
        (shots,) = [name for name in os.listdir(folder) if name.endswith("shots")]
        found[story] = {
            int(file.split("_")[-1].split(".")[0]): os.path.join(folder, shots, file)
            for file in os.listdir(os.path.join(folder, shots))
            if file.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".bmp"))
        }
    return found


@pytest.fixture
def dataset(tmp_path):
    return items.vistory(tmp_path / "ViStory")


def test_a_story_is_asked_for_as_its_authors_ask_seed_story(dataset):
    first, _ = vistorybench.make_openings(vistorybench.read_items(dataset))
    assert first.id == "01" and first.length == 4
    assert first.image.endswith("01/image/Momo/00.jpg") and first.text == "Momo is a red one"
    assert first.following == (
        "Wide 1;Plot 1;Script 1;;Scene 1;",
        "Wide 2;Plot 2;Script 2;Momo is a red one;Pip is a blue one;Scene 2;",
        "Wide 3;Plot 3;Script 3;Momo is a red one;Scene 3;",
    )
    chinese = vistorybench.read_items(dataset, "ch")[0]
    assert chinese.shots[0].prompt == "远;情节;描述;;场景;"


def test_its_reader_finds_every_shot_and_nothing_else(dataset, tmp_path):
    stories = vistorybench.read_items(dataset)
    told = items.told(vistorybench.make_openings(stories), tmp_path / "told")
    outputs = tmp_path / "outputs"
    run = vistorybench.write_outputs(told, stories, outputs, "ours", "sink", "en", TIME)
    found = as_vistorybench(outputs, "ours", "sink", "en")
    assert list(found) == ["01", "02"] and sorted(found["01"]) == [1, 2, 3]
    with Image.open(found["02"][2]) as shot:
        assert shot.format == "PNG" and shot.size == (16, 9)
        assert max(abs(a - b) for a, b in zip(shot.getpixel((0, 0)), (40, 99, 0), strict=True)) < 4
    assert vistorybench.read_outputs(outputs) == found
    with pytest.raises(ValueError, match="is there already"):
        vistorybench.write_outputs(told, stories, outputs, "ours", "sink", "en", TIME)
    assert run == outputs / "ours/sink/en" / TIME


def test_the_latest_of_several_runs_counts_and_other_pictures_are_refused(tmp_path):
    for time in ("20260102-030405", "20250101_000000"):
        items.picture(tmp_path / "uno" / time / "01" / "00.png")
    assert vistorybench.read_outputs(tmp_path / "uno") == {
        "01": {0: str(tmp_path / "uno/20260102-030405/01/00.png")}
    }
    items.picture(tmp_path / "uno/20260102-030405/01/cover.png")
    with pytest.raises(ValueError, match="does not end in the number of a shot"):
        vistorybench.read_outputs(tmp_path / "uno")
    (tmp_path / "uno/other").mkdir()
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="none is a run"):
        vistorybench.read_outputs(tmp_path / "a")


def test_pictures_of_other_models_stand_in_our_tables(dataset, tmp_path):
    stories = vistorybench.read_items(dataset)
    openings = vistorybench.make_openings(stories)
    told = items.told(openings, tmp_path / "told")
    run = vistorybench.write_outputs(told, stories, tmp_path / "o", "ours", "m", "en", TIME)
    (run / "02/shots/shot_02.png").unlink()
    read, lacks = external_stories.read_external_stories(tmp_path / "o/ours", openings)
    assert [story.texts for story in read] == [told[0].texts, told[1].texts[:2]]
    assert read[0].images[3].endswith("01/shots/shot_03.png")
    assert lacks == f"{tmp_path / 'o/ours'} lacks 2 pictures"


def test_a_method_that_draws_the_right_characters_is_first(dataset, tmp_path):
    stories = vistorybench.read_items(dataset)
    for method, colours in (("right", ("red", "red", "red")), ("wrong", ("lime", "blue", "gold"))):
        for item in stories:
            for shot, colour in zip(item.shots, colours, strict=True):
                folder = tmp_path / "out" / method / item.id / "shots"
                items.picture(folder / f"shot_{shot.number:02d}.png", colour, (64, 64))
    outputs = {name: str(tmp_path / "out" / name) for name in ("right", "wrong")}
    table = vistory_table.run(str(dataset), outputs)
    right, wrong = table.cells["right"], table.cells["wrong"]
    assert right["CIDS cross"].value > wrong["CIDS cross"].value
    assert right["CIDS self"].value > wrong["CIDS self"].value
    assert right["CSD self"].value == pytest.approx(1, abs=1e-5)
    assert right["shots drawn"].value == 1
    assert "OCCM" not in right
    half = [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)]
    table = vistory_table.run(str(dataset), outputs, detect=lambda picture: half)
    # Two figures are found: right where Momo and Pip should be, one too many where Momo is alone.
    assert table.cells["right"]["OCCM"].value == pytest.approx((100 + 100 / 2.718281828) / 2, 1e-4)
