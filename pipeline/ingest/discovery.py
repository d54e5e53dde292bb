"""Discovery: which films a source (file, folder, glob, storage prefix, manifest) names.

No film is opened. Series, season, episode, title and language come from the manifest, else from the
names of folders, films and the subtitles beside them.
"""

from __future__ import annotations

import fnmatch
import functools
import glob
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress

from pipeline.ingest import manifests, naming, sidecars
from pipeline.ingest.source_files import (
    SourceError,
    SourceFile,
    check_file,
    printable,
    scheme_fault,
)
from pipeline.runtime import storage
from schemas.rows import Reject, Video

# Of the files in a folder that are taken for films; FFmpeg decides later.
# fmt: off
ENDINGS = (
    "3g2", "3gp", "amv", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "gxf", "ivf", "m2t",
    "m2ts", "m4v", "mk3d", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg", "mts", "mxf", "nsv", "nut",
    "ogm", "ogv", "qt", "rm", "rmvb", "roq", "ts", "vob", "webm", "wmv", "wtv", "y4m",
)
# fmt: on


def find(source: str, schemes: Collection[str] = ()) -> tuple[list[Video], list[Reject]]:
    """Finds the films of a source; returns them sorted by their path in it, and the rejects.

    source: a film, a folder (walked with its subfolders; hidden files are left out), a glob, a
    storage prefix such as "gs://bucket/films", or a manifest (see `manifests`, with the columns
    `manifests.COLUMNS`). A folder with a manifest.csv or manifest.jsonl is read by it. In folders a
    film is known by its ending; a file that is named, by a path, a glob or a manifest, is taken
    whatever its ending. schemes: of uris, such as "https", that are fetched beside paths, gs:// and
    s3://; others become rejects.

    Raises SourceError where nothing is found or a manifest is wrong.
    """
    if fault := scheme_fault(source, schemes):
        raise SourceError(f"{source!r}: {fault}")
    files = sorted(_source_files(source), key=lambda file: (file.relative, file.uri))
    rejects = []
    usable: list[tuple[SourceFile, int]] = []
    uris: set[str] = set()
    for file in files:
        if file.fault:
            size, reason, detail = 0, "unreadable", file.fault
        elif fault := scheme_fault(file.uri, schemes):
            size, reason, detail = 0, "scheme", fault
        else:
            size, reason, detail = check_file(file.uri, file.size)
        if not reason and file.uri in uris:
            reason, detail = "duplicate", "the source names it twice"
        uris.add(file.uri)
        if reason:
            rejects.append(Reject("video", printable(file.uri), reason, detail))
        else:
            usable.append((file, size))
    ids = naming.video_ids([file.relative for file, _ in usable])
    beside = sidecars.Sidecars([file.uri for file, _ in usable])
    videos = []
    for (file, size), video_id in zip(usable, ids, strict=True):
        video, missing = _video(file, video_id, size, beside, schemes)
        videos.append(video)
        rejects += missing
    rejects += [
        Reject(
            "subtitles",
            printable(folder),
            "unlisted",
            "the folder may not be listed, so that subtitles beside its films are not found: "
            f"allow it, or name them in a manifest ({printable(error)})",
        )
        for folder, error in beside.unlisted.items()
    ]
    if _is_walked(source) and not any(file.row for file in files):
        rejects += [
            Reject("subtitles", printable(path), "of no film", detail)
            for path, detail in beside.unattached.items()
        ]
    return videos, rejects


def _is_walked(source: str) -> bool:
    """Returns whether a source is a folder or prefix: the others name some of a folder's films, and
    the subtitles beside them may be those of the others."""
    if "://" in source:
        return not (glob.has_magic(source) or storage.exists(source))
    return os.path.isdir(source)


