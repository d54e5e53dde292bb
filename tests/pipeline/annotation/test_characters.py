"""A series' characters: drafted by the writer, edited by people, given in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.annotation import characters
from pipeline.annotation.characters import CharactersError, check_file, draft, edited, given, save
from pipeline.config import load
from schemas.rows import Caption, Character
from tests.pipeline import rows
from tests.pipeline.scripted import Scripted, in_turn, with_client

GEORGE = Character(
    "Monkey", "George", "a small brown monkey", "curious", ["a brown monkey"], "writer"
)
GOOD = json.dumps(
    {
        "characters": [
            {
                "name": "George",
                "look": "a small brown monkey",
                "role": "curious",
                "called": ["a brown monkey"],
            }
        ]
    }
)


def drafted(backend, *settings):
    keyframes = [
        rows.keyframe("a", float(at), dialogue=["Pip: Look, George!"] if at < 2 else [])
        for at in range(4)
    ]
    captions = [
        Caption(
            keyframe.id,
            "a",
            ["a brown monkey"],
            "",
            "",
            "",
            [],
            "",
            f"A brown monkey is at {at}.",
            "eyes",
        )
        for at, keyframe in enumerate(keyframes)
    ]
    return with_client(
        backend,
        lambda client: draft(
            "Monkey",
            keyframes,
            captions,
            ["One"],
            client,
            load("", ["writer=openai:pen", *settings]),
        ),
    )


def test_a_writer_drafts_who_is_who_from_captions_and_dialogue():
    backend = Scripted(in_turn(GOOD))
    (george,), _ = drafted(backend)
    assert george == Character(
        "Monkey", "George", "a small brown monkey", "curious", ["a brown monkey"], "scripted"
    )
    prompt = backend.asked[0].prompt
    assert 'Who speaks, and how often: {"Pip": 2}' in prompt
    assert 'Descriptions, and how often: {"a brown monkey": 4}' in prompt
    assert '"Pip: Look, George!"' in prompt and '"A brown monkey is at 3."' in prompt


def test_without_a_usable_answer_those_who_speak_by_name_are_known():
    found, outcome = drafted(Scripted(in_turn("junk", "junk")))
    assert found == [Character("Monkey", "Pip", "", "", [], "subtitles")]
    assert "Invalid JSON" in outcome.fault


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ([{"name": "Pip"}, {"name": "pip "}], "'pip' is there twice"),
        ([{"name": " "}], "a name is blank"),
        ([{"name": f"P{at}"} for at in range(21)], "there are 21 characters; name the 20"),
        ([{"name": "Pip"}, {"name": "Balthazar"}], "the name 'Balthazar' is made up"),
    ],
)
def test_a_draft_that_is_no_list_of_characters_is_asked_for_again(answer, fault):
    backend = Scripted(in_turn(json.dumps({"characters": answer}), GOOD))
    drafted(backend)
    assert fault in backend.asked[1].facts["retry"]


def test_a_draft_lies_in_the_dataset_to_be_edited(tmp_path):
    out, config = str(tmp_path), load()
    assert given("Monkey", config, out) is None
    save(out, "Monkey", [GEORGE])
    assert given("Monkey", config, out) is None  # nobody has touched it: drafted anew when need be
    file = Path(characters.path(out, "Monkey"))
    assert file.name == "Monkey.yaml" and "a small brown monkey" in file.read_text()
    file.write_text(file.read_text().replace("curious", "always hungry"))
    (george,) = edited("Monkey", out)
    assert (george.name, george.role, george.source) == ("George", "always hungry", "given")


def test_a_file_of_the_users_goes_first(tmp_path):
    own = tmp_path / "who.yaml"
    own.write_text("Monkey:\n- name: Fritz\n  called: [an ape]\nOther: []\n")
    config = load("", [f"characters={own}"])
    assert [character.name for character in given("Monkey", config, str(tmp_path))] == ["Fritz"]
    assert given("Other", config, str(tmp_path)) == []
    assert given("Third", config, str(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a list", "must hold series, each with a list of characters"),
        ("a: [", "is not YAML"),
        ("Monkey:\n- look: brown\n", "Monkey, 0.name: Field required; an entry has a name"),
        ("Monkey:\n- name: A\n- name: a\n", "'a' is there twice"),
    ],
)
def test_a_bad_file_is_named_with_the_remedy(tmp_path, text, fault):
    file = tmp_path / "who.yaml"
    file.write_text(text)
    with pytest.raises(CharactersError, match=f"who.yaml.*{fault}"):
        check_file(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CharactersError, match=r"none\.yaml"):
        check_file(str(tmp_path / "none.yaml"))


def test_a_file_that_is_not_utf_8_is_named_before_the_run(tmp_path):
    file = tmp_path / "characters/Pip.yaml"
    file.parent.mkdir()
    file.write_text("Pip: [{name: Pip}]", encoding="utf-16")
    with pytest.raises(ValueError, match=r"Pip.yaml is not UTF-8 text .*: save it as UTF-8"):
        check_file(str(file))
    with pytest.raises(ValueError, match=r"Pip.yaml is not UTF-8 text"):
        characters.check_edited(str(tmp_path))


def test_names_may_be_given_by_language(tmp_path):
    own = tmp_path / "who.yaml"
    own.write_text("Films:\n- name: Tilda\n  names: {ru: [Тильда, Тильду], ja: ティルダ}\n")
    (tilda,) = given("Films", load("", [f"characters={own}"]), str(tmp_path)) or []
    assert tilda.names == ["Тильда", "Тильду", "ティルダ"]


def test_names_that_were_drafted_stay_in_the_file(tmp_path):
    drafted_tilda = Character("Films", "Tilda", "a hedgehog", "", [], "openai:any", ["Тильда"])
    save(str(tmp_path), "Films", [drafted_tilda])
    file = Path(characters.path(str(tmp_path), "Films"))
    file.write_text(file.read_text().replace("a hedgehog", "a small hedgehog"))
    (tilda,) = edited("Films", str(tmp_path)) or []
    assert tilda.names == ["Тильда"]
