"""Starts the pages to curate a dataset by, and says where to open them."""

from __future__ import annotations

import socket

import uvicorn

from pipeline.dataset.reader import has_file
from pipeline.review import access, preferences
from pipeline.review.app import app
from pipeline.review.library import Library, share
from pipeline.runtime import decisions, storage
from schemas import layout


def serve(
    out: str, videos: str = "", host: str = "127.0.0.1", port: int = 0, part: str = "", by: str = ""
) -> None:
    """Serves the pages of the dataset, or of the pairs of stories to compare, in the folder `out`
    until it is interrupted.

    `videos` are the films, if they are no longer where the run has found them; `part` is the share
    of the stories, such as "2/5"; `by` is the reviewer's name. Anything but a loopback `host`
    demands a token. Raises ValueError where `out` is not a finished dataset, OSError where the
    port is taken.
    """
    if storage.is_remote(out):
        raise ValueError(
            f"{out}: the pages need the dataset on this machine: copy it, all but {layout.WORK}/, "
            f"and afterwards copy {layout.DECISIONS} back"
        )
    chosen = share(part) if part else (1, 1)
    decisions.read(out, decisions.version(out))  # raises where it cannot be read
    token = "" if access.is_loopback(host) else access.new_token()
    pages = (
        preferences.app(out, token, chosen, by)
        if has_file(out, layout.PAIRS)
        else app(Library(out, videos), token, chosen, by)
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise OSError(
            f"{host}:{port} cannot be listened on ({error}): choose another --port"
        ) from (None)
    name = f"[{host.strip('[]')}]" if ":" in host else host
    name = socket.gethostname() if host in ("0.0.0.0", "::") else name
    query = f"?token={token}" if token else ""
    print(f"open http://{name}:{listening.getsockname()[1]}/{query}", flush=True)
    print("Ctrl-C ends; what was decided is in decisions.jsonl of the dataset", flush=True)
    config = uvicorn.Config(
        pages,
        log_level="warning",
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=3,  # a writer that is being asked may take minutes
    )
    uvicorn.Server(config).run(sockets=[listening])
