import cv2
import numpy as np
import pytest

from benchmarks.metrics import clip_score
from benchmarks.metrics.encoders import DualEncoder, ImageEncoder
from benchmarks.stories import Story

COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 200, 30),
    "blue": (30, 30, 200),
    "white": (220, 220, 220),
    "yellow": (200, 200, 30),
}


def _unit(values):
    values = np.float32(values)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def encoders(kind="sample-trained", name="sample-trained encoders"):
    """Who sees the mean colour and knows the words for five."""
    return DualEncoder(
        ImageEncoder(name, kind, "abc", lambda seen: _unit(seen.mean((1, 2)) - 100)),
        lambda texts: _unit([np.subtract(COLOURS[text], 100) for text in texts]),
    )


@pytest.fixture
def stories(tmp_path):
    found = []
    dice = np.random.default_rng(0)
    for number in range(6):
        texts = tuple(dice.permutation(list(COLOURS)))
        images = []
        for at, text in enumerate(texts):
            path = str(tmp_path / f"{number}-{at}.png")
            seen = np.clip(dice.normal(COLOURS[text][::-1], 15, (8, 8, 3)), 0, 255)
            cv2.imwrite(path, seen.astype(np.uint8))
            images.append(path)
        found.append(Story(f"S{number}", texts, tuple(images)))
    return found


def test_scores_of_known_angles():
    seen = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    said = np.array([[0.6, 0.8], [0.6, 0.8], [-1, 0]], np.float32)
    assert clip_score.cosines(seen, said) == pytest.approx([0.6, 0.8, -1])
    assert clip_score.clip_score(seen, said) == pytest.approx([1.5, 2.0, 0])


def test_own_text_is_the_nearest_or_shares():
    seen = np.eye(3, dtype=np.float32)
    assert clip_score.recall_of_own_text(seen, seen).tolist() == [1, 1, 1]
    assert clip_score.recall_of_own_text(seen, seen[[1, 2, 0]]).tolist() == [0, 0, 0]
    assert clip_score.recall_of_own_text(seen, seen[[0, 0, 2]]) == pytest.approx([1 / 2, 1 / 3, 1])
    assert clip_score.recall_of_own_text(seen, seen[[0, 0, 0]]) == pytest.approx([1 / 3] * 3)


def test_swapped_texts_and_copied_pictures_score_lower(tmp_path, stories):
    swapped = [
        Story(story.id, (story.texts[0], *story.texts[2:], story.texts[1]), story.images)
        for story in stories
    ]
    copied = [Story(story.id, story.texts, (story.images[0],) * 5) for story in stories]
    silent = [Story(story.id, ("red",) * 5, story.images) for story in stories]
    [found] = clip_score.tables(
        {"ground truth": stories, "swapped": swapped, "copy": copied, "silent": silent},
        [encoders()],
        8,
        cache=tmp_path / "cache",
    )

    score, cosine, own, chance = (column.name for column in found.columns)
    assert score == "CLIPScore's formula (sample-trained encoders)"
    truth = found.cells["ground truth"]
    assert truth[cosine].value > 0.9 and truth[score].value == pytest.approx(
        2.5 * truth[cosine].value
    )
    assert truth[own].value == 1 and truth[own].n == 24 and truth[chance].value == 0.25
    for name in ("swapped", "copy", "silent"):
        row = found.cells[name]
        assert row[cosine].high < truth[cosine].low and row[score].high < truth[score].low
        assert row[own].value < 0.3
    assert found.cells["silent"][own].value == pytest.approx(0.25)
    assert found.cells["copy"][own].value <= 0.25
    assert found.about["sample-trained encoders"] == "weights abc" and "not a CLIP" in found.text


def test_clip_is_called_so_and_nothing_is_nothing(stories):
    alone = [Story(story.id, story.texts[:1], story.images[:1]) for story in stories]
    [found] = clip_score.tables(
        {"some": stories[:1], "alone": alone}, [encoders("clip", "ViT-B-32 openai"), encoders()], 8
    )
    assert [column.name for column in found.columns][:3] == [
        "CLIPScore (ViT-B-32 openai)",
        "cosine (ViT-B-32 openai)",
        "recall@1 of own text (ViT-B-32 openai)",
    ]
    assert len(found.columns) == 7
    assert all(figure.value is None for figure in found.cells["alone"].values())
