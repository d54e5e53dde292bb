"""Sidecars: the subtitle files that belong to films, and the language and kind in their names.

A file belongs to the film whose name its own begins with ("film.en.srt", "film_en.srt",
"film.mp4.srt"), beside it or in a folder "Subs" there, or one named after a language; where one
film is alone in its folder, a file that is named after a language alone ("2_English.srt") is its
own too.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import langcodes

from pipeline.ingest.languages import two_letters
from pipeline.runtime import storage, web

# fmt: off
ENDINGS = (
    ".srt", ".vtt", ".ass", ".ssa", ".ttml", ".dfxp", ".itt", ".smi", ".sami", ".sub", ".sbv",
    ".lrc",
)
# fmt: on

_FOLDERS = ("subs", "sub", "subtitles", "subtitle")  # beside a film, in any case
_SEPARATOR = re.compile(r"[._\-\s\[\](){}+,]+")
# Words in a subtitle file's name that are not its language.
_PARTIAL = {"forced", "foreign", "signs", "songs", "lyrics", "karaoke", "commentary", "comments"}
_DESCRIBED = {"sdh", "cc", "hi", "hoh", "captions"}  # with sounds, for those who do not hear
_PLAIN = {
    "default",
    "full",
    "dialogue",
    "dialogues",
    "subtitles",
    "subtitle",
    "subs",
    "sub",
    "utf8",
}
# What people write in place of a language's code: countries, and old codes.
_USUAL = {
    "chs": "zh-hans",
    "cht": "zh-hant",
    "castellano": "es-es",
    "latino": "es-419",
    "brazilian": "pt-br",
    "portugues": "pt",
    "cn": "zh",
    "cz": "cs",
    "gr": "el",
    "jp": "ja",
    "pob": "pt-br",
    "ptbr": "pt-br",
    "ua": "uk",
}


_NAMED = "name it in the column subtitles of a manifest"


@dataclasses.dataclass(frozen=True)
class Sidecar:
    """A subtitle file of a film."""

    path: str
    language: str = ""  # as in its name, "" for none
    partial: bool = False  # leaves most of the dialogue out, or is not of it
    described: bool = False  # has sounds beside the dialogue


class Sidecars:
    """Finds the subtitle files of a source's films; lists each folder once.

    films: the uris of all films of the source, as a file goes to the film with the longest name
    that its own begins with. subtitles: uris of all subtitle files of the source, where they are
    known; then no folder is listed.
    """

    def __init__(self, films: Iterable[str], subtitles: Iterable[str] | None = None) -> None:
        self._films: dict[str, dict[str, list[str]]] = {}  # folder -> name -> uris
        for uri in films:
            folder, name = _split(uri)
            names = self._films.setdefault(folder, {})
            for key in {_key(name), _key(os.path.splitext(name)[0])}:
                names.setdefault(key, []).append(uri)
        self._found: dict[str, dict[str, list[Sidecar]]] = {}  # folder -> uri -> files
        self.unlisted: dict[str, str] = {}  # folder that may not be listed -> the error
        self.unattached: dict[str, str] = {}  # file that belongs to no film -> why
        self._known: dict[str, list[str]] | None = None  # folder of films -> subtitle files
        if subtitles is not None:
            self._known = self._by_folder(subtitles)

    def _by_folder(self, subtitles: Iterable[str]) -> dict[str, list[str]]:
        """Returns the subtitle files in, or in folders for subtitles in, each folder of films."""
        known: dict[str, list[str]] = {}
        for path in subtitles:
            folder = _split(path)[0]
            folders = [folder]
            while folder:
                folder, name = _split(folder) if "/" in folder.strip("/") else ("", folder)
                is_own = path.removeprefix(folder).strip("/").count("/") == 1
                if name.lower() in _FOLDERS or (is_own and _folder_language(name)):
                    folders.append(folder)
            folders = [folder for folder in folders if folder in self._films]
            for folder in folders:
                known.setdefault(folder, []).append(path)
            if not folders:
                self.unattached[path] = f"there is no film beside it: {_NAMED}"
        return known

    def of(self, uri: str) -> list[Sidecar]:
        """Returns the subtitle files that belong to a film, sorted by path."""
        folder = _split(uri)[0]
        if folder not in self._found:
            self._found[folder] = self._attached(folder)
        return self._found[folder].get(uri, [])

    def _attached(self, folder: str) -> dict[str, list[Sidecar]]:
        attached: dict[str, list[Sidecar]] = {}
        try:
            paths = sorted(
                _subtitle_files(folder) if self._known is None else self._known.get(folder, [])
            )
        except PermissionError as error:  # films may be read, by their names, all the same
            self.unlisted[folder] = str(error)
            return attached
        films = self._films[folder]
        for path in paths:
            relative = path.removeprefix(folder).lstrip("/")
            owners, tags = _owners(relative, films)
            sidecar = _sidecar(path, tags) if owners else None
            if sidecar and not sidecar.language:
                inside = map(_folder_language, relative.split("/")[:-1])
                sidecar = dataclasses.replace(sidecar, language=next(filter(None, inside), ""))
            if sidecar is None:
                self.unattached[path] = (
                    f"its name goes on with {tags!r}, which is no language: rename it"
                    if owners
                    else "no film has its name: rename it to FILM.LANGUAGE.srt"
                ) + f", or {_NAMED}"
                continue
            for owner in owners:
                attached.setdefault(owner, []).append(sidecar)
        return attached


def choose(sidecars: Iterable[Sidecar], language: str) -> Sidecar | None:
    """Returns the subtitle file to take of those of a film, None where there is none.

    The film's language goes first, then files without a language, then English (English first
    where the film's is not known); what leaves most of the dialogue out goes last, and files that
    describe sounds after those that do not.
    """
    wanted = two_letters(language)
    preferred = [wanted, "", "en"] if wanted else ["en", ""]

    def rank(sidecar: Sidecar) -> tuple[bool, int, bool, int, str]:
        codes = [sidecar.language, sidecar.language.partition("-")[0]]
        place = next((i for i, code in enumerate(preferred) if code in codes), len(preferred))
        ending = os.path.splitext(sidecar.path)[1].lower()
        return sidecar.partial, place, sidecar.described, ENDINGS.index(ending), sidecar.path

    return min(sidecars, key=rank, default=None)


# --- the files of a folder -----------------------------------------------------------------------


def _subtitle_files(folder: str) -> Iterator[str]:
    """Yields the subtitle files of a folder and of the folders for subtitles in it.

    Raises PermissionError where the folder may not be listed.
    """
    if web.is_web(folder):  # servers have no listings: a manifest may name subtitles
        return
    if "://" in folder:
        for pattern in ("*", *(f"{name}/**" for name in ("Subs", "subs", "Subtitles"))):
            below, _, pattern = pattern.rpartition("/")
            paths = [path for path, _ in storage.find_in(storage.join(folder, below), pattern)]
            yield from subtitle_files(paths)
        return
    try:
        names = os.listdir(folder or ".")
    except PermissionError:
        raise
    except OSError:
        return
    yield from subtitle_files([os.path.join(folder, name) for name in names])
    for name in names:
        if name.lower() in _FOLDERS or _folder_language(name):
            for path, folders, inside in os.walk(os.path.join(folder, name)):
                yield from subtitle_files([os.path.join(path, file) for file in inside])
                if name.lower() not in _FOLDERS:  # it may be anything, and deep
                    folders.clear()


def subtitle_files(paths: Sequence[str]) -> list[str]:
    """Returns the subtitle files among paths; a .sub beside its .idx holds pictures of text."""
    indexed = {path[:-4].lower() for path in paths if path.lower().endswith(".idx")}
    return [
        path
        for path in paths
        if path.lower().endswith(ENDINGS)
        and not os.path.basename(path).startswith(".")
        and not (path.lower().endswith(".sub") and path[:-4].lower() in indexed)
        and ("://" in path or os.path.isfile(path))
    ]


@functools.cache
def _folder_language(folder: str) -> str:
    """Returns the language that a folder is named after, "" for none."""
    found = _language([word for word in _SEPARATOR.split(folder.lower()) if word]) or ""
    return found if len(found.partition("-")[0]) == 2 else ""


def _split(uri: str) -> tuple[str, str]:
    """Splits a uri into its folder and its name; slashes may be doubled."""
    folder, _, name = uri.rpartition("/")
    return (folder.rstrip("/") or "/" if folder else ("/" if uri.startswith("/") else "")), name


def _key(name: str) -> str:
    """Returns a name in one Unicode form and case: file systems differ in both."""
    return unicodedata.normalize("NFC", name).casefold()


# --- names ---------------------------------------------------------------------------------------


def _owners(relative: str, films: dict[str, list[str]]) -> tuple[list[str], str]:
    """Returns the films that a file belongs to, by its path relative to their folder, and the rest
    of its name.

    A film's name may be that of the file's own folder below "Subs".
    """
    *folders, name = relative.split("/")
    stem = _key(os.path.splitext(name)[0])
    places = [match.start() for match in _SEPARATOR.finditer(stem) if match.start()]
    for place in (len(stem), *reversed(places)):
        if owners := films.get(stem[:place]):
            return owners, stem[place:]
    for folder in folders[1:]:
        if owners := films.get(_key(folder)):
            return owners, stem
    every = {uri: None for owners in films.values() for uri in owners}
    named = _sidecar("", stem)
    alone = len(every) == 1 and named is not None and (folders or named.language)
    return (list(every), stem) if alone else ([], stem)


def _sidecar(path: str, tags: str) -> Sidecar | None:
    """Reads the tags in a subtitle file's name; None where one is neither language nor kind."""
    words = [word for word in _SEPARATOR.split(tags.lower()) if word]
    has_language = any(word not in _PARTIAL | _DESCRIBED | _PLAIN for word in words)
    # "hi" alone is Hindi; beside another language it is "hearing impaired".
    described = _DESCRIBED if has_language else _DESCRIBED - {"hi"}
    rest = [word for word in words if word not in _PARTIAL | described | _PLAIN]
    if len(rest) > 1:
        rest = [word for word in rest if not word.isdecimal() or word == "419"]  # of a track
    language = _language(rest)
    if language is None:
        return None
    return Sidecar(path, language, bool(_PARTIAL & {*words}), bool(described & {*words}))


def _language(words: list[str]) -> str | None:
    """Returns the language that words name, by code or by its name in some language; "" for no
    words, None for what names no language."""
    if not words:
        return ""
    code = _USUAL.get("".join(words), "-".join(words))
    if len(words[0]) <= 3 or code in _USUAL.values():
        return two_letters(code) if langcodes.tag_is_valid(code) and code != "und" else None
    try:
        found = langcodes.find(" ".join(words))
    except LookupError:
        return None
    # It also finds rare languages of which a word is a part: "Fore" in "forest".
    return str(found).lower() if len(found.language or "") == 2 else None
