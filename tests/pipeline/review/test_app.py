"""What the server answers, and to whom."""

import json
import re
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from pipeline.dataset.report.formatting import clock
from pipeline.review import library
from pipeline.review.app import app
from pipeline.review.library import Library, in_share, share
from pipeline.runtime import decisions

pytestmark = pytest.mark.slow


class Page:
    """The pages as a browser at an address would use them."""

    def __init__(self, out, token="", address="http://127.0.0.1:8710", by="Ann"):
        self.client = TestClient(
            app(Library(str(out)), token, by=by), base_url=address, follow_redirects=False
        )

    def get(self, path, **values):
        return self.client.get(path, params=values).json()

    def csrf(self):
        return re.search('name="csrf" content="([^"]+)"', self.client.get("/").text)[1]

    def decide(self, decision, seen=(), by="Ann", **headers):
        body = {"decision": decision, "seen": list(seen)}
        headers = {"x-storystream": self.csrf(), "x-reviewer": quote(by), **headers}
        return self.client.post("/api/decide", json=body, headers=headers)

    def verdict(self, story, what="accept", **values):
        shown = self.get("/api/story", id=story)
        decision = {"what": what, "film": shown["film"], "story": story, "digest": shown["digest"]}
        return {**decision, **values}, shown["seen"]


@pytest.fixture
def page(again):
    return Page(again)


def test_a_list_is_paged_and_narrowed(page, monkeypatch):
    monkeypatch.setattr(library, "PER_PAGE", 2)
    found = page.get("/api/stories")
    assert found["count"] == 3 and [story["id"] for story in found["stories"]] == [
        "long_story_000",
        "long_story_001",
    ]
    (last,) = page.get("/api/stories", page=2)["stories"]
    assert (last["id"], last["status"], last["pictures"]) == ("short_story_000", "open", 12)
    decision, seen = page.verdict("short_story_000")
    page.decide(decision, seen)
    accepted = page.get("/api/stories", status="accepted")["stories"]
    assert [story["id"] for story in accepted] == ["short_story_000"]
    assert page.get("/api/stories", words="second DAY")["count"] == 1
    assert page.get("/api/stories", words="kangaroo")["count"] == 0
    lowest = page.get("/api/stories", score="repetition")["stories"]
    assert lowest[0]["score"] <= lowest[1]["score"]


def test_a_place_and_shares_find_stories(page):
    places = page.get("/api/dataset")["places"]
    assert page.get("/api/stories", place=places[0])["count"] >= 1
    stories = [f"s{number}" for number in range(1000)]
    parts = [[story for story in stories if in_share(story, (part, 5))] for part in range(1, 6)]
    assert sorted(story for part in parts for story in part) == sorted(stories)
    assert min(map(len, parts)) > 150
    assert share("2/5") == (2, 5)
    for wrong in ("0/5", "6/5", "2", "a/b"):
        with pytest.raises(ValueError, match="write it as 2/5"):
            share(wrong)


def test_somebody_who_has_not_seen_a_decision_is_told(page):
    decision, seen = page.verdict("short_story_000")
    assert page.decide(decision, seen, by="Ann").status_code == 200
    late, _ = page.verdict("short_story_000", "reject", reason="words")
    answer = page.decide(late, seen, by="Bob")
    assert answer.status_code == 409 and "Ann has decided to accept here since" in answer.text
    _, now = page.verdict("short_story_000")
    assert page.decide(late, now, by="Bób").status_code == 200
    history = page.get("/api/story", id="short_story_000")["history"]
    assert [(row["by"], row["what"]) for row in history] == [("Ann", "accept"), ("Bób", "reject")]


def test_what_cannot_be_done_is_not_written(page, again):
    decision, seen = page.verdict("long_story_001", "move")
    shown = page.get("/api/story", id="long_story_000")
    decision |= {"digest": shown["next_boundary"], "keyframe": shown["pages"][0]["keyframe"]}
    answer = page.decide(decision, seen)
    assert answer.status_code == 409 and "1 to 30 pictures" in answer.json()["detail"]
    assert page.decide({"what": "burn"}).status_code == 422
    reject, seen = page.verdict("long_story_001", "reject", reason="it is ugly")
    assert page.decide(reject, seen).status_code == 422
    assert decisions.version(str(again)) == decisions.NONE


