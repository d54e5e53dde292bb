import pytest

from pipeline.ingest.languages import two_letters


@pytest.mark.parametrize(
    ("code", "short"),
    [("ENG", "en"), ("ger", "de"), ("deu", "de"), ("pt_BR", "pt-br"), ("und", ""), ("", "")],
)
def test_codes_of_containers_and_file_names_get_one_form(code, short):
    assert two_letters(code) == short
