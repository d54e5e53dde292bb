"""The same on a disk and in a bucket, where the test says so. `file://` is a bucket to `storage`:
one that lies on the disk. test_s3.py does it with a server."""

import errno
import os
import resource

import av.error
import pytest

from pipeline.runtime import buckets, storage


@pytest.fixture(params=["disk", "bucket"])
def folder(request, tmp_path):
    return str(tmp_path) if request.param == "disk" else f"file://{tmp_path}"


def test_a_file_is_there_whole_or_not_at_all(folder, tmp_path):
    path = storage.join(folder, "deep", "file.bin")
    with pytest.raises(KeyError), storage.writing(path) as file:
        file.write(b"half")
        raise KeyError
    assert [name for name in tmp_path.rglob("*") if name.is_file()] == []
    storage.write_bytes(path, b"first")
    with pytest.raises(KeyError), storage.writing(path) as file:
        file.write(b"half of another")
        raise KeyError
    assert storage.read_bytes(path) == b"first"
    assert [name.name for name in (tmp_path / "deep").iterdir()] == ["file.bin"]


def test_what_cannot_be_written_is_an_error_and_leaves_nothing(folder, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        storage.write_bytes(storage.join(folder, "file", "below"), b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("size", [100, 100_000])  # written at the end, and at once
def test_what_the_system_refuses_to_write_is_no_fault_of_the_content(tmp_path, size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(storage.CannotWrite, match=r"cannot write .*/a\.jpg: .*too large; free"):
            storage.write_bytes(f"{tmp_path}/a.jpg", bytes(size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_nor_is_too_many_open_files_or_a_folder_of_that_name(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(storage.CannotWrite, match="Too many open files"):
            storage.write_bytes(f"{tmp_path}/a.jpg", b"1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    (tmp_path / "b.jpg").mkdir()
    with pytest.raises(storage.CannotWrite, match=r"b\.jpg: .*Is a directory"):
        storage.write_bytes(f"{tmp_path}/b.jpg", b"1")


def test_nor_is_what_is_told_when_the_file_is_closed(tmp_path):
    with (
        pytest.raises(storage.CannotWrite, match=r"a\.jpg: .*Bad file descriptor"),
        storage.writing(f"{tmp_path}/a.jpg") as file,
    ):
        os.close(file.fileno())  # a network mount may say only then that it has no room
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_with_the_source_of_a_file_is_not_an_error_of_writing(folder):
    with (
        pytest.raises(OSError, match="of a film") as error,
        storage.writing(storage.join(folder, "file")),
    ):
        raise OSError(errno.EIO, "of a film")
    assert type(error.value) is OSError


@pytest.mark.parametrize(
    ("path", "error", "unavailable"),
    [
        ("s3://films/a.mp4", OSError("timed out"), True),
        ("s3://films/a.mp4", FileNotFoundError("none"), False),
        ("/mnt/a.mp4", OSError(errno.ESTALE, "stale file handle"), True),
        ("/mnt/a.mp4", OSError(errno.ETIMEDOUT, "timed out"), True),
        ("/mnt/a.mp4", OSError(errno.EMFILE, "too many open files"), True),
        ("/mnt/a.mp4", OSError(errno.EIO, "input/output error"), False),
        ("/mnt/a.mp4", FileNotFoundError(errno.ENOENT, "none"), False),
        ("/mnt/a.mp4", av.error.TimeoutError(errno.ETIMEDOUT, "timed out"), False),
        ("/mnt/a.mp4", ValueError("no film"), False),
    ],
)
def test_a_mount_or_bucket_that_does_not_answer_is_told_from_a_bad_film(path, error, unavailable):
    assert storage.is_unavailable(path, error) == unavailable


def test_what_is_not_there_is_an_error_that_names_it(folder):
    path = storage.join(folder, "none.txt")
    for read in (storage.read_bytes, storage.reading, storage.size):
        with pytest.raises(FileNotFoundError, match=r"none\.txt"):
            read(path)
    assert not storage.exists(path)


def test_an_address_that_nobody_knows_is_an_error():
    with pytest.raises(OSError, match="ftps://films"):
        storage.read_bytes("ftps://films/a.mp4")


def test_a_file_is_read_from_any_place_in_it(folder):
    path = storage.join(folder, "file.bin")
    storage.write_bytes(path, bytes(range(200)))
    with storage.reading(path) as file:
        assert file.read(3) == b"\0\1\2"
        assert (file.seek(-2, os.SEEK_END), file.read()) == (198, b"\xc6\xc7")
        assert (file.seek(100), file.read(1), file.tell()) == (100, b"d", 101)
        assert (file.seek(500), file.read(1)) == (500, b"")
    assert storage.size(path) == 200


def test_files_are_found_with_their_sizes_across_folders(folder):
    for name in ("b.txt", "a/c.txt"):
        storage.write_bytes(storage.join(folder, name), name.encode())
    assert storage.find(storage.join(folder, "**")) == [
        (storage.join(folder, "a/c.txt"), 7),
        (storage.join(folder, "b.txt"), 5),
    ]
    assert storage.find(storage.join(folder, "*.txt")) == [(storage.join(folder, "b.txt"), 5)]
    assert storage.find(storage.join(folder, "?/*")) == [(storage.join(folder, "a/c.txt"), 7)]
    assert storage.find(storage.join(folder, "*.none")) == []
    assert storage.find_in(storage.join(folder, "none"), "**") == []


def test_two_stars_between_slashes_are_any_number_of_folders(folder):
    for name in ("a.txt", "b/a.txt", "b/c/a.txt", "ba.txt"):
        storage.write_bytes(storage.join(folder, name), b"1")
    found = storage.find(storage.join(folder, "**/a.txt"))
    assert [path for path, _ in found] == [
        storage.join(folder, name) for name in ("a.txt", "b/a.txt", "b/c/a.txt")
    ]


def test_a_folder_that_cannot_be_listed_is_an_error_and_a_link_to_nothing_is_found(
    tmp_path, monkeypatch
):
    storage.write_bytes(f"{tmp_path}/shut/a.mp4", b"1")
    os.symlink("nowhere", tmp_path / "b.mp4")
    assert storage.find_in(str(tmp_path), "*") == [(f"{tmp_path}/b.mp4", 0)]
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(PermissionError, match="shut"):
        storage.find_in(str(tmp_path), "**")


def test_no_folder_is_listed_that_is_deeper_than_the_pattern(tmp_path, monkeypatch):
    storage.write_bytes(f"{tmp_path}/a/b/c/d.txt", b"1")
    scandir, listed = os.scandir, []
    monkeypatch.setattr(
        os, "scandir", lambda path: listed.append(path.rstrip("/")) or scandir(path)
    )
    for pattern, depth in (("*.txt", 1), ("*/*.txt", 2), ("**.txt", 4)):
        storage.find(f"{tmp_path}/{pattern}")
        storage.find_in(str(tmp_path), pattern)
        assert listed == 2 * [f"{tmp_path}{end}" for end in ("", "/a", "/a/b", "/a/b/c")[:depth]]
        listed.clear()


def test_the_folders_in_a_folder_are_found_by_name(folder):
    for name in ("a file", "b/c.txt", "b [1]/d.txt", "b/e/f.txt"):
        storage.write_bytes(storage.join(folder, "in", *name.split("/")), b"1")
    assert storage.folders(storage.join(folder, "in")) == ["b", "b [1]"]
    assert storage.folders(storage.join(folder, "none")) == []


def test_the_name_of_a_folder_is_no_pattern(folder):
    folder = storage.join(folder, "films [1999] #1%20 *")
    storage.write_bytes(f"{folder}/a/b.txt", b"1")
    assert storage.find_in(folder, "**") == [(f"{folder}/a/b.txt", 1)]


def test_removing_leaves_no_empty_folder_and_keeps_what_is_not_named(tmp_path):
    for name in ("gone/a", "kept/a", "kept/b"):
        storage.write_bytes(str(tmp_path / name), b"")
    storage.remove([str(tmp_path / "gone/a"), str(tmp_path / "kept/a"), str(tmp_path / "never")])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b", "kept"]


def test_a_folder_that_nothing_was_removed_from_stays(tmp_path):
    (tmp_path / "empty").mkdir()  # another worker is about to write to it
    storage.remove([str(tmp_path / "empty" / "never")])
    assert os.listdir(tmp_path) == ["empty"]


@pytest.mark.parametrize("made", ["written", "placed"])
def test_a_folder_that_another_worker_removes_as_empty_is_made_again(tmp_path, monkeypatch, made):
    storage.write_bytes(f"{tmp_path}/source", b"1")
    makedirs, attempts = os.makedirs, []

    def make_and_remove(path, exist_ok):
        makedirs(path, exist_ok=exist_ok)
        attempts.append(path)
        if len(attempts) < 3:
            os.rmdir(path)

    monkeypatch.setattr(os, "makedirs", make_and_remove)
    if made == "written":
        storage.write_bytes(f"{tmp_path}/new/a", b"1")
    else:
        storage.link_or_copy([(f"{tmp_path}/source", f"{tmp_path}/new/a")])
        assert os.path.samefile(f"{tmp_path}/source", f"{tmp_path}/new/a")
    assert storage.read_bytes(f"{tmp_path}/new/a") == b"1"


def test_what_a_bucket_no_longer_has_is_removed_without_an_error(tmp_path):
    for name in ("a", "b"):
        storage.write_bytes(f"file://{tmp_path}/{name}", b"")
    storage.remove([f"file://{tmp_path}/{name}" for name in ("never", "a", "b")])
    assert list(tmp_path.iterdir()) == []


def test_a_placed_file_takes_no_room_of_its_own(tmp_path):
    source, target = str(tmp_path / "source"), str(tmp_path / "new" / "target")
    storage.write_bytes(source, b"picture")
    for _ in range(2):
        storage.link_or_copy([(source, target)])
        assert os.path.samefile(source, target)
    assert os.listdir(tmp_path / "new") == ["target"]


def test_a_damaged_picture_is_mended_when_its_source_is_made_again(tmp_path):
    source, target = str(tmp_path / "source"), str(tmp_path / "target")
    storage.write_bytes(source, b"picture")
    storage.link_or_copy([(source, target)])
    with open(target, "r+b") as file:  # damages both: they are one
        file.write(b"X")
    storage.write_bytes(source, b"picture")
    assert storage.read_bytes(target) == b"Xicture"
    storage.link_or_copy([(source, target)])
    assert storage.read_bytes(target) == b"picture"
    assert sorted(os.listdir(tmp_path)) == ["source", "target"]


@pytest.mark.parametrize("where", ["without links", "bucket", "from a bucket", "into a bucket"])
def test_a_copy_is_made_anew_where_its_size_or_time_is_another_or_when_told(
    where, tmp_path, monkeypatch
):
    source, target = (str(tmp_path / name) for name in ("a/source", "b/target"))
    if where == "without links":

        def no_links(*_):
            raise PermissionError

        monkeypatch.setattr(os, "link", no_links)
    if where in ("bucket", "from a bucket"):
        source = f"file://{source}"
    if where in ("bucket", "into a bucket"):
        target = f"file://{target}"
    storage.write_bytes(source, b"picture")
    storage.link_or_copy([(source, target)])
    assert storage.read_bytes(target) == b"picture"
    storage.write_bytes(target, b"half")
    storage.link_or_copy([(source, target)])
    assert storage.read_bytes(target) == b"picture"
    storage.write_bytes(target, b"Xicture")
    if where == "without links":
        os.utime(target, (later := os.stat(source).st_mtime + 60, later))  # an edit, a minute later
    storage.link_or_copy([(source, target)])
    # In a bucket, to compare the content would be to read it.
    assert storage.read_bytes(target) == (b"picture" if where == "without links" else b"Xicture")
    storage.link_or_copy([(source, target)], overwrite=True)
    assert storage.read_bytes(target) == b"picture"


def test_a_copy_that_nobody_touched_is_not_made_again(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    source, target = (str(tmp_path / name) for name in ("a/source", "b/target"))
    storage.write_bytes(source, b"picture")
    os.utime(source, (10**9, 10**9))
    storage.link_or_copy([(source, target)])
    copy = os.stat(target)
    storage.link_or_copy([(source, target)])
    assert (os.stat(target).st_ino, os.stat(target).st_ctime_ns) == (copy.st_ino, copy.st_ctime_ns)


def test_what_is_not_there_cannot_be_placed(folder):
    with pytest.raises(FileNotFoundError, match="none"):
        storage.link_or_copy([(storage.join(folder, "none"), storage.join(folder, "target"))])
    assert not storage.exists(storage.join(folder, "target"))


def test_of_two_who_write_the_same_version_one_comes_through(tmp_path):
    path = f"file://{tmp_path}/file"
    buckets.write_if(path, b"mine", None)
    with pytest.raises(buckets.WriteConflict, match="file"):
        buckets.write_if(path, b"yours", None)
    assert storage.read_bytes(path) == b"mine"


def test_what_is_not_a_file_is_not_opened(tmp_path):
    """Opening a pipe waits for a writer, and a device never ends."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "zeros", "folder"):
        for read in (storage.read_bytes, storage.reading):
            with pytest.raises(storage.NotAFile, match=name):
                read(str(tmp_path / name))
