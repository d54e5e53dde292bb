"""Makes `pipeline/annotation/concepts/*.txt.gz` from Unicode's emoji annotations (CLDR).

`npm pack cldr-annotations-full && tar xzf *.tgz && python tools/make_concepts.py package`. Each
line of a language's file is an emoji and the words that mean it. Flags, skin tones and symbols are
left out, and so are phrases of several words. Licence: Unicode License v3.
"""

from __future__ import annotations

import gzip
import json
import sys
import unicodedata
from pathlib import Path

LANGUAGES = """
ar bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl gu he hi hr hu hy id is it ja
ka kk km kn ko lt lv mk ml mr ms nb nl pa pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur
uz vi zh zu
""".split()  # noqa: SIM905
OUT = Path(__file__).parents[1] / "pipeline" / "annotation" / "concepts"


def _pictured(symbol: str) -> bool:
    """Returns whether a symbol is an emoji of one thing: no flag, letter, arrow or skin tone."""
    return (
        len(symbol) == 1
        and ord(symbol) >= 0x1F300
        and not 0x1F3FB <= ord(symbol) <= 0x1F3FF
        and unicodedata.category(symbol) in ("So", "Cn")
    )


def main(folder: str) -> None:
    """Writes a file for each language."""
    OUT.mkdir(exist_ok=True)
    for language in LANGUAGES:
        source = "no" if language == "nb" else language
        file = Path(folder, "annotations", source, "annotations.json")
        entries = json.loads(file.read_text())["annotations"]["annotations"]
        lines = []
        for symbol, entry in entries.items():
            if not _pictured(symbol):
                continue
            words = {word.casefold() for word in (*entry.get("default", ()), *entry.get("tts", ()))}
            single = sorted(word for word in words if " " not in word)
            if single:
                lines.append(" ".join((symbol, *single)))
        data = "\n".join(lines).encode()
        (OUT / f"{language}.txt.gz").write_bytes(gzip.compress(data, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
