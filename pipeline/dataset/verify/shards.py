"""The shards: their names, each sample in them, and each chunk there."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator

from pipeline.dataset.reader import open_file
from pipeline.dataset.verify.known import SIDES, Known, image_id
from pipeline.dataset.verify.problems import RUN, Problem
from pipeline.dataset.verify.records import parsed, record_fault
from schemas.rows import CHUNK_LENGTH

_SHARD = re.compile(rf"shards/({'|'.join(SIDES)})-(\d{{5}})-of-(\d{{5}})\.tar")


def check_shards(known: Known, bad: set[str]) -> Iterator[Problem]:
    """The tars: their names, each sample in them, and each chunk there."""
    of_side: dict[str, list[tuple[int, int]]] = defaultdict(list)
    seen: dict[str, set[str]] = defaultdict(set)
    partly = set()  # sides whose missing chunks may be in a file that was not read
    for file in known.manifest.files:
        if not file.path.startswith("shards/"):
            continue
        match = _SHARD.fullmatch(file.path)
        if match is None:
            yield Problem("shard", file.path, "is not called as shards are", RUN)
            continue
        of_side[match[1]].append((int(match[2]), int(match[3])))
        if file.path in bad:
            partly.add(match[1])
            continue
        try:
            yield from _shard(known, file.path, known.records.get(match[1], {}), seen[match[1]])
        except tarfile.TarError as error:
            partly.add(match[1])
            yield Problem("unreadable file", file.path, f"is no tar: {error}", RUN)
    for side in sorted({*of_side, *SIDES}):
        numbers = sorted(of_side[side])
        if numbers != [(number, len(numbers)) for number in range(len(numbers))]:
            partly.add(side)
            yield Problem(
                "shard",
                "dataset.json",
                f"the numbers of its {side} shards leave a gap: "
                + ", ".join(f"{number} of {total}" for number, total in numbers),
                RUN,
            )
        for key in sorted(known.records.get(side, {}).keys() - seen[side]):
            if side not in partly:
                yield Problem("shard", f"shards/{side}", f"{key} is in none of them", RUN)


def _shard(known: Known, path: str, records: dict[str, bytes], seen: set[str]) -> Iterator[Problem]:
    """One tar, read once from front to back, a sample in memory at a time."""
    with open_file(known.out, path) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        key, sample = "", dict[str, bytes]()
        for member in tar:
            name, _, ending = member.name.partition(".")  # as WebDataset tells samples apart
            if name != key and key:
                yield from _sample(known, path, key, sample, records, seen)
                sample = {}
            key = name
            data = tar.extractfile(member)
            if ending in sample:
                yield Problem("shard", path, f"{member.name} is in it twice", RUN)
            sample[ending] = data.read() if data else b""
        if key:
            yield from _sample(known, path, key, sample, records, seen)


def _sample(
    known: Known,
    path: str,
    key: str,
    sample: dict[str, bytes],
    records: dict[str, bytes],
    seen: set[str],
) -> Iterator[Problem]:
    record = parsed(sample.get("json", b""))
    fault = record_fault(record, records, seen)
    if not fault and record["id"] != key:
        fault = f"{record['id']} has another key"
    if fault:
        yield Problem("shard", path, f"in the sample {key}, {fault}", RUN)
        return
    wanted = {f"{at:02d}.jpg": image_id(image) for at, image in enumerate(record["images"])}
    if sample.keys() != {"json", *wanted}:
        yield Problem(
            "shard",
            path,
            f"{key} has {', '.join(sorted(sample))}, and should have json "
            f"and {CHUNK_LENGTH} pictures",
            RUN,
        )
    for ending in sorted(wanted.keys() & sample.keys()):
        picture = known.pictures.get(wanted[ending])
        # That the file has this digest was looked at with the keyframes.
        if picture and hashlib.sha256(sample[ending]).hexdigest() != picture.sha256:
            yield Problem("shard", path, f"{key}.{ending} is not the picture {wanted[ending]}", RUN)
