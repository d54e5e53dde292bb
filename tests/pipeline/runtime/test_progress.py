import re

from pipeline.runtime import progress


def test_a_stage_that_comes_further_is_told(capsys):
    with progress.display({"keyframes": 2, "text": 2}):
        for _ in range(2):
            tick = progress.ticker("keyframes")
            for share in (0.3, 0.301, 1.0):
                tick(share)
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r"^\[ *\d+ s\] ", "", line) for line in lines] == ["keyframes: 2 of 2"]


def test_nobody_is_told_where_nobody_looks(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    progress.ticker("text")(1.0)
    assert list(tmp_path.iterdir()) == []


def test_two_films_at_once_add_up(tmp_path, monkeypatch):
    monkeypatch.setenv("STORYSTREAM_PROGRESS", str(tmp_path))
    first, second = progress.ticker("text"), progress.ticker("text")
    first(0.5)
    second(0.25)
    first(1.0)
    assert next(progress._notes(str(tmp_path))) == ({"text": 1.25}, [])


def test_notes_are_read_once_and_a_half_written_one_when_it_is_whole(tmp_path):
    file = tmp_path / "1.notes"
    notes = progress._notes(str(tmp_path))
    file.write_text('["text", 0.5]\n["text", 0.')
    assert next(notes) == ({"text": 0.5}, [])
    with file.open("a") as more:
        more.write('25]\n["", [1.0, "hello"]]\n')
    assert next(notes) == ({"text": 0.75}, ["hello"])
    assert next(notes) == ({"text": 0.75}, [])


def test_what_a_worker_says_is_printed_once(capsys):
    with progress.display({"captions": 1}):
        progress.say("the server does not answer")
    assert capsys.readouterr().err.count("the server does not answer") == 1
