"""Finds missing and changed files: those that are not as `dataset.json` says, and its version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

from pipeline.dataset.file_digests import file_record
from pipeline.dataset.manifest import File, dataset_version
from pipeline.dataset.reader import is_inside, locate
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.problems import COPY, RUN, Problem
from pipeline.runtime import progress, storage
from schemas.layout import CHARACTERS, MANIFEST

LARGEST_FILE = 1 << 38  # bytes; a file with holes may have any size, and reading it never ends


def check_files(index: Index) -> Generator[Problem, None, set[str]]:
    """Checks each file that the manifest names; returns the paths of those that are not as it says.

    Also checks the version of the dataset, which is a digest of theirs.
    """
    bad: set[str] = set()
    files = index.manifest.files
    for path, count in Counter(file.path for file in files).items():
        if count > 1:
            yield Problem("manifest", MANIFEST, f"names {path} {count} times", RUN)
    for file in files:
        progress.doing("verify", file.path)
        problem = _file_problem(index.out, file)
        if problem:
            bad.add(file.path)
            yield problem
        progress.advance("verify")
    version = dataset_version(files)
    if version != index.manifest.version:
        yield Problem(
            "manifest",
            MANIFEST,
            f"its version is {index.manifest.version}, and that of the files it names {version}",
            RUN,
        )
    return bad


def _file_problem(out: str, file: File) -> Problem | None:
    if not is_inside(file.path):
        return Problem("manifest", MANIFEST, f"names {file.path}, outside the folder", RUN)
    try:
        size = storage.size(locate(out, file.path))
        if size != file.bytes:
            what = f"has {size} bytes, not {file.bytes}"
            return Problem("changed file", file.path, what, _remedy(file.path))
        if size > LARGEST_FILE:
            return Problem("too large", file.path, f"has {size} bytes: it was not read", RUN)
        found = file_record(out, file.path)
    except storage.NotAFile:
        return Problem("not a file", file.path, "is a folder, pipe or device", COPY)
    except OSError:
        return Problem("missing file", file.path, f"{MANIFEST} names it", COPY)
    if found.sha256 != file.sha256:
        return Problem(
            "changed file",
            file.path,
            f"its sha256 is {found.sha256[:12]}..., not {file.sha256[:12]}...",
            _remedy(file.path),
        )
    return None


def _remedy(path: str) -> str:
    """Returns what to do about a changed file: those of characters are there to be edited."""
    edited = path.startswith(f"{CHARACTERS}/") and path.endswith(".yaml")
    return f"if you edited it, {RUN}" if edited else COPY
