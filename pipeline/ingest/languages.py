"""Language codes of containers and file names in one form."""

from __future__ import annotations

# ISO 639-2 codes as containers and file names have them -> BCP 47; others stay as they are.
_TWO_LETTERS = {
    "ara": "ar",
    "ces": "cs",
    "cze": "cs",
    "chi": "zh",
    "zho": "zh",
    "dan": "da",
    "deu": "de",
    "ger": "de",
    "dut": "nl",
    "nld": "nl",
    "ell": "el",
    "gre": "el",
    "eng": "en",
    "fin": "fi",
    "fra": "fr",
    "fre": "fr",
    "heb": "he",
    "hin": "hi",
    "hun": "hu",
    "ind": "id",
    "ita": "it",
    "jpn": "ja",
    "kor": "ko",
    "nor": "no",
    "pol": "pl",
    "por": "pt",
    "ron": "ro",
    "rum": "ro",
    "rus": "ru",
    "spa": "es",
    "swe": "sv",
    "tha": "th",
    "tur": "tr",
    "ukr": "uk",
    "vie": "vi",
}


def two_letters(language: str) -> str:
    """Returns a language code in lower case, with two letters where it has such a form: "ENG" is
    "en", "por_BR" is "pt-br"; "" for "und"."""
    code, _, region = language.lower().replace("_", "-").partition("-")
    code = _TWO_LETTERS.get(code, "" if code == "und" else code)
    return f"{code}-{region}" if region else code
