"""Runs functions on films in separate processes, with limits on CPU time and memory.

Decoders are native code and films come from anywhere: a film that crashes its decoder, never ends
or takes all memory then fails alone. A process is reused, as imports take seconds, and replaced
after some calls, as decoders leak memory. It exits when its caller does, even if that is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, Pipe
from typing import Any, TypeVar

from pipeline.runtime import cpu_time
from pipeline.runtime.cpu_time import CpuTime

Result = TypeVar("Result")

MEMORY = 4 << 30  # bytes that a call may allocate, beside what the process had before
SECONDS = 600.0  # CPU seconds of a call, plus
SECONDS_PER_MEGABYTE = 100.0  # of the film's file: a frame has at least a few hundred bytes
CALLS = 25  # of one process, before it is replaced
_TRIES = 2
# Signals of a crash in native code, or of too much CPU time. Others were sent by another process.
_CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGABRT,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGXCPU,
}


class Crashed(RuntimeError):
    """Raised when a call crashed its process or exceeded its CPU time."""


class _Process:
    """A worker process that executes one call at a time."""

    def __init__(self) -> None:
        self.calls_left = CALLS
        self.counted = CpuTime()  # of its CPU time, its imports included
        self.connection, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    # Modules are found where they are here, not in the current folder.
                    "import sys; sys.path = sys.argv[2:]; from pipeline.runtime import isolation; "
                    "isolation.serve(int(sys.argv[1]))",
                    str(theirs.fileno()),
                    *map(os.path.abspath, sys.path),
                ],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def outcome(
        self, job: tuple[Any, ...], tick: Callable[[float], None] | None
    ) -> tuple[str, Any]:
        """Returns ("returned", value), ("raised", error), or ("died", exit code)."""
        self.calls_left -= 1
        try:
            self.connection.send(job)
            while True:
                kind, value, used = self.connection.recv()
                if kind != "tick":
                    cpu_time.add(used.since(self.counted))
                    self.counted = used
                    return kind, value
                if tick:
                    tick(value)
        except (EOFError, ConnectionError):
            return "died", self.end()
        except BaseException:  # such as Ctrl-C: the result is no longer needed
            self.end()
            raise

    def end(self) -> int:
        """Ends the process and returns its exit code."""
        self.connection.close()
        if self.process.stdin:
            self.process.stdin.close()
        before = cpu_time.ended()
        code = self.process.wait()
        cpu_time.add(cpu_time.ended().since(before).since(self.counted))
        return code


_idle: list[_Process] = []


@atexit.register
def _end_idle() -> None:
    # Processes that nobody waits for are missing in what the system says this one took.
    while _idle:
        _idle.pop().end()


def _idle_or_new() -> _Process:
    with contextlib.suppress(IndexError):
        while (process := _idle.pop()).process.poll() is not None:
            pass  # it was killed while idle
        return process
    return _Process()


def call(
    function: Callable[..., Result],
    *arguments: Any,
    size: int = 0,
    tick: Callable[[float], None] | None = None,
) -> Result:
    """Returns `function(*arguments)`, computed in another process.

    The function (of a module), its arguments and its result are pickled. With `tick`, the function
    gets a keyword argument `tick` whose calls are forwarded to it. `size` is the film's in bytes
    and sets the limit on CPU time. Raises what the function raises, Crashed if it crashes its
    process or exceeds the limit, and RuntimeError if the process is killed from outside.
    """
    seconds = SECONDS + SECONDS_PER_MEGABYTE * size / 1e6
    work = pickle.dumps((function, arguments))
    job = (work, tick is not None, seconds, dict(os.environ), os.getcwd())
    for _ in range(_TRIES):
        process = _idle_or_new()
        kind, value = process.outcome(job, tick)
        if kind == "died":
            code = value
            continue
        if process.calls_left > 0:
            _idle.append(process)
        else:
            process.end()
        if kind == "raised":
            raise value
        result: Result = value
        return result
    if -code == signal.SIGXCPU:
        raise Crashed(f"decoding did not end: stopped after {seconds:.0f} s of CPU time")
    if -code in _CRASHES:
        raise Crashed(f"the decoder crashed ({signal.Signals(-code).name})")
    raise RuntimeError(
        f"a process that decodes films was killed {_TRIES} times (exit code {code}): the machine "
        "may be out of memory"
    )


def serve(descriptor: int) -> None:
    """Executes the calls that arrive over a connection until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_exit_with_caller, daemon=True).start()
    with Connection(descriptor) as connection:
        while True:
            try:
                job = connection.recv()
            except (EOFError, ConnectionError):
                return
            connection.send((*_outcome(connection, *job), cpu_time.own()))


def _exit_with_caller() -> None:
    # Nothing is ever written to this pipe: the read returns when the caller has exited.
    os.read(sys.stdin.fileno(), 1)  # unbuffered: Python waits for buffered readers when it exits
    os._exit(1)


def _outcome(
    connection: Connection,
    work: bytes,
    with_tick: bool,
    seconds: float,
    environment: dict[str, str],
    folder: str,
) -> tuple[str, Any]:
    # Nothing of the call before remains: a variable unset since may name what is gone by now.
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    _set_limits(seconds)
    tick = {"tick": lambda share: connection.send(("tick", share, None))} if with_tick else {}
    try:
        function, arguments = pickle.loads(work)
        return "returned", function(*arguments, **tick)
    except Exception as error:
        return "raised", _picklable(error)


@contextlib.contextmanager
def without_memory_limit() -> Iterator[None]:
    """Lifts a call's limit on memory while the block imports a package that maps gigabytes of its
    own; after it the limit counts from there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        if soft != hard:
            _limit_memory()


def _set_limits(seconds: float) -> None:
    """Limits the CPU time and memory of the next call, on top of what is used already."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 1)
    _limit_memory()


def _limit_memory() -> None:
    with contextlib.suppress(FileNotFoundError), open("/proc/self/statm", encoding="ascii") as file:
        allocated = int(file.read().split()[0]) * resource.getpagesize()  # Linux only
        _lower(resource.RLIMIT_AS, allocated + MEMORY)


def _lower(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]  # set by the user, or infinite
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _picklable(error: Exception) -> Exception:
    """Returns the error, or a RuntimeError with its text if it cannot be unpickled."""

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
