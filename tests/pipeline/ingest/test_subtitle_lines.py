"""Dialogue from the events of subtitles."""

import pysubs2
import pytest

from pipeline.ingest.subtitle_formats import left_out, parse
from pipeline.ingest.subtitle_lines import Line, clean


def srt(*texts):
    """An SRT file with one line a second."""
    return "\n".join(
        f"{i}\n00:00:0{i},000 --> 00:00:0{i},900\n{text}\n" for i, text in enumerate(texts, 1)
    ).encode()


def texts(data, language=""):
    return [line.text for line in clean(parse(data, language))]


class TestText:
    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ('<i>Hello</i> <font color="red">you</font>\nthere', ["Hello you there"]),
            (r"{\an8}Up {\b1}here{\b0}", ["Up here"]),
            ("PIP: Where are you?", ["Pip: Where are you?"]),
            ("- Pip: Here!\n- OLD OWL: And\nnow?", ["Pip: Here!", "Old Owl: And now?"]),
            ("Tom &amp; Jerry at 10:30", ["Tom & Jerry at 10:30"]),
            ("And he said:", ["And he said:"]),
            ("[door slams] Who is it?", ["Who is it?"]),
            ("<script>alert(1)</script> 5 < 6", ["alert(1) 5 < 6"]),
            ("&lt;b&gt; \x07=HYPERLINK(1)", ["<b> =HYPERLINK(1)"]),
        ],
    )
    def test_is_plain(self, written, said):
        assert texts(srt(written)) == said

    @pytest.mark.parametrize(
        "written",
        [
            "♪",
            "♪ La la la ♪",
            "[door slams]",
            "(sighs)",
            "...",
            "PIP: [laughs]",
            "- (sighs)\n- ♫",
            "<i></i>",
        ],
    )
    def test_what_is_not_spoken_is_left_out(self, written):
        assert texts(srt(written, "Yes.")) == ["Yes."]

    def test_webvtt_says_who_speaks(self):
        assert texts(
            b"WEBVTT\n\nNOTE no\n\n00:01.000 --> 00:02.000 line:0\n"
            b"<v.loud Pip>Hello <c.red>you</c> <00:01.500>there</v>\n"
        ) == ["Pip: Hello you there"]

    def test_ass_comments_and_drawings_are_left_out(self):
        head = (
            "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n\n[Events]\n"
            "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        )
        rest = "0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
        assert texts(
            (
                head
                + f"Dialogue: {rest}{{\\i1}}Hello,\\Nyou\n"
                + f"Comment: {rest}no\n"
                + f"Dialogue: {rest}{{\\p1}}m 0 0 l 9 9{{\\p0}}\n"
            ).encode()
        ) == ["Hello, you"]

    def test_same_words_again_at_once_are_one_line(self):
        lines = clean(parse(srt("Come!", "Come!", "No.", "Come!")))
        assert lines == [Line(1.0, 2.9, "Come!"), Line(3.0, 3.9, "No."), Line(4.0, 4.9, "Come!")]

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ("(door opens) Who is it?", ["Who is it?"]),
            ("Come in! (door closes)", ["Come in!"]),
            ("PIP (whispering): Hush.", ["Pip: Hush."]),
            ("[PIP:] Hush.", ["Pip: Hush."]),
            ("*sighs* I know.", ["I know."]),
            (">> PIP: Hello.\n>> And you?", ["Pip: Hello.", "And you?"]),
            ("（拍手）すごい", ["すごい"]),
            ("【ピップ】すごい", ["すごい"]),
            ("I have two (or three) of them.", ["I have two (or three) of them."]),
            ("# La la la #", []),
            ("PIP: ♪ La la la ♪", []),
        ],
    )
    def test_descriptions_for_those_who_do_not_hear_are_left_out(self, written, said):
        assert texts(srt(written, "Yes.")) == [*said, "Yes."]


ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


def ass(*rows):
    """An ASS file of (style, name, effect, text)."""
    return (
        ASS
        + "".join(
            f"Dialogue: 0,0:00:0{i}.00,0:00:0{i}.90,{style},{name},0,0,0,{effect},{text}\n"
            for i, (style, name, effect, text) in enumerate(rows)
        )
    ).encode()


def test_songs_and_signs_of_fansubs_are_left_out_and_names_are_speakers():
    assert texts(
        ass(
            ("OP-Romaji", "", "", "sakura"),
            ("Default", "", "", r"{\\k20}sa{\\kf30}kura"),
            ("Default", "", "fx", "sakura"),
            ("Signs", "", "", "School"),
            ("Default", "Pip", "", "Hello."),
            ("Default", "OWL", "", "PIP: Is it you?"),
            ("Top", "", "", "It is."),
        )
    ) == ["Pip: Hello.", "Pip: Is it you?", "It is."]


@pytest.mark.parametrize(
    "signed",
    [
        "www.titlovi.com",
        "Downloaded from YTS.MX",
        "Official site: yts.mx",
        "Subtitles by somebody",
        "<i>Synced & corrected by Pip99</i>",
        "Translation: Pip, timed by Owl",
        "Support us at https://example.org",
    ],
)
def test_what_the_makers_of_subtitles_say_of_themselves_is_left_out(signed):
    assert texts(srt(signed, "Stand by!", "He edited my book. I came from it.")) == [
        "Stand by!",
        "He edited my book. I came from it.",
    ]


