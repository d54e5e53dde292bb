"""Where films come from: which films a source names, and what is said of each.

`find` turns a source (file, folder, glob, storage prefix, manifest) into `Video` rows and rejects
without opening a film. Ids come from paths; series, season, episode, title and language come from
the manifest, else from the names of folders, films and the subtitles beside them.
"""

from __future__ import annotations

import bisect
import csv
import dataclasses
import fnmatch
import functools
import glob
import hashlib
import io
import json
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress

import langcodes

from pipeline.runtime import storage
from schemas.rows import Reject, Video

ENDINGS = (  # what is taken for a film in a folder; FFmpeg decides later
    "3g2",
    "3gp",
    "amv",
    "asf",
    "avi",
    "divx",
    "dv",
    "f4v",
    "flv",
    "gif",
    "gxf",
    "ivf",
    "m2t",
    "m2ts",
    "m4v",
    "mk3d",
    "mkv",
    "mov",
    "mp4",
    "mpe",
    "mpeg",
    "mpg",
    "mts",
    "mxf",
    "nsv",
    "nut",
    "ogm",
    "ogv",
    "qt",
    "rm",
    "rmvb",
    "roq",
    "ts",
    "vob",
    "webm",
    "wmv",
    "wtv",
    "y4m",
)
SUBTITLES = (".srt", ".vtt", ".ass", ".ssa")
MANIFESTS = ("manifest.csv", "manifest.jsonl")
COLUMNS = (
    "uri",
    "series",
    "season",
    "episode",
    "language",
    "license",
    "attribution",
    "subtitles",
    "title",
)

_LARGEST_MANIFEST = 256 << 20  # bytes; it is read into memory, as are the films that it names
_ID_LENGTH = 80  # characters; with the rest of an image's name, short of what file systems take
_ID_BYTES = 200

_SEASON = re.compile(r"(?:season|series|staffel|saison)[ ._-]*(\d{1,9})(?!\d)", re.IGNORECASE)
_EPISODE = re.compile(r"(?<![a-z])(?:episode|folge|ep|e)[ ._-]*(\d{1,9})(?![a-z\d])", re.IGNORECASE)
_BOTH = re.compile(
    r"(?<![a-z\d])(?:s(\d{1,3})[ ._-]*e(\d{1,4})|(\d{1,2})x(\d{2,3}))(?!\d)", re.IGNORECASE
)
_NOT_TITLE = re.compile(r"\[[^\]]*\]|(?<!\w)(?:480|576|720|1080|2160)[pi](?!\w).*$", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)
_SUBTITLE_KINDS = {"forced", "sdh", "cc"}  # tags of a subtitle file that are no language


class SourceError(ValueError):
    """The source names no films, or its manifest cannot be read."""


@dataclasses.dataclass(frozen=True)
class _File:
    """A film file of the source, before it is looked at."""

    uri: str
    relative: str  # its path relative to the source, "/" between the parts
    root: str  # the name of the source's folder: the series of films that lie directly in it
    row: dict[str, str] = dataclasses.field(default_factory=dict)  # of a manifest
    size: int | None = None  # bytes, where a listing told them
    fault: str = ""  # why it is no file but a folder that cannot be listed


# --- finding -------------------------------------------------------------------------------------


def find(source: str) -> tuple[list[Video], list[Reject]]:
    """The films of a source, sorted by their path in it, and what looked like one but cannot be.

    source: a film, a folder (walked with its subfolders, hidden files apart), a glob, a storage
    prefix such as "gs://bucket/films", or a manifest (CSV or JSONL with the columns COLUMNS).
    A folder with a manifest.csv or manifest.jsonl is read by it. In folders a film is known by its
    ending; a file that is named, by a path, a glob or a manifest, is taken whatever its ending.

    Raises SourceError where nothing is found or a manifest is wrong.
    """
    files = sorted(_files(source), key=lambda file: (file.relative, file.uri))
    rejects = []
    sound: list[tuple[_File, int]] = []
    seen: set[str] = set()
    for file in files:
        size, reason, detail = (
            (0, "unreadable", file.fault) if file.fault else _state(file.uri, file.size)
        )
        if not reason and file.uri in seen:
            reason, detail = "duplicate", "the source names it twice"
        seen.add(file.uri)
        if reason:
            rejects.append(Reject("video", _printable(file.uri), reason, detail))
        else:
            sound.append((file, size))
    ids = video_ids([file.relative for file, _ in sound])
    listing = _Listing()
    videos = []
    for (file, size), name in zip(sound, ids, strict=True):
        video, missing = _video(file, name, size, listing)
        videos.append(video)
        rejects += missing
    return videos, rejects


