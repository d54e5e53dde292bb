"""Parses the line that names a model: "embedded", "openai:MODEL[@URL]", "transformers:PATH"."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import urlsplit

# Names of the embedded models in rows, known without loading them.
EMBEDDED = {"captioner": "embedded-captioner-4", "writer": "embedded-writer-2"}
USAGE = (
    "use 'embedded', 'openai:MODEL', 'openai:MODEL@http://HOST:PORT/v1' or 'transformers:FOLDER'"
)


class Spec(NamedTuple):
    """A model as the configuration names it."""

    kind: str  # "embedded", "openai", "transformers"
    model: str = ""
    url: str = ""  # of the server; "" for OPENAI_BASE_URL or the client's own default

    @property
    def base_url(self) -> str | None:
        """The address that a client adds "/chat/completions" to; None for the client's default."""
        url = self.url or os.environ.get("OPENAI_BASE_URL") or ""
        return url.rstrip("/").removesuffix("/chat/completions") or None

    @property
    def identity(self) -> str:
        """What its answers depend on: the kind and the model, not the server's address."""
        return f"{self.kind}:{self.model}" if self.model else self.kind


def parse(text: str) -> Spec:
    """Parses a line. Raises ValueError, naming the remedy, if it does not name a backend."""
    kind, _, rest = text.partition(":")
    if text == "embedded":
        return Spec("embedded")
    if kind == "transformers" and rest:
        return Spec(kind, rest)
    at = max(rest.find("@http://"), rest.find("@https://"))
    model, url = (rest[:at], rest[at + 1 :]) if at >= 0 else (rest, "")
    if kind != "openai" or not model:
        raise ValueError(f"{text!r} is not a backend; {USAGE}")
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise ValueError(
            f"openai:{model}: a key does not belong in the address, which is written to files; "
            "set OPENAI_API_KEY"
        )
    return Spec(kind, model, url)


def of_roles(captioner: str, writer: str) -> list[tuple[str, Spec]]:
    """Returns the spec of each role, by the lines that name their models."""
    return [("captioner", parse(captioner)), ("writer", parse(writer))]
