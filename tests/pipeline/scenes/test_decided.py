from pipeline.scenes import decided
from schemas.decisions import parse
from tests.pipeline.rows import keyframe

PICTURES = [keyframe("film", time, sha256=f"{time:064.0f}") for time in range(6)]


def decision(number, at, begins, **fields):
    values = {"id": f"{number:016x}", "by": "Ann", "at": "2026-11-29T12:00:00Z", "what": "scene"}
    values |= {"film": "film", "story": "film_story_000", "keyframe": PICTURES[at].id}
    digest = decided.boundary_digest(PICTURES[at - 1], PICTURES[at])
    return parse(values | {"begins": begins, "digest": digest} | fields)


def test_a_boundary_is_moved_by_two_decisions():
    rows = [decision(1, 3, False), decision(2, 4, True)]
    assert decided.apply([0, 3], PICTURES, rows) == ([0, 4], {})
    assert decided.apply([0, 3], PICTURES, []) == ([0, 3], {})


def test_the_last_decision_about_a_picture_counts():
    rows = [decision(1, 2, True), decision(2, 2, False)]
    assert decided.apply([0, 3], PICTURES, rows) == ([0, 3], {})


def test_what_cannot_be_applied_is_told():
    first = decision(1, 1, True, keyframe=PICTURES[0].id)
    gone = decision(2, 2, True, keyframe="film_keyframe_9-9-9-9")
    changed = decision(3, 2, True, digest="0" * 16)
    begins, conflicts = decided.apply([0, 3], PICTURES, [first, gone, changed])
    assert begins == [0, 3] and list(conflicts) == [first.id, gone.id, changed.id]
    assert "always begins a scene" in conflicts[first.id]
    assert "no such picture any more" in conflicts[gone.id]
    assert "has changed since" in conflicts[changed.id]
