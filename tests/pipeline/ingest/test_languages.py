import pytest

from pipeline.ingest.languages import two_letters


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("ENG", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("fre", "fr"),
        ("chi", "zh"),
        ("por-BR", "pt-br"),
        ("pt_BR", "pt-br"),
        ("und", ""),
        ("", ""),
        ("en", "en"),
        ("yue", "yue"),
        ("english", "english"),
        ("wel", "cy"),
        ("qqq", "qqq"),
        ("e-t", "e-t"),
    ],
)
def test_codes_of_containers_and_file_names_get_one_form(code, short):
    assert two_letters(code) == short
