"""Finds shards that are misnamed or unreadable, and samples that are missing or not as expected."""

from __future__ import annotations

import hashlib
import tarfile
from collections import defaultdict
from collections.abc import Iterator

from pipeline.dataset.reader import open_file
from pipeline.dataset.verify.expected_records import parse_record, record_fault
from pipeline.dataset.verify.index import Index
from pipeline.dataset.verify.pictures import LARGEST_PICTURE
from pipeline.dataset.verify.problems import RUN, Problem
from schemas import layout
from schemas.rows import CHUNK_LENGTH


def check_shards(index: Index, bad_files: set[str]) -> Iterator[Problem]:
    """Checks the names of the tars, each sample in them, and that no chunk is missing.

    Needs keyframes and stories.
    """
    numbers: dict[str, list[tuple[int, int]]] = defaultdict(list)  # split -> number and count
    seen: dict[str, set[str]] = defaultdict(set)
    incomplete = set()  # splits whose missing chunks may be in a file that was not read
    for file in index.manifest.files:
        if not file.path.startswith(f"{layout.SHARDS}/"):
            continue
        name = layout.parse_shard_path(file.path)
        if name is None:
            yield Problem("shard", file.path, "is not named as shards are", RUN)
            continue
        split, number, count = name
        numbers[split].append((number, count))
        if file.path in bad_files:
            incomplete.add(split)
            continue
        try:
            yield from _check_shard(index, file.path, index.records.get(split, {}), seen[split])
        except tarfile.TarError as error:
            incomplete.add(split)
            yield Problem("unreadable file", file.path, f"is not a tar: {error}", RUN)
    for split in layout.SPLITS:
        found = sorted(numbers[split])
        if found != [(number, len(found)) for number in range(len(found))]:
            incomplete.add(split)
            yield Problem(
                "shard",
                layout.MANIFEST,
                f"the numbers of its {split} shards leave a gap: "
                + ", ".join(f"{number} of {count}" for number, count in found),
                RUN,
            )
        for key in sorted(index.records.get(split, {}).keys() - seen[split]):
            if split not in incomplete:
                yield Problem("shard", f"{layout.SHARDS}/{split}", f"{key} is in none of them", RUN)


def _check_shard(
    index: Index, path: str, expected: dict[str, bytes], seen: set[str]
) -> Iterator[Problem]:
    """Checks a tar, read once from front to back, a sample in memory at a time."""
    with open_file(index.out, path) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        key, sample = "", dict[str, bytes]()
        for member in tar:
            name, _, ending = member.name.partition(".")  # as WebDataset tells samples apart
            if name != key and key:
                yield from _check_sample(index, path, key, sample, expected, seen)
                sample = {}
            key = name
            if member.size > LARGEST_PICTURE:
                yield Problem("too large", path, f"{member.name} has {member.size} bytes", RUN)
                continue
            data = tar.extractfile(member)
            if ending in sample:
                yield Problem("shard", path, f"{member.name} is in it twice", RUN)
            sample[ending] = data.read() if data else b""
        if key:
            yield from _check_sample(index, path, key, sample, expected, seen)


def _check_sample(
    index: Index,
    path: str,
    key: str,
    sample: dict[str, bytes],
    expected: dict[str, bytes],
    seen: set[str],
) -> Iterator[Problem]:
    record = parse_record(sample.get("json", b""))
    fault = record_fault(record, expected, seen)
    if not fault and record["id"] != key:
        fault = f"{record['id']} has another key"
    if fault:
        yield Problem("shard", path, f"in the sample {key}, {fault}", RUN)
        return
    keyframes = {
        layout.sample_image(position): layout.image_keyframe(image)
        for position, image in enumerate(record["images"])
    }
    if sample.keys() != {"json", *keyframes}:
        yield Problem(
            "shard",
            path,
            f"{key} has {', '.join(sorted(sample))}, and should have json "
            f"and {CHUNK_LENGTH} pictures",
            RUN,
        )
    for ending in sorted(keyframes.keys() & sample.keys()):
        picture = index.pictures.get(keyframes[ending])
        # That the file of the image has this digest is checked with the keyframes.
        if picture and hashlib.sha256(sample[ending]).hexdigest() != picture.sha256:
            yield Problem(
                "shard", path, f"{key}.{ending} is not the picture {keyframes[ending]}", RUN
            )
