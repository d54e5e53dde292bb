"""The tables of a dataset, as they are written while films come in."""

import pyarrow.parquet as pq

from pipeline.dataset import tables
from pipeline.dataset.reader import read_rows
from schemas.layout import KEYFRAMES, TABLES
from schemas.rows import Keyframe
from tests.pipeline.rows import keyframe

FILMS = [[keyframe(f"film{film}", at) for at in range(10)] for film in range(40)]


def written(out, films):
    records = []
    with tables.writing_tables(str(out), records) as writer:
        for rows in films:
            writer.write(KEYFRAMES, rows)
    assert [record.path for record in records][::-1] == [f"{table}.parquet" for table in TABLES]
    return pq.ParquetFile(out / "keyframes.parquet")


def test_rows_come_back_in_their_order(tmp_path):
    written(tmp_path, FILMS)
    rows = list(read_rows(str(tmp_path), KEYFRAMES, Keyframe))
    assert rows == [row for film in FILMS for row in film]


def test_row_groups_are_by_size_and_not_by_film(tmp_path, monkeypatch):
    assert written(tmp_path, FILMS).num_row_groups == 1
    size = tables.to_table(FILMS[0], Keyframe).nbytes
    monkeypatch.setattr(tables, "GROUP_BYTES", 9 * size)
    table = written(tmp_path, FILMS).metadata
    groups = [table.row_group(at).num_rows for at in range(table.num_row_groups)]
    assert 3 <= len(groups) <= 5 and sum(groups) == 400 and min(groups[:-1]) >= 90


def test_a_table_without_rows_has_its_columns(tmp_path):
    table = written(tmp_path, [])
    assert table.metadata.num_rows == 0 and "phash" in table.schema_arrow.names
