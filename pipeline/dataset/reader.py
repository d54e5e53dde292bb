"""Reading a finished dataset: its files by the names they have in it, and the rows of its tables.

Everything that reads a dataset back goes through here: verification, report, rebuild, exports and
the benchmarks. Tables are read a batch at a time, as those of a large dataset exceed memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.dataset.manifest import read_json, read_manifest
from pipeline.runtime import storage
from schemas import layout
from schemas.rows import Character, Keyframe, Row, Story, arrow_schema, from_table, row

_BATCH = 1024  # rows


def locate(out: str, name: str) -> str:
    """Returns the path of the file `name` of the dataset in the folder `out`."""
    return storage.join(out, *name.split("/"))


def is_inside(name: str) -> bool:
    """Tells whether a name stays within the dataset's folder, whoever wrote it."""
    return all(part not in ("", "..") for part in name.split("/"))


def has_file(out: str, name: str) -> bool:
    """Tells whether the dataset has a file of that name."""
    return storage.exists(locate(out, name))


def open_file(out: str, name: str) -> IO[bytes]:
    """Opens a file of the dataset for reading and seeking. Raises OSError where it is missing."""
    return storage.reading(locate(out, name))


def read_file(out: str, name: str) -> bytes:
    """Reads a file of the dataset, such as a picture. Raises OSError where it is missing."""
    return storage.read_bytes(locate(out, name))


def read_batches(
    out: str, table: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Reads a table, or some of its columns, up to 1024 rows at a time.

    Raises OSError where it is missing and pyarrow.ArrowException where it is not Parquet.
    """
    with open_file(out, layout.table_path(table)) as file:
        yield from _batches(pq.ParquetFile(file, pre_buffer=False), columns)


def _batches(
    parquet: pq.ParquetFile, columns: Sequence[str] | None, groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file, or of some of its row groups.

    All is read in the caller's thread, `pre_buffer` being off too: a thread of Arrow's that still
    holds the Python file when the process exits aborts it.
    """
    return parquet.iter_batches(
        _BATCH,
        row_groups=groups,
        columns=None if columns is None else list(columns),
        use_threads=False,
    )


def schema_fault(out: str, table: str, kind: type[Any]) -> str:
    """Returns how the columns of a table differ from those of its rows, "" where they do not.

    Raises as `read_batches` does.
    """
    wanted: pa.Schema = arrow_schema(kind)
    with open_file(out, layout.table_path(table)) as file:
        found: pa.Schema = pq.read_schema(file)
    if found.equals(wanted):
        return ""
    differ = [
        column
        for column in dict.fromkeys([*wanted.names, *found.names])
        if column not in found.names
        or column not in wanted.names
        or not found.field(column).equals(wanted.field(column))
    ] or ["their order"]
    return f"its columns are not those of this version: {', '.join(differ)}"


def read_rows(out: str, table: str, kind: type[Row]) -> Iterator[Row]:
    """Reads the rows of a table, in its order. Raises as `read_batches` does."""
    for batch in read_batches(out, table):
        for values in batch.to_pylist():
            yield row(kind, values)


def read_table(
    out: str,
    table: str,
    columns: Sequence[str] | None = None,
    where: tuple[str, Collection[str]] | None = None,
) -> pa.Table:
    """Reads a whole table, or those columns and rows of it that are wanted, into memory.

    `where` is a column among those that are read, and the values that it has in the wanted rows.
    Raises as `read_batches` does.
    """
    with open_file(out, layout.table_path(table)) as file:
        parquet = pq.ParquetFile(file, pre_buffer=False)
        if where is None:
            found = list(_batches(parquet, columns))
        else:
            column, values = where
            wanted = pa.array(values, pa.string())
            groups = _groups_with(parquet, column, values)
            found = [
                batch.filter(pc.is_in(batch[column], value_set=wanted))
                for batch in _batches(parquet, columns, groups)
            ]
        # Arrow gives the columns in the file's order or in the wanted one, by its version
        names = parquet.schema_arrow.names if columns is None else list(columns)
        schema = pa.schema([parquet.schema_arrow.field(name) for name in names])
        return pa.Table.from_batches([batch.select(names) for batch in found], schema)


def _groups_with(parquet: pq.ParquetFile, column: str, values: Collection[str]) -> list[int]:
    """Returns the row groups that may have one of some values in a column, by their statistics."""
    groups = []
    for number in range(parquet.num_row_groups):
        group = parquet.metadata.row_group(number)
        leaf = next(
            group.column(leaf)
            for leaf in range(group.num_columns)
            if group.column(leaf).path_in_schema == column
        )
        found = leaf.statistics
        if (
            found is None
            or not found.has_min_max
            or any(found.min <= value <= found.max for value in values)
        ):
            groups.append(number)
    return groups


def read_matching(
    out: str, table: str, kind: type[Row], column: str, values: Collection[str]
) -> list[Row]:
    """Reads the rows of a table whose `column` has one of some values, in the table's order."""
    return from_table(read_table(out, table, where=(column, values)), kind)


def read_stories(out: str, split: str) -> Iterator[Story]:
    """Reads the stories of one side of the split, "train" or "val", sorted by film and number."""
    return (story for story in read_rows(out, layout.STORIES, Story) if story.split == split)


def read_films(out: str) -> Iterator[tuple[str, list[Story], dict[str, Keyframe]]]:
    """Reads each film that has stories: its id, its stories, and its keyframes by image.

    Memory holds one film at a time. Raises as `read_batches` does.
    """
    keyframes = itertools.groupby(
        read_rows(out, layout.KEYFRAMES, Keyframe), lambda keyframe: keyframe.video
    )
    stories = itertools.groupby(read_rows(out, layout.STORIES, Story), lambda story: story.video)
    for film, of_film in stories:  # both tables have the films in the same order
        rows = next((group for name, group in keyframes if name == film), iter(()))
        yield film, list(of_film), {keyframe.image: keyframe for keyframe in rows}


def read_splits(out: str) -> dict[str, str]:
    """Reads the side of the split of each film: "train", "val" or, without a story, "".

    Raises ValueError where `out` is not a finished dataset.
    """
    return {film.id: film.split for film in read_manifest(out).videos}


def read_characters(out: str) -> list[Character]:
    """Reads the characters of all series. Raises as `read_json` does."""
    return [row(Character, values) for values in read_json(out)["characters"]]
