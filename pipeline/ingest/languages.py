"""Language codes of containers and file names in one form."""

from __future__ import annotations

import re

import langcodes


def two_letters(language: str) -> str:
    """Returns a language code in lower case, with two letters where it has such a form.

    "ENG" is "en" and "por_BR" is "pt-br". Three-letter codes are those of ISO 639-2, both kinds
    ("ger", "deu"), and ISO 639-3; what is none of them stays as it is. "und", which stands for no
    language, is "".
    """
    code, _, region = language.lower().replace("_", "-").partition("-")
    if code == "und":
        code = ""
    elif re.fullmatch("[a-z]{3}", code):
        code = langcodes.standardize_tag(code).partition("-")[0]
    return f"{code}-{region}" if region else code