def _video(
    file: SourceFile,
    video_id: str,
    size: int,
    beside: sidecars.Sidecars,
    schemes: Collection[str],
) -> tuple[Video, list[Reject]]:
    """Makes the row of a film, and a reject where its manifest names unusable subtitles."""
    row = file.row
    series, season, episode, title = naming.parse_path(file.relative, file.root)
    subtitles, language, rejects = row.get("subtitles", ""), "", []
    if subtitles:
        fault = scheme_fault(subtitles, schemes)
        if reason := "scheme" if fault else check_file(subtitles)[1]:
            detail = fault or "named by the manifest"
            rejects.append(Reject("subtitles", printable(subtitles), reason, detail, video_id))
            subtitles = ""
    elif sidecar := sidecars.choose(beside.of(file.uri), row.get("language", "")):
        subtitles, language = sidecar.path, sidecar.language
    return Video(
        id=video_id,
        uri=file.uri,
        size=size,
        subtitles=subtitles,
        series=row.get("series") or series,
        title=row.get("title") or title,
        season=int(row["season"]) if row.get("season") else season,
        episode=int(row["episode"]) if row.get("episode") else episode,
        language=row.get("language") or language,
        license=row.get("license", ""),
        attribution=row.get("attribution", ""),
    ), rejects


def _source_files(source: str) -> list[SourceFile]:
    if "://" in source:
        return _remote_files(source)
    if os.path.isdir(source):
        return _folder_files(source)
    if os.path.lexists(source):
        if source.lower().endswith(manifests.ENDINGS):
            return manifests.read(source)
        stem = os.path.splitext(os.path.basename(source))[0]
        return [SourceFile(source, os.path.basename(source), stem)]
    if glob.has_magic(source):
        return _glob_files(source)
    raise SourceError(
        f"{source!r} does not exist: give a film, a folder, a glob, a gs:// or s3:// "
        "prefix, or a manifest"
    )


# --- folders -------------------------------------------------------------------------------------


def _folder_files(folder: str) -> list[SourceFile]:
    for name in manifests.FILE_NAMES:
        if os.path.isfile(os.path.join(folder, name)):
            return manifests.read(os.path.join(folder, name))
    root = os.path.basename(os.path.abspath(folder))
    files = list(_films_below(folder, folder, root))
    if all(file.fault for file in files):
        raise SourceError(
            f"no films in {folder!r} or the folders in it: looked for files ending in "
            f"{_endings()}; a film with another ending can be named itself, or in a "
            + "; ".join([manifests.FILE_NAMES[0], *(f"{file.uri}: {file.fault}" for file in files)])
        )
    return files


def _films_below(folder: str, base: str, root: str) -> Iterator[SourceFile]:
    """Yields the films below a folder, by their path relative to `base`, and the folders there that
    cannot be listed."""
    errors: list[OSError] = []
    for path, names in _walk(folder, errors.append):
        for name in filter(_is_film_name, names):
            yield _local_file(os.path.join(path, name), base, root)
    yield from (_unlisted_folder(error, root) for error in errors)


def _local_file(path: str, base: str, root: str) -> SourceFile:
    return SourceFile(path, os.path.relpath(path, base or ".").replace(os.sep, "/"), root)


def _unlisted_folder(error: OSError, root: str) -> SourceFile:
    fault = (
        f"the folder cannot be listed, nor the films in it: {error.strerror}; allow it, or move "
        "it away"
    )
    return SourceFile(error.filename, error.filename, root, fault=fault)


def _walk(folder: str, onerror: Callable[[OSError], None]) -> Iterator[tuple[str, list[str]]]:
    """Yields a folder and those below it, each with the names of its files, hidden ones left out.

    Follows links, but enters no folder twice. A folder that cannot be listed goes to `onerror`.
    """
    entered = set()
    for path, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in entered:  # a link upwards, or a second way to a folder
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield path, sorted(name for name in names if not name.startswith("."))


def _is_film_name(path: str) -> bool:
    name = path.rpartition("/")[2]
    return not name.startswith(".") and name.rpartition(".")[2].lower() in ENDINGS and "." in name