def _files(source: str) -> list[_File]:
    if "://" in source:
        return _remote_files(source)
    if os.path.isdir(source):
        return _folder_files(source)
    if os.path.lexists(source):
        if source.lower().endswith((".csv", ".jsonl")):
            return _manifest_files(source)
        stem = os.path.splitext(os.path.basename(source))[0]
        return [_File(source, os.path.basename(source), stem)]
    if glob.has_magic(source):
        return _glob_files(source)
    raise SourceError(
        f"{source!r} does not exist: give a film, a folder, a glob, a gs:// or s3:// "
        "prefix, or a manifest"
    )


def _folder_files(folder: str) -> list[_File]:
    for name in MANIFESTS:
        if os.path.isfile(os.path.join(folder, name)):
            return _manifest_files(os.path.join(folder, name))
    root = os.path.basename(os.path.abspath(folder))
    files = list(_films_below(folder, folder, root))
    if all(file.fault for file in files):
        raise SourceError(
            f"no films in {folder!r} or the folders in it: looked for files ending in "
            f"{_endings()}; a film with another ending can be named itself, or in a "
            + "; ".join([MANIFESTS[0], *(f"{file.uri}: {file.fault}" for file in files)])
        )
    return files


def _films_below(folder: str, base: str, root: str) -> Iterator[_File]:
    """The films below a folder, by their path relative to `base`, and the folders there that cannot
    be listed."""
    faults: list[OSError] = []
    for place, names in _walk(folder, faults.append):
        for name in filter(_is_film_name, names):
            yield _named(os.path.join(place, name), base, root)
    yield from (_unlisted(error, root) for error in faults)


def _named(path: str, base: str, root: str) -> _File:
    return _File(path, os.path.relpath(path, base or ".").replace(os.sep, "/"), root)


def _unlisted(error: OSError, root: str) -> _File:
    return _File(
        error.filename,
        error.filename,
        root,
        fault=f"the folder cannot be listed, nor "
        f"the films in it: {error.strerror}; allow it, or move it away",
    )


def _walk(folder: str, onerror: Callable[[OSError], None]) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it, each with the names of its files; nothing that is hidden. A link
    to a folder seen is passed, and a folder that cannot be listed goes to `onerror`."""
    seen = set()
    for path, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in seen:  # a link upwards, or a second way to a folder
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield path, sorted(name for name in names if not name.startswith("."))


def _glob_files(pattern: str) -> list[_File]:
    base = os.path.dirname(re.split(r"[*?[]", pattern, maxsplit=1)[0])
    root = os.path.basename(os.path.abspath(base))
    files: list[_File] = []
    faults: list[OSError] = []
    for path in _matching(base, pattern[len(base) :].strip("/").split("/"), faults.append):
        if os.path.isdir(path):
            files += _films_below(path, base, root)
        else:
            files.append(_named(path, base, root))
    files += [_unlisted(error, root) for error in faults]
    if all(file.fault for file in files):
        raise SourceError(
            "; ".join(
                [
                    f"no file matches {pattern!r}: '*' stays within a folder, '**' crosses folders; quote "
                    "the glob so that the shell leaves it alone",
                    *(f"{file.uri}: {file.fault}" for file in files),
                ]
            )
        )
    folder = functools.cache(os.path.realpath)
    once: dict[tuple[str, str], _File] = {}  # of several ways to a file, through links or `**`
    for file in sorted(files, key=lambda file: (file.uri.count("/"), file.uri)):
        place, _, name = file.uri.rpartition("/")
        once.setdefault((folder(place or "."), name), file)
    return list(once.values())


def _matching(
    folder: str, parts: Sequence[str], onerror: Callable[[OSError], None]
) -> Iterator[str]:
    """Paths in a folder ("" is the current one) that match a glob, given as the parts between its
    slashes. They are those of `glob.glob`, which would pass over a folder that cannot be listed and
    go round and round where a link leads upwards. A path may come more than once."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        for place, names in _walk(folder or ".", onerror):
            place = place if folder else place[2:]  # "./a"
            yield from (
                _matching(place, rest, onerror)
                if rest
                else (os.path.join(place, name) for name in names)
            )
        return
    try:
        names = _matching_names(folder, part)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        onerror(error)
        return
    for name in names:
        path = os.path.join(folder, name)
        yield from _matching(path, rest, onerror) if rest else [path]


