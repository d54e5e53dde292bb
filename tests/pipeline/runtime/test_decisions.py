import json

import pytest

from pipeline.runtime import decisions
from tests.pipeline.review.deciding import a_film, decision, undo


def write(out, *rows):
    text = "".join(row.model_dump_json() + "\n" for row in rows)
    (out / "decisions.jsonl").write_text(text)


@pytest.fixture
def story():
    return a_film()[0][0]


def test_no_file_is_no_decision(tmp_path):
    out = str(tmp_path)
    assert decisions.version(out) == decisions.NONE
    assert decisions.read(out, decisions.NONE) == () and not decisions.by_film(out, decisions.NONE)


def test_an_undo_takes_back_and_can_be_taken_back(story):
    accept, edit = decision(1, "accept", story), decision(2, "edit", story, at=0, text="Oh.")
    assert decisions.standing([accept, edit, undo(3, of=1)]) == [edit]
    assert decisions.standing([accept, edit, undo(3, of=1), undo(4, of=3)]) == [accept, edit]


def test_a_version_is_read_while_the_file_grows(tmp_path, story):
    out = str(tmp_path)
    write(tmp_path, decision(1, "accept", story))
    before = decisions.version(out)
    write(tmp_path, decision(1, "accept", story), decision(2, "reject", story))
    assert len(decisions.read(out, before)) == 1
    assert len(decisions.read(out, decisions.version(out))) == 2


def test_a_file_changed_in_its_middle_is_told(tmp_path, story):
    out = str(tmp_path)
    write(tmp_path, decision(1, "accept", story))
    before = decisions.version(out)
    write(tmp_path, decision(2, "accept", story))
    with pytest.raises(decisions.DecisionsError, match="changed other than at its end"):
        decisions.read(out, before)


def test_a_line_that_is_no_decision_is_named(tmp_path, story):
    out = str(tmp_path)
    write(tmp_path, decision(1, "accept", story))
    with open(tmp_path / "decisions.jsonl", "a") as file:
        file.write('{"what": "burn"}\n')
    with pytest.raises(decisions.DecisionsError, match="line 2 is not a decision"):
        decisions.read(out, decisions.version(out))


def test_two_files_that_are_joined_count_each_decision_once(tmp_path, story):
    out = str(tmp_path)
    write(tmp_path, decision(1, "accept", story), decision(1, "accept", story))
    assert len(decisions.read(out, decisions.version(out))) == 1


def test_append_adds_a_line_after_one_that_was_cut_off(tmp_path, story):
    out = str(tmp_path)
    write(tmp_path, decision(1, "accept", story))
    with open(tmp_path / "decisions.jsonl", "a") as file:
        file.write('{"what": "acc')
    values = decision(2, "reject", story).model_dump(exclude={"id", "by", "at"})
    seen = []
    row = decisions.append(out, values, "Ann", lambda earlier, new: seen.append(len(earlier)))
    lines = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["accept", "reject"]
    assert seen == [1] and lines[1]["by"] == "Ann" and lines[1]["id"] == row.id


def test_what_check_refuses_is_not_written(tmp_path, story):
    def refuse(earlier, row):
        raise LookupError("stale")

    values = decision(2, "reject", story).model_dump(exclude={"id", "by", "at"})
    with pytest.raises(LookupError):
        decisions.append(str(tmp_path), values, "Ann", refuse)
    assert (tmp_path / "decisions.jsonl").read_bytes() == b""
