import os

import pytest

from pipeline.ingest.source_files import check_file, printable


def test_a_file_has_a_size(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"film")
    assert check_file(str(tmp_path / "a.mp4")) == (4, "", "")
    assert check_file(f"file://{tmp_path}/a.mp4") == (4, "", "")
    assert check_file("s3://films/listed.mp4", size=7) == (7, "", "")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "empty"),
        ("gone", "missing"),
        ("nul\0", "missing"),
        ("folder", "not a file"),
        ("pipe", "not a file"),
        ("\udce9.mp4", "name"),
    ],
)
def test_what_cannot_be_used_has_a_reason_and_a_detail(tmp_path, name, reason):
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    size, found, detail = check_file(str(tmp_path / name))
    assert (size, found) == (0, reason)
    assert detail


def test_a_name_that_is_not_utf_8_is_printed_escaped():
    assert printable("caf\udce9.mp4") == "caf\\udce9.mp4"
    assert printable("café.mp4") == "café.mp4"
