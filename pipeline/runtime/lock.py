"""Locks an output folder, so that only one run at a time writes to it.

On a disk this is a lock of the operating system, which is released when the process exits, even if
it is killed. A bucket has no locks, so there it is a file that names the run. A thread rewrites it
every HEARTBEAT seconds; if nothing has for STALE seconds, that run was killed, and the next one
takes the file over. A run that was only suspended notices this at its next heartbeat and exits.
Only the process that starts a run locks the folder, not its workers.
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

from pipeline.runtime import buckets, interrupts, storage
from schemas import layout

HEARTBEAT = 30.0  # seconds between two writes of the file
STALE = 120.0  # seconds without one, after which the file may be taken over


class Busy(OSError):
    """Raised when another run is writing to the output folder; the message says which."""


@contextmanager
def locked(out: str) -> Iterator[None]:
    """Locks the output folder `out` during the block.

    Raises Busy if another run has locked it, and OSError if it cannot be written.
    """
    with (_locked_in_bucket if storage.is_remote(out) else _locked_on_disk)(out):
        yield


def _this_process() -> dict[str, str | int]:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": since}


def _holder(path: str) -> str:
    """Describes the run that the lock file names."""
    try:
        other = json.loads(storage.read_bytes(path))
        return f"host {other['host']}, process {other['pid']}, since {other['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has just started or just ended
        return "unknown process"


@contextmanager
def _locked_on_disk(out: str) -> Iterator[None]:
    path = os.path.join(out, layout.WORK, layout.LOCK)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise OSError(
            f"cannot write to {out} ({error.strerror}): name another folder, or grant write "
            "permission"
        ) from error
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"another run ({_holder(path)}) is writing to {out}: wait until it ends, or stop it"
            ) from None
        except OSError as error:
            raise OSError(
                f"{out} is on a file system without locks ({error.strerror}): name "
                "another folder, or mount it with locks"
            ) from error
        file.truncate()
        file.write(json.dumps(_this_process()).encode())
        file.flush()
        yield


@contextmanager
def _locked_in_bucket(out: str) -> Iterator[None]:
    lock_file = _LockFile(out)
    lock_file.acquire()
    lock_file.heartbeat.start()
    try:
        yield
    finally:
        lock_file.release()


def _bucket_time(out: str) -> datetime:
    """Returns the time by the bucket's clock, which dates its files, by writing an empty file.

    A run that is killed in between leaves that file behind.
    """
    path = storage.join(out, layout.WORK, f"clock-{uuid.uuid4().hex}")
    storage.write_bytes(path, b"")
    written = buckets.state(path)
    storage.remove([path])
    return written.modified if written else datetime.now(UTC)


class _LockFile:
    """The lock file in a bucket, and the thread that rewrites it."""

    def __init__(self, out: str) -> None:
        self.out, self.path = out, storage.join(out, layout.WORK, layout.RUNNING)
        self.content = _this_process() | {"run": uuid.uuid4().hex}
        self.beats = 0
        self.version: buckets.Version | None = None  # of the file, None while there is none
        self.heartbeat = threading.Thread(target=self._rewrite, daemon=True)
        self.released = threading.Event()

    def acquire(self) -> None:
        """Writes the file if there is none or a killed run has left it; else raises Busy."""
        found = buckets.state(self.path)
        if found is not None:
            age = (_bucket_time(self.out) - found.modified).total_seconds()
            if age < STALE:
                raise Busy(
                    f"another run ({_holder(self.path)}) is writing to {self.out}: wait until "
                    f"it ends, or, if it was killed, for {STALE - age:.0f} s more"
                )
            self.version = found.version
        try:
            self._write()
        except buckets.WriteConflict:
            raise Busy(
                f"another run has just begun to write to {self.out}: wait until it ends"
            ) from None

    def _write(self) -> None:
        """Writes the file. Raises WriteConflict if another run has written it, and OSError."""
        self.beats += 1  # each heartbeat writes other content, and so makes another version
        data = json.dumps(self.content | {"beat": self.beats}).encode()
        try:
            self.version = buckets.write_if(self.path, data, self.version)
        except buckets.WriteConflict:
            # This run may have written it itself, in a request whose reply was lost.
            found = buckets.state(self.path)
            if found is None or not self._is_ours():
                raise
            self.version = found.version

    def _is_ours(self) -> bool:
        try:
            return bool(json.loads(storage.read_bytes(self.path))["run"] == self.content["run"])
        except (ValueError, KeyError, TypeError):  # no lock file of ours
            return False

    def _rewrite(self) -> None:
        while not self.released.wait(HEARTBEAT):
            try:
                self._write()
            except (buckets.WriteConflict, FileNotFoundError):  # the other may have ended already
                return self._exit()
            except OSError:  # such as a network outage: the next heartbeat may succeed
                continue

    def _exit(self) -> None:
        print(
            f"\nThis run was suspended for more than {STALE:.0f} s, and another one "
            f"({_holder(self.path)}) has taken over {self.out}: this one stops.",
            file=sys.stderr,
            flush=True,
        )
        with suppress(OSError):  # the folder is removed when the run ends
            interrupts.end_workers()  # so that the signal ends the run despite calls in flight
        os.kill(os.getpid(), signal.SIGTERM)

    def release(self) -> None:
        """Stops the thread and removes the file, unless another run has taken it over."""
        self.released.set()
        self.heartbeat.join()
        with suppress(OSError):  # a file that stays is taken over when it is stale
            if self._is_ours():
                storage.remove([self.path])
