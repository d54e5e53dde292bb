"""Copies a dataset in a bucket (`s3://`, `gs://`) to this machine, where training reads it.

What is copied is what the story model learns from: the manifest and the shards. A copy is made
once; one that was stopped goes on with the files that are missing, and where the manifest in the
bucket has changed, all of it is copied anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from model.data import DataError
from model.terminal import telling
from schemas.layout import MANIFEST, SHARDS, SPLITS


def is_remote(dataset: str) -> bool:
    """Returns whether a dataset is in a bucket."""
    return "://" in dataset


def copied(dataset: str, folder: Path, splits: Sequence[str] = SPLITS) -> str:
    """Returns the folder of a dataset on this machine: its own, or, for one in a bucket, `folder`
    with a copy of its manifest and of the shards of `splits`.

    Raises DataError where the bucket does not give them.
    """
    if not is_remote(dataset):
        return dataset
    try:
        # The endpoint of a private server, as in AWS_ENDPOINT_URL, may be http
        store = from_url(dataset, client_options={"allow_http": True})
        _copy(store, folder, splits)
    except (BaseError, FileNotFoundError, ValueError) as error:
        reason = str(error).partition("\n")[0].partition(": <?xml")[0]
        raise DataError(
            f"{dataset} cannot be read ({reason}): is it what `make dataset OUT={dataset}` wrote, "
            "and are the bucket's credentials set, such as AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or GOOGLE_APPLICATION_CREDENTIALS?"
        ) from error
    return str(folder)


def _copy(store: ObjectStore, folder: Path, splits: Sequence[str]) -> None:
    manifest = bytes(store.get(MANIFEST).bytes())
    written = folder / MANIFEST
    if not written.exists() or written.read_bytes() != manifest:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / SHARDS).mkdir(parents=True)
        written.write_bytes(manifest)
    sizes = {
        found["path"]: found["size"]
        for some in store.list(SHARDS + "/")
        for found in some
        if Path(found["path"]).name.startswith(tuple(f"{split}-" for split in splits))
    }
    missing = {
        path: size
        for path, size in sorted(sizes.items())
        if not (folder / path).exists() or (folder / path).stat().st_size != size
    }
    done = 0
    with telling(
        lambda: f"dataset: {done / 2**20:,.0f} MiB copied of {sum(missing.values()) / 2**20:,.0f}"
    ):
        for path in missing:
            fresh = folder / f"{path}.part"
            with fresh.open("wb") as file:
                for part in store.get(path).stream():
                    file.write(part)
                    done += len(part)
            fresh.rename(folder / path)
