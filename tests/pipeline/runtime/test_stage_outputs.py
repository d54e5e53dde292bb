import pytest

from pipeline.graph.stage_cache import is_complete
from pipeline.graph.stages import Stage
from pipeline.runtime import stage_outputs
from pipeline.runtime.stage_outputs import NO_ANSWER, Film
from schemas.rows import Keyframe, Reject, Video

VIDEO = Video("a", "/a.mp4", "A", "Ä\n</script>", episode=2)
ROWS = [VIDEO, Reject("video", "a", "broken", "why")]
OUTPUT = "text/a"


def final(film, output):
    return is_complete(Stage("text", None), film, output)


def test_rows_come_back_in_their_order(tmp_path):
    file = str(tmp_path / "keyframes" / "a-1.jsonl")
    stage_outputs.save(file, ROWS)
    assert stage_outputs.load(file) == ROWS
    assert stage_outputs.only(Reject, stage_outputs.load(file)) == [ROWS[1]]
    assert stage_outputs.only(Keyframe, stage_outputs.load(file)) == []


def test_no_rows_are_a_whole_output(tmp_path):
    film, file = Film(VIDEO, str(tmp_path)), stage_outputs.path(str(tmp_path), OUTPUT)
    stage_outputs.save(file, [])
    assert final(film, OUTPUT) and stage_outputs.load(file) == []


def test_an_output_with_a_question_that_got_no_answer_is_made_again(tmp_path):
    film, file = Film(VIDEO, str(tmp_path)), stage_outputs.path(str(tmp_path), OUTPUT)
    stage_outputs.save(file, [Reject("caption", "a", NO_ANSWER, "5 tries: 500")])
    assert not final(film, OUTPUT)
    before = stage_outputs.rows_digest(file, [Reject])
    stage_outputs.save(file, ROWS)
    assert final(film, OUTPUT) and stage_outputs.rows_digest(file, [Reject]) != before


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: -1 - 40],
        lambda data: data[: len(data) // 3],
        lambda data: b"",
        lambda data: data.replace(b"why", b"wha"),
        lambda data: b"\n".join(data.split(b"\n")[1:]),
    ],
)
def test_a_damaged_output_is_as_good_as_none(tmp_path, damage):
    file = tmp_path / "text" / "a.jsonl"
    stage_outputs.save(str(file), ROWS)
    file.write_bytes(damage(file.read_bytes()))
    assert not final(Film(VIDEO, str(tmp_path)), OUTPUT)
    with pytest.raises(ValueError, match=r"a\.jsonl is damaged"):
        stage_outputs.load(str(file))


def test_the_rows_alone_make_the_digest_but_no_output_stands_in_for_another(tmp_path):
    first, second = str(tmp_path / "a-1.jsonl"), str(tmp_path / "a-2.jsonl")
    for file in (first, second):
        stage_outputs.save(file, ROWS)
    kinds = [Video, Reject]
    assert stage_outputs.rows_digest(first, kinds) == stage_outputs.rows_digest(second, kinds)
    assert stage_outputs.rows_digest(first, [Video]) != stage_outputs.rows_digest(first, kinds)
    (tmp_path / "a-2.jsonl").write_bytes((tmp_path / "a-1.jsonl").read_bytes())
    with pytest.raises(ValueError, match=r"a-2\.jsonl is damaged"):
        stage_outputs.load(second)


def test_a_name_changes_with_what_the_output_depends_on():
    name = stage_outputs.name("captions", "film", ["keyframes/film-1", {"model": "a"}])
    assert name == stage_outputs.name("captions", "film", ["keyframes/film-1", {"model": "a"}])
    assert name != stage_outputs.name("captions", "film", ["keyframes/film-2", {"model": "a"}])
    assert name != stage_outputs.name("captions", "film", ["keyframes/film-1", {"model": "b"}])
    assert name.startswith("captions/film-")


def test_an_output_does_not_stand_in_for_another(tmp_path):
    stage_outputs.save(str(tmp_path / "a-01.jsonl"), [])
    (tmp_path / "b-02.jsonl").write_bytes((tmp_path / "a-01.jsonl").read_bytes())
    assert stage_outputs.load(str(tmp_path / "a-01.jsonl")) == []
    with pytest.raises(ValueError, match=r"b-02.jsonl is damaged"):
        stage_outputs.load(str(tmp_path / "b-02.jsonl"))
