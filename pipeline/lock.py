"""One run at a time writes to an output folder; a second one is told so at once.

On a disk the run holds a lock of the operating system, which goes when the process does, however
that ends. In a bucket, which has no locks, it is a file that says who is running. A thread writes
it again every BEAT seconds; once nobody has for STALE seconds, the run was killed, and the next one
takes the file over. Only the process that starts a run does this, never its workers.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from pipeline import storage

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


def _me(since: str) -> bytes:
    # The id makes each beat another content, and so another version in the bucket.
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since,
                       "id": uuid.uuid4().hex}).encode()


def _who(path: str) -> str:
    try:
        other = json.loads(storage.read_bytes(path))
        return f"host {other['host']}, process {other['pid']}, since {other['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is only beginning, or has just ended
        return "process not known"


@contextmanager
def _locked(out: str) -> Iterator[None]:
    path = os.path.join(out, "work", "lock")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(f"{out} cannot be written ({error.strerror}): give another folder, or the "
                      "right to write there") from error
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another run ({_who(path)}) is writing to {out}: wait until it ends, "
                       "or stop it") from None
        file.truncate()
        file.write(_me(_now()))
        file.flush()
        yield


@contextmanager
def _beating(out: str) -> Iterator[None]:
    path = storage.join(out, "work", "running.json")
    since = _now()
    beat = _Beat(path, since, _taken(out, path, since))
    beat.thread.start()
    try:
        yield
    finally:
        beat.end()


def _taken(out: str, path: str, since: str) -> storage.Version:
    """Takes the file over from nobody or from a run that was killed; returns its version."""
    found = storage.state(path)
    if found is not None:
        age = (_clock(out) - found.modified).total_seconds()
        if age < STALE:
            raise Busy(f"another run ({_who(path)}) is writing to {out}: wait until it ends, or, "
                       f"if it was killed, for {STALE - age:.0f} s more")
    try:
        return storage.write_if(path, _me(since), found and found.version)
    except storage.Taken:
        raise Busy(f"another run has just begun to write to {out}: wait until it ends") from None


def _clock(out: str) -> datetime:
    """The time by the clock that files in the bucket are dated by."""
    path = storage.join(out, "work", f"clock-{uuid.uuid4().hex}")
    storage.write_bytes(path, b"")
    written = storage.state(path)
    storage.remove([path])
    return written.modified if written else datetime.now(UTC)


class _Beat:
    """The thread that says, again and again, that the run goes on."""

    def __init__(self, path: str, since: str, version: storage.Version) -> None:
        self.path, self.since, self.version = path, since, version
        self.thread = threading.Thread(target=self._go_on, daemon=True)
        self.ended = threading.Event()

    def _go_on(self) -> None:
        while not self.ended.wait(BEAT):
            try:
                self.version = storage.write_if(self.path, _me(self.since), self.version)
            except storage.Taken:  # this process slept too long: another run goes on in its place
                return
            except OSError:  # no network for a while: the next beat may come through
                continue

    def end(self) -> None:
        """Stops the thread, and removes the file unless it is another run's by now."""
        self.ended.set()
        self.thread.join()
        with suppress(OSError):  # what is left is taken over when it is stale
            found = storage.state(self.path)
            if found is not None and found.version.get("e_tag") == self.version.get("e_tag"):
                storage.remove([self.path])
