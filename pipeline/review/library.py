"""Reads a dataset for the pages: an index of its stories, and one film's stories as decided.

Only the index is in memory: a few hundred bytes per story. Texts and pictures are read when a page
asks for them, from the tables that a run has written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset.manifest import read_json, read_manifest
from pipeline.dataset.reader import (
    has_file,
    is_inside,
    read_batches,
    read_file,
    read_matching,
    read_rows,
    read_table,
)
from pipeline.dataset.report.formatting import clock
from pipeline.ingest import discovery
from pipeline.review import apply, frames
from pipeline.runtime import decisions, isolation, stage_outputs, storage
from pipeline.runtime.images import decode_bgr, encode_jpeg, thumbnail
from pipeline.scenes import decided
from schemas import layout
from schemas.decisions import Accept, Decision, Drop, Move, OfFilm, RejectStory, SceneBegin, Swap
from schemas.published import keyframe_id
from schemas.rows import Keyframe, Scene, Story, Video

PER_PAGE = 60  # stories of a list
_COLUMNS = ["id", "video", "series", "split", "images", "scores", "characters"]
_TABLES = (layout.STORIES, layout.DROPPED_STORIES, layout.ORIGINAL_STORIES)


class Running(RuntimeError):
    """Raised while a run is writing the dataset."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A story in the index."""

    id: str
    film: str
    series: str
    number: int  # in its film, from 1
    image: str
    pictures: int
    scores: Mapping[str, float]
    characters: tuple[str, ...]
    dropped: str  # why no decision but a score left it out, "" if none did


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a list of stories is narrowed to, and its order."""

    words: str = ""
    character: str = ""
    place: str = ""
    status: str = ""  # "open" (also those edited), "edited", "accepted", "rejected", "conflict"
    score: str = ""  # sort by this one, the lowest first
    share: tuple[int, int] = (1, 1)  # part, of how many


def share(text: str) -> tuple[int, int]:
    """Reads a share of the stories, "2/5" for the second of five. Raises ValueError."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ValueError(f"--share {text}: write it as 2/5, for the second of five shares")
    return int(part), int(parts)


def in_share(story: str, part: tuple[int, int]) -> bool:
    """Returns whether a story is of a share: by its name alone, evenly spread."""
    number = int.from_bytes(hashlib.sha256(story.encode()).digest()[:8])
    return number % part[1] == part[0] - 1


@dataclasses.dataclass(frozen=True)
class FilmView:
    """A film's stories as they were written, and as they are decided now."""

    written: dict[str, Story]
    keyframes: dict[str, Keyframe]  # by id; those selected
    applied: apply.Applied
    rows: list[OfFilm]  # standing
    scored: dict[str, Story]  # as the last run has written them
    scenes: Scenes
    put_in: set[str]  # keyframes that the last run has put in the place of others

    @property
    def conflicts(self) -> dict[str, str]:
        """Why decisions were not applied, by their ids."""
        return self.applied.conflicts | self.scenes.conflicts


@dataclasses.dataclass(frozen=True)
class Scenes:
    """Where a film's scenes begin now."""

    order: list[str]  # the film's keyframes
    begins: list[str]  # those with which a scene begins
    places: dict[str, str]  # of the scene that each keyframe was in, by the last run
    conflicts: dict[str, str]  # by decision: why it was not applied


