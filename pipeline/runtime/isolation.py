"""Work on films in a process of its own: decoders are native code, and films are anybody's.

A film that crashes its decoder, or that would keep it busy for ever or take all memory, costs
itself and nothing else. A process that has done its work waits for the next, so that what it has
imported is not imported for each film; after a while another takes its place, since decoders do not
give back all that they took. It ends when the process that it works for does, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any, TypeVar

Result = TypeVar("Result")

MEMORY = 4 << 30  # bytes that a film may take, beside what the process had before
SECONDS = 600.0  # of a core that a film may take, and
SECONDS_A_MEGABYTE = 100.0  # for each of its size: a frame is hardly less than a few hundred bytes
CALLS = 25  # that a process takes before another takes its place
_TRIES = 2
# What a decoder does to itself. Whoever was killed by another signal was killed by somebody.
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
    """What was called did not come back: it crashed its process, or would not end."""


class _Process:
    """Another process, which takes one call at a time."""

    def __init__(self) -> None:
        self.left = CALLS
        self.connection, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "import sys; from pipeline.runtime import isolation; "
                    "isolation.serve(int(sys.argv[1]))",
                    str(theirs.fileno()),
                ],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def outcome(
        self, job: tuple[Any, ...], tick: Callable[[float], None] | None
    ) -> tuple[str, Any]:
        """("gave", value), ("raised", error), or ("died", exit code) where the job ends it."""
        self.left -= 1
        try:
            self.connection.send(job)
            while True:
                kind, value = self.connection.recv()
                if kind != "tick":
                    return kind, value
                if tick:
                    tick(value)
        except (EOFError, ConnectionError):
            return "died", self.end()
        except BaseException:  # such as Ctrl-C: what it works on is not wanted any more
            self.end()
            raise

    def end(self) -> int:
        """Ends the process and returns its exit code."""
        self.connection.close()
        if self.process.stdin:
            self.process.stdin.close()
        return self.process.wait()


_idle: list[_Process] = []


def _idle_or_new() -> _Process:
    with contextlib.suppress(IndexError):
        while (process := _idle.pop()).process.poll() is not None:
            pass  # somebody has killed it while it waited
        return process
    return _Process()


def call(
    function: Callable[..., Result],
    *arguments: Any,
    size: int = 0,
    tick: Callable[[float], None] | None = None,
) -> Result:
    """What `function(*arguments)` gives, computed in another process.

    The function, which must be one of a module's, its arguments and its result are pickled. With a
    `tick`, the function is given a `tick` of its own, and what it is told comes here. `size` is
    that of the film in bytes, which bounds the time it may take. Raises what the function raises,
    Crashed where it crashes its process, and RuntimeError where somebody kills that.
    """
    seconds = SECONDS + SECONDS_A_MEGABYTE * size / 1e6
    job = (function, arguments, tick is not None, seconds, dict(os.environ), os.getcwd())
    for _ in range(_TRIES):
        process = _idle_or_new()
        kind, value = process.outcome(job, tick)
        if kind == "died":
            code = value
            continue
        if process.left > 0:
            _idle.append(process)
        else:
            process.end()
        if kind == "raised":
            raise value
        result: Result = value
        return result
    if -code == signal.SIGXCPU:
        raise Crashed(f"it would not end: given up after {seconds:.0f} s of a core")
    if -code in _CRASHES:
        raise Crashed(f"it crashes its decoder ({signal.Signals(-code).name})")
    raise RuntimeError(
        f"a process that reads films was killed {_TRIES} times (exit code {code}); "
        "is there enough memory?"
    )


def serve(descriptor: int) -> None:
    """Does what comes over a connection until nobody is at its other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_die_with_caller, daemon=True).start()
    with Connection(descriptor) as connection:
        while True:
            try:
                job = connection.recv()
            except (EOFError, ConnectionError):
                return
            connection.send(_outcome(connection, *job))


def _die_with_caller() -> None:
    # Nothing is ever written there: reading ends when the caller does, also in the midst of work.
    os.read(sys.stdin.fileno(), 1)  # not through a buffer, which the end of Python waits for
    os._exit(1)


def _outcome(
    connection: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    ticking: bool,
    seconds: float,
    environment: dict[str, str],
    folder: str,
) -> tuple[str, Any]:
    os.environ.update(environment)
    os.chdir(folder)
    _limit(seconds)
    told = {"tick": lambda share: connection.send(("tick", share))} if ticking else {}
    try:
        return "gave", function(*arguments, **told)
    except Exception as error:
        return "raised", _portable(error)


def _limit(seconds: float) -> None:
    """Bounds what the next piece of work may take, on top of what is taken already."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 1)
    with contextlib.suppress(FileNotFoundError), open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()  # only Linux tells
        _lower(resource.RLIMIT_AS, taken + MEMORY)


def _lower(kind: int, limit: int) -> None:
    most = resource.getrlimit(kind)[1]  # which the user has set, or nobody
    resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _portable(error: Exception) -> Exception:
    """The error, or its text where another process could not read it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
