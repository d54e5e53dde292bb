"""Names from paths: video ids, and the series, season, episode and title of a film."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

_ID_LENGTH = 80  # characters; with the rest of an image's name, short of what file systems take
_ID_BYTES = 200

_SEASON = re.compile(r"(?:season|series|staffel|saison)[ ._-]*(\d{1,9})(?!\d)", re.IGNORECASE)
_EPISODE = re.compile(r"(?<![a-z])(?:episode|folge|ep|e)[ ._-]*(\d{1,9})(?![a-z\d])", re.IGNORECASE)
_SEASON_EPISODE = re.compile(
    r"(?<![a-z\d])(?:s(\d{1,3})[ ._-]*e(\d{1,4})|(\d{1,2})x(\d{2,3}))(?!\d)", re.IGNORECASE
)
_RELEASE_TAGS = re.compile(
    r"\[[^\]]*\]|(?<!\w)(?:480|576|720|1080|2160)[pi](?!\w).*$", re.IGNORECASE
)


def video_ids(relatives: Sequence[str]) -> list[str]:
    """Returns an id for each path: safe as a folder name and unique among these, in their order.

    Word characters of any script and "-" are kept; a dot is not, as a WebDataset key ends at it.
    Of paths that would have the same id, upper and lower case apart, each but the first gets a hash
    of its path, so that a film keeps its id when others are added after it.
    """
    taken: set[str] = set()
    ids = []
    for relative in relatives:
        name, hashed = safe_name(relative), relative
        while name.casefold() in taken:
            name = _shortened(safe_name(relative), hashed)
            hashed += "/"  # films from outside a manifest's folder may share their whole path
        taken.add(name.casefold())
        ids.append(name)
    return ids


def safe_name(relative: str) -> str:
    """Returns a path or title as the name of a file or folder: letters, digits, "_" and "-"."""
    stem = re.sub(r"(?<=[^/])\.\w{1,5}$", "", unicodedata.normalize("NFC", relative))
    name = re.sub(r"[^\w-]+", "-", stem)
    name = re.sub(r"-{2,}", "-", name).strip("-") or "video"
    long = len(name) > _ID_LENGTH or len(name.encode()) > _ID_BYTES
    return _shortened(name, relative) if long else name


def _shortened(name: str, hashed: str) -> str:
    """Cuts a name to the length of an id and ends it with 8 hex digits of the hash of its path."""
    digest = hashlib.sha256(hashed.encode(errors="surrogateescape")).hexdigest()[:8]
    cut = name[: _ID_LENGTH - 9].encode()[: _ID_BYTES - 9].decode(errors="ignore")
    return f"{cut.rstrip('-')}-{digest}"


def parse_path(relative: str, root: str) -> tuple[str, int | None, int | None, str]:
    """Reads series, season, episode and title of a film from its path; None where it names none.

    "Pip/Season 1/Pip - S01E02 - The Kite.mkv" is ("Pip", 1, 2, "The Kite"). A film that lies
    directly in the source has the series `root`.
    """
    *folders, name = relative.split("/")
    stem = re.sub(r"(?<=.)\.\w{1,5}$", "", name)
    season = next(
        (int(match[1]) for part in [stem, *reversed(folders)] if (match := _SEASON.search(part))),
        None,
    )
    while folders and _SEASON.fullmatch(folders[-1].strip()):
        folders.pop()
    series = folders[-1] if folders else root
    pair = _SEASON_EPISODE.search(stem)
    if pair:
        numbers = [int(number) for number in pair.groups() if number is not None]
        return series, numbers[0], numbers[1], _title(stem, pair)
    match = _EPISODE.search(stem)
    return series, season, int(match[1]) if match else None, _title(stem, match)


def _title(stem: str, marker: re.Match[str] | None) -> str:
    """Returns the words of a stem: those after the episode's number, else before it, else all."""
    candidates = [stem[marker.end() :], stem[: marker.start()]] if marker else []
    for text in [*candidates, stem]:
        words = re.sub(r"[._\s]+", " ", _RELEASE_TAGS.sub("", text)).strip(" -–,:")
        if words:
            return words
    return stem
