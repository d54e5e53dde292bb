from pipeline.dataset import shard_cache
from pipeline.dataset.file_digests import FileRecord
from pipeline.dataset.shards import Shard


def shard(number, of, digest):
    return Shard(f"shards/train-{number:05d}-of-{of:05d}.tar", [], digest)


def written(out, shard, content):
    """A shard as a run writes it."""
    path = out / shard.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    record = FileRecord(shard.path, len(content), "sha256 of " + shard.digest)
    shard_cache.write_note(str(out / "work"), shard, record)
    return record


def find(out):
    return shard_cache.find(str(out), str(out / "work"))


def test_shards_are_found_by_what_they_are_made_of(tmp_path):
    assert find(tmp_path) == {}
    records = [
        written(tmp_path, shard(0, 2, "a"), b"1"),
        written(tmp_path, shard(1, 2, "b"), b"22"),
    ]
    assert find(tmp_path) == {"a": records[0], "b": records[1]}


def test_a_shard_that_is_not_as_it_was_written_is_not_found(tmp_path):
    first, second, third = shard(0, 3, "a"), shard(1, 3, "b"), shard(2, 3, "c")
    for each in (first, second, third):
        written(tmp_path, each, b"whole")
    (tmp_path / first.path).write_bytes(b"half")
    (tmp_path / second.path).unlink()
    about = tmp_path / "work/shards/train-00002-of-00003.tar.json"
    about.write_text(about.read_text().replace("sha256 of c", "sha256 of d"))
    assert find(tmp_path) == {}
    about.write_text("[")
    assert find(tmp_path) == {}


def test_shards_that_change_places_keep_their_content(tmp_path):
    written(tmp_path, shard(0, 2, "a"), b"content of a")
    written(tmp_path, shard(1, 2, "b"), b"content of b")
    out, work, there = str(tmp_path), str(tmp_path / "work"), find(tmp_path)
    turned = [shard(0, 2, "b"), shard(1, 2, "a")]
    for each in turned:
        shard_cache.stash(out, work, each, there[each.digest])
    renamed = [shard_cache.rename(out, work, each, there[each.digest]) for each in turned]
    assert renamed == [
        FileRecord(turned[0].path, 12, "sha256 of b"),
        FileRecord(turned[1].path, 12, "sha256 of a"),
    ]
    assert [(tmp_path / each.path).read_bytes() for each in turned] == [
        b"content of b",
        b"content of a",
    ]
    assert find(tmp_path) == {"b": renamed[0], "a": renamed[1]}


def test_sweeping_leaves_the_shards_that_are_named_and_what_is_said_of_them(tmp_path):
    written(tmp_path, shard(0, 2, "a"), b"1")
    record = written(tmp_path, shard(0, 1, "b"), b"2")
    shard_cache.stash(str(tmp_path), str(tmp_path / "work"), shard(0, 1, "b"), record)
    shard_cache.clean(str(tmp_path), str(tmp_path / "work"), [record.path])
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "train-00000-of-00001.tar",
        "train-00000-of-00001.tar.json",
    ]
    assert find(tmp_path) == {"b": record}
