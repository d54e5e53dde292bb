import pytest

from pipeline import storage


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    path = str(tmp_path / "deep" / "file.bin")
    with pytest.raises(KeyError), storage.writing(path) as file:
        file.write(b"half")
        raise KeyError
    assert list((tmp_path / "deep").iterdir()) == []
    storage.write_bytes(path, b"one")
    with pytest.raises(KeyError), storage.writing(path) as file:
        file.write(b"half of another")
        raise KeyError
    assert storage.read_bytes(path) == b"one"


def test_files_are_found_with_their_sizes_across_folders(tmp_path):
    for name in ("b.txt", "a/c.txt"):
        storage.write_bytes(str(tmp_path / name), name.encode())
    assert storage.find(str(tmp_path / "**")) == [
        (str(tmp_path / "a/c.txt"), 7), (str(tmp_path / "b.txt"), 5)]
    assert storage.find(str(tmp_path / "*.none")) == []


def test_the_name_of_a_folder_is_no_pattern(tmp_path):
    folder = str(tmp_path / "films [1999] *")
    storage.write_bytes(f"{folder}/a/b.txt", b"1")
    assert storage.find_in(folder, "**") == [(f"{folder}/a/b.txt", 1)]


def test_a_placed_file_is_the_same_and_placing_it_again_is_no_error(tmp_path):
    source, target = str(tmp_path / "source"), str(tmp_path / "new" / "target")
    storage.write_bytes(source, b"picture")
    storage.place(source, target)
    storage.place(source, target)
    assert storage.read_bytes(target) == b"picture"


def test_removing_leaves_no_empty_folder_and_keeps_what_is_not_named(tmp_path):
    for name in ("gone/a", "kept/a", "kept/b"):
        storage.write_bytes(str(tmp_path / name), b"")
    storage.remove([str(tmp_path / "gone/a"), str(tmp_path / "kept/a"), str(tmp_path / "never")])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b", "kept"]
