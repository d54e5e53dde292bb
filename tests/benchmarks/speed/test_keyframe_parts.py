"""What the parts of extracting keyframes cost."""

import pytest

from benchmarks.results.markdown import table_to_markdown
from benchmarks.speed import keyframe_parts
from pipeline.testing.films import make_film, shots


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("film") / "a.mp4", shots(4), gop=12, bframes=2)


def test_parts_make_up_the_whole(film):
    cells = keyframe_parts.parts_table(film).cells
    *parts, whole, decoded = [row["CPU"].value for row in cells.values()]
    assert "decoding 4 chosen frames" in cells
    assert sum(parts) == pytest.approx(whole) and min(parts) >= 0 and decoded > 0
    assert cells["all parts"]["relative to decoding"].value == pytest.approx(whole / decoded)


def test_cores_used_stand_beside_what_the_machine_gives(film, monkeypatch):
    monkeypatch.setattr(keyframe_parts, "busy_cores", lambda seconds: 2.0)
    table = keyframe_parts.threads_table(film, 2)
    assert list(table.cells) == ["1 thread", "2 threads"]
    two = table.cells["2 threads"]
    assert two["share of busy loops"].value == pytest.approx(two["cores used"].value / 2)
    assert "share of busy loops" in table_to_markdown(table)
