"""Folders that are no dataset."""

from __future__ import annotations

import pytest

from benchmarks.datasets import layouts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no stories"),
        ('{"id": 1, "images": ["a.jpg"]}\n', r"train\.jsonl, line 1: KeyError\('captions'\)"),
        ('{"id": 1, "images": ["a.jpg"], "captions": []}\n', "1 images and 0 captions"),
        ("no JSON\n", "line 1: JSONDecodeError"),
    ],
)
def test_what_is_no_dataset(tmp_path, content, said):
    (tmp_path / "train.jsonl").write_text(content)
    with pytest.raises(ValueError, match=said):
        layouts.read_dataset(tmp_path)
