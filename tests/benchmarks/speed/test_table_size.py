"""The largest table of many simulated films."""

from benchmarks.speed import table_size
from pipeline.dataset import tables


def test_the_table_is_measured_as_it_is_written_and_opened(tmp_path):
    table = table_size.run(40, 5, str(tmp_path))
    (cells,) = table.cells.values()
    assert list(table.cells) == ["40 x 5"]
    assert cells["row groups"].value == 1 and 0 < cells["footer"].value < 30
    assert 20 < cells["peak, opening"].value <= cells["peak, writing"].value
    assert not list(tmp_path.iterdir())


def test_footers_grow_with_bytes_and_not_with_films(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "GROUP_BYTES", 100_000)
    groups = []
    for number, (films, keyframes) in enumerate([(600, 1), (20, 30)]):
        path = str(tmp_path / f"{number}.parquet")
        table_size._write(path, films, keyframes)
        groups.append(table_size._open(path)["groups"])
    assert 1 < groups[1] <= groups[0] < 8


def test_simulated_films_are_unlike_each_other():
    rows = [row for film in range(30) for row in table_size.film_rows(film, 3)]
    assert len({row.id for row in rows}) == len({row.sha256 for row in rows}) == 90
    assert all(len(row.sha256) == len(row.phash) == 64 for row in rows)
