"""Reads files ahead of their use, in threads, so that their latencies overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    read: Callable[[Item], Result], items: Iterable[Item], depth: int = 4, threads: int = 0
) -> Iterator[Result]:
    """Yields `read(item)` for each item, in order, while up to `depth` more are being read.

    threads: that read, as many as `depth` if 0; with 1 each is read after the one before.
    A caller that stops early, such as for an error, does not wait for those.
    """
    pool = ThreadPoolExecutor(threads or depth)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
