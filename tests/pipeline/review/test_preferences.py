import re

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from pipeline.review.preferences import app
from pipeline.runtime import decisions
from schemas.decisions import Pair, Prefer, Told

CRITERIA = {"style": "which looks better?", "engagement": "which would you read on?"}
BOTH = {"style": "first", "engagement": "tie"}


def pair(number, **fields):
    told = Told(texts=["<script>alert(1)</script>"], images=["pictures/a.png"])
    return Pair(
        **{"id": f"{number:016x}", "criteria": CRITERIA, "first": told, "second": told, **fields}
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "a.png"), np.zeros((9, 16, 3), np.uint8))
    lines = [pair(number).model_dump_json() for number in range(3)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    return tmp_path


def client(folder, **options):
    return TestClient(app(str(folder), by="Ann", **options), base_url="http://127.0.0.1")


def answer(page, number, answers, by="Ann"):
    csrf = re.search('name="csrf" content="([^"]+)"', page.get("/").text)[1]
    decision = {"what": "prefer", "pair": f"{number:016x}", "answers": answers}
    headers = {"x-storystream": csrf, "x-reviewer": by}
    return page.post("/api/decide", json={"decision": decision}, headers=headers)


def test_each_person_is_asked_each_pair_once(folder):
    page = client(folder)
    first = page.get("/api/pair", params={"by_name": "Ann"}).json()
    assert (first["at"], first["count"], first["answered"]) == (0, 3, 0)
    assert first["pair"]["criteria"] == CRITERIA
    assert answer(page, 0, BOTH).status_code == 200
    after = page.get("/api/pair", params={"by_name": "Ann"}).json()
    assert (after["at"], after["answered"]) == (1, 1)
    assert page.get("/api/pair", params={"by_name": "Ann", "at": 0}).json()["answers"] == BOTH
    assert page.get("/api/pair", params={"by_name": "Bob"}).json()["answered"] == 0
    (row,) = decisions.read(str(folder), decisions.version(str(folder)))
    assert isinstance(row, Prefer) and row.by == "Ann" and row.answers == BOTH


def test_half_an_answer_and_unknown_pairs_are_refused(folder):
    page = client(folder)
    assert answer(page, 0, {"style": "first"}).status_code == 422
    assert answer(page, 9, BOTH).status_code == 422
    assert answer(page, 0, {**BOTH, "style": "third"}).status_code == 422
    assert decisions.version(str(folder)) == decisions.NONE


def test_only_pictures_of_pairs_are_served(folder):
    page = client(folder)
    assert page.get("/media/picture", params={"path": "pictures/a.png"}).status_code == 200
    assert page.get("/media/picture", params={"path": "pairs.jsonl"}).status_code == 404
    told = Told(texts=["a"], images=["../../etc/passwd"])
    for side in ("before", "first", "second"):
        (folder / "pairs.jsonl").write_text(pair(1, **{side: told}).model_dump_json())
        with pytest.raises(ValueError, match="is not in the folder"):
            client(folder)


def test_pictures_are_shown_with_what_is_before_them(folder):
    cv2.imwrite(str(folder / "pictures" / "b.png"), np.zeros((9, 16, 3), np.uint8))
    before = Told(texts=["It began."], images=["pictures/b.png"])
    line = pair(1, kind="picture", before=before).model_dump_json()
    (folder / "pairs.jsonl").write_text(line)
    page = client(folder)
    shown = page.get("/api/pair", params={"by_name": "Ann"}).json()["pair"]
    assert shown["kind"] == "picture" and shown["before"] == before.model_dump()
    assert page.get("/media/picture", params={"path": "pictures/b.png"}).status_code == 200
