"""Word lists: text files beside the modules that use them."""

import pytest

from pipeline.runtime import word_lists


def test_an_entry_is_a_line_and_comments_are_none(tmp_path, monkeypatch):
    package = tmp_path / "words_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "names.txt").write_text("# who\n\nPip\n Momo the mole \n# places\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert word_lists.read("words_of_a_test", "names.txt") == ("Pip", "Momo the mole")
    with pytest.raises(FileNotFoundError):
        word_lists.read("words_of_a_test", "none.txt")


def test_a_list_by_language(monkeypatch):
    lines = ("de: Feld Wald", "fr: champ", "de: Wiese")
    monkeypatch.setattr(word_lists, "read", lambda package, name: lines)
    assert word_lists.by_language("any", "list.txt") == {"de": "Feld Wald Wiese", "fr": "champ"}
