from pipeline.ingest.fingerprint import fingerprint, model_fingerprint


def test_fingerprint_tells_size_start_end_and_middle_apart(tmp_path):
    path = tmp_path / "f"
    seen = set()
    for at in (None, 0, 3 << 20, (8 << 20) - 1):
        content = bytearray(8 << 20)
        if at is not None:
            content[at - (at == 3 << 20) * 30_000] = 1
        path.write_bytes(content)
        seen.add(fingerprint(str(path)))
    path.write_bytes(bytes((8 << 20) + 1))
    assert len(seen | {fingerprint(str(path))}) >= 4


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
