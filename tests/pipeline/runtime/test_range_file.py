"""A file that is read by its parts reads as the same bytes that are open."""

from __future__ import annotations

import io
import os

import pytest

from pipeline.runtime.range_file import RangeFile

CONTENT = bytes(range(200))


def opened(asked: list[tuple[int, int]]) -> RangeFile:
    def read_range(start: int, end: int) -> bytes:
        asked.append((start, end))
        return CONTENT[start:end]

    return RangeFile("film.mp4", len(CONTENT), read_range)


def test_any_walk_reads_what_an_open_file_reads():
    far, near = opened([]), io.BytesIO(CONTENT)
    for offset, whence, length in [
        (0, os.SEEK_SET, 10),
        (5, os.SEEK_CUR, 50),
        (-20, os.SEEK_END, 100),  # to the end, which is nearer
        (500, os.SEEK_SET, 5),  # behind the end
        (-500, os.SEEK_CUR, 5),
    ]:
        assert far.seek(offset, whence) == near.seek(offset, whence)
        assert far.read(length) == near.read(length) and far.tell() == near.tell()


def test_a_buffer_asks_once_for_many_small_reads_and_never_beyond_the_end():
    asked: list[tuple[int, int]] = []
    with io.BufferedReader(opened(asked), 64) as file:
        assert [file.read(10) for _ in range(6)] == [CONTENT[n : n + 10] for n in range(0, 60, 10)]
        assert asked == [(0, 64)]
        assert file.read() == CONTENT[60:]
    assert max(end for _, end in asked) == 200


def test_a_place_before_the_start_is_refused_by_name():
    with pytest.raises(ValueError, match=r"film\.mp4: cannot seek to before the start"):
        opened([]).seek(-1)
