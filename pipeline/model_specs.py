"""The line that names a backend: "embedded", "openai:MODEL[@URL]", "transformers:PATH_OR_ID"."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

# What the embedded models are called in rows, known without loading them.
EMBEDDED = {"captioner": "embedded-captioner-2", "writer": "smollm2-135m-instruct"}
HOW = "use 'embedded', 'openai:MODEL', 'openai:MODEL@http://HOST:PORT/v1' or 'transformers:FOLDER'"


class Spec(NamedTuple):
    """A backend as a config names it."""

    kind: str  # "embedded", "openai", "transformers"
    model: str = ""
    url: str = ""  # of the server; "" for OPENAI_BASE_URL or the client's own default

    @property
    def identity(self) -> str:
        """What its answers depend on: not where the server happens to run."""
        return f"{self.kind}:{self.model}" if self.model else self.kind


def parse(text: str) -> Spec:
    """Raises ValueError, naming the remedy, for a line that names no backend."""
    kind, _, rest = text.partition(":")
    if text == "embedded":
        return Spec("embedded")
    if kind == "transformers" and rest:
        return Spec(kind, rest)
    at = max(rest.find("@http://"), rest.find("@https://"))
    model, url = (rest[:at], rest[at + 1 :]) if at >= 0 else (rest, "")
    if kind != "openai" or not model:
        raise ValueError(f"{text!r} is no backend; {HOW}")
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise ValueError(
            f"openai:{model}: a key does not belong into the address, where it would "
            "be written down; set OPENAI_API_KEY"
        )
    return Spec(kind, model, url)
