"""What a file is that has the name of a film and is none."""

from pathlib import Path

import av
import pytest

from pipeline.ingest.content_kind import described
from pipeline.ingest.probe import probe
from pipeline.ingest.video import VideoError
from pipeline.testing.films import make_film, shots
from schemas.rows import Video

KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    make_film(path, shots(3, 12))
    return path


def fault(path: Path) -> str:
    with pytest.raises(VideoError) as raised:
        probe(Video("a", str(path), "A", "a"))
    return str(raised.value)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html><html><body>Not found</body></html>", "a web page"),
        (b"<!-- cached -->\n<HTML lang=en>", "a web page"),
        (b'{"error": "not found"}', "a JSON text"),
        (b"PK\x03\x04" + bytes(range(99)), "a ZIP archive: unpack it"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(range(99)), "a RAR archive: unpack it"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"d8:announce35:udp://tracker", "a torrent: download what it names"),
        (bytes(5000), "empty where a film begins, as of a download that did not end"),
    ],
)
def test_a_file_that_is_no_film_says_what_it_is(tmp_path, content, kind):
    (tmp_path / "a.mp4").write_bytes(content)
    assert fault(tmp_path / "a.mp4").startswith(f"it is {kind}")


def test_half_a_download_is_told_from_a_damaged_film(film, tmp_path):
    data = film.read_bytes()
    (tmp_path / "half.mp4").write_bytes(data[: len(data) // 2])
    assert fault(tmp_path / "half.mp4") == (
        "it is an MP4 without its index, as of a download that did not end: download it again"
    )
    (tmp_path / "noise.mp4").write_bytes(b"no film at all" * 100)
    assert fault(tmp_path / "noise.mp4").startswith("cannot be read as video: ")
    assert described(str(film)) == ""


def test_an_encrypted_film_is_rejected_as_such(film, tmp_path):
    path = tmp_path / "encrypted.mp4"
    with av.open(str(film)) as source, av.open(str(path), "w", container_options=KEY) as target:
        track = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    assert fault(path) == "it is encrypted: only a copy without protection can be read"