class Library:
    """A dataset, opened to be curated. Reads decisions anew whenever there are more."""

    def __init__(self, out: str, videos: str = "") -> None:
        """Opens the dataset in the folder `out`, of the films that `videos` names as for a run.

        Raises ValueError where it is not a finished dataset.
        """
        read_manifest(out)
        self.out, self.videos = out, videos
        self.dataset = read_json(out)
        self._manifest = self._stamp()
        self._load()

    def _load(self) -> None:
        self.titles = {film["id"]: film["title"] or film["id"] for film in self.dataset["videos"]}
        rejects = read_table(
            self.out,
            layout.REJECTS,
            ["stage", "key", "reason"],
            ("stage", ["quality", apply.STAGE]),
        ).to_pylist()
        self._conflicts = {row["key"] for row in rejects if row["reason"] == apply.CONFLICT}
        dropped = {row["key"]: row["reason"] for row in rejects if row["stage"] == "quality"}
        self.entries = list(_entries(self.out, dropped))
        self.by_id = {entry.id: at for at, entry in enumerate(self.entries)}
        self.by_film: dict[str, list[str]] = defaultdict(list)
        for entry in self.entries:
            self.by_film[entry.film].append(entry.id)
        self._places: dict[str, tuple[str, str]] | None = None
        self._films: dict[str, Video] | None = None
        self._frames: dict[tuple[str, tuple[float, ...]], dict[float, bytes]] = {}

    def _stamp(self) -> tuple[int, int]:
        found = os.stat(storage.join(self.out, layout.MANIFEST))
        return found.st_mtime_ns, found.st_size

    def refresh(self) -> None:
        """Reads the dataset again if a run has finished since. Raises Running during a run."""
        try:
            stamp = self._stamp()
        except FileNotFoundError:
            raise Running("A run is writing the dataset: wait until it is done.") from None
        if stamp != self._manifest:
            self.dataset = read_json(self.out)
            self._load()
            self._manifest = stamp

    # --- decisions -------------------------------------------------------------------------------

    def version(self) -> str:
        """Returns the version of the decisions as they are now."""
        return decisions.version(self.out)

    def applied(self) -> str:
        """Returns the version of the decisions that the last run has applied, NONE if it is no
        part of the file."""
        applied = self.dataset.get("review", {}).get("decisions", decisions.NONE)
        if not applied and has_file(self.out, layout.RUN_RECORD):
            record = json.loads(read_file(self.out, layout.RUN_RECORD))
            applied = record.get("decisions", decisions.NONE)
        try:
            decisions.read(self.out, applied)
        except (ValueError, OSError):  # the file is another than that run's
            return decisions.NONE
        return str(applied)

    def waiting(self) -> int:
        """Returns how many decisions the next run applies, or undoes as they were taken back."""
        now, last_run = (
            {row.id for row in decisions.standing(decisions.read(self.out, version))}
            for version in (self.version(), self.applied())
        )
        return len(now ^ last_run)

    def film(self, film: str) -> FilmView:
        """Reads a film's stories, with what is decided of them now."""
        rows = decisions.by_film(self.out, self.version()).get(film, [])
        return self._view(film, rows)

    def _view(self, film: str, rows: Sequence[OfFilm]) -> FilmView:
        scored, written = self._stories(self.out, film, self._manifest)
        in_stories = {image for story in written.values() for image in story.images}
        put_in = self._put_in(film)
        keyframes = {
            id_: row
            for id_, row in self._keyframes(self.out, film, self._manifest).items()
            if id_ not in put_in or row.image in in_stories
        }
        applied = apply.apply(
            list(written.values()), keyframes.values(), decisions.of_stories(rows)
        )
        scenes = self._scenes(film, list(keyframes.values()), decisions.of_scenes(rows))
        return FilmView(written, keyframes, applied, list(rows), scored, scenes, put_in)

    def _scenes(
        self, film: str, keyframes: Sequence[Keyframe], rows: Sequence[SceneBegin]
    ) -> Scenes:
        """Returns where scenes begin: where the last run has let them, but for what was decided or
        taken back since."""
        scenes = self._found_scenes(self.out, film, self._manifest)
        order = sorted(keyframes, key=lambda keyframe: keyframe.time)
        begins = {scene.keyframes[0] for scene in scenes}
        standing = {row.keyframe for row in rows}
        last_run = decisions.by_film(self.out, self.applied()).get(film, [])
        for row in reversed(decisions.of_scenes(last_run)):
            if row.keyframe not in standing and row.id not in self._conflicts:
                # Taken back since: it was the other way before the first of them.
                (begins.discard if row.begins else begins.add)(row.keyframe)
        found, conflicts = decided.apply(
            [at for at, keyframe in enumerate(order) if keyframe.id in begins], order, rows
        )
        return Scenes(
            [keyframe.id for keyframe in order],
            [order[at].id for at in found],
            {keyframe: scene.place for scene in scenes for keyframe in scene.keyframes},
            conflicts,
        )

    def fault(self, rows: Sequence[Decision], decision: OfFilm) -> str:
        """Returns why a decision among these rows could not be applied, "" if it could."""
        if decision.film not in self.by_film:
            return "there is no such film"
        of_film = [
            row
            for row in decisions.standing(rows)
            if isinstance(row, decisions.OF_FILM) and row.film == decision.film
        ]
        return self._view(decision.film, of_film).conflicts.get(decision.id, "")

    def _put_in(self, film: str) -> set[str]:
        """Returns the keyframes that the last run has put in the place of others."""
        rows = decisions.by_film(self.out, self.applied()).get(film, [])
        return {keyframe_id(film, row.time) for row in rows if isinstance(row, Swap)}

    @staticmethod
    @functools.lru_cache(8)
    def _stories(out: str, film: str, stamp: Any) -> tuple[dict[str, Story], dict[str, Story]]:
        tables = [
            {row.id: row for row in read_matching(out, table, Story, "video", [film])}
            for table in _TABLES
            if table != layout.ORIGINAL_STORIES or has_file(out, layout.table_path(table))
        ]
        scored = tables[0] | tables[1]
        written = scored | (tables[2] if len(tables) > 2 else {})
        return scored, {story: written[story] for story in sorted(written)}

    @staticmethod
    @functools.lru_cache(8)
    def _keyframes(out: str, film: str, stamp: Any) -> dict[str, Keyframe]:
        return {
            row.id: row for row in read_matching(out, layout.KEYFRAMES, Keyframe, "video", [film])
        }

    @staticmethod
    @functools.lru_cache(8)
    def _found_scenes(out: str, film: str, stamp: Any) -> list[Scene]:
        return list(read_matching(out, layout.SCENES, Scene, "video", [film]))

    # --- lists -----------------------------------------------------------------------------------

    def statuses(self) -> dict[str, str]:
        """Returns the status of each story that has one: accepted, rejected, conflict, edited.

        No film is read for it: what the last run could not apply is in its rejects, and what was
        decided since was checked when it was.
        """
        found: dict[str, str] = {}
        for film, rows in decisions.by_film(self.out, self.version()).items():
            if film not in self.by_film:
                continue
            for row in decisions.of_stories(rows):
                if row.id in self._conflicts:
                    continue
                if isinstance(row, Accept | RejectStory):
                    found[row.story] = "accepted" if isinstance(row, Accept) else "rejected"
                else:
                    found.setdefault(row.story, "edited")
                if isinstance(row, Move):
                    at = self.by_id.get(row.story, 0)
                    if at and self.entries[at - 1].film == film:  # its end has moved
                        found.setdefault(self.entries[at - 1].id, "edited")
            found |= {row.story: "conflict" for row in rows if row.id in self._conflicts}
        return found

    def find(self, wanted: Wanted) -> tuple[list[Entry], dict[str, str]]:
        """Returns the stories that are wanted, in order, and the statuses of all."""
        statuses = self.statuses()
        found: list[Entry] = self.entries
        if wanted.share[1] > 1:
            found = [entry for entry in found if in_share(entry.id, wanted.share)]
        if wanted.status:
            found = [
                entry
                for entry in found
                if statuses.get(entry.id, "open") == wanted.status
                or (wanted.status == "open" and statuses.get(entry.id) == "edited")
            ]
        if wanted.character:
            found = [entry for entry in found if wanted.character in entry.characters]
        if wanted.place:
            at_place = self._at_place(wanted.place)
            found = [entry for entry in found if entry.id in at_place]
        if wanted.words.strip():
            saying = self._saying(wanted.words)
            found = [entry for entry in found if entry.id in saying]
        if wanted.score:
            scored = [entry for entry in found if wanted.score in entry.scores]
            found = sorted(scored, key=lambda entry: entry.scores[wanted.score])
        return found, statuses

    def pictures(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Returns how many pictures stories have as decided now, by their ids.

        A film is read only where decisions that the last run has not applied change the number.
        """
        found = {entry.id: entry.pictures for entry in entries}
        now, last_run = (
            decisions.by_film(self.out, version) for version in (self.version(), self.applied())
        )
        for film in {entry.film for entry in entries}:
            if _of_length(now.get(film, [])) != _of_length(last_run.get(film, [])):
                pages = self.film(film).applied.pages
                found |= {id_: len(pages[id_]) for id_ in found.keys() & pages.keys()}
        return found

    def _saying(self, words: str) -> set[str]:
        """Returns the stories with all of some words: in a text, or in their film's title."""
        titled = {
            film
            for film, title in self.titles.items()
            if all(word in title.casefold() for word in words.casefold().split())
        }
        found = {entry.id for entry in self.entries if entry.film in titled or entry.id == words}
        for table in _TABLES[:2]:
            for batch in read_batches(self.out, table, ["id", "captions"]):
                hits = None
                for word in words.split():
                    texts = pc.binary_join(batch["captions"], "\n")
                    hit = pc.match_substring(texts, word, ignore_case=True)
                    hits = hit if hits is None else pc.and_(hits, hit)
                if hits is not None:
                    found.update(batch["id"].filter(hits).to_pylist())
        return found

    def places(self) -> list[str]:
        """Returns the places of all scenes, as "series: place"."""
        if self._places is None:
            scenes = read_table(self.out, layout.SCENES, ["series", "place"])
            unique = scenes.group_by(["series", "place"]).aggregate([]).to_pylist()
            self._places = {
                _label(row["series"], row["place"]): (row["series"], row["place"])
                for row in unique
                if row["place"]
            }
        return sorted(self._places)

    def _at_place(self, label: str) -> set[str]:
        """Returns the stories with a picture at a place, by the scenes that their pictures are
        in."""
        self.places()
        series, place = (self._places or {}).get(label, ("", ""))
        scenes = read_table(
            self.out,
            layout.SCENES,
            ["video", "series", "place", "keyframes"],
            ("place", [place]),
        ).to_pylist()
        images = pa.array(
            [
                layout.image_path(scene["video"], keyframe)
                for scene in scenes
                if scene["series"] == series
                for keyframe in scene["keyframes"]
            ],
            pa.string(),
        )
        found: set[str] = set()
        for table in _TABLES[:2]:
            for batch in read_batches(self.out, table, ["id", "images"]):
                there = pc.is_in(pc.list_flatten(batch["images"]), value_set=images)
                stories = pc.unique(pc.list_parent_indices(batch["images"]).filter(there))
                found.update(batch["id"].take(stories).to_pylist())
        return found

    def characters(self) -> list[str]:
        """Returns the characters of all stories, those in most first."""
        counted = Counter(name for entry in self.entries for name in entry.characters)
        return [name for name, _ in counted.most_common()]

    # --- pictures --------------------------------------------------------------------------------

    def picture(self, image: str) -> bytes:
        """Reads a picture of the dataset. Raises OSError for what is none."""
        folder = image.partition("/")[0]
        if folder not in (layout.IMAGES, layout.CHARACTERS) or not image.endswith(".jpg"):
            raise FileNotFoundError(image)
        if not is_inside(image) or "\\" in image or "\0" in image:
            raise FileNotFoundError(image)
        root = os.path.realpath(self.out)
        if os.path.commonpath([root, os.path.realpath(os.path.join(root, image))]) != root:
            raise FileNotFoundError(image)
        return read_file(self.out, image)

    def thumbnail(self, image: str) -> bytes:
        """Returns a small picture, made once. Raises OSError for what is no picture."""
        name = hashlib.sha256(image.encode()).hexdigest()[:24]
        path = storage.join(self.out, layout.WORK, layout.THUMBNAILS, f"{name}.jpg")
        source = self.picture(image)
        digest = hashlib.sha256(source).digest()
        if storage.exists(path):
            data = storage.read_bytes(path)
            if data.endswith(digest):
                return data[: -len(digest)]
        data = encode_jpeg(thumbnail(decode_bgr(source, image)))
        with contextlib.suppress(OSError):  # a dataset that may only be read has none
            storage.write_bytes(path, data + digest)
        return data

    def video(self, film: str) -> Video | None:
        """Returns a film's row with its place here, None where the film is not there."""
        if self._films is None:
            rows = {row.id: row for row in read_rows(self.out, layout.VIDEOS, Video)}
            self._films = {
                film: dataclasses.replace(rows[film], uri=uri)
                for film, uri in _places_of_films(self.out, self.videos).items()
                if film in rows
            }
        found = self._films.get(film)
        return found if found and storage.exists(found.uri) else None

    def decoded(self, film: Video, times: Sequence[float]) -> dict[float, bytes]:
        """Returns JPEGs of the frames of a film nearest to some times, by their own times.

        Raises isolation.Crashed, or one of frames.ERRORS.
        """
        key = film.uri, tuple(times)
        if key not in self._frames:
            images = isolation.call(frames.decode, film, key[1], size=film.size)
            if len(self._frames) >= 16:
                self._frames.clear()
            self._frames[key] = {
                time: encode_jpeg(thumbnail(image, 960)) for time, image in images.items()
            }
        return self._frames[key]


def _of_length(rows: Sequence[OfFilm]) -> list[OfFilm]:
    """Returns the decisions that change how many pictures a story has."""
    return [row for row in rows if isinstance(row, Drop | Move)]


def _entries(out: str, reasons: Mapping[str, str]) -> Iterator[Entry]:
    """Yields an entry for each story, by film and number; `reasons` are of those dropped."""
    found: dict[str, tuple[Any, ...]] = {}
    tables = [table for table in _TABLES if has_file(out, layout.table_path(table))]
    for table in tables:
        for batch in read_batches(out, table, _COLUMNS):
            first = pc.list_element(batch["images"], 0).to_pylist()
            columns = (batch[name].to_pylist() for name in ("id", "video", "series", "scores"))
            lengths = pc.list_value_length(batch["images"]).to_pylist()
            casts = _names(batch["characters"])
            for at, (id_, film, series, scores, image, length) in enumerate(
                zip(*columns, first, lengths, strict=True)
            ):
                if id_ not in found:
                    values = {
                        name: value for name, value in (scores or {}).items() if value is not None
                    }
                    found[id_] = film, series, image, length, values, casts.get(at, ())
    numbers: Counter[str] = Counter()
    for id_ in sorted(found, key=lambda story: (found[story][0], story)):
        film, series, image, length, scores, cast = found[id_]
        numbers[film] += 1
        yield Entry(
            id_, film, series, numbers[film], image, length, scores, cast, reasons.get(id_, "")
        )


def _names(characters: pa.Array) -> dict[int, tuple[str, ...]]:
    """Returns the names in each row of a column of lists of names for each picture, sorted."""
    pictures = pc.list_flatten(characters)
    rows = pc.list_parent_indices(characters).take(pc.list_parent_indices(pictures))
    pairs = pa.table({"row": rows, "name": pc.list_flatten(pictures)})
    found: dict[int, list[str]] = defaultdict(list)
    for pair in pairs.group_by(["row", "name"]).aggregate([]).to_pylist():
        found[pair["row"]].append(pair["name"])
    return {row: tuple(sorted(names)) for row, names in found.items()}


def _label(series: str, place: str) -> str:
    return f"{series}: {place}" if series else place


def _places_of_films(out: str, videos: str) -> dict[str, str]:
    """Returns where each film lies: as given, else where the last runs have found it."""
    if videos:
        return {video.id: video.uri for video in discovery.find(videos)[0]}
    found: dict[str, tuple[float, str]] = {}
    for path, _ in storage.find_in(storage.join(out, layout.WORK, "keyframes"), "*.jsonl"):
        try:
            rows = stage_outputs.only(Video, stage_outputs.load(path))
        except (OSError, ValueError):
            continue
        for video in rows:
            when = os.path.getmtime(path)
            if video.id not in found or when > found[video.id][0]:
                found[video.id] = when, video.uri
    return {film: uri for film, (_, uri) in found.items()}


def story_view(view: FilmView, story: str, titles: Mapping[str, str]) -> dict[str, Any]:
    """Returns what the page of a story shows of it, as JSON. Raises KeyError for an unknown one."""
    written = view.written[story]
    keyframe_of = {keyframe.image: keyframe for keyframe in view.keyframes.values()}
    decided = next(row for row in view.applied.stories if row.id == story)
    verdict = view.applied.verdicts.get(story)
    scored = view.scored.get(story)
    ids = list(view.written)
    at = ids.index(story)
    sentences = {
        layout.image_keyframe(image): caption
        for row in view.written.values()
        for image, caption in zip(row.images, row.captions, strict=True)
    }
    neighbours = [
        {
            "id": ids[other],
            "pictures": len(view.applied.pages[ids[other]]),
            "first": [page.keyframe for page in view.applied.pages[ids[other]]][:1],
            "last": [page.keyframe for page in view.applied.pages[ids[other]]][-1:],
        }
        if 0 <= other < len(ids)
        else None
        for other in (at - 1, at + 1)
    ]
    return {
        "id": story,
        "film": written.video,
        "title": titles.get(written.video, written.video),
        "series": written.series,
        "number": at + 1,
        "digest": apply.story_digest(written, keyframe_of),
        "boundary": apply.boundary_digest(view.written[ids[at - 1]], written, keyframe_of)
        if at
        else None,
        "next_boundary": apply.boundary_digest(written, view.written[ids[at + 1]], keyframe_of)
        if at + 1 < len(ids)
        else None,
        "before": neighbours[0],
        "after": neighbours[1],
        "verdict": verdict.model_dump() if verdict else None,
        "accepted": decided.accepted,
        "scores": {
            name: value
            for name, value in dataclasses.asdict(scored.scores).items()
            if value is not None
        }
        if scored and scored.scores
        else {},
        "writer": [*dict.fromkeys(written.writers)],
        "captioner": written.caption_model,
        "pages": [
            _page(page, view.keyframes[page.keyframe], sentences.get(page.keyframe, ""), view)
            for page in view.applied.pages[story]
        ],
        "left": [
            {
                "id": row.id,
                "keyframe": row.keyframe,
                "image": view.keyframes[row.keyframe].image,
                "by": row.by,
                "reason": row.reason,
            }
            for row in view.rows
            if row.what == "drop"
            and row.story == story
            and row.id not in view.conflicts
            and row.keyframe in view.keyframes
        ],
        "history": [
            {**row.model_dump(), "conflict": view.conflicts.get(row.id, "")}
            for row in view.rows
            # A boundary is also the end of the story before it.
            if row.story == story or (isinstance(row, Move) and row.story in ids[at + 1 : at + 2])
        ],
    }


def _page(page: apply.Page, keyframe: Keyframe, sentence: str, view: FilmView) -> dict[str, Any]:
    swap = view.applied.swaps.get(page.keyframe)
    is_there = swap is not None and keyframe_id(keyframe.video, swap.time) in view.put_in
    return {
        "keyframe": page.keyframe,
        "image": page.image if is_there else keyframe.image,
        "swap": swap.time if swap and not is_there else None,  # to be decoded
        "text": page.caption,
        "written": sentence,
        "sentence_digest": apply.sentence_digest(keyframe, sentence),
        "picture_digest": apply.picture_digest(keyframe),
        "caption": page.description,
        "writer": page.writer,
        "repaired": page.repaired,
        "characters": page.characters,
        **_scene(keyframe, view),
        "dialogue": keyframe.dialogue,
        "screen": keyframe.text,
        "time": clock(swap.time if swap else keyframe.time),
        "shot": f"{clock(keyframe.shot_start)} to {clock(keyframe.shot_end)}",
        "width": keyframe.width,
        "height": keyframe.height,
    }


def _scene(keyframe: Keyframe, view: FilmView) -> dict[str, Any]:
    """Returns which scene a picture is in, and what a decision about its boundary names."""
    scenes = view.scenes
    at = scenes.order.index(keyframe.id)
    numbers = {id_: number for number, id_ in enumerate(scenes.begins, 1)}
    number = next((numbers[id_] for id_ in scenes.order[at::-1] if id_ in numbers), 0)
    return {
        "scene": number,
        "scenes": len(scenes.begins),
        "place": scenes.places.get(keyframe.id, ""),
        "begins": keyframe.id in numbers,
        # None for the film's first picture, with which a scene always begins
        "scene_digest": decided.boundary_digest(view.keyframes[scenes.order[at - 1]], keyframe)
        if at
        else None,
    }
