"""A dataset in the published layout."""

from __future__ import annotations

import pytest

from tests.benchmarks.datasets.example import TRAIN, VAL, line, picture


@pytest.fixture
def published_layout(tmp_path):
    """Like StoryStream: JSONL beside the images, chunks of the same beside the stories."""
    folder = tmp_path / "george"
    for number in range(4):
        picture(folder / "000258" / f"{number}.png", number)
    picture(folder / "000300" / "4.png", 2, noise=2)  # looks like picture 2, which is in train
    picture(folder / "000300" / "5.png", 5, size=(96, 54))
    first = [f"000258/{number}.png" for number in range(4)]
    (folder / "train.jsonl").write_text(
        line(1, first[:3], TRAIN[:3]) + line(1, first[3:], TRAIN[3:])
    )
    (folder / "train_10.jsonl").write_text(line(1, first[:2], TRAIN[:2]))
    (folder / "val.jsonl").write_text(line(1, ["000300/4.png", "000300/5.png"], VAL))
    return folder
