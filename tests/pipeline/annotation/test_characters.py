"""A series' characters: drafted by the writer, edited by people, given in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.annotation.characters import check_edited, check_file, draft, given, save
from pipeline.cast import characters_file
from pipeline.cast.characters_file import CharactersError
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
    file = Path(characters_file.path(out, "Monkey"))
    assert file.name == "Monkey.yaml" and "a small brown monkey" in file.read_text()
    file.write_text(file.read_text().replace("curious", "always hungry"))
    (george,) = given("Monkey", config, out)
    assert (george.name, george.role, george.source) == ("George", "always hungry", "given")


def test_who_is_to_be_ignored_is_no_character_of_stories(tmp_path):
    own = tmp_path / "who.yaml"
    own.write_text("Monkey:\n- name: George\n- name: lamp\n  ignore: true\n")
    (george,) = given("Monkey", load("", [f"characters={own}"]), str(tmp_path))
    assert george.name == "George"


def test_names_may_be_given_by_language(tmp_path):
    own = tmp_path / "who.yaml"
    own.write_text("Films:\n- name: Tilda\n  names: {ru: [Тильда, Тильду], ja: ティルダ}\n")
    (tilda,) = given("Films", load("", [f"characters={own}"]), str(tmp_path)) or []
    assert tilda.names == ["Тильда", "Тильду", "ティルダ"]


def test_names_that_were_drafted_stay_in_the_file(tmp_path):
    drafted_tilda = Character("Films", "Tilda", "a hedgehog", "", [], "openai:any", ["Тильда"])
    save(str(tmp_path), "Films", [drafted_tilda])
    file = Path(characters_file.path(str(tmp_path), "Films"))
    file.write_text(file.read_text().replace("a hedgehog", "a small hedgehog"))
    (tilda,) = given("Films", load(), str(tmp_path)) or []
    assert tilda.names == ["Тильда"]


def test_a_refusal_in_place_of_a_character_is_named_with_its_file(tmp_path):
    file = tmp_path / "who.yaml"
    file.write_text("Films:\n- name: Tilda\n  role: I cannot assist with this request.\n")
    with pytest.raises(CharactersError, match=r"who\.yaml, Films: Tilda: "):
        check_file(str(file))


def test_edited_files_are_checked_before_the_run_and_drafts_are_not(tmp_path):
    save(str(tmp_path), "Monkey", [GEORGE])
    check_edited(str(tmp_path))
    (tmp_path / "characters/Pip.yaml").write_text("Pip:\n- look: green\n")
    with pytest.raises(CharactersError, match=r"Pip\.yaml, line 2 .*name: Field required"):
        check_edited(str(tmp_path))
