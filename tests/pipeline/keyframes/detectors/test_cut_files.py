"""Files of cuts as people have them, and what is said of those that cannot be read."""

import pytest

from pipeline.keyframes.detectors import cut_files
from schemas.rows import Video
from tests.pipeline.keyframes.figures import frame_stats

VIDEO = Video("film", "/films/film.mp4", "series", "Film", fps=10)
STATS = frame_stats(100)  # 10 s at 10 frames per second

SCENES = """\
Timecode List:,00:00:02.000,00:00:05.500
Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame
1,1,00:00:00.000,0.000,20
2,21,00:00:02.000,2.000,55
3,56,00:00:05.500,5.500,100
"""
EDL = """\
TITLE: film
FCM: NON-DROP FRAME

001  AX       V     C        00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00
002  AX       V     C        00:00:02:00 00:00:05:05 01:00:02:00 01:00:05:05
003  AX       V     C        00:00:05:05 00:00:05:05 01:00:05:05 01:00:05:05
003  BX       V     D    010 00:00:05:05 00:00:08:00 01:00:05:05 01:00:08:00
* FROM CLIP NAME: a
004  AX       A     C        00:00:08:00 00:00:09:00 01:00:08:00 01:00:09:00
005  CX       V     W001 005 00:00:08:00 00:00:10:00 01:00:08:00 01:00:10:00
"""


def found(path) -> list[tuple[str, int, int]]:
    transitions = cut_files.transitions(str(path), VIDEO, STATS)
    return [(each.kind, each.first, each.last) for each in transitions]


@pytest.mark.parametrize(
    "text",
    [
        "2\n5.5\n",
        "time\n0:02\n0:05.5\n",
        "Start;Name\n00:00:02:00;film\n00:00:05:05;film.mp4\n",
        "# mine\ntime\tkind\n2.0\tcut\n\n5.5\tCUT\n",
        "film,time\nother,3\nfilm,2\nfilm,5.5\n",
        "\ufeff5.5\r\n2\r\n2\r\n",
        SCENES,
        SCENES.partition("\n")[2],
    ],
)
def test_tables_of_times_are_read(tmp_path, text):
    (tmp_path / "cuts.csv").write_text(text, encoding="utf-8")
    assert found(tmp_path / "cuts.csv") == [("cut", 20, 19), ("cut", 55, 54)]


def test_transitions_have_an_end_and_a_kind(tmp_path):
    (tmp_path / "cuts.csv").write_text("time,end,kind\n1,,\n2,3,dissolve\n5,6,\n")
    assert found(tmp_path / "cuts.csv") == [
        ("cut", 10, 9),
        ("dissolve", 20, 29),
        ("gradual", 50, 59),
    ]


def test_an_edit_decision_list_is_read_from_its_first_event(tmp_path):
    (tmp_path / "film.edl").write_text(EDL)
    expected = [("cut", 20, 19), ("dissolve", 55, 64), ("wipe", 80, 84)]
    assert found(tmp_path / "film.edl") == expected
    assert found(tmp_path) == expected  # the folder with a file of that name


def test_what_cannot_be_read_is_named_with_its_line_and_the_remedy(tmp_path):
    for text, message in {
        "2\nthree\n": r"cuts\.csv, line 2: 'three' is not a time: write seconds \(83\.5\) or",
        "2\n-3\n": r"line 2: '-3' is not a time",
        "2\n50\n": r"line 2: 50 is not in the film, which lasts 10\.0 s: are these the cuts of an",
        "time,end,kind\n2,3,jump\n": r"line 2: 'jump' is no kind of transition: write cut, diss",
        "time,end,kind\n2,,fade\n": r"line 2: a fade needs the time of its end",
        "time,end\n3,2\n": r"line 2: the end 2 is not after the start 3",
        "frame,what\n2,3\n": r"line 1: there is no column time; name the columns film, time, end",
        "film,time\nother,3\n": r"cuts\.csv has no line of the film film: its films are other",
    }.items():
        (tmp_path / "cuts.csv").write_text(text)
        with pytest.raises(ValueError, match=message):
            found(tmp_path / "cuts.csv")
    (tmp_path / "film.edl").write_text("001 AX V C 00:00:00:00\n")
    with pytest.raises(ValueError, match=r"line 1: .* is not an event of an edit decision list"):
        found(tmp_path / "film.edl")


def test_all_films_need_cuts_before_a_run_begins(tmp_path):
    other = Video("other", "/films/other.mp4", "series", "Other")
    (tmp_path / "film.csv").write_text("2\n")
    cut_files.check(str(tmp_path), [VIDEO])
    with pytest.raises(ValueError, match=r"has no cuts of the film other: add other\.csv"):
        cut_files.check(str(tmp_path), [VIDEO, other])
    with pytest.raises(
        ValueError, match="does not say which film its cuts are of, and there are 2"
    ):
        cut_files.check(str(tmp_path / "film.csv"), [VIDEO, other])
    with pytest.raises(FileNotFoundError):
        cut_files.check(str(tmp_path / "none.csv"), [VIDEO])