def test_a_name_that_all_lines_have_is_nobodys():
    rows = [("Default", "NTP", "", f"Line {number}") for number in range(9)]
    assert texts(ass(*rows, ("Default", "NTP", "", "Last"))) == [
        *(f"Line {number}" for number in range(9)),
        "Last",
    ]


def test_captions_that_scroll_give_each_phrase_once():
    youtube = (
        b"WEBVTT\nKind: captions\nLanguage: en\n\n"
        b"00:00:00.000 --> 00:00:02.000 align:start\n \nhello<00:00:00.500><c> there</c>\n\n"
        b"00:00:02.000 --> 00:00:02.010 align:start\nhello there\n \n\n"
        b"00:00:02.010 --> 00:00:04.000 align:start\nhello there\nhow<00:00:03.000><c> are</c>\n\n"
        b"00:00:04.000 --> 00:00:04.010 align:start\nhow are\n \n\n"
        b"00:00:04.010 --> 00:00:06.000 align:start\nhow are\nyou<00:00:05.000><c> today</c>\n"
    )
    assert [(line.start, line.end, line.text) for line in clean(parse(youtube))] == [
        (0.0, 2.01, "hello there"),
        (2.01, 4.01, "how are"),
        (4.01, 6.0, "you today"),
    ]


def test_captions_that_grow_give_the_last_form():
    events = [
        pysubs2.SSAEvent(0, 500, "We"),
        pysubs2.SSAEvent(500, 900, "We must"),
        pysubs2.SSAEvent(900, 2000, "We must go home."),
        pysubs2.SSAEvent(2000, 3000, "We must go home. Now!"),
    ]
    assert clean(events) == [
        Line(0.0, 2.0, "We must go home."),
        Line(2.0, 3.0, "We must go home. Now!"),
    ]


class TestTwoLanguages:
    BOTH = srt("你好\nHello", "再见\nGoodbye", "走吧\nLet us go")

    def test_the_films_is_taken(self):
        assert texts_in(self.BOTH, "zh") == ["你好", "再见", "走吧"]
        assert texts_in(self.BOTH, "en") == ["Hello", "Goodbye", "Let us go"]

    def test_latin_where_it_is_not_known(self):
        assert texts_in(self.BOTH, "") == ["Hello", "Goodbye", "Let us go"]

    def test_a_name_in_another_script_does_not_make_two(self):
        data = srt("Это Pip", "Pip!", "Где он?")
        assert texts_in(data, "ru") == ["Это Pip", "Pip!", "Где он?"]

    ENGLISH = (
        "Where have you been all day?",
        "I was looking for the kite in the garden.",
        "The wind has taken it over the hill.",
        "Then we must run after it at once.",
        "Wait for me, I am not so fast!",
        "Here it is, in the old tree.",
    )
    FRENCH = (
        "Où étais-tu toute la journée ?",
        "Je cherchais le cerf-volant dans le jardin.",
        "Le vent l'a emporté de l'autre côté de la colline.",
        "Alors il faut lui courir après tout de suite.",
        "Attends-moi, je ne suis pas aussi rapide !",
        "Le voilà, dans le vieil arbre.",
    )

    def test_of_one_script_in_a_row_each(self):
        data = srt(*(f"{a}\n{b}" for a, b in zip(self.FRENCH, self.ENGLISH, strict=True)))
        assert texts_in(data, "en") == list(self.ENGLISH)
        assert texts_in(data, "fr") == list(self.FRENCH)
        assert texts_in(data, "") == list(self.ENGLISH)

    def test_of_one_script_in_cues_of_one_time(self):
        data = b"".join(
            f"{at}\n00:00:0{at},000 --> 00:00:0{at},900\n{line}\n\n".encode()
            for at, pair in enumerate(zip(self.ENGLISH, self.FRENCH, strict=True), 1)
            for line in pair
        )
        assert texts_in(data, "en") == list(self.ENGLISH)
        assert texts_in(data, "fr") == list(self.FRENCH)

    def test_two_rows_of_one_language_stay_together(self):
        rows = [*self.ENGLISH, "We have it!", "So let us go home with it."]
        data = srt(*(f"{a}\n{b}" for a, b in zip(rows[::2], rows[1::2], strict=True)))
        assert texts_in(data, "en") == [
            f"{a} {b}" for a, b in zip(rows[::2], rows[1::2], strict=True)
        ]


def texts_in(data, language):
    return [line.text for line in clean(parse(data, language), language=language)]


def test_what_nobody_can_say_is_left_out_and_told():
    drawing = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\p1}" + "m 0 0 " * 1000
    data = (
        "[Script Info]\n\n[V4+ Styles]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, "
        "MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Hello\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
        + "word " * 2000
        + "\n"
        + drawing
        + "\n"
    )
    events = [*parse(data.encode()), pysubs2.SSAEvent(2_000_000_000, 2_000_001_000, "Late")]
    assert clean(events) == [Line(1.0, 2.0, "Hello")]
    assert left_out(events) == (
        "hold lines of more than 5000 characters or at times that no film has: 2"
    )
    assert left_out(parse(srt("Hello"))) == ""
