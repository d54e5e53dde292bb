"""Serves the pages to curate a dataset by: a small web app for this machine.

It reads the tables that a run has written and appends to `decisions.jsonl`; the next run applies
that. Pages are files that hold nothing of the dataset; their scripts ask for JSON and set it as
text, so nothing that a source has made is ever read as HTML.
"""

from __future__ import annotations

import asyncio
import functools
import getpass
import importlib.resources
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import jinja2
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError

from pipeline.review import access, cast, frames, library
from pipeline.review.library import Library, Wanted
from pipeline.runtime import decisions, isolation
from schemas.decisions import REASONS, Decision, Prefer, SceneBegin, Undo

_PAGES = {"/": "stories", "/story": "story", "/cast": "cast", "/compare": "compare"}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("pipeline.review", "pages"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_KINDS = {"js": "text/javascript", "css": "text/css"}


class _Asked(BaseModel):
    """What the writer is to be asked again for."""

    story: str
    keyframe: str  # "" for all of the story
    repeat: int = Field(ge=1, le=1000)


def app(books: Library, token: str = "", share: tuple[int, int] = (1, 1), by: str = "") -> Any:
    """Returns the ASGI app of a dataset; `token` is demanded of everybody if it is not "".

    `share` is the part of the stories that is listed at first; `by` is whose decisions they are
    where the page does not say.
    """
    csrf = access.new_token()
    by = by or user()
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @server.exception_handler(library.Running)
    def _running(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 503)

    @server.exception_handler(decisions.DecisionsError)
    def _broken(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 409)

    @server.exception_handler(OSError)
    def _unreadable(request: Request, error: Exception) -> Response:
        detail = f"The dataset cannot be read, maybe as a run is writing it: {error}"
        return JSONResponse({"detail": detail}, 503)

    for path, name in _PAGES.items():
        add_page(server, path, name, csrf)

    static_files(server)

    @server.get("/api/dataset")
    def dataset() -> Any:
        books.refresh()
        scores = {name for entry in books.entries for name in entry.scores}
        return {
            "name": books.dataset["name"],
            "by": by,
            "stories": len(books.entries),
            "waiting": books.waiting(),
            "review": books.dataset.get("review"),
            "characters": books.characters()[:200],
            "places": books.places()[:500],
            "scores": sorted(scores),
            "reasons": REASONS,
            "share": f"{share[0]}/{share[1]}" if share[1] > 1 else "",
            "read_only": not os.access(books.out, os.W_OK),
        }

    @server.get("/api/stories")
    def stories(
        page: int = 1,
        words: str = "",
        character: str = "",
        place: str = "",
        status: str = "",
        score: str = "",
        part: str = "",
    ) -> Any:
        books.refresh()
        try:
            chosen = library.share(part) if part else share
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        found, statuses = books.find(Wanted(words, character, place, status, score, chosen))
        start = max(0, page - 1) * library.PER_PAGE
        shown = found[start : start + library.PER_PAGE]
        pictures = books.pictures(shown)
        return {
            "count": len(found),
            "per_page": library.PER_PAGE,
            "stories": [
                {
                    "id": entry.id,
                    "title": books.titles.get(entry.film, entry.film),
                    "series": entry.series,
                    "number": entry.number,
                    "image": entry.image,
                    "pictures": pictures[entry.id],
                    "status": statuses.get(entry.id, "open"),
                    "dropped": entry.dropped,
                    "score": entry.scores.get(score),
                }
                for entry in shown
            ],
        }

    @server.get("/api/story")
    def story(id: str) -> Any:
        books.refresh()
        return _story(books, id)

    @server.get("/api/cast")
    def cast_of_series() -> Any:
        books.refresh()
        return cast.cast_view(books.out, books.applied(), books.version())

    @server.post("/api/decide")
    async def decide(request: Request) -> Any:
        books.refresh()
        body = await request.json()
        name = reviewer(request, by)
        if not isinstance(body, dict) or not isinstance(body.get("decision"), dict):
            raise HTTPException(422, "no decision")
        seen = body.get("seen")

        def check(earlier: Sequence[Decision], row: Decision) -> None:
            _check_stale(earlier, row, seen)
            if isinstance(row, decisions.OF_FILM):
                fault = books.fault([*earlier, row], row)
                if fault:
                    raise HTTPException(409, f"It cannot be done: {fault}.")

        try:
            row = decisions.append(books.out, body["decision"], name, check)
        except ValidationError as error:
            fault = error.errors()[0]
            raise HTTPException(
                422, f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}"
            ) from None
        except OSError as error:
            raise HTTPException(507, f"the decision was not written: {error}") from None
        return {"id": row.id}

    asking = asyncio.Lock()  # one after the other: they share a budget and a model

    @server.post("/api/suggest")
    async def suggested(request: Request) -> Any:
        from pipeline.review import suggestions  # what checks a writer is loaded by who asks one

        try:
            asked = _Asked.model_validate(await request.json())
        except ValueError:
            raise HTTPException(422, "The request was not understood.") from None
        if asked.story not in books.by_id:
            raise HTTPException(404, "There is no such story.")
        async with asking:
            books.refresh()
            if await request.is_disconnected():  # while it waited for another
                raise HTTPException(409, "The page was left.")
            try:
                return await suggestions.suggest(
                    books, asked.story, asked.keyframe, asked.repeat, lambda: _left(request)
                )
            except suggestions.Failed as error:
                raise HTTPException(502, str(error)) from None

    @server.get("/api/frames")
    def offered(story: str, keyframe: str) -> Any:
        row = _keyframe(books, story, keyframe)
        film = books.video(row.video)
        if film is None:
            raise HTTPException(
                404,
                "The film is not here. Start the review with --videos and the folder of the films.",
            )
        images = _decode(books, film, frames.times_in_shot(row, film.fps))
        return {"times": sorted(images)}

    @server.get("/media/frame")
    def frame(story: str, keyframe: str, time: float) -> Response:
        row = _keyframe(books, story, keyframe)
        film = books.video(row.video)
        if film is None or not row.shot_start - 0.1 <= time <= row.shot_end + 0.1:
            raise HTTPException(404)
        images = _decode(books, film, frames.times_in_shot(row, film.fps))
        image = images.get(round(time, 6))
        if image is None:
            image = next(iter(_decode(books, film, [time]).values()), None)
        if image is None:
            raise HTTPException(404)
        return _jpeg(image)

    @server.get("/media/picture")
    def picture(path: str) -> Response:
        try:
            return _jpeg(books.picture(path))
        except OSError:
            raise HTTPException(404) from None

    @server.get("/media/thumbnail")
    def small(path: str) -> Response:
        try:
            return _jpeg(books.thumbnail(path))
        except (OSError, ValueError):
            raise HTTPException(404) from None

    return access.Access(server, token, csrf)