def test_undo(page):
    decision, seen = page.verdict("short_story_000")
    made = page.decide(decision, seen).json()["id"]
    assert page.decide({"what": "undo", "of": made}).status_code == 200
    assert page.get("/api/story", id="short_story_000")["verdict"] is None
    assert page.decide({"what": "undo", "of": made}).status_code == 409


def test_frames_of_the_same_shot_are_offered(page):
    shown = page.get("/api/story", id="short_story_000")["pages"][2]
    wanted = {"story": "short_story_000", "keyframe": shown["keyframe"]}
    times = page.get("/api/frames", **wanted)["times"]
    assert len(times) > 2
    frame = page.client.get("/media/frame", params={**wanted, "time": times[0]})
    assert frame.headers["content-type"] == "image/jpeg" and frame.content[:2] == b"\xff\xd8"


def test_a_film_that_has_gone_away_is_told(page, monkeypatch):
    shown = page.get("/api/story", id="short_story_000")["pages"][2]
    is_there = library.storage.exists
    monkeypatch.setattr(
        library.storage, "exists", lambda path: not path.endswith(".mp4") and is_there(path)
    )
    wanted = {"story": "short_story_000", "keyframe": shown["keyframe"]}
    answer = page.client.get("/api/frames", params=wanted)
    assert answer.status_code == 404 and "Start the review with --videos" in answer.text
    picture = page.client.get("/media/picture", params={"path": shown["image"]})
    assert picture.status_code == 200  # the dataset is whole without it


def test_a_line_that_was_not_written_whole_is_no_decision(page, again):
    (again / "decisions.jsonl").write_bytes(b'{"what":"acce')
    assert page.get("/api/dataset")["waiting"] == 0
    decision, seen = page.verdict("short_story_000")
    assert page.decide(decision, seen).status_code == 200
    (line,) = (again / "decisions.jsonl").read_text().splitlines()
    assert json.loads(line)["what"] == "accept"
    (again / "decisions.jsonl").write_text(f"{line}\nnonsense\n")
    answer = page.client.get("/api/stories")
    assert answer.status_code == 409 and "line 2 is not a decision" in answer.text


def test_a_dataset_that_can_only_be_read_says_so(page, monkeypatch):
    decision, seen = page.verdict("short_story_000")
    assert page.get("/api/dataset")["read_only"] is False

    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(decisions, "append", refuse)
    answer = page.decide(decision, seen)
    assert answer.status_code == 507 and "was not written" in answer.text


def test_somebody_who_has_not_seen_where_a_scene_begins_is_told(page):
    shown = page.get("/api/story", id="short_story_000")
    picture = shown["pages"][3]
    row = {"what": "scene", "film": "short", "story": "short_story_000"}
    row |= {"keyframe": picture["keyframe"], "digest": picture["scene_digest"]}
    assert page.decide(row | {"begins": not picture["begins"]}, shown["seen"]).status_code == 200
    answer = page.decide(row | {"begins": picture["begins"]}, shown["seen"], by="Bob")
    assert answer.status_code == 409 and "say where a scene begins" in answer.text
    edit = {**row, "what": "edit", "text": "Oh.", "digest": picture["sentence_digest"]}
    assert page.decide(edit, shown["seen"], by="Bob").status_code == 200  # of something else
    first = {**row, "keyframe": shown["pages"][0]["keyframe"], "digest": "0" * 16}
    answer = page.decide(first | {"begins": False}, shown["seen"])
    assert answer.status_code == 409 and "always begins a scene" in answer.text


def test_pictures_are_served_and_nothing_else(page, again):
    image = page.get("/api/stories")["stories"][0]["image"]
    picture = page.client.get("/media/picture", params={"path": image}).content
    assert picture == (again / image).read_bytes()
    small = page.client.get("/media/thumbnail", params={"path": image}).content
    assert small[:2] == b"\xff\xd8" and len(list((again / "work/thumbnails").iterdir())) == 1
    assert page.client.get("/media/thumbnail", params={"path": image}).content == small
    (again / "secret.jpg").write_bytes(b"secret")
    (again / "images" / "link.jpg").symlink_to("/etc/passwd")
    for path in (
        "dataset.json",
        "../secret.jpg",
        "images/../secret.jpg",
        "images//etc/passwd",
        "/etc/passwd",
        "images/link.jpg",
        "images/none.jpg",
        "images/\0.jpg",
        "work/answers/a.jpg",
    ):
        assert page.client.get("/media/picture", params={"path": path}).status_code == 404, path
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/app.py", "/docs"):
        assert page.client.get(path).status_code == 404, path