def _matching_names(folder: str, part: str) -> list[str]:
    if not glob.has_magic(part):
        with suppress(PermissionError):  # `_state` says so, where it is a film
            os.lstat(os.path.join(folder, part))
        return [part]
    with os.scandir(folder or ".") as entries:
        return sorted(
            fnmatch.filter(
                (
                    entry.name
                    for entry in entries
                    if part.startswith(".") or not entry.name.startswith(".")
                ),
                part,
            )
        )


def _remote_files(source: str) -> list[_File]:
    if source.lower().endswith((".csv", ".jsonl")):
        return _manifest_files(source)
    try:
        return _listed(source)
    except SourceError:
        raise
    except (OSError, ValueError) as error:  # no such bucket, no access, no client for the scheme
        raise SourceError(f"{source!r} cannot be listed: {error}") from error


def _listed(source: str) -> list[_File]:
    wild = glob.has_magic(source)
    if not wild and not source.endswith("/") and storage.exists(source):
        name = source.rpartition("/")[2]
        return [_File(source, name, os.path.splitext(name)[0])]
    prefix = re.split(r"[*?[]", source, maxsplit=1)[0]
    base = prefix.rpartition("/")[0] + "/" if wild else prefix.rstrip("/") + "/"
    sizes = dict(storage.find(source) if wild else storage.find_in(base, "**"))
    for name in () if wild else MANIFESTS:
        if base + name in sizes:
            return _manifest_files(base + name)
    root = base.rstrip("/").rpartition("/")[2]
    files = [
        _File(path, path.removeprefix(base), root, size=size)
        for path, size in sizes.items()
        if wild or _is_film_name(path)
    ]
    if not files:
        looked = (
            "no file matches"
            if wild
            else (f"looked under {base!r} for files ending in {_endings()}")
        )
        raise SourceError(f"no films at {source!r}: {looked}")
    return files


def _is_film_name(path: str) -> bool:
    name = path.rpartition("/")[2]
    return not name.startswith(".") and name.rpartition(".")[2].lower() in ENDINGS and "." in name


def _endings() -> str:
    return ", ".join(f".{ending}" for ending in ENDINGS)


def _state(uri: str, size: int | None = None) -> tuple[int, str, str]:
    """Size in bytes and, where a file cannot be used, the reason and its detail."""
    try:
        uri.encode()
        if size is None:
            size = storage.size(uri) if "://" in uri else _local_size(uri)
    except UnicodeEncodeError:  # rows are UTF-8
        return 0, "name", "its name is not UTF-8: rename it"
    except PermissionError as error:
        return 0, "unreadable", f"it cannot be looked at: {error.strerror or error}"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return 0, "missing", f"there is no such file: {error}"
    if size is None:
        return 0, "not a file", "a folder, pipe or device where a file was expected"
    return (size, "", "") if size else (0, "empty", "the file has no bytes")


def _local_size(path: str) -> int | None:
    """Size in bytes, None for what is not a regular file: to read it could take for ever."""
    status = os.stat(path)
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _printable(uri: str) -> str:
    return uri.encode(errors="backslashreplace").decode()


# --- manifests -----------------------------------------------------------------------------------


def _manifest_files(manifest: str) -> list[_File]:
    folder = manifest.rpartition("/")[0] if "/" in manifest else ""
    rows = list((_csv_rows if manifest.lower().endswith(".csv") else _json_rows)(manifest))
    if not rows:
        raise SourceError(
            f"{manifest}: no rows; it needs the column uri and may have {', '.join(COLUMNS[1:])}"
        )
    root = (folder if "://" in manifest else os.path.abspath(folder or ".")).rpartition("/")[2]
    files = []
    for line, row in rows:
        _check(f"{manifest}, line {line}", row)
        uri = _beside(folder, row["uri"])
        if row.get("subtitles"):
            row = row | {"subtitles": _beside(folder, row["subtitles"])}
        relative = os.path.normpath(row["uri"]).replace(os.sep, "/")
        if "://" in row["uri"] or relative.startswith(("/", "..")):  # not below the manifest
            relative = relative.rpartition("/")[2]
        files.append(_File(uri, relative, root, row))
    return files


