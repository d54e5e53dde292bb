from markupsafe import Markup

from pipeline.runtime.untrusted_text import escaped, escaped_value


def test_what_acts_is_escaped_and_what_is_read_stays():
    assert escaped("a\x1b[2J\r\x9b\u202egpj.exe") == r"a\x1b[2J\r\x9b\u202egpj.exe"
    for text in ("two\nlines\tand a tab", "قال الأرنب", "👩‍👧 می‌خواهم", "Jürgen"):
        assert escaped(text) == text


def test_values_keep_their_shape():
    page = {"title": "a\x07", "pages": [{"text": "\u2066b"}, 3, None]}
    assert escaped_value(page) == {"title": r"a\x07", "pages": [{"text": r"\u2066b"}, 3, None]}
    assert isinstance(escaped(Markup("<b>\x07</b>")), Markup)
