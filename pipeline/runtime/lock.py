"""One run at a time writes to an output folder; a second one is told so at once.

On a disk the run holds a lock of the operating system, which goes when the process does, however
that ends. In a bucket, which has no locks, it is a file that says who is running. A thread writes
it again every BEAT seconds; once nobody has for STALE seconds, the run was killed, and the next one
takes the file over. If it was only asleep, it finds that out at its next beat, and ends. Only the
process that starts a run does this, never its workers.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from pipeline.runtime import interrupts, storage
from schemas import layout

BEAT = 30.0  # seconds
STALE = 120.0


class Busy(OSError):
    """Another run is writing to the output folder; the message says which."""


@contextmanager
def holding(out: str) -> Iterator[None]:
    """Keeps the output folder for one run. Raises Busy where another has it, and OSError where it
    cannot be written."""
    with (_beating if storage.remote(out) else _locked)(out):
        yield


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())


def _me() -> dict[str, str | int]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": _now()}


def _who(path: str) -> str:
    try:
        other = json.loads(storage.read_bytes(path))
        return f"host {other['host']}, process {other['pid']}, since {other['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is only beginning, or has just ended
        return "process not known"


@contextmanager
def _locked(out: str) -> Iterator[None]:
    path = os.path.join(out, layout.WORK, layout.LOCK)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(
            f"{out} cannot be written ({error.strerror}): give another folder, or the "
            "right to write there"
        ) from error
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"another run ({_who(path)}) is writing to {out}: wait until it ends, or stop it"
            ) from None
        except OSError as error:
            raise OSError(
                f"{out} is on a file system without locks ({error.strerror}): give "
                "another folder, or mount it with locks"
            ) from error
        file.truncate()
        file.write(json.dumps(_me()).encode())
        file.flush()
        yield


@contextmanager
def _beating(out: str) -> Iterator[None]:
    beat = _Beat(out)
    beat.take()
    beat.thread.start()
    try:
        yield
    finally:
        beat.end()


def _clock(out: str) -> datetime:
    """The time by the clock that files in the bucket are dated by. A run that is killed meanwhile
    leaves the empty file that tells it."""
    path = storage.join(out, layout.WORK, f"clock-{uuid.uuid4().hex}")
    storage.write_bytes(path, b"")
    written = storage.state(path)
    storage.remove([path])
    return written.modified if written else datetime.now(UTC)


class _Beat:
    """The file in a bucket, and the thread that writes it again and again."""

    def __init__(self, out: str) -> None:
        self.out, self.path = out, storage.join(out, layout.WORK, layout.RUNNING)
        self.says = _me() | {"run": uuid.uuid4().hex}
        self.beats = 0
        self.version: storage.Version | None = None  # of the file, None where there is none
        self.thread = threading.Thread(target=self._go_on, daemon=True)
        self.ended = threading.Event()

    def take(self) -> None:
        """Takes the file over from nobody or from a run that was killed; raises Busy."""
        found = storage.state(self.path)
        if found is not None:
            age = (_clock(self.out) - found.modified).total_seconds()
            if age < STALE:
                raise Busy(
                    f"another run ({_who(self.path)}) is writing to {self.out}: wait until "
                    f"it ends, or, if it was killed, for {STALE - age:.0f} s more"
                )
            self.version = found.version
        try:
            self._write()
        except storage.Taken:
            raise Busy(
                f"another run has just begun to write to {self.out}: wait until it ends"
            ) from None

    def _write(self) -> None:
        """Writes the file if nobody else has. Raises Taken where another run has, and OSError."""
        self.beats += 1  # makes each beat another content, and so another version in the bucket
        data = json.dumps(self.says | {"beat": self.beats}).encode()
        try:
            self.version = storage.write_if(self.path, data, self.version)
        except storage.Taken:
            # It may be we who have: what was written counts, also where the reply to it was lost.
            found = storage.state(self.path)
            if found is None or not self._mine():
                raise
            self.version = found.version

    def _mine(self) -> bool:
        try:
            return bool(json.loads(storage.read_bytes(self.path))["run"] == self.says["run"])
        except (ValueError, KeyError, TypeError):  # nothing that any run would write
            return False

    def _go_on(self) -> None:
        while not self.ended.wait(BEAT):
            try:
                self._write()
            except (storage.Taken, FileNotFoundError):  # the other one may have ended already
                return self._lose()
            except OSError:  # no network for a while: the next beat may come through
                continue

    def _lose(self) -> None:
        print(
            f"\nthis run was not heard of for {STALE:.0f} s, and another one ({_who(self.path)}) "
            f"has taken {self.out} over: this one ends",
            file=sys.stderr,
            flush=True,
        )
        with suppress(OSError):  # the run is about to end by itself
            interrupts.end_workers()  # makes the signal the end, whatever calls are in flight
        os.kill(os.getpid(), signal.SIGTERM)

    def end(self) -> None:
        """Stops the thread, and removes the file unless it is another run's by now."""
        self.ended.set()
        self.thread.join()
        with suppress(OSError):  # what is left is taken over when it is stale
            if self._mine():
                storage.remove([self.path])
