"""Reads a file that lies elsewhere by requests for its parts, as if it were open here."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any


class RangeFile(io.RawIOBase):
    """A file of `size` bytes; `read_range` returns those from a start to before an end."""

    def __init__(
        self, name: str, size: int, read_range: Callable[[int, int], bytes | memoryview]
    ) -> None:
        self.name, self.size, self.position = name, size, 0
        self._read_range = read_range

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError(f"{self.name}: cannot seek to before the start of the file")
        self.position = start + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        end = min(self.position + len(buffer), self.size)
        if end <= self.position:
            return 0
        data = self._read_range(self.position, end)
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)
