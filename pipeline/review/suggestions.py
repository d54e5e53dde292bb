"""Asks the configured writer again: for a sentence, or for a whole story.

What it answers is a suggestion. A person may take it, as an edit like any other; nothing is written
but the cache of answers, as in a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from pydantic import ValidationError

from pipeline import model_specs
from pipeline.annotation import characters
from pipeline.annotation.stories import tell_again
from pipeline.config import CallsConfig, DatasetConfig
from pipeline.dataset.reader import read_matching
from pipeline.inference import response_cache
from pipeline.inference.backends import loading
from pipeline.inference.budget import Budget
from pipeline.inference.client import ModelClient, open_client
from pipeline.inference.protocol import Stop
from pipeline.review.apply import Page
from pipeline.review.library import FilmView, Library
from pipeline.runtime import lock, storage
from schemas import layout
from schemas.rows import Caption, Keyframe

# Somebody waits: a server that is gone is told sooner than in a run.
_PATIENCE, _TRIES = 20.0, 2


class Failed(RuntimeError):
    """There is no suggestion; the message says why."""


class Left(Stop):
    """Nobody waits for the answer any more."""


async def suggest(
    books: Library, story: str, keyframe: str, repeat: int, left: Callable[[], Awaitable[Any]]
) -> dict[str, Any]:
    """Returns texts for pictures of a story, by their keyframes, and the writer's name.

    `keyframe` is the picture to tell, "" for all; `repeat` counts from 1 how often it was asked
    for. When `left()` is done no further call is started, as nobody waits for the answer: what was
    asked by then is answered and cached, as it is paid for. Raises Failed.
    """
    entry = books.entries[books.by_id[story]]
    view = books.film(entry.film)
    pages = view.applied.pages[story]
    at = next((at for at, page in enumerate(pages) if page.keyframe == keyframe), None)
    if not pages or (keyframe and at is None):
        raise Failed("The picture is not in this story any more: load the page again.")
    config = _config(books)
    try:
        cast = characters.given(entry.series, config, books.out)
        if cast is None:
            cast = characters.drafted(entry.series, books.out)
        frames = _frames(books, view, pages)
        async with _client(books.out, config) as client:
            asked = asyncio.ensure_future(
                tell_again(
                    frames,
                    [page.caption for page in pages],
                    (0, len(pages)) if at is None else (at, at + 1),
                    cast,
                    client,
                    config,
                    repeat,
                    title=books.titles.get(entry.film, ""),
                )
            )
            gone = asyncio.ensure_future(left())
            await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                client.stop(Left("nobody waits for it"))
            gone.cancel()
            texts, fault = await asked
    except (Stop, OSError, ValueError, ModuleNotFoundError) as error:
        raise Failed(f"The writer was not asked to the end: {error}") from None
    if fault:
        raise Failed(f"{client.name} gave no text that can be used: {fault}")
    told = pages if at is None else pages[at : at + 1]
    return {
        "writer": client.name,
        "texts": {page.keyframe: text for page, text in zip(told, texts, strict=True)},
    }


def _frames(
    books: Library, view: FilmView, pages: Sequence[Page]
) -> list[tuple[Keyframe, Caption]]:
    """Returns the pictures of a story with their captions. Raises Failed where one has none."""
    film = view.keyframes[pages[0].keyframe].video
    caption_of = {
        row.keyframe: row
        for row in read_matching(books.out, layout.CAPTIONS, Caption, "video", [film])
    }
    if missing := [page.keyframe for page in pages if page.keyframe not in caption_of]:
        raise Failed(f"There is no caption of {missing[0]}: run make dataset first.")
    return [(view.keyframes[page.keyframe], caption_of[page.keyframe]) for page in pages]


@contextlib.asynccontextmanager
async def _client(out: str, config: DatasetConfig) -> AsyncIterator[ModelClient]:
    """Yields a client of the writer, with the cache of answers of the dataset and its budget.

    Where there is a budget, no run spends the same rest of it meanwhile. Raises lock.Busy while
    one does, and what loading a model raises.
    """
    spec, work = model_specs.parse(config.writer), storage.join(out, layout.WORK)
    loaded = await asyncio.to_thread(_load, spec, config.calls)
    with lock.locked(out) if config.budget is not None else contextlib.nullcontext():
        spent = response_cache.spent(work) if config.budget is not None else 0.0
        price = config.prices.get(spec.model)
        budget = Budget(price, config.budget, spent, config.calls.max_tokens)
        backend = loading.backend(loaded, spec, config.calls)
        name = loading.name("writer", spec)
        async with open_client(name, backend, work, budget, lambda *_: None) as client:
            yield client


def _config(books: Library) -> DatasetConfig:
    """Returns the settings of the last run, with less patience."""
    try:
        config = DatasetConfig.model_validate(books.dataset["config"])
    except (KeyError, ValidationError):
        raise Failed(
            "Which writer the dataset has is not known here: run make dataset first."
        ) from None
    less = {
        "patience": min(config.calls.patience, _PATIENCE),
        "tries": min(config.calls.tries, _TRIES),
    }
    return config.model_copy(update={"calls": config.calls.model_copy(update=less)})


def _load(spec: model_specs.Spec, calls: CallsConfig) -> Any:
    # A connection to a server belongs to one event loop and is made anew; a local model is kept.
    if spec.kind == "openai":
        return loading.load("writer", spec, calls)
    return _load_once(spec, calls.model_dump_json())


@functools.lru_cache(1)
def _load_once(spec: model_specs.Spec, calls: str) -> Any:
    return loading.load("writer", spec, CallsConfig.model_validate_json(calls))
