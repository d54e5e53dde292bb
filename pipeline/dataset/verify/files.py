"""The files: each that `dataset.json` names, as it says, and none that nothing explains."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Generator, Iterator

from pipeline.annotation import characters
from pipeline.dataset.manifest import File
from pipeline.dataset.reader import inside, open_file
from pipeline.dataset.verify.known import Known
from pipeline.dataset.verify.problems import COPY, DELETE, RUN, Problem
from pipeline.runtime import stage_outputs, storage
from schemas.storystream import IMAGES


def check_files(known: Known) -> Generator[Problem, None, set[str]]:
    """Each file that the manifest names; returns those that are not as they should be."""
    bad: set[str] = set()
    for path, count in Counter(file.path for file in known.manifest.files).items():
        if count > 1:
            yield Problem("manifest", "dataset.json", f"names {path} {count} times", RUN)
    for file in known.manifest.files:
        problem = _file_problem(known.out, file)
        if problem:
            bad.add(file.path)
            yield problem
    # As `publish` makes it; the card is written after it and names it.
    version = stage_outputs.digest(
        sorted(
            (file.path, file.sha256) for file in known.manifest.files if file.path != "README.md"
        )
    )
    if version != known.manifest.version:
        yield Problem(
            "manifest",
            "dataset.json",
            f"its version is {known.manifest.version}, and that of the files it names {version}",
            RUN,
        )
    return bad


def _file_problem(out: str, file: File) -> Problem | None:
    if not inside(file.path):
        return Problem("manifest", "dataset.json", f"names {file.path}, outside the folder", RUN)
    try:
        size, sha256 = digest(out, file.path)
    except OSError:
        return Problem("missing file", file.path, "dataset.json names it", COPY)
    if size != file.bytes:
        return Problem("changed file", file.path, f"has {size} bytes, not {file.bytes}", COPY)
    if sha256 != file.sha256:
        return Problem(
            "changed file",
            file.path,
            f"its sha256 is {sha256[:12]}..., not {file.sha256[:12]}...",
            COPY,
        )
    return None


def digest(out: str, name: str) -> tuple[int, str]:
    """Bytes and sha256 of a file of the dataset. Raises OSError where there is none."""
    size, sha256 = 0, hashlib.sha256()
    with open_file(out, name) as file:
        while block := file.read(1 << 20):
            size += len(block)
            sha256.update(block)
    return size, sha256.hexdigest()


def check_strays(known: Known) -> Iterator[Problem]:
    """Files in the folders that the dataset owns that neither manifest nor tables explain."""
    named = {file.path for file in known.manifest.files} | known.reject_images
    for folder in (IMAGES, "rejected", "shards", characters.FOLDER):
        root = storage.join(known.out, folder)
        for path, _ in storage.find_in(root, "**"):
            name = f"{folder}/{path[len(root) :].lstrip('/')}"
            if name not in named and not known.is_keyframe(name):
                yield Problem("unknown file", name, "nothing in the dataset names it", DELETE)
