"""Lists the files of a source: a file, folder, glob, storage prefix or manifest.

No file is opened, but a manifest. In folders a film is known by its ending; what else lies there is
listed beside the films, as it may be their subtitles, and the others are to be told of.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from pipeline.ingest import manifests
from pipeline.ingest.source_files import SourceError, SourceFile
from pipeline.runtime import progress, storage

# Of the files in a folder that are taken for films; FFmpeg decides later.
# fmt: off
ENDINGS = (
    "3g2", "3gp", "amv", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "gxf", "ivf", "m2t",
    "m2ts", "m4v", "mk3d", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg", "mts", "mxf", "nsv", "nut",
    "ogm", "ogv", "qt", "rm", "rmvb", "roq", "ts", "vob", "webm", "wmv", "wtv", "y4m",
)
# fmt: on

_FILES_PER_NOTE = 1000  # that are listed between two notes of progress


@dataclasses.dataclass
class Listing:
    """The files of a source."""

    films: list[SourceFile] = dataclasses.field(default_factory=list)
    # Uris of the other files of a folder or prefix, hidden ones too; a hidden folder ends in "/".
    others: list[str] = dataclasses.field(default_factory=list)
    base: str = ""  # what the paths of a folder or prefix are relative to
    walked: bool = False  # whether these are all files of a folder or prefix
    manifest: str = ""  # that the films come from


def list_files(source: str) -> Listing:
    """Lists the films that a source names and, of a folder or prefix, all other files in it.

    Raises SourceError where it names no films or a manifest is wrong.
    """
    if "://" in source:
        return _remote_files(source)
    if os.path.isdir(source):
        return _folder_files(source)
    if os.path.lexists(source):
        if source.lower().endswith(manifests.ENDINGS):
            return Listing(manifests.read(source), manifest=source)
        stem = os.path.splitext(os.path.basename(source))[0]
        return Listing([SourceFile(source, os.path.basename(source), stem)])
    if glob.has_magic(source):
        return Listing(_glob_files(source))
    raise SourceError(
        f"{source!r} does not exist: give a film, a folder, a glob, a gs:// or s3:// "
        "prefix, or a manifest"
    )


# --- folders -------------------------------------------------------------------------------------


def _folder_files(folder: str) -> Listing:
    root = os.path.basename(os.path.abspath(folder))
    for name in manifests.FILE_NAMES:
        if os.path.isfile(manifest := os.path.join(folder, name)):
            below = _films_below(folder, folder, root)
            unnamed = [file.uri for file in below if not file.fault]
            return Listing(manifests.read(manifest), unnamed, folder, manifest=manifest)
    others: list[str] = []
    files = list(_films_below(folder, folder, root, others))
    if all(file.fault for file in files):
        raise SourceError(
            f"no films in {folder!r} or the folders in it: looked for files ending in "
            f"{_endings()}; a film with another ending can be named itself, or in a "
            + "; ".join([manifests.FILE_NAMES[0], *(f"{file.uri}: {file.fault}" for file in files)])
        )
    return Listing(files, others, folder, walked=True)


def _films_below(
    folder: str, base: str, root: str, others: list[str] | None = None
) -> Iterator[SourceFile]:
    """Yields the films below a folder, by their path relative to `base`, and the folders there that
    cannot be listed. Adds the paths of other files to `others`."""
    errors: list[OSError] = []
    for path, names in _counted(_walk(folder, errors.append, others)):
        for name in names:
            if _is_film_name(name):
                yield _local_file(os.path.join(path, name), base, root)
            elif others is not None:
                others.append(os.path.join(path, name))
    yield from (_unlisted_folder(error, root) for error in errors)


def _counted(folders: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Yields folders with the names of their files, and reports how many files there were."""
    count = reported = 0
    for path, names in folders:
        yield path, names
        count += len(names)
        if count - reported >= _FILES_PER_NOTE:
            progress.doing("find", f"{count:,} files, now in {path}")
            reported = count


def _local_file(path: str, base: str, root: str) -> SourceFile:
    return SourceFile(path, os.path.relpath(path, base or ".").replace(os.sep, "/"), root)


def _unlisted_folder(error: OSError, root: str) -> SourceFile:
    fault = (
        f"the folder cannot be listed, nor the films in it: {error.strerror}; allow it, or move "
        "it away"
    )
    return SourceFile(error.filename, error.filename, root, fault=fault)


def _walk(
    folder: str, onerror: Callable[[OSError], None], hidden: list[str] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Yields a folder and those below it, each with the names of its files, hidden ones left out.

    Follows links, but enters no folder twice. A folder that cannot be listed goes to `onerror`;
    paths of hidden files and folders, these with a "/" at their end, are added to `hidden`.
    """
    entered = set()
    for path, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in entered:  # a link upwards, or a second way to a folder
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        if hidden is not None:
            left_out = [*names, *(f"{name}/" for name in folders)]
            hidden += [os.path.join(path, name) for name in left_out if name.startswith(".")]
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


def _remote_files(source: str) -> Listing:
    if source.lower().endswith(manifests.ENDINGS):
        return Listing(manifests.read(source), manifest=source)
    try:
        return _listed(source)
    except SourceError:
        raise
    except (OSError, ValueError) as error:  # no such bucket, no access, no client for the scheme
        raise SourceError(f"{source!r} cannot be listed: {error}") from error


def _listed(source: str) -> Listing:
    is_glob = glob.has_magic(source)
    if not is_glob and not source.endswith("/") and storage.exists(source):
        name = source.rpartition("/")[2]
        return Listing([SourceFile(source, name, os.path.splitext(name)[0])])
    prefix = re.split(r"[*?[]", source, maxsplit=1)[0]
    base = prefix.rpartition("/")[0] + "/" if is_glob else prefix.rstrip("/") + "/"
    sizes = dict(storage.find(source) if is_glob else storage.find_in(base, "**"))
    for name in () if is_glob else manifests.FILE_NAMES:
        if base + name in sizes:
            unnamed = [path for path in sizes if _is_film_name(path)]
            return Listing(manifests.read(base + name), unnamed, base, manifest=base + name)
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
    if is_glob:
        return Listing(files)
    return Listing(files, [path for path in sizes if not _is_film_name(path)], base, walked=True)
