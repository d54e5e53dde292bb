"""Reading ahead: of many small files in a bucket, each is a wait that the others need not share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(read: Callable[[Item], Result], items: Iterable[Item], most: int = 4) -> Iterator[Result]:
    """What `read` gives for each item, in order, with up to `most` more being read meanwhile.

    Whoever stops before the end, such as for an error, does not wait for those.
    """
    pool = ThreadPoolExecutor(most)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # where it ends early, nobody wants the rest
        pool.shutdown(wait=False, cancel_futures=True)
