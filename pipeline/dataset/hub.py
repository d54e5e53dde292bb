"""Pushes a finished dataset to a repository on the Hugging Face hub, or a server like it.

What is pushed is the dataset, as `verify` knows it: what `dataset.json` names, the keyframes and
the pictures of rejects; never `work/`, the report or the record of the run. Added are the stories
with their pictures in Parquet, which the hub's viewer shows, and Croissant metadata. The card is
one for the hub.

Files that the repository has already, by their digests, are not sent again, and each commit is of
some files only: so a push that was stopped goes on where it was. `dataset.json` is deleted before
the first change and comes last: a repository with one is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.dataset import croissant
from pipeline.dataset.dataset_card import may_be_shared, used_films
from pipeline.dataset.exports import parquet
from pipeline.dataset.file_digests import FileRecord, file_record
from pipeline.dataset.manifest import read_json, read_manifest, write_manifest
from pipeline.dataset.reader import locate, read_batches
from pipeline.runtime import stage_outputs, storage
from schemas import layout

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

# A hub takes some hundred commits per hour. Bytes that it has of a commit that failed stay there.
FILES_PER_COMMIT, BYTES_PER_COMMIT = 1000, 5_000_000_000
_OWN_FOLDERS = (layout.IMAGES, layout.REJECTED, layout.CHARACTERS, layout.SHARDS, layout.HUB)


class _File(NamedTuple):
    """A file of the pushed dataset."""

    path: str  # in the repository
    source: str  # on disk
    bytes: int
    sha256: str  # "" where no table has it


def push(out: str, repo: str, with_rights: bool, say: Callable[[str], None]) -> str:
    """Pushes the dataset in the folder `out` to the dataset repository `repo`, "OWNER/NAME", which
    is made, private, where it is not there. Returns its address.

    `HF_ENDPOINT` and `HF_TOKEN` are those of huggingface_hub. Raises ValueError where the licence
    of a film does not let its pictures be shared and the caller does not hold the rights, where the
    folder is no finished dataset or a file is not the one that it names, and where the hub refuses
    or cannot be reached; OSError where a file is missing.
    """
    read_manifest(out)  # says what to do where there is none
    content = read_json(out)
    if storage.is_remote(out):
        raise ValueError(f"{out}: a dataset is pushed from a disk; copy it to one first")
    if not content["splits"]:
        raise ValueError(f"{out} has no stories: there is nothing to push")
    if not with_rights:
        check_licenses({film["id"]: film["license"] for film in used_films(content)})
    from huggingface_hub import HfApi

    # HTTPError is that of the library it speaks with, which is another one by version.
    from huggingface_hub.errors import HFValidationError, HTTPError
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()  # a line per commit is enough
    api = HfApi()
    address = f"{api.endpoint}/datasets/{repo}"
    staged = _stage(out, repo, address, content)
    files = list(_files(out, staged))
    try:
        return _push_files(api, repo, address, files, say)
    except (HTTPError, HFValidationError) as error:
        status = getattr(getattr(error, "response", None), "status_code", 0)
        hint = "; is HF_TOKEN one that may write there?" if status in (401, 403) else ""
        raise ValueError(f"{address}: {error}{hint}") from error


def check_licenses(films: Mapping[str, str]) -> None:
    """Raises ValueError where the licence of a film, by its id, does not let its pictures be
    shared."""
    refused = [film for film, license in films.items() if not may_be_shared(license)]
    if refused:
        named = ", ".join(f"{film} ({films[film] or 'no licence given'})" for film in refused[:10])
        more = f" and {len(refused) - 10} more" if len(refused) > 10 else ""
        raise ValueError(
            f"nothing was pushed: the licences of {len(refused)} films do not let their pictures "
            f"be shared: {named}{more}. Leave these films out, give their licences in a manifest "
            "of the films, or add --i-have-the-rights where you hold the rights"
        )


def _stage(out: str, repo: str, address: str, content: dict[str, Any]) -> str:
    """Writes what a repository has and the folder has not, into `work`; returns the folder of that.

    It is kept for the next push of the same dataset to the same address.
    """
    key = stage_outputs.digest([content, address])
    kept = storage.join(out, layout.WORK, layout.HUB)
    staged = storage.join(kept, key)
    if storage.exists(storage.join(staged, layout.MANIFEST)):
        return staged
    storage.remove([path for path, _ in storage.find_in(kept, "**")])
    parquet.export(out, storage.join(staged, layout.HUB))
    stories = [
        file_record(staged, f"{layout.HUB}/{storage.basename(path)}")
        for path, _ in storage.find_in(storage.join(staged, layout.HUB), "*.parquet")
    ]
    films = file_record(out, layout.table_path(layout.VIDEOS))
    described = croissant.metadata(content, address, stories, films)
    storage.write_bytes(
        storage.join(staged, layout.CROISSANT),
        json.dumps(described, indent=1, ensure_ascii=False).encode() + b"\n",
    )
    records = [FileRecord(**file) for file in content["files"]]
    write_manifest(staged, dict(content), records, repo)
    return staged


def _files(out: str, staged: str) -> Iterator[_File]:
    """Yields the files of the pushed dataset; the card and `dataset.json` come last."""
    seen = set()
    for record in read_manifest(out).files:
        seen.add(record.path)
        if record.path != layout.CARD:
            yield _File(record.path, locate(out, record.path), record.bytes, record.sha256)
    for batch in read_batches(out, layout.KEYFRAMES, ["image", "bytes", "sha256"]):
        for row in batch.to_pylist():
            seen.add(row["image"])
            yield _File(row["image"], locate(out, row["image"]), row["bytes"], row["sha256"])
    for batch in read_batches(out, layout.REJECTS, ["image"]):
        for image in batch["image"].to_pylist():
            if image and image not in seen:
                seen.add(image)
                yield _File(image, locate(out, image), storage.size(locate(out, image)), "")
    for path, size in storage.find_in(storage.join(staged, layout.HUB), "*"):
        yield _File(f"{layout.HUB}/{storage.basename(path)}", path, size, "")
    for name in (layout.CROISSANT, layout.CARD, layout.MANIFEST):
        path = storage.join(staged, name)
        yield _File(name, path, storage.size(path), "")


def _push_files(
    api: HfApi, repo: str, address: str, files: Sequence[_File], say: Callable[[str], None]
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, RepoFile

    api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
    there = {
        entry.path: entry
        for entry in api.list_repo_tree(repo, repo_type="dataset", recursive=True)
        if isinstance(entry, RepoFile)
    }
    missing = [file for file in files if not _is_there(file, there.get(file.path))]
    names = {file.path for file in files}
    stale = [path for path in there if path not in names and path.split("/")[0] in _OWN_FOLDERS]
    say(
        f"{len(missing)} of {len(files)} files, {sum(file.bytes for file in missing):,} bytes, "
        f"are pushed to {address}"
        + (f"; {len(stale)} of an earlier version are deleted" if stale else "")
    )
    if not missing and not stale:
        return address
    deleted = [path for path in (layout.MANIFEST, *stale) if path in there]
    if deleted:
        api.create_commit(
            repo,
            [CommitOperationDelete(path_in_repo=path) for path in deleted],
            commit_message="A new version begins",
            repo_type="dataset",
        )
    missing = [file for file in missing if file.path != layout.MANIFEST] + [files[-1]]
    done = 0
    for batch in _batches(missing):
        for file in batch:
            _check(file)
        api.create_commit(
            repo,
            [
                CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=file.source)
                for file in batch
            ],
            commit_message=f"Files {done + 1} to {done + len(batch)} of {len(missing)}",
            repo_type="dataset",
        )
        done += len(batch)
        say(f"{done} of {len(missing)} files are there")
    return address


def _batches(files: Sequence[_File]) -> Iterator[list[_File]]:
    """Yields files a commit at a time; the last one, `dataset.json`, in a commit of its own."""
    batch: list[_File] = []
    for file in files[:-1]:
        full = sum(each.bytes for each in batch) + file.bytes > BYTES_PER_COMMIT
        if batch and (full or len(batch) == FILES_PER_COMMIT):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch
    yield [files[-1]]


def _is_there(file: _File, entry: RepoFile | None) -> bool:
    """Tells whether the repository has a file with these bytes."""
    if entry is None or entry.size != file.bytes:
        return False
    if entry.lfs is not None:
        return bool(entry.lfs.sha256 == (file.sha256 or _digest(file)))
    data = storage.read_bytes(file.source)
    return bool(entry.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())


def _check(file: _File) -> None:
    """Raises ValueError where a file is not the one that the dataset names."""
    if file.sha256 and _digest(file) != file.sha256:
        raise ValueError(
            f"{file.source} is not the file that the dataset names: `storystream verify` says more"
        )


def _digest(file: _File) -> str:
    with storage.reading(file.source) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()  # type: ignore[arg-type]
