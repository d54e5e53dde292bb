"""Decodes subtitle files: Unicode of every kind, else the code page that fits the content."""

from __future__ import annotations

import codecs
import re
import unicodedata

import charset_normalizer

# What subtitles that are not Unicode are written in, the commonest first.
_CODE_PAGES = {
    **dict.fromkeys(
        ["da", "de", "en", "es", "fi", "fr", "id", "it", "nl", "no", "pt", "sv"],
        ("cp1252", "cp850", "mac_roman"),
    ),
    **dict.fromkeys(
        ["cs", "hr", "hu", "pl", "ro", "sk", "sl", "sr"], ("cp1250", "iso8859_2", "cp852")
    ),
    **dict.fromkeys(["bg", "mk", "ru", "uk"], ("cp1251", "koi8_u", "cp866", "iso8859_5")),
    **dict.fromkeys(["et", "lt", "lv"], ("cp1257", "iso8859_13")),
    "el": ("cp1253", "iso8859_7", "cp737"),
    "tr": ("cp1254", "cp857"),
    "he": ("cp1255", "iso8859_8", "cp862"),
    "ar": ("cp1256", "iso8859_6"),
    "fa": ("cp1256",),
    "th": ("cp874",),
    "vi": ("cp1258",),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "zh": ("gb18030", "big5hkscs"),
}
_GUESSES = [*dict.fromkeys(page for pages in _CODE_PAGES.values() for page in pages[:1])]
_GUESSES += ["big5", "euc_jp", "koi8_u", "mac_roman", "mac_cyrillic"]
_GUESSES += ["iso8859_2", "iso8859_5", "cp850", "cp852", "cp866"]
_WHOLE = 3  # characters of UTF-8 for each damaged one, in a file that is UTF-8
_SHIFTED = re.compile(rb"\x1b\$[@B]")  # ISO 2022, which is all ASCII


class EncodingError(ValueError):
    """The file is no text in any encoding that is known."""


def decode(data: bytes, language: str = "") -> str:
    """Decodes a text file: by its mark, as UTF-8 or UTF-16, else by the code page that fits best.

    A few damaged bytes in UTF-8 become U+FFFD. language: two letters, "" where it is not known; its
    code pages are tried before all others. Raises EncodingError.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if unmarked := _unmarked_utf16(data):
        return data.decode(unmarked, errors="replace")
    text = data.decode("utf-8", errors="replace")
    # Bytes of a code page hardly ever make up characters of UTF-8 by chance.
    damaged = text.count("\ufffd")
    whole = sum(character > "\x7f" for character in text) - damaged
    if _SHIFTED.search(data) and (shifted := _decoded(data, "iso2022_jp")) is not None:
        return shifted
    if damaged == 0 or whole > _WHOLE * damaged:
        return text
    by_language = [
        decoded
        for page in _CODE_PAGES.get(language, ())
        if (decoded := _decoded(data, page)) is not None
    ]
    if by_language:
        return min(by_language, key=_oddness)
    guesses = list(charset_normalizer.from_bytes(data, cp_isolation=_GUESSES))
    if not guesses:
        raise EncodingError("are no text in any encoding that is known")
    best = min(guesses, key=lambda guess: round(_oddness(str(guess)), 2))  # else the likeliest
    # A few accents look as well in several code pages: then the western one is the likeliest.
    for guess in guesses:
        if (
            guess.encoding == "cp1252"
            and guess.chaos <= best.chaos + 0.1
            and guess.coherence >= best.coherence
        ):
            return str(guess)
    return str(best)


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _unmarked_utf16(data: bytes) -> str:
    """Returns the kind of UTF-16 without a mark: digits and line ends have a zero beside them."""
    if len(data) < 4 or len(data) % 2:
        return ""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if min(even, odd) > 0.05 * len(data) / 2 or max(even, odd) < 0.2 * len(data) / 2:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _oddness(text: str) -> float:
    """Returns the share of characters beyond ASCII that do not fit their neighbours.

    In a wrong code page letters turn into signs within words, into capitals after small letters,
    or into letters of another script.
    """
    odd = count = 0
    kinds = [unicodedata.category(character) for character in text]
    for at in range(1, len(text)):
        pair, (before, kind) = text[at - 1 : at + 1], kinds[at - 1 : at + 1]
        if pair.isascii():
            continue
        count += 1
        if any(
            k in _NOT_TEXT and c not in "\r\n\t" for k, c in zip((before, kind), pair, strict=True)
        ):
            odd += 1
        elif before[0] == kind[0] == "L":
            odd += (before, kind) == ("Ll", "Lu") or _script(pair[0]) != _script(pair[1])
        else:
            in_word = at > 1 and {kinds[at - 2], kind} <= {"Ll", "Lu"}
            odd += before[0] == "L" and kind in _SIGNS and pair[1] > "\x7f"
            odd += kind[0] == "L" and before in _SIGNS and pair[0] > "\x7f"
            odd += in_word and before in ("Pi", "Pf", "Po") and pair[0] not in "\u2018\u2019"
    return odd / max(count, 1)


_NOT_TEXT = ("Cc", "Cn", "Co")
_SIGNS = {"Sc", "Sk", "Sm", "So", "No"}


def _script(character: str) -> str:
    script = unicodedata.name(character, "?").partition(" ")[0]
    return "JAPANESE" if script in ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA") else script
