"""The dataset's tables, written as Parquet while films come in.

Memory holds one row group of each table. Groups are by size, not by film: each costs some kilobytes
of the file's footer, which readers hold in memory, so that a group per film would make that grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.file_digests import FileRecord, recorded
from schemas import layout
from schemas.rows import arrow_schema, to_table

GROUP_BYTES = 16 << 20  # of rows in memory, after which a row group is written


class RowWriter:
    """A table, open for writing: collects rows until they make a row group."""

    def __init__(self, parquet: pq.ParquetWriter, kind: Any) -> None:
        self._parquet, self._kind = parquet, kind
        self._parts: list[pa.Table] = []
        self._bytes = 0

    def write(self, rows: Sequence[Any]) -> None:
        """Appends rows."""
        if rows:
            self._parts.append(to_table(rows, self._kind))
            self._bytes += self._parts[-1].nbytes
        if self._bytes >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes the rows that are left as a row group."""
        if self._parts:
            group = pa.concat_tables(self._parts)
            self._parquet.write_table(group, row_group_size=max(1, group.num_rows))
        self._parts, self._bytes = [], 0


@contextmanager
def writing_table(file: IO[bytes] | Any, kind: Any) -> Iterator[RowWriter]:
    """Opens a table of rows of a kind, to be written to a file; whole when the block ends well."""
    with pq.ParquetWriter(file, arrow_schema(kind), compression="zstd") as parquet:
        writer = RowWriter(parquet, kind)
        yield writer
        writer.flush()


class TableWriter:
    """All tables of a dataset, open for writing."""

    def __init__(self, tables: dict[str, RowWriter]) -> None:
        self._tables = tables

    def write(self, table: str, rows: Sequence[Any]) -> None:
        """Appends rows to a table, one of `layout.TABLES`."""
        self._tables[table].write(rows)


@contextmanager
def writing_tables(out: str, records: list[FileRecord]) -> Iterator[TableWriter]:
    """Opens the tables of the dataset `out`; their records are added when the block ends well."""
    with ExitStack() as stack:
        tables = {}
        for table, kind in layout.TABLES.items():
            file = stack.enter_context(recorded(out, layout.table_path(table), records))
            tables[table] = stack.enter_context(writing_table(file, kind))
        yield TableWriter(tables)
