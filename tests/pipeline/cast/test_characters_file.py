"""Files of characters: what they may say, and what is wrong with one, by line."""

from __future__ import annotations

import pytest

from pipeline.cast.characters_file import CharactersError, Picture, given, picture, read
from pipeline.config import load

PICTURE = "film_keyframe_0-1-12-300"


def written(tmp_path, text: str) -> str:
    file = tmp_path / "who.yaml"
    file.write_text(text)
    return str(file)


def test_a_file_says_who_is_who(tmp_path):
    file = written(
        tmp_path,
        f"""Forest Tales:
- name: Otto
  look: a small grey otter
  called: the swimmer
  same_as: [grey figure, {PICTURE}]
  not_same_as: ['{PICTURE}#xywh=10,20,50,60']
- name: lamp
  same_as: yellow figure
  ignore: true
""",
    )
    otto, lamp = read(file)["Forest Tales"]
    assert (otto.name, otto.look, otto.called) == ("Otto", "a small grey otter", ["the swimmer"])
    assert [picture(item) for item in otto.same_as] == [None, Picture(PICTURE, None)]
    assert picture(otto.not_same_as[0]) == Picture(PICTURE, (10, 20, 50, 60))
    assert (lamp.same_as, lamp.ignore, otto.ignore) == (["yellow figure"], True, False)


def test_a_file_of_the_users_goes_first(tmp_path):
    own = written(tmp_path, "Monkey:\n- name: Fritz\n  called: [an ape]\nOther: []\n")
    config = load("", [f"characters={own}"])
    assert [entry.name for entry in given("Monkey", config, str(tmp_path))] == ["Fritz"]
    assert given("Other", config, str(tmp_path)) == []
    assert given("Third", config, str(tmp_path)) is None


def test_a_file_of_the_users_and_an_edited_draft_are_one_too_many(tmp_path):
    own = written(tmp_path, "Monkey:\n- name: Fritz\n")
    (tmp_path / "characters").mkdir()
    (tmp_path / "characters/Monkey.yaml").write_text("Monkey:\n- name: George\n")
    with pytest.raises(CharactersError, match="both say who is who in Monkey; delete one"):
        given("Monkey", load("", [f"characters={own}"]), str(tmp_path))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a list", "must hold series, each with a list of characters"),
        ("a: [", "is not YAML"),
        ("\nMonkey: George", r"line 2 \(Monkey\): must be a list of characters"),
        ("Monkey:\n- look: brown\n", r"line 2 \(Monkey\): name: Field required; an entry has"),
        (
            "Monkey:\n- name: A\n- name: B\n  look: x\n  same-as: [C]\n",
            "line 5 .*same-as: Extra inputs are not permitted; .* may have .*same_as",
        ),
        (
            "Monkey:\n- name: A\n  same_as:\n  - B\n  - 7\n",
            r"line 5 .*same_as\.1: Input should be a valid string",
        ),
        ("Monkey:\n- name: ' '\n", "line 2 .*: a name is blank: give one"),
        ("Monkey:\n- name: A\n- name: a\n", "line 3 .*'a' is there twice, on line 2 too"),
        (
            "Monkey:\n- name: A\n  same_as: [C]\n- name: B\n  same_as:\n  - C\n",
            "line 6 .*same_as: 'C' is on line 3 too: delete one",
        ),
        (
            "Monkey:\n- name: A\n  not_same_as: [B]\n",
            "line 3 .*not_same_as: 'B' is no picture; name a picture by its keyframe's id",
        ),
        (
            f"Monkey:\n- name: A\n  same_as: ['{PICTURE}#10,20']\n",
            "line 3 .*'film_keyframe_0-1-12-300#10,20' does not end with a box; name a picture",
        ),
        (
            "Monkey:\n- name: A\n  same_as: ['film_keyframe_0-1#xywh=1,2,3,4']\n",
            "line 3 .*is not '<video>_keyframe_<H>-<M>-<S>-<ms>'; name a picture",
        ),
        (
            f"Monkey:\n- name: A\n  same_as: [{PICTURE}]\n  not_same_as: [{PICTURE}]\n",
            "line 4 .*is in same_as and not_same_as of A: delete one",
        ),
    ],
)
def test_a_bad_file_is_named_with_the_line_and_the_remedy(tmp_path, text, fault):
    with pytest.raises(CharactersError, match=rf"who\.yaml.*{fault}"):
        read(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CharactersError, match=r"none\.yaml"):
        read(str(tmp_path / "none.yaml"))


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    file = tmp_path / "Pip.yaml"
    file.write_text("Pip: [{name: Pip}]", encoding="utf-16")
    with pytest.raises(CharactersError, match=r"Pip.yaml is not UTF-8 text .*: save it as UTF-8"):
        read(str(file))
