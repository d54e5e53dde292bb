import random

import pytest

from pipeline.ingest.fingerprint import fingerprint, model_fingerprint

MB = 1 << 20


@pytest.fixture(params=["disk", "bucket"])
def film(request, tmp_path):
    """Where a film is, and its address there."""
    path = tmp_path / "film.mp4"
    return path, str(path) if request.param == "disk" else f"file://{path}"


def test_a_large_file_has_another_fingerprint_with_another_size_start_end_or_middle(film):
    path, uri = film
    contents = [bytearray(40 * MB) for _ in range(4)]
    contents[1][0] = contents[3][-1] = 1
    contents[2][20 * MB : 20 * MB + MB // 4] = b"1" * (MB // 4)
    seen = set()
    for content in [*contents, bytes(40 * MB + 1)]:
        path.write_bytes(content)
        seen.add(fingerprint(uri))
    assert len(seen) == 5


def test_a_download_that_lacks_a_piece_is_not_the_film_once_the_piece_is_there(film):
    path, uri = film
    whole = random.Random(0).randbytes(60 * MB)
    path.write_bytes(whole)
    complete = fingerprint(uri)
    piece = MB // 4  # the smallest that is common
    for start in random.Random(1).sample(range(0, 60 * MB - piece, piece), 10):
        path.write_bytes(whole[:start] + bytes(piece) + whole[start + piece :])
        assert fingerprint(uri) != complete
    path.write_bytes(whole)
    assert fingerprint(uri) == complete


def test_a_file_of_16_megabytes_is_covered_in_full(film):
    path, uri = film
    path.write_bytes(bytes(16 * MB))
    zeros = fingerprint(uri)
    path.write_bytes(bytes(9_999_999) + b"1" + bytes(16 * MB - 10_000_000))
    assert fingerprint(uri) != zeros


def test_small_file_counts_whole(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1000 + b"1" + b"x" * 1000)
    (tmp_path / "b").write_bytes(b"x" * 1000 + b"2" + b"x" * 1000)
    assert fingerprint(str(tmp_path / "a")) != fingerprint(str(tmp_path / "b"))
    assert len(fingerprint(str(tmp_path / "a"))) == 64


def test_model_fingerprint_changes_with_the_files_of_a_folder_and_their_names(tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    of_file = model_fingerprint(str(tmp_path / "weights"))
    first = model_fingerprint(str(tmp_path))
    (tmp_path / "weights").write_bytes(b"2")
    changed = model_fingerprint(str(tmp_path))
    (tmp_path / "weights").rename(tmp_path / "model")
    renamed = model_fingerprint(str(tmp_path))
    assert len({of_file, first, changed, renamed}) == 4
    assert model_fingerprint("owner/model-on-a-hub") == ""
