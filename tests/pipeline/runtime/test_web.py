"""Files of web servers, and where their redirects are followed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.ingest.discovery import find
from pipeline.ingest.subtitles import read
from pipeline.runtime import storage, web
from pipeline.testing.films import make_film, shots
from schemas.rows import Video

PUBLIC, PRIVATE = "93.184.215.14", "10.0.0.7"


class Server(ThreadingHTTPServer):
    files: dict[str, bytes]
    redirects: dict[str, str]
    statuses: dict[str, list[int]]  # answered one after the other before the file is
    asked: list[tuple[str, str]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, span = self.server, self.headers["Range"]
        server.asked.append((self.path, span))
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            self.end_headers()
            return
        if server.statuses.get(self.path):
            self.send_error(server.statuses[self.path].pop(0))
            return
        data = server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start, _, end = span.removeprefix("bytes=").partition("-")
        part = data[int(start) : int(end) + 1 if end else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[tuple[Server, str]]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files, server.redirects, server.statuses, server.asked = {}, {}, {}, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(web, "_WAITS", (0.0, 0.0))
    with serving() as (server, url):
        server.url = url  # type: ignore[attr-defined]
        yield server


def test_a_file_is_read_in_parts(server):
    server.files["/a%20b.bin"] = bytes(range(200))
    path = f"{server.url}/a b.bin"
    assert storage.size(path) == 200 and storage.exists(path)
    assert storage.read_bytes(path) == bytes(range(200))
    assert storage.read_ranges(path, [(0, 2), (198, 9)]) == [b"\x00\x01", b"\xc6\xc7"]
    with storage.reading(path) as file:
        file.seek(-3, 2)
        assert file.read() == b"\xc5\xc6\xc7"
    assert not storage.exists(f"{server.url}/b")
    with pytest.raises(FileNotFoundError, match="/b: the server has no such file"):
        storage.read_bytes(f"{server.url}/b")


def test_a_query_is_part_of_an_address(server):
    server.files["/a.srt?token=x%2Fy"] = b"signed"
    assert storage.read_bytes(f"{server.url}/a.srt?token=x%2Fy") == b"signed"


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(server):
    server.files["/a"] = b"at last"
    server.statuses = {"/a": [503, 429], "/b": [403, 200], "/c": [500] * 9}
    assert storage.read_bytes(f"{server.url}/a") == b"at last"
    with pytest.raises(web.NotServed, match="/b: HTTP Error 403"):
        storage.read_bytes(f"{server.url}/b")
    with pytest.raises(OSError, match="/c: HTTP Error 500") as raised:
        storage.read_bytes(f"{server.url}/c")
    assert storage.is_unavailable(f"{server.url}/c", raised.value)
    assert [path for path, _ in server.asked] == ["/a"] * 3 + ["/b"] + ["/c"] * 3


def test_a_redirect_on_the_same_server_is_followed(server):
    server.files["/there"] = b"moved"
    server.redirects["/here"] = "/there"
    assert storage.read_bytes(f"{server.url}/here") == b"moved"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("ftp://films.example/a.srt", "only http is followed"),
        ("gopher://films.example/", "gopher"),
        (f"http://{PRIVATE}/admin", "an address of a private network"),
        ("http://intranet.example/admin", "an address of a private network"),
        ("http://169.254.169.254/latest/meta-data", "an address of a private network"),
        ("http://[::1]:8080/", "an address of a private network"),
    ],
)
def test_no_redirect_leads_elsewhere(server, monkeypatch, target, why):
    """The server here stands for a public one."""
    known = {"127.0.0.1": PUBLIC, "films.example": PUBLIC, "intranet.example": PRIVATE}
    real = socket.getaddrinfo

    def addresses(host, port, *more, **options):
        if port is None:  # asked by the check
            return real(known.get(host, host), port, *more, **options)
        return real(host, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    server.redirects["/a.srt"] = target
    with pytest.raises(web.NotServed) as raised:
        storage.read_bytes(f"{server.url}/a.srt")
    assert why in str(raised.value)
    assert not storage.is_unavailable(f"{server.url}/a.srt", raised.value)
    assert len(server.asked) == 1


def test_only_to_https_may_the_scheme_change():
    def followed(source: str, target: str) -> bool:
        request = web.urllib.request.Request(source)
        try:
            return bool(web._Redirects().redirect_request(request, None, 302, "", {}, target))
        except web.NotServed:
            return False

    assert followed(f"http://{PUBLIC}/a", f"https://{PUBLIC}/a")
    assert not followed(f"https://{PUBLIC}/a", f"http://{PUBLIC}/a")
    assert followed(f"http://{PRIVATE}/a", "http://10.0.0.8/a")  # of a server at home


def test_a_film_and_its_subtitles_may_be_on_a_server(server, tmp_path):
    make_film(tmp_path / "film.mp4", shots(3, 12))
    server.files["/film.mp4"] = (tmp_path / "film.mp4").read_bytes()
    server.files["/film.srt"] = b"1\n00:00:00,000 --> 00:00:01,000\nPip: Hello!\n"
    server.redirects["/moved.mp4"] = "file:///etc/passwd"
    (tmp_path / "list.csv").write_text(
        f"uri,subtitles\n{server.url}/film.mp4,{server.url}/film.srt\n{server.url}/moved.mp4,\n"
        "http://127.0.0.1:9/gone.mp4,\n"
    )
    (film,), rejects = find(str(tmp_path / "list.csv"), ["http"])
    assert (film.id, film.size) == ("film", len(server.files["/film.mp4"]))
    assert [(reject.reason, reject.key.rpartition("/")[2]) for reject in rejects] == [
        ("not served", "gone.mp4"),
        ("not served", "moved.mp4"),
    ]
    lines = read(Video("film", film.uri, "", "", subtitles=film.subtitles)).lines
    assert [line.text for line in lines] == ["Pip: Hello!"]
