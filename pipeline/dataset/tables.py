"""The dataset's tables, written as Parquet while films come in: memory holds one film's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pyarrow.parquet as pq

from pipeline.dataset.file_digests import FileRecord, recorded
from schemas import layout
from schemas.rows import arrow_schema, to_table


class TableWriter:
    """All tables of a dataset, open for writing."""

    def __init__(self, tables: dict[str, pq.ParquetWriter]) -> None:
        self._tables = tables

    def write(self, table: str, rows: Sequence[Any]) -> None:
        """Appends rows to a table, one of `layout.TABLES`."""
        if rows:
            self._tables[table].write_table(to_table(rows, layout.TABLES[table]))


@contextmanager
def writing_tables(out: str, records: list[FileRecord]) -> Iterator[TableWriter]:
    """Opens the tables of the dataset `out`; their records are added when the block ends well."""
    with ExitStack() as stack:
        tables = {}
        for table, kind in layout.TABLES.items():
            file = stack.enter_context(recorded(out, layout.table_path(table), records))
            tables[table] = stack.enter_context(
                pq.ParquetWriter(file, arrow_schema(kind), compression="zstd")
            )
        yield TableWriter(tables)
