import io
import json
import os
import re
import resource
import subprocess
import sys

import pytest
from rich.console import Console

from pipeline.runtime import interrupts, progress


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a display, of which only the notes are wanted."""
    monkeypatch.setenv("STORYSTREAM_PROGRESS", str(tmp_path))
    return str(tmp_path)


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
    progress.doing("text", "reading")
    progress.advance("text")
    assert list(tmp_path.iterdir()) == []


def test_two_films_at_once_add_up(folder):
    first, second = progress.ticker("text"), progress.ticker("text")
    first(0.5)
    second(0.25)
    first(1.0)
    assert next(progress._notes(folder)) == progress.Notes({"text": 1.25})


def test_notes_are_read_once_and_a_half_written_one_when_it_is_whole(tmp_path):
    file = tmp_path / "1.notes"
    notes = progress._notes(str(tmp_path))
    file.write_text('["text", 0.5]\n["text", 0.')
    assert next(notes) == progress.Notes({"text": 0.5})
    with file.open("a") as more:
        more.write('25]\n["", [1.0, "hello"]]\n')
    assert next(notes) == progress.Notes({"text": 0.75}, ["hello"])
    assert next(notes) == progress.Notes({"text": 0.75}, [])


def test_a_note_that_the_disk_has_no_room_for_is_left_out(folder, tmp_path):
    room = resource.getrlimit(resource.RLIMIT_FSIZE)
    progress.advance("text")
    size = (tmp_path / f"{os.getpid()}.notes").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, room[1]))
    try:
        progress.advance("text")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
    progress.advance("text")  # its line begins with the half that was written
    progress.advance("text")
    assert next(progress._notes(folder)) == progress.Notes({"text": 2.0})


def test_what_a_worker_did_last_is_what_is_done_now(tmp_path):
    (tmp_path / "1.notes").write_text('["captions", 20.0, "asked 2 of 31"]\n')
    (tmp_path / "2.notes").write_text('["text", 10.0, "S01E02"]\n')
    notes = progress._notes(str(tmp_path))
    now = next(notes)
    assert (now.stage, now.doing) == ("captions", "asked 2 of 31")
    with (tmp_path / "2.notes").open("a") as file:
        file.write('["", 30.0, "waiting for the server"]\n')
    now = next(notes)
    assert (now.stage, now.doing) == ("captions", "waiting for the server")


def test_what_a_worker_says_is_printed_once(capsys):
    with progress.display({"captions": 1}):
        progress.say("the server does not answer")
    assert capsys.readouterr().err.count("the server does not answer") == 1


def test_a_display_within_another_adds_to_it(capsys):
    with progress.display({"outer": 1}), progress.display({"inner": 1}):
        progress.advance("outer")
        progress.advance("inner")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("] ")[2] for line in lines] == ["outer: 1 of 1"]


def test_without_a_terminal_there_is_a_line_every_15_seconds(clock):
    lines, notes = (
        progress.Lines({"keyframes": 4, "captions": 4}, "starting", clock),
        (progress.Notes()),
    )
    printed = []
    for second in range(121):
        clock.now = second
        if second == 20:
            notes.stage, notes.doing = "keyframes", "decoding S01E01 at 3:20"
        notes.done["keyframes"] = max(0.0, min(4.0, (second - 20) / 10))
        if second == 70:
            notes.stage, notes.doing = "captions", "loading the model"
        printed += lines.due(notes)
    assert printed == [
        "[    5 s] keyframes: 0 of 4, 0%",
        "[   20 s] keyframes: 0 of 4, 0%; decoding S01E01 at 3:20",
        "[   35 s] keyframes: 1 of 4, 38%, 0:58 left; decoding S01E01 at 3:20",
        "[   50 s] keyframes: 3 of 4, 75%, 0:17 left; decoding S01E01 at 3:20",
        "[   65 s] keyframes: 4 of 4",
        "[   65 s] keyframes: 4 of 4, 100%; decoding S01E01 at 3:20",
        "[   80 s] captions: 0 of 4, 0%; loading the model",
        "[   95 s] captions: 0 of 4, 0%; loading the model",
        "[  110 s] captions: 0 of 4, 0%; loading the model",
    ]


def test_a_line_says_what_is_waited_for_before_the_first_stage(clock):
    lines = progress.Lines({"keyframes": 4}, "starting the workers", clock)
    clock.now = 6.0
    assert lines.due(progress.Notes()) == ["[    6 s] starting the workers"]


def test_lines_fit_into_80_columns(clock):
    stages = dict.fromkeys(f"a_long_name_of_stage_{number}" for number in range(8))
    lines = progress.Lines(dict.fromkeys(stages, 2), clock=clock)
    notes = progress.Notes(dict.fromkeys(stages, 2.0), ["a sentence " * 20], "text", "z" * 200)
    clock.now = 20.0
    printed = lines.due(notes)
    assert max(map(len, printed)) < 80
    assert sum(line.count("z") for line in printed) == 200


@pytest.mark.parametrize(
    ("seconds", "share", "shown"), [(10, 0.1, "1:30"), (10, 1.0, "0:00"), (3600, 0.5, "1:00:00")]
)
def test_time_left(seconds, share, shown):
    assert progress.left(seconds, share) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_bars_fit_into_80_columns_in_every_encoding(encoding):
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=screen, width=80, force_terminal=True, color_system=None)
    tasks = {}
    with progress.bars(console) as shown:
        notes = progress.Notes(
            {"keyframes": 1.5}, ["hello"], "keyframes", "decoding Les_Triplettes_E02 at 3:20"
        )
        tasks["keyframes"] = shown.add_task("keyframes", total=27_000, doing="")
        progress.update_bars(shown, tasks, notes)
        notes.stage, notes.doing, notes.sentences = "shards", "train-00000-of-00008.tar", []
        progress.update_bars(shown, tasks, notes)
    screen.flush()
    text = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", screen.buffer.getvalue().decode(encoding))
    assert "hello" in text and "keyframes" in text and "train-00000" in text
    assert max(len(line) for line in re.split("[\r\n]", text)) <= 80


@pytest.mark.parametrize("terminal", [True, False])
def test_a_dumb_terminal_gets_lines(terminal, monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with progress.display({"text": 1}):
        progress.advance("text")
    assert capsys.readouterr().err.endswith("text: 1 of 1\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_names_that_the_encoding_lacks_are_printed_all_the_same(encoding, tmp_path):
    """LANG=C on a system that Python does not give UTF-8: what is printed there is escaped."""
    code = (
        "from pipeline import standard_streams; standard_streams.prepare();"
        "from pipeline.runtime import progress\n"
        "with progress.display({'\\u6620\\u753b': 1}):\n"
        "    progress.advance('\\u6620\\u753b')\n"
        "print('\\u6620')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"\\u6620\n"
    assert json.dumps("\u6620\u753b").strip('"').encode() + b": 1 of 1" in done.stderr


def test_the_names_of_a_source_cannot_act_on_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv(interrupts.FOLDER, str(tmp_path))
    progress.doing("selection", "Pip\x1b[2J\u202eexe")
    progress.say("drawn \x07")
    (notes,) = tmp_path.glob("*.notes")
    assert "Pip\\\\x1b[2J\\\\u202eexe" in notes.read_text()
    assert "drawn \\\\x07" in notes.read_text()
