"""Returns the plain text of what models write in Markdown, HTML or JSON's escapes.

Only form is removed: emphasis, headings, entities, tags, escapes that came through twice, the
number of words that the model has counted. What is said stays as it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from pipeline.runtime import word_lists

_WORD_COUNT = re.compile(
    r"[(\[（] ?(?:[^\W\d][\w ]{{0,15}}[:：] ?)?\d{{1,4}} ?(?:{}) ?[)\]）][.。]?$".format(
        "|".join(map(re.escape, word_lists.read(__package__, "word_units.txt")))
    ),
    re.IGNORECASE,
)
_BREAK = r"(?:br|p|div)\b[^<>]*"
_INLINE = r"(?:b|i|u|em|strong|span|small|mark|font|code|q)\b[^<>]*"
_REPLACED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\\u([0-9a-fA-F]{4})"), lambda found: chr(int(found[1], 16))),
    (re.compile(r"\\[nrt]"), " "),
    (re.compile(r"\\([\"'])"), r"\1"),
    # With the semicolon only: "&not" is part of no word by chance, "black&white" is.
    (re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);"), lambda found: html.unescape(found[0])),
    (re.compile(rf"</?{_BREAK}>", re.IGNORECASE), " "),
    (re.compile(rf"</?{_INLINE}>", re.IGNORECASE), ""),
    (re.compile(r"```\w*"), ""),
    (re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)"), r"\1"),  # links
    (re.compile(r"^[ \t]{0,9}(?:#{1,6}|>)[ \t]+", re.MULTILINE), ""),
    (re.compile(r"(?<![\w*])(\*{1,3})(?=\S)([^*\n]+)(?<=\S)\1(?![\w*])"), r"\2"),
    (re.compile(r"(?<!\w)(_{1,3})(?=\S)([^_\n]+)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"~~([^~\n]+)~~"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
    (_WORD_COUNT, ""),
)


def plain(text: str) -> str:
    """Returns a text without markup; the same text where there is none."""
    found = text
    for pattern, replacement in _REPLACED:
        found = pattern.sub(replacement, found)
    return text if found == text else found.strip()
