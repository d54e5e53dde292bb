"""Table 1 of small datasets in both layouts, each figure counted by hand."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from benchmarks import published_results
from benchmarks.datasets import comparison
from benchmarks.results.markdown import table_to_markdown
from schemas.rows import Keyframe, to_table
from tests.benchmarks.datasets.example import TRAIN, VAL, line
from tests.tiny_models import make_language_model


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return make_language_model(tmp_path_factory.mktemp("lm") / "tokenizer")


def row(folder, tokenizer, **more):
    [table] = comparison.run([str(folder)], tokenizer, **more)
    return table.cells[folder.name], table


def test_the_published_layout(published_layout, tokenizer):
    cells, table = row(published_layout, tokenizer)
    values = {name: cell.value for name, cell in cells.items()}
    assert (values["images"], values["stories"]) == (6, 3)
    assert values["pictures per story"] == 2 and cells["pictures per story"].note == "1 to 3"
    assert (values["width"], values["height"]) == (64, 36)
    assert (cells["width"].note, cells["height"].note) == ("64 to 96", "36 to 54")
    counts = [[len(text.split()) for text in some] for some in (TRAIN[:3], TRAIN[3:], VAL)]
    assert values["words per text"] == pytest.approx(
        np.mean([count for some in counts for count in some])
    )
    assert values["words per story"] == pytest.approx(np.mean(list(map(sum, counts))))
    counter = AutoTokenizer.from_pretrained(tokenizer)
    assert values["tokens per text"] == pytest.approx(
        np.mean([len(counter.encode(text, add_special_tokens=False)) for text in TRAIN + VAL])
    )
    assert table.about["tokenizer"] == "tokenizer"
    assert values["names"] == 3  # Pip, Momo, Zuzu
    assert values["duplicates"] == pytest.approx(1 / 6)
    assert values["val leaked from train"] == 1 / 2 and cells["val leaked from train"].n == 2
    assert cells["words per text"].low < values["words per text"] < cells["words per text"].high


def test_stands_beside_published_rows(published_layout, tokenizer):
    _, table = row(published_layout, tokenizer)
    assert table.published == tuple(published_results.DATASETS)
    story_stream = table.cells["StoryStream"]
    assert story_stream["images"].value == 257_850 and story_stream["width"].value == 854
    assert story_stream["tokens per text"].value is None  # its unit is not known
    assert "| StoryStream (published) |" in table_to_markdown(table) and "36.3 words" in table.text


def test_without_pictures(published_layout, tokenizer):
    for image in published_layout.rglob("*.png"):
        image.unlink()
    cells, _ = row(published_layout, tokenizer, score=lambda images, texts: np.ones(len(images)))
    assert cells["images"].value == 6
    for name in ("width", "height", "duplicates", "val leaked from train", "image-text"):
        assert cells[name].value is None and cells[name].note == "no pictures in the folder"


def test_with_some_pictures(published_layout, tokenizer):
    (published_layout / "000258" / "0.png").unlink()
    cells, _ = row(published_layout, tokenizer)
    assert cells["duplicates"].value == pytest.approx(1 / 5)
    assert cells["duplicates"].note == "without 1 that is missing"


def test_without_a_split(published_layout, tokenizer):
    (published_layout / "val.jsonl").unlink()
    (published_layout / "train.jsonl").rename(published_layout / "george_full.jsonl")
    cells, _ = row(published_layout, tokenizer)
    assert cells["stories"].value == 2
    assert cells["val leaked from train"].note == "no split"


def keyframe(name, phash):
    return Keyframe(
        name,
        "v",
        "s",
        f"images/v/{name}.jpg",
        0.0,
        0,
        0.0,
        1.0,
        640,
        360,
        [0, 0, 640, 360],
        1,
        "",
        phash,
        1.0,
        0.5,
        [0.0, 0.0],
        [0.0, 0.0],
    )


def test_our_layout_is_read_by_its_tables(tmp_path, tokenizer):
    folder = tmp_path / "ours"
    (folder / "images").mkdir(parents=True)
    (folder / "work").mkdir()
    (folder / "work" / "part.jsonl").write_text("[]\n")  # is none of its stories
    (folder / "images" / "train_stories.jsonl").write_text(
        line("a", ["v/0.jpg", "v/1.jpg"], TRAIN[:2])
    )
    (folder / "images" / "train_chunks.jsonl").write_text(line("a_0", ["v/0.jpg"], TRAIN[:1]))
    (folder / "images" / "val_stories.jsonl").write_text(line("b", ["v/2.jpg"], VAL[:1]))
    rows = [keyframe("0", "00" * 32), keyframe("1", "0f" * 32), keyframe("2", "0f" * 32)]
    pq.write_table(to_table(rows, Keyframe), folder / "keyframes.parquet")
    cells, _ = row(folder, tokenizer)
    assert (cells["images"].value, cells["stories"].value) == (3, 2)
    assert (cells["width"].value, cells["height"].value, cells["width"].note) == (640, 360, "")
    assert cells["duplicates"].value == pytest.approx(1 / 3)
    assert cells["val leaked from train"].value == 1


def test_a_score_beside_other_stories_texts(published_layout, tokenizer):
    own = dict(zip(["0", "1", "2", "3", "4", "5"], TRAIN + VAL, strict=True))

    def score(images, texts):
        stems = [image.rpartition("/")[2].removesuffix(".png") for image in images]
        return np.array([own[stem] == text for stem, text in zip(stems, texts, strict=True)], float)

    cells, table = row(published_layout, tokenizer, score=score, score_name="equal")
    assert cells["image-text"].value == 1 and cells["image-text"].n == 6
    assert cells["image-text, other story"].value == 0
    assert table.about["image-text score"] == "equal"
