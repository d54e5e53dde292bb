"""Sidecars: the subtitle files beside a film, and the language and kind in their names."""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Collection

from pipeline.ingest.languages import two_letters
from pipeline.runtime import storage

ENDINGS = (".srt", ".vtt", ".ass", ".ssa")

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)
_KINDS = {"forced", "sdh", "cc"}  # tags of a subtitle file that are not a language


class Listing:
    """Finds the subtitle files beside films; lists each folder once."""

    def __init__(self) -> None:
        self._in_folder: dict[str, list[str]] = {}
        self.unlisted: dict[str, str] = {}  # folder that may not be listed -> the error

    def beside(self, uri: str) -> list[str]:
        """Returns the subtitle files whose names begin with the stem of a film, sorted."""
        folder = uri.rpartition("/")[0]
        if folder not in self._in_folder:
            try:
                self._in_folder[folder] = (
                    [path for path, _ in storage.find_in(folder, "*") if _is_subtitle_name(path)]
                    if "://" in uri
                    else _subtitles_in(os.path.dirname(uri))
                )
            except PermissionError as error:  # films may be read, by their names, all the same
                self._in_folder[folder] = []
                self.unlisted[folder] = str(error)
        paths, stem = self._in_folder[folder], os.path.splitext(uri)[0]
        # A folder may hold a hundred thousand films: "/" is the character after ".".
        return paths[bisect.bisect_left(paths, stem + ".") : bisect.bisect_left(paths, stem + "/")]


def _is_subtitle_name(path: str) -> bool:
    return path.lower().endswith(ENDINGS)


def _subtitles_in(folder: str) -> list[str]:
    """Returns the subtitle files of a folder, sorted. Raises PermissionError."""
    try:
        names = os.listdir(folder or ".")
    except PermissionError:
        raise
    except OSError:
        return []
    return sorted(
        path
        for name in names
        if _is_subtitle_name(name) and os.path.isfile(path := os.path.join(folder, name))
    )


def choose(uri: str, beside: Collection[str], language: str) -> str:
    """Returns the subtitle file that belongs to a film, "" where none of those beside it does.

    It has the film's stem and one of the ENDINGS; between them may be a language and "forced",
    "sdh" or "cc". Of several, the film's language goes first, then English, then those without a
    language; forced subtitles go last, as they leave most of the dialogue out.
    """
    wanted = two_letters(language)

    def rank(path: str) -> tuple[bool, int, bool, str]:
        tag, kinds = tags(uri, path)
        preferred = [wanted, "", "en"] if wanted else ["en", ""]
        codes = [tag, tag.partition("-")[0]]
        place = next((i for i, code in enumerate(preferred) if code in codes), len(preferred))
        return "forced" in kinds, place, bool(kinds), path

    stem = os.path.splitext(uri)[0]
    candidates = [
        path
        for path in beside
        if _is_subtitle_name(path) and path.startswith(stem + ".") and tags(uri, path)[0] != "?"
    ]
    return min(candidates, key=rank, default="")


def tags(uri: str, path: str) -> tuple[str, set[str]]:
    """Reads the tags between a film's stem and the ending of a subtitle file beside it.

    Returns the language, "" for none and "?" for what is not a language, and those of "forced",
    "sdh" and "cc" that are there.
    """
    stem = os.path.splitext(uri)[0]
    if not path.startswith(stem + "."):
        return "", set()
    found = os.path.splitext(path)[0][len(stem) :].lower().split(".")[1:]
    kinds = set(found) & _KINDS
    rest = [tag for tag in found if tag not in kinds]
    if not rest:
        return "", kinds
    is_language = len(rest) == 1 and _LANGUAGE.fullmatch(rest[0])
    return (two_letters(rest[0]) if is_language else "?"), kinds
