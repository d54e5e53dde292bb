"""A hub on loopback: enough of the Hugging Face hub's API to push a dataset repository to it.

Answers as huggingface.co does, by huggingface_hub's calls: files of 10 MB or with a binary ending
go the way of LFS, others are in the commit itself. What is committed lies in `folder`.
"""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

BINARY = (".parquet", ".tar", ".jpg")


class Hub:
    """The one repository, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.objects = folder, {}
        self.uploads: list[str] = []  # digests, as they came
        self.commits: list[list[str]] = []  # paths of each; deleted ones begin with "-"
        self.visibility = ""  # of the repository, "" before it is made
        self.fails_after = 1000  # commits, then it answers 503
        self.address = ""

    def tree(self):
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_dir():
                yield {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
                continue
            data = path.read_bytes()
            entry = {"type": "file", "path": name, "size": len(data)}
            entry["oid"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            if name.endswith(BINARY):
                digest = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
            yield entry

    def preupload(self, files):
        modes = {True: "lfs", False: "regular"}
        return {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": modes[file["path"].endswith(BINARY)],
                    "shouldIgnore": False,
                }
                for file in files
            ]
        }

    def batch(self, objects):
        found = []
        for wanted in objects:
            entry = dict(wanted)
            if wanted["oid"] not in self.objects:
                href = f"{self.address}/objects/{wanted['oid']}"
                entry["actions"] = {"upload": {"href": href}}
            found.append(entry)
        return {"transfer": "basic", "objects": found}

    def commit(self, lines):
        paths = []
        for line in lines:
            value = line["value"]
            path = self.folder / value.get("path", "")
            if line["key"] == "header":
                continue
            if line["key"] == "deletedFile":
                path.unlink()
                paths.append("-" + value["path"])
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            lfs = line["key"] == "lfsFile"
            path.write_bytes(
                self.objects[value["oid"]] if lfs else base64.b64decode(value["content"])
            )
            paths.append(value["path"])
        self.commits.append(paths)
        url = f"{self.address}/datasets/pip/tales/commit/{'0' * 40}"
        return {"commitUrl": url, "commitOid": "0" * 40, "success": True}


def _handler(hub: Hub):
    class Handler(BaseHTTPRequestHandler):
        def answer(self, value, code=200):
            data = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def body(self):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            if path == "/api/datasets/pip/tales/tree/main":
                return self.answer(list(hub.tree()))
            return self.answer({"error": f"nothing at {path}"}, 404)

        def do_PUT(self):
            data = self.body()
            digest = hashlib.sha256(data).hexdigest()
            assert self.path == f"/objects/{digest}"
            hub.objects[digest] = data
            hub.uploads.append(digest)
            self.answer({})

        def do_POST(self):
            path, data = urlsplit(self.path).path, self.body()
            if path == "/api/repos/create":
                hub.visibility = json.loads(data)["visibility"]
                return self.answer({"url": f"{hub.address}/datasets/pip/tales"})
            if path == "/api/validate-yaml":  # of the card
                return self.answer({"errors": [], "warnings": []})
            if path == "/api/datasets/pip/tales/preupload/main":
                return self.answer(hub.preupload(json.loads(data)["files"]))
            if path == "/datasets/pip/tales.git/info/lfs/objects/batch":
                return self.answer(hub.batch(json.loads(data)["objects"]))
            if path == "/api/datasets/pip/tales/commit/main":
                if len(hub.commits) >= hub.fails_after:
                    return self.answer({"error": "the hub is full"}, 403)
                return self.answer(hub.commit(map(json.loads, data.splitlines())))
            return self.answer({"error": f"nothing at {path}"}, 404)

        def log_message(self, *_):
            pass

    return Handler


def point_to(hub: Hub, monkeypatch) -> None:
    """Makes a hub that of huggingface_hub, which reads its environment when it is imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of_pip")


@contextmanager
def serving(folder: Path):
    """Serves an empty repository `pip/tales` until the block ends."""
    folder.mkdir()
    hub = Hub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