def add_page(server: FastAPI, path: str, name: str, csrf: str) -> None:
    """Serves a page of ours at a path."""
    html = _TEMPLATES.get_template(f"{name}.html").render(page=name, csrf=csrf)

    @server.get(path)
    def page() -> Response:
        return Response(html, media_type="text/html")


def static_files(server: FastAPI) -> None:
    """Serves scripts and styles."""

    @server.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)

    @server.get("/static/{name}")
    def static(name: str) -> Response:
        kind = _KINDS.get(name.rpartition(".")[2])
        if kind is None or "/" in name or name.startswith("."):
            raise HTTPException(404)
        return Response(_file(name), media_type=kind)


def reviewer(request: Request, by: str) -> str:
    """Returns whose decision a request brings."""
    return unquote(request.headers.get("x-reviewer", "")) or by


def user() -> str:
    """Returns the name of the user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "reviewer"


async def _left(request: Request) -> None:
    """Waits until the page that has sent a request is left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _jpeg(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=60"})


@functools.cache
def _file(name: str) -> bytes:
    if name == "report.css":
        file = importlib.resources.files("pipeline.dataset") / "templates" / name
    else:
        file = importlib.resources.files("pipeline.review") / "pages" / name
    if not file.is_file():
        raise HTTPException(404)
    return file.read_bytes()


def _story(books: Library, id: str) -> dict[str, Any]:
    at = books.by_id.get(id)
    if at is None:
        raise HTTPException(404, "There is no such story.")
    entry = books.entries[at]
    view = books.film(entry.film)
    return {
        **library.story_view(view, id, books.titles),
        "dropped": entry.dropped,
        "seen": [row.id for row in view.rows],
        "previous": books.entries[at - 1].id if at else "",
        "next": books.entries[at + 1].id if at + 1 < len(books.entries) else "",
    }


def _check_stale(earlier: Sequence[Decision], row: Decision, seen: Any) -> None:
    """Refuses a decision of somebody whose page does not show what others have decided since."""
    if isinstance(row, Prefer):
        return
    standing = decisions.standing(earlier)
    if isinstance(row, Undo):
        if not any(other.id == row.of for other in standing):
            raise HTTPException(409, "It was taken back already. The page is loaded again.")
        return
    known = set(seen) if isinstance(seen, list) else set()
    for other in standing:
        if other.id not in known and _clash(other, row):
            what = "say where a scene begins" if isinstance(other, SceneBegin) else other.what
            raise HTTPException(
                409, f"{other.by} has decided to {what} here since. Look at it again."
            )


def _clash(one: Decision, other: Decision) -> bool:
    """Returns whether two decisions are about the same: a story, a picture of it, a scene's
    beginning."""
    if not (isinstance(one, decisions.OF_FILM) and isinstance(other, decisions.OF_FILM)):
        return False
    if isinstance(one, SceneBegin) != isinstance(other, SceneBegin):
        return False
    pictures = {getattr(one, "keyframe", ""), getattr(other, "keyframe", "")}
    if "" in pictures:
        return one.story == other.story and pictures == {""}
    return len(pictures) == 1 and one.film == other.film


def _keyframe(books: Library, story: str, keyframe: str) -> Any:
    at = books.by_id.get(story)
    row = books.film(books.entries[at].film).keyframes.get(keyframe) if at is not None else None
    if row is None:
        raise HTTPException(404, "There is no such picture.")
    return row


def _decode(books: Library, film: Any, times: Sequence[float]) -> dict[float, bytes]:
    try:
        return books.decoded(film, times)
    except (isolation.Crashed, *frames.ERRORS) as error:
        raise HTTPException(502, f"The film cannot be decoded: {error}") from None
