"""Lets the processes that train together wait for each other, agree, and end with one message.

`accelerate launch` starts one per GPU. Gradients are averaged by NCCL, which aborts a process that
waits for another one for ten minutes. All the rest goes through a group of gloo's: there a process
may wait for days, and is told at once when another one ends. Without a launcher there is one
process, of rank 0, and nothing to wait for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

T = TypeVar("T")

LONGEST = timedelta(days=30)  # that a process waits for the others


class FailedElsewhere(RuntimeError):
    """Another one of the processes that train together has failed, and has said why."""


class ProcessLost(RuntimeError):
    """Another one of the processes that train together has ended without a word."""


@contextmanager
def joined() -> Iterator[None]:
    """Joins the processes that were launched together, and leaves them after the block.

    An error of the block is raised in the process that it happens in first. The others, which fail
    for want of that one, raise FailedElsewhere, or ProcessLost where it was killed.
    """
    # Without a GPU, accelerate takes each process for the only one unless it is told to use the CPU
    on_cpu = not torch.accelerator.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU")
    process = PartialState(cpu=on_cpu)
    try:
        yield
    except FailedElsewhere:
        raise
    except BaseException as error:
        if count() == 1:
            raise
        if not _is_first_to_fail():
            raise FailedElsewhere("another process has failed") from error
        if _is_of_a_lost_peer(error):
            raise ProcessLost(
                "one of the processes that train together has ended without a message, as one that "
                "the system kills for want of memory does; the same command resumes from the last "
                "checkpoint"
            ) from error
        raise
    if count() > 1:
        wait()
        _group.cache_clear()
        process.destroy_process_group()


def rank() -> int:
    """Returns the number of this process; 0 is the main one, which prints and writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """Returns the number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(items: Sequence[T]) -> Sequence[T]:
    """Returns the part of the items that this process has to deal with: every `count`-th."""
    return items[rank() :: count()]


def gathered(value: T) -> list[T]:
    """Returns the value that each process gives, by rank. All of them have to call it."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value, _group())
    return values


def wait() -> None:
    """Waits until all processes are here."""
    gathered(None)


def on_main(call: Callable[[], T]) -> T:
    """Calls a function in the main process, and returns its result in all of them.

    All of them have to call it. An error is raised in the main process, and FailedElsewhere in the
    others.
    """
    if count() == 1:
        return call()
    result: T | None = None
    error: Exception | None = None
    if rank() == 0:
        try:
            result = call()
        except Exception as caught:
            error = caught
    answer, failed = gathered((result, error is not None))[0]
    if error is not None:
        raise error
    if failed:
        raise FailedElsewhere("the main process has failed")
    return answer  # type: ignore[return-value]


@functools.cache
def _group() -> Any:
    return dist.new_group(backend="gloo", timeout=LONGEST)


def _is_first_to_fail() -> bool:
    """Returns whether no other process has failed before this one."""
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add("failed", 1) == 1)
    except RuntimeError:  # it was kept by the process that has failed
        return False


def _is_of_a_lost_peer(error: BaseException) -> bool:
    """Returns whether an error is that of a call that another process was to take part in."""
    said = str(error)
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and ("gloo" in said or "closed by peer" in said)
    )
