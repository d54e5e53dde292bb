"""Serves pairs of stories, or of pictures, to somebody who says which is better, without knowing
who made them.

The pairs are lines of `pairs.jsonl` in a folder, which `python -m benchmarks judge` writes, and
their answers lines of `decisions.jsonl`, which it reads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import ValidationError

from pipeline.dataset.reader import is_inside, locate, read_file
from pipeline.review import access
from pipeline.review.app import add_page, reviewer, static_files, user
from pipeline.review.library import in_share
from pipeline.runtime import decisions
from schemas import layout
from schemas.decisions import Decision, Pair, Prefer


def app(out: str, token: str = "", share: tuple[int, int] = (1, 1), by: str = "") -> Any:
    """Returns the ASGI app of the pairs in a folder; arguments as of `pipeline.review.app.app`.

    Raises ValueError for a file of pairs that cannot be used.
    """
    csrf, by = access.new_token(), by or user()
    pairs = {pair.id: pair for pair in _read(out) if in_share(pair.id, share)}
    pictures = {image for pair in pairs.values() for image in _images(pair)}
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_page(server, "/", "prefer", csrf)
    static_files(server)

    def answered(name: str) -> dict[str, Prefer]:
        rows = decisions.standing(decisions.read(out, decisions.version(out)))
        return {row.pair: row for row in rows if isinstance(row, Prefer) and row.by == name}

    @server.get("/api/dataset")
    def dataset() -> Any:
        return {"name": "Which is better?", "by": by, "waiting": 0}

    @server.get("/api/pair")
    def pair(by_name: str, at: int = -1) -> Any:
        done = answered(by_name)
        ids = list(pairs)
        if at < 0:
            at = next((number for number, id_ in enumerate(ids) if id_ not in done), len(ids))
        found = pairs[ids[at]] if 0 <= at < len(ids) else None
        return {
            "at": at,
            "count": len(ids),
            "answered": len(done.keys() & pairs.keys()),
            "pair": found and found.model_dump(),
            "answers": done[found.id].answers if found and found.id in done else {},
        }

    @server.post("/api/decide")
    async def decide(request: Request) -> Any:
        body = await request.json()

        def check(earlier: Sequence[Decision], row: Decision) -> None:
            if (
                not isinstance(row, Prefer)
                or row.pair not in pairs
                or row.answers.keys() != pairs[row.pair].criteria.keys()
            ):
                raise HTTPException(422, "There is no such pair, or a question has no answer.")

        try:
            row = decisions.append(out, body["decision"], reviewer(request, by), check)
        except (KeyError, TypeError, ValidationError):
            raise HTTPException(422, "The answer was not understood.") from None
        except OSError as error:
            raise HTTPException(507, f"the answer was not written: {error}") from None
        return {"id": row.id}

    @server.get("/media/picture")
    def picture(path: str) -> Response:
        if path not in pictures:
            raise HTTPException(404)
        kind = "image/png" if path.endswith(".png") else "image/jpeg"
        return Response(read_file(out, path), media_type=kind)

    return access.Access(server, token, csrf)


def _read(out: str) -> list[Pair]:
    """Reads the pairs, each once. Raises ValueError for a line that is none."""
    file, found = locate(out, layout.PAIRS), {}
    root = os.path.realpath(out)
    for number, line in enumerate(Path(file).read_bytes().splitlines(), 1):
        try:
            pair = Pair.model_validate_json(line)
        except ValidationError as error:
            raise ValueError(
                f"{file}: line {number} is no pair ({error.errors()[0]['msg']}): run "
                "the benchmark again"
            ) from None
        for image in _images(pair):
            real = os.path.realpath(os.path.join(root, image))
            if not is_inside(image) or os.path.commonpath([root, real]) != root:
                raise ValueError(f"{file}: line {number}: {image} is not in the folder")
        found[pair.id] = pair
    return list(found.values())


def _images(pair: Pair) -> list[str]:
    shown = (pair.before, pair.first, pair.second)
    return [image for told in shown if told for image in told.images]
