import pytest

from pipeline import parts
from pipeline.captions import NO_ANSWER
from pipeline.stages import Film, final
from schemas.rows import Keyframe, Reject, Video

VIDEO = Video("a", "/a.mp4", "A", "Ä\n</script>", episode=2)
ROWS = [VIDEO, Reject("video", "a", "broken", "why")]
PART = "text/a"


def test_rows_come_back_in_their_order(tmp_path):
    file = str(tmp_path / "keyframes" / "a-1.jsonl")
    parts.save(file, ROWS)
    assert parts.load(file) == ROWS
    assert parts.only(Reject, parts.load(file)) == [ROWS[1]]
    assert parts.only(Keyframe, parts.load(file)) == []


def test_no_rows_are_a_whole_part(tmp_path):
    film, file = Film(VIDEO, str(tmp_path)), parts.path(str(tmp_path), PART)
    parts.save(file, [])
    assert final(film, PART) and parts.load(file) == []


def test_a_part_with_a_question_that_got_no_answer_is_made_again(tmp_path):
    film, file = Film(VIDEO, str(tmp_path)), parts.path(str(tmp_path), PART)
    parts.save(file, [Reject("caption", "a", NO_ANSWER, "5 tries: 500")])
    assert not final(film, PART)
    before = parts.seal(file)
    parts.save(file, ROWS)
    assert final(film, PART) and parts.seal(file) != before


@pytest.mark.parametrize("damage", [
    lambda data: data[:-1 - 40], lambda data: data[:len(data) // 3], lambda data: b"",
    lambda data: data.replace(b"why", b"wha"), lambda data: b"\n".join(data.split(b"\n")[1:]),
])
def test_a_damaged_part_is_as_good_as_none(tmp_path, damage):
    file = tmp_path / "text" / "a.jsonl"
    parts.save(str(file), ROWS)
    file.write_bytes(damage(file.read_bytes()))
    assert not final(Film(VIDEO, str(tmp_path)), PART)
    with pytest.raises(ValueError, match=r"a\.jsonl is damaged"):
        parts.load(str(file))


def test_the_rows_alone_make_the_digest_but_no_part_stands_in_for_another(tmp_path):
    one, other = str(tmp_path / "a-1.jsonl"), str(tmp_path / "a-2.jsonl")
    for file in (one, other):
        parts.save(file, ROWS)
    assert parts.seal(one) == parts.seal(other)
    (tmp_path / "a-2.jsonl").write_bytes((tmp_path / "a-1.jsonl").read_bytes())
    with pytest.raises(ValueError, match=r"a-2\.jsonl is damaged"):
        parts.load(other)


def test_a_name_changes_with_what_the_part_depends_on():
    one = parts.name("captions", "film", ["keyframes/film-1", {"model": "a"}])
    assert one == parts.name("captions", "film", ["keyframes/film-1", {"model": "a"}])
    assert one != parts.name("captions", "film", ["keyframes/film-2", {"model": "a"}])
    assert one != parts.name("captions", "film", ["keyframes/film-1", {"model": "b"}])
    assert one.startswith("captions/film-")