def test_only_this_machine_is_served_without_a_token(again):
    page = Page(again)
    assert page.client.get("/", headers={"host": "localhost:8710"}).status_code == 200
    assert page.client.get("/", headers={"host": "[::1]:8710"}).status_code == 200
    assert page.client.get("/", headers={"host": "evil.example"}).status_code == 421


def test_elsewhere_a_token_is_demanded(again):
    page = Page(again, token="open-sesame", address="http://studio.example:8710")
    assert page.client.get("/").status_code == 401
    assert page.client.get("/api/stories").status_code == 401
    assert page.client.get("/?token=wrong").status_code == 401
    answer = page.client.get("/story?id=x&token=open-sesame")
    assert (answer.status_code, answer.headers["location"]) == (303, "/story?id=x")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    assert page.client.get("/").status_code == 200
    away = page.client.get("http://studio.example:8710//evil.example?token=open-sesame")
    assert away.headers["location"] == "/evil.example"


def test_another_site_cannot_decide(page, again):
    decision, seen = page.verdict("short_story_000")
    for headers in (
        {"x-storystream": "guessed"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ):
        assert page.decide(decision, seen, **headers).status_code == 403, headers
    assert decisions.version(str(again)) == decisions.NONE
    assert page.decide(decision, seen, origin="http://127.0.0.1:8710").status_code == 200


def test_pages_may_run_our_own_scripts_only(page):
    answer = page.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    for path in ("/", "/story", "/cast", "/compare"):
        text = page.client.get(path).text
        assert not re.search(r"<script(?! type=\"module\" src=)|\son\w+=|style=", text), path


def test_a_run_in_between_is_told(page, again):
    manifest = (again / "dataset.json").read_bytes()
    (again / "dataset.json").unlink()
    answer = page.client.get("/api/stories")
    assert answer.status_code == 503 and "A run is writing" in json.loads(answer.text)["detail"]
    (again / "dataset.json").write_bytes(manifest)
    assert page.get("/api/stories")["count"] == 3


def test_what_was_taken_back_does_not_wait(page):
    decision, seen = page.verdict("short_story_000")
    made = page.decide(decision, seen).json()["id"]
    assert page.get("/api/dataset")["waiting"] == 1
    page.decide({"what": "undo", "of": made})
    assert page.get("/api/dataset")["waiting"] == 0


def test_a_moved_boundary_is_of_both_stories(page):
    shown = page.get("/api/story", id="long_story_000")
    row = {"what": "move", "film": "long", "story": "long_story_001"}
    row |= {"digest": shown["next_boundary"], "keyframe": shown["pages"][-2]["keyframe"]}
    made = page.decide(row, shown["seen"]).json()["id"]
    for story in ("long_story_000", "long_story_001"):  # so that it can be taken back on either
        assert [row["id"] for row in page.get("/api/story", id=story)["history"]] == [made]
    assert not page.get("/api/story", id="short_story_000")["history"]
    edited = page.get("/api/stories", status="edited")["stories"]
    assert [(story["id"], story["pictures"]) for story in edited] == [
        ("long_story_000", len(shown["pages"]) - 2),
        ("long_story_001", shown["after"]["pictures"] + 2),
    ]


def test_the_list_counts_pictures_as_decided(page):
    shown = page.get("/api/story", id="short_story_000")
    picture = shown["pages"][3]
    row = {"what": "drop", "film": "short", "story": "short_story_000", "reason": "pictures"}
    row |= {"keyframe": picture["keyframe"], "digest": picture["picture_digest"]}
    made = page.decide(row, shown["seen"]).json()["id"]
    assert [story["pictures"] for story in page.get("/api/stories")["stories"]][-1] == 11
    page.decide({"what": "undo", "of": made})
    assert [story["pictures"] for story in page.get("/api/stories")["stories"]][-1] == 12


def test_the_time_is_that_of_the_frame_that_is_shown(page):
    shown = page.get("/api/story", id="short_story_000")
    picture = shown["pages"][2]
    wanted = {"story": "short_story_000", "keyframe": picture["keyframe"]}
    time = page.get("/api/frames", **wanted)["times"][-1]
    row = {**wanted, "what": "swap", "film": "short", "digest": picture["picture_digest"]}
    assert page.decide(row | {"time": time}, shown["seen"]).status_code == 200
    now = page.get("/api/story", id="short_story_000")["pages"][2]
    assert now["time"] == clock(time) != picture["time"]