def _endings() -> str:
    return ", ".join(f".{ending}" for ending in ENDINGS)


# --- globs ---------------------------------------------------------------------------------------


def _glob_files(pattern: str) -> list[SourceFile]:
    base = os.path.dirname(re.split(r"[*?[]", pattern, maxsplit=1)[0])
    root = os.path.basename(os.path.abspath(base))
    files: list[SourceFile] = []
    errors: list[OSError] = []
    for path in _matching(base, pattern[len(base) :].strip("/").split("/"), errors.append):
        if os.path.isdir(path):
            files += _films_below(path, base, root)
        else:
            files.append(_local_file(path, base, root))
    files += [_unlisted_folder(error, root) for error in errors]
    if all(file.fault for file in files):
        no_match = (
            f"no file matches {pattern!r}: '*' stays within a folder, '**' crosses folders; quote "
            "the glob so that the shell leaves it alone"
        )
        raise SourceError("; ".join([no_match, *(f"{file.uri}: {file.fault}" for file in files)]))
    real_path = functools.cache(os.path.realpath)
    by_real_path: dict[tuple[str, str], SourceFile] = {}  # links and `**` reach a file repeatedly
    for file in sorted(files, key=lambda file: (file.uri.count("/"), file.uri)):
        folder, _, name = file.uri.rpartition("/")
        by_real_path.setdefault((real_path(folder or "."), name), file)
    return list(by_real_path.values())


def _matching(
    folder: str, parts: Sequence[str], onerror: Callable[[OSError], None]
) -> Iterator[str]:
    """Yields paths in a folder ("" is the current one) that match a glob, split at its slashes.

    They are those of `glob.glob`, which would pass over a folder that cannot be listed and never
    end where a link leads upwards. A path may come more than once.
    """
    part, rest = parts[0], parts[1:]
    if part == "**":
        for path, names in _walk(folder or ".", onerror):
            path = path if folder else path[2:]  # "./a"
            yield from (
                _matching(path, rest, onerror)
                if rest
                else (os.path.join(path, name) for name in names)
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
        with suppress(PermissionError):  # where it is a film, `check_file` rejects it
            os.lstat(os.path.join(folder, part))
        return [part]
    with os.scandir(folder or ".") as entries:
        names = [
            entry.name
            for entry in entries
            if part.startswith(".") or not entry.name.startswith(".")
        ]
    return sorted(fnmatch.filter(names, part))


# --- object storage ------------------------------------------------------------------------------


def _remote_files(source: str) -> list[SourceFile]:
    if source.lower().endswith(manifests.ENDINGS):
        return manifests.read(source)
    try:
        return _listed(source)
    except SourceError:
        raise
    except (OSError, ValueError) as error:  # no such bucket, no access, no client for the scheme
        raise SourceError(f"{source!r} cannot be listed: {error}") from error


def _listed(source: str) -> list[SourceFile]:
    is_glob = glob.has_magic(source)
    if not is_glob and not source.endswith("/") and storage.exists(source):
        name = source.rpartition("/")[2]
        return [SourceFile(source, name, os.path.splitext(name)[0])]
    prefix = re.split(r"[*?[]", source, maxsplit=1)[0]
    base = prefix.rpartition("/")[0] + "/" if is_glob else prefix.rstrip("/") + "/"
    sizes = dict(storage.find(source) if is_glob else storage.find_in(base, "**"))
    for name in () if is_glob else manifests.FILE_NAMES:
        if base + name in sizes:
            return manifests.read(base + name)
    root = base.rstrip("/").rpartition("/")[2]
    files = [
        SourceFile(path, path.removeprefix(base), root, size=size)
        for path, size in sizes.items()
        if is_glob or _is_film_name(path)
    ]
    if not files:
        looked = (
            "no file matches"
            if is_glob
            else f"looked under {base!r} for files ending in {_endings()}"
        )
        raise SourceError(f"no films at {source!r}: {looked}")
    return files
