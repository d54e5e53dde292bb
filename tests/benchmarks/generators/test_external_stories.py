"""Stories in the layouts that other scripts write."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.generators import external_stories
from benchmarks.stories import Opening
from schemas import emu_story
from schemas.emu_story import Picture, Segment


def _picture(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    return str(path)


@pytest.fixture
def openings(tmp_path: Path) -> list[Opening]:
    return [
        Opening(name, _picture(tmp_path / f"{name}.jpg"), f"{name} begins.", 3)
        for name in ("a", "b")
    ]


def test_seed_story_writes_a_folder_a_story(tmp_path: Path, openings: list[Opening]) -> None:
    """`text.txt` has a line more where the last text got no picture."""
    out = tmp_path / "out"
    first, second = (_picture(out / "val_0" / f"ori_0{n}.jpg") for n in (1, 2))
    _picture(out / "val_0" / "01.jpg")  # the same with the text painted into it
    (out / "val_0" / "text.txt").write_text("[INST]One day.\n[INST]Then <img> more.\nNo more.\n")
    only = _picture(out / "val_1" / "ori_01.jpg")
    (out / "val_1" / "text.txt").write_text("Alone.\n")
    stories, lacks = external_stories.read_external_stories(out, openings)
    assert [story.id for story in stories] == ["a", "b"]
    assert stories[0].texts == ("a begins.", "One day.", "Then   more.")
    assert stories[0].images == (openings[0].image, first, second)
    assert stories[1].images == (openings[1].image, only)
    assert lacks == f"{out} lacks 1 pictures"


def test_a_text_file_of_several_runs_is_named(tmp_path: Path, openings: list[Opening]) -> None:
    _picture(tmp_path / "val_0" / "ori_01.jpg")
    (tmp_path / "val_0" / "text.txt").write_text("One.\nTwo.\nOne.\nTwo.\n")
    with pytest.raises(ValueError, match=r"val_0 has 1 pictures and 4 lines.*several runs"):
        external_stories.read_external_stories(tmp_path, openings)


def test_emu_writes_texts_each_followed_by_pictures(
    tmp_path: Path, openings: list[Opening]
) -> None:
    """Files are numbered, as its prompts are; a text without a picture goes to the next one."""
    held = Path(_picture(tmp_path / "panel.png")).read_bytes()
    told = [
        Segment("One day.", ()),
        Segment(" Then more.<|extra_60|>", (Picture(held),)),
        Segment("The end.", (Picture(held), Picture(held))),
    ]
    (tmp_path / "out/proto").mkdir(parents=True)
    (tmp_path / "out/proto/000.pb").write_bytes(emu_story.encode("", told))
    (tmp_path / "out/proto/001.pb").write_bytes(emu_story.encode("", told[:2]))
    stories, lacks = external_stories.read_external_stories(tmp_path / "out", openings)
    assert [story.texts for story in stories] == [
        ("a begins.", "One day. Then more.", "The end."),
        ("b begins.", "One day. Then more."),
    ]
    assert Path(stories[0].images[2]).read_bytes() == held
    assert lacks == f"{tmp_path / 'out'} lacks 1 pictures"
    (tmp_path / "out/proto/001.pb").write_bytes(b"not a story")
    with pytest.raises(ValueError, match=r"001.pb is no story of Emu3.5"):
        external_stories.read_external_stories(tmp_path / "out", openings)


def test_mm_interleaved_writes_texts_and_pictures_in_turn(
    tmp_path: Path, openings: list[Opening]
) -> None:
    out = tmp_path / "out"
    painted = [_picture(out / "gen_img_2026" / name) for name in ("0_1_0.png", "0_3_0.png")]
    _picture(out / "gen_img_2026" / "1_1_0.png")
    (out / "eval_results_2026.json").write_text(
        json.dumps(
            [
                {
                    "sentences": ["a begins."],
                    "generate_results": [
                        "Then",
                        "0_1_0.png",
                        "At last",
                        "0_3_0.png",
                        "and no picture",
                    ],
                },
                {"sentences": ["b begins."], "generate_results": ["Once", "1_1_0.png"]},
            ]
        )
    )
    stories, lacks = external_stories.read_external_stories(out, openings)
    assert stories[0].texts == ("a begins.", "Then", "At last")
    assert stories[0].images == (openings[0].image, *painted)
    assert lacks == f"{out} lacks 1 pictures"


def test_our_own_books_and_jsonl(tmp_path: Path, openings: list[Opening]) -> None:
    image = _picture(tmp_path / "out" / "b" / "00.jpg")
    (tmp_path / "out" / "b" / "story.json").write_text(
        json.dumps({"texts": ["Hello."], "images": ["00.jpg"]})
    )
    stories, lacks = external_stories.read_external_stories(tmp_path / "out", openings)
    assert [(story.id, story.images) for story in stories] == [("b", (image,))]
    assert lacks == f"{tmp_path / 'out'} lacks 1 of 2 stories and 2 pictures"
    (tmp_path / "out.jsonl").write_text(
        json.dumps(
            {"id": "a", "captions": ["Hi,\u2028you."], "images": ["out/b/00.jpg"]},
            ensure_ascii=False,
        )
        + "\n"
    )
    stories, _ = external_stories.read_external_stories(tmp_path / "out.jsonl", openings)
    assert stories[0].texts == ("Hi,\u2028you.",)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('{"id": "a"}', "line 1: 'texts'|line 1: 'captions'"),
        ('{"id": "z", "texts": [], "images": []}', "no story that begins"),
        ('{"id": "a", "texts": ["Hi."], "images": ["gone.jpg"]}', "gone.jpg is not there"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, openings: list[Opening], lines: str, said: str
) -> None:
    (tmp_path / "out.jsonl").write_text(lines)
    with pytest.raises(ValueError, match=said):
        external_stories.read_external_stories(tmp_path / "out.jsonl", openings)


def test_an_empty_folder_is_no_output(tmp_path: Path, openings: list[Opening]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no stories"):
        external_stories.read_external_stories(tmp_path / "empty", openings)
