"""Reads answers that are no JSON: numbered lists, tables of Markdown, XML, and YAML.

Models write them where a server does not hold them to the schema. Only a text is read of which all
is the list: no line may be left over, except one before it that ends with a colon.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any
from xml.etree import ElementTree

import yaml

_MAX_LENGTH = 50_000
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_EMPHASIS = re.compile(r"\*\*|__|^#+\s*|^[-*•]\s+", re.MULTILINE)
_NUMBERED = re.compile(r"\s*(?:[^\W\d]+\s*){0,2}(\d{1,3})\s*[.:：)、．\]]+\s*(\S.*)")
_RULE = re.compile(r"[\s|:–—-]+")
_FIELD = re.compile(r"^\s*(?:-\s+)?[^\W\d]\w*\s*:", re.MULTILINE)
_BARE_AND = re.compile(r"&(?!#?\w+;)")
_ITEMS = ("item", "li", "entry", "element", "value")  # of a list in XML
_ALIASES = re.compile(r"(?:^|[\s\[,:])[&*!]\w", re.MULTILINE)  # of YAML, which answers do not need


def values(text: str) -> list[Any]:
    """Returns what a text may be as a value of JSON: an object by number, or what XML or YAML
    reads."""
    if len(text) > _MAX_LENGTH:
        return []
    body = _FENCE.sub("", text).strip()
    if body.endswith(">") and "</" in body:
        return _xml(body)
    table, numbered = _table(body), _numbered(_EMPHASIS.sub("", body))
    if table or numbered:
        return [table or numbered]
    if not _FIELD.match(body) or _ALIASES.search(body):
        return []
    with contextlib.suppress(yaml.YAMLError, RecursionError):
        return [yaml.load(body, yaml.BaseLoader)]
    return []


def _numbered(text: str) -> dict[str, str]:
    """Returns the entries of a numbered list by number, "Picture 3: ..." too; none for another
    text."""
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].rstrip().endswith((":", "：")) and not _NUMBERED.fullmatch(lines[0]):
        del lines[0]
    found = [_NUMBERED.fullmatch(line) for line in lines]
    entries = {match[1]: match[2].strip() for match in found if match}
    return entries if len(entries) == len(lines) else {}


def _table(text: str) -> dict[str, str]:
    """Returns the last cells of a table's rows by their first, a number; none for another text."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 3 or not all(line.startswith("|") for line in lines):
        return {}
    _, *rows = [line.strip("|").split("|") for line in lines if not _RULE.fullmatch(line)]
    entries = {
        row[0].strip(): row[-1].strip()
        for row in rows
        if len(row) == 2 and row[0].strip().isdigit()
    }
    return entries if len(entries) == len(rows) else {}


def _xml(text: str) -> list[Any]:
    """Returns the value of a text that is XML, perhaps after a line that ends with a colon."""
    before, opening, rest = text.partition("<")
    if (before.strip() and not before.rstrip().endswith((":", "："))) or "<!" in text:
        return []  # a document type may define what its text stands for
    rest = re.sub(r"^\?xml[^>]*>", "", rest) if rest.startswith("?xml") else opening + rest
    with contextlib.suppress(ElementTree.ParseError, RecursionError):
        return [
            _element(ElementTree.fromstring(f"<answer>{_BARE_AND.sub('&amp;', rest)}</answer>"))
        ]
    return []


def _element(element: ElementTree.Element) -> Any:
    """Returns an element as a value of JSON: a text, a list of what it has several of, or an
    object."""
    children = list(element)
    if not children or (element.text or "").strip():
        text = "".join(element.itertext()).strip()
        return {**element.attrib, "text": text} if element.attrib else text
    tags = {child.tag for child in children}
    values = [_element(child) for child in children]
    one = children[0].tag
    if len(tags) == 1 and (len(values) > 1 or one in _ITEMS or f"{one}s" == element.tag):
        return values
    if len(tags) < len(values):
        return values
    return {**element.attrib, **{child.tag: _element(child) for child in children}}