def _csv_rows(manifest: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(_text(manifest), newline=""), skipinitialspace=True)
    try:
        for row in reader:
            if None in row:
                raise SourceError(
                    f"{manifest}, line {reader.line_num}: more cells than the header "
                    "has columns; put a value with a comma in double quotes"
                )
            yield (
                reader.line_num,
                {(key or "").strip(): (value or "").strip() for key, value in row.items()},
            )
    except csv.Error as error:  # such as a quote that is never closed
        raise SourceError(f"{manifest}, line {reader.line_num}: not CSV: {error}") from error


def _json_rows(manifest: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(_text(manifest).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
            raise SourceError(f"{manifest}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise SourceError(f"{manifest}, line {number}: not a JSON object")
        yield (
            number,
            {key: "" if value is None else str(value).strip() for key, value in row.items()},
        )


def _text(manifest: str) -> str:
    size, reason, detail = _state(manifest)
    if reason not in ("", "empty"):
        raise SourceError(f"{manifest}: cannot be read: {detail}")
    if size > _LARGEST_MANIFEST:
        raise SourceError(
            f"{manifest}: has {size >> 20} MB, a manifest at most "
            f"{_LARGEST_MANIFEST >> 20}: split it, and run each part"
        )
    try:
        return storage.read_bytes(manifest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{manifest}: not UTF-8 text: {error}") from error
    except OSError as error:
        raise SourceError(f"{manifest}: cannot be read: {error}") from error


def _check(where: str, row: dict[str, str]) -> None:
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise SourceError(f"{where}: unknown column {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    if not row.get("uri"):
        raise SourceError(f"{where}: no uri")
    for column in ("season", "episode"):
        if row.get(column) and not re.fullmatch(r"\d{1,9}", row[column]):
            raise SourceError(
                f"{where}: {column} is {row[column]!r}, not a whole number of at most 9 digits"
            )
    for column in set(COLUMNS) - {"uri", "subtitles"}:  # a file's name is rejected on its own
        if _printable(row.get(column, "")) != row.get(column, ""):
            raise SourceError(
                f"{where}: {column} is {row[column]!r}: half a surrogate pair is no character"
            )


def _beside(folder: str, uri: str) -> str:
    """A uri that may be relative to a folder."""
    if "://" in uri or os.path.isabs(uri) or not folder:
        return uri
    return f"{folder}/{uri}" if "://" in folder else os.path.normpath(os.path.join(folder, uri))


# --- naming --------------------------------------------------------------------------------------


def video_ids(relatives: Sequence[str]) -> list[str]:
    """An id for each path: safe as a folder name and unique among these, in their order.

    Word characters of any script and "-" are kept; a dot is not, as a WebDataset key ends at it.
    Of paths with one id (in whatever case), each but the first gets a hash of its path, so that a
    film keeps its id when others are added after it.
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
    """A path or title as the name of a file or folder: letters, digits, "_" and "-"."""
    stem = re.sub(r"(?<=[^/])\.\w{1,5}$", "", unicodedata.normalize("NFC", relative))
    name = re.sub(r"[^\w-]+", "-", stem)
    name = re.sub(r"-{2,}", "-", name).strip("-") or "video"
    long = len(name) > _ID_LENGTH or len(name.encode()) > _ID_BYTES
    return _shortened(name, relative) if long else name


def _shortened(name: str, hashed: str) -> str:
    """A name cut to the length of an id, with 8 hex digits of the hash of its path."""
    digest = hashlib.sha256(hashed.encode(errors="surrogateescape")).hexdigest()[:8]
    cut = name[: _ID_LENGTH - 9].encode()[: _ID_BYTES - 9].decode(errors="ignore")
    return f"{cut.rstrip('-')}-{digest}"


def _video(file: _File, name: str, size: int, listing: _Listing) -> tuple[Video, list[Reject]]:
    """The row of a film, and a reject where the manifest names subtitles that are not there."""
    row = file.row
    series, season, episode, title = describe(file.relative, file.root)
    subtitles, rejects = row.get("subtitles", ""), []
    if subtitles and (reason := _state(subtitles)[1]):
        rejects.append(
            Reject("subtitles", _printable(subtitles), reason, "named by the manifest", name)
        )
        subtitles = ""
    elif not subtitles:
        subtitles = sidecar(file.uri, listing.beside(file.uri), row.get("language", ""))
    return Video(
        id=name,
        uri=file.uri,
        size=size,
        subtitles=subtitles,
        series=row.get("series") or series,
        title=row.get("title") or title,
        season=int(row["season"]) if row.get("season") else season,
        episode=int(row["episode"]) if row.get("episode") else episode,
        language=row.get("language") or _sidecar_tags(file.uri, subtitles)[0].strip("?"),
        license=row.get("license", ""),
        attribution=row.get("attribution", ""),
    ), rejects


def describe(relative: str, root: str) -> tuple[str, int | None, int | None, str]:
    """Series, season, episode and title as the path of a film tells them.

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
    both = _BOTH.search(stem)
    if both:
        numbers = [int(number) for number in both.groups() if number is not None]
        return series, numbers[0], numbers[1], _title(stem, both)
    match = _EPISODE.search(stem)
    return series, season, int(match[1]) if match else None, _title(stem, match)


def _title(stem: str, marker: re.Match[str] | None) -> str:
    """The words of a stem: those after the episode's number, else those before it, else all."""
    candidates = [stem[marker.end() :], stem[: marker.start()]] if marker else []
    for text in [*candidates, stem]:
        words = re.sub(r"[._\s]+", " ", _NOT_TITLE.sub("", text)).strip(" -–,:")
        if words:
            return words
    return stem


class _Listing:
    """The subtitle files beside a film, each folder listed once."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def beside(self, uri: str) -> list[str]:
        """The uris in the folder of `uri` that go on where its stem ends, sorted."""
        folder = uri.rpartition("/")[0]
        if folder not in self._names:
            self._names[folder] = (
                [path for path, _ in storage.find_in(folder, "*") if _is_subtitle_name(path)]
                if "://" in uri
                else _subtitles_in(os.path.dirname(uri))
            )
        names, stem = self._names[folder], os.path.splitext(uri)[0]
        # A folder may hold a hundred thousand films: "/" is the character after ".".
        return names[bisect.bisect_left(names, stem + ".") : bisect.bisect_left(names, stem + "/")]


def _is_subtitle_name(path: str) -> bool:
    return path.lower().endswith(SUBTITLES)


def _subtitles_in(folder: str) -> list[str]:
    """The subtitle files of a folder, sorted; none where it may not be listed."""
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    return sorted(
        path
        for name in names
        if _is_subtitle_name(name) and os.path.isfile(path := os.path.join(folder, name))
    )


def sidecar(uri: str, beside: Collection[str], language: str) -> str:
    """The subtitle file that belongs to a film, "" where none of the files beside it does.

    It has the film's stem and one of the endings SUBTITLES; between them may be a language and
    "forced", "sdh" or "cc". Of several, the film's language goes first, then English, then those
    without a language; forced subtitles go last, as they leave most of the dialogue out.
    """
    wanted = two_letters(language)

    def rank(path: str) -> tuple[bool, int, bool, str]:
        tag, kinds = _sidecar_tags(uri, path)
        order = [wanted, "", "en"] if wanted else ["en", ""]
        near = [tag, tag.partition("-")[0]]
        place = next((i for i, one in enumerate(order) if one in near), len(order))
        return "forced" in kinds, place, bool(kinds), path

    stem = os.path.splitext(uri)[0]
    mine = [
        path
        for path in beside
        if _is_subtitle_name(path)
        and path.startswith(stem + ".")
        and _sidecar_tags(uri, path)[0] != "?"
    ]
    return min(mine, key=rank, default="")


def _sidecar_tags(uri: str, path: str) -> tuple[str, set[str]]:
    """The language ("" for none, "?" for what is no tag) and the kinds in a subtitle's name."""
    stem = os.path.splitext(uri)[0]
    if not path.startswith(stem + "."):
        return "", set()
    tags = os.path.splitext(path)[0][len(stem) :].lower().split(".")[1:]
    kinds = set(tags) & _SUBTITLE_KINDS
    rest = [tag for tag in tags if tag not in kinds]
    if not rest:
        return "", kinds
    known = len(rest) == 1 and _LANGUAGE.fullmatch(rest[0])
    return (two_letters(rest[0]) if known else "?"), kinds


def two_letters(language: str) -> str:
    """A language code in lower case, in its two-letter form where it has one: "ENG" is "en".

    Three-letter codes are those of ISO 639-2, both kinds ("ger", "deu"), and ISO 639-3; what is
    none stays as it is. "und" is "", as no language is.
    """
    code, _, region = language.lower().replace("_", "-").partition("-")
    if code == "und":
        code = ""
    elif re.fullmatch("[a-z]{3}", code):
        code = langcodes.standardize_tag(code).partition("-")[0]
    return f"{code}-{region}" if region else code
