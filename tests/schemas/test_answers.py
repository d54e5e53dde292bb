"""Schemas of answers: what every server takes."""

from __future__ import annotations

import json

import pytest

from benchmarks.judge.questions import CRITERIA, answer_model
from schemas.answers import (
    CaptionAnswer,
    CharactersAnswer,
    NarrativeAnswer,
    json_schema,
    narrative_schema,
)

SCHEMAS = {
    "caption": json_schema(CaptionAnswer),
    "characters": json_schema(CharactersAnswer),
    "narrate": narrative_schema(range(10, 20)),
    "link": narrative_schema(range(30)),
    "score": json_schema(answer_model("score", tuple(CRITERIA))),
    "compare": json_schema(answer_model("compare", tuple(CRITERIA))),
}
CAPTION = {
    "characters": ["Pip"],
    "place": "",
    "action": "",
    "mood": "",
    "objects": [],
    "camera": "",
    "sentence": "Pip waves.",
}
MARK = {
    name: {"reason": "It does.", "score": 10}
    for name in answer_model("score", tuple(CRITERIA)).model_fields
}
GOOD = {
    "caption": CAPTION,
    "characters": {
        "characters": [
            {"name": "Pip", "look": "", "role": "", "called": ["a fox"], "names": ["Pipa"]}
        ]
    },
    "narrate": {"sentences": {f"picture_{n}": "Pip ran." for n in range(10, 20)}},
    "link": {"sentences": {f"picture_{n}": "Pip ran." for n in range(30)}},
    "score": MARK,
}
TEXTS = GOOD["narrate"]["sentences"]
BAD = [
    ("caption", {**CAPTION, "sentence": ""}),
    ("caption", {name: CAPTION[name] for name in ("characters", "sentence")}),
    ("caption", {**CAPTION, "more": ""}),
    ("caption", {**CAPTION, "objects": ["a lamp"] * 13}),
    ("narrate", {"sentences": {}}),
    ("narrate", {"sentences": dict(list(TEXTS.items())[:9])}),
    ("narrate", {"sentences": {**TEXTS, "picture_20": "Pip ran."}}),
    ("narrate", {"sentences": {**TEXTS, "picture_12": ""}}),
    ("score", {name: {**mark, "score": 11} for name, mark in MARK.items()}),
]
# OpenAI's "Structured outputs: supported schemas" (February 2026) and what Gemini's
# "Structured output: JSON Schema support" and Schema type name;
# llama.cpp's converter knows them too.
KEYWORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "description", "enum"),
    *("minItems", "maxItems", "minimum", "maximum", "minLength"),
}


def parts(schema: dict):
    """A schema and all schemas within it."""
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from parts(inner)
    if "items" in schema:
        yield from parts(schema["items"])


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_of_the_subset_that_openai_and_gemini_take(name):
    found = list(parts(SCHEMAS[name]))
    assert SCHEMAS[name]["type"] == "object"
    for part in found:
        assert set(part) <= KEYWORDS and isinstance(part["type"], str)
        if part["type"] == "object":
            assert part["required"] == list(part["properties"]) != []
            assert part["additionalProperties"] is False
            # Names of Gemini's properties, as of the parameters of functions.
            assert all(key.isidentifier() and len(key) <= 64 for key in part["properties"])
    assert len(found) <= 5000 and len(json.dumps(SCHEMAS[name])) <= 15_000


def test_a_window_has_an_entry_for_each_of_its_pictures_and_no_other():
    (texts,) = narrative_schema([10, 11])["properties"].values()
    assert texts == {
        "type": "object",
        "properties": {
            "picture_10": {"type": "string", "minLength": 1},
            "picture_11": {"type": "string", "minLength": 1},
        },
        "required": ["picture_10", "picture_11"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "sentences",
    [
        {"picture_3": "Pip ran.", "picture_4": "Pip fell."},
        {"3": "Pip ran.", "4": "Pip fell."},
        {"Picture 3:": "Pip ran.", "Picture 4:": "Pip fell."},
        [{"frame": 3, "text": "Pip ran."}, {"frame": 4, "text": "Pip fell."}],
    ],
)
def test_texts_are_read_by_picture_and_as_a_list(sentences):
    told = NarrativeAnswer.model_validate({"sentences": sentences})
    assert [(each.frame, each.text) for each in told.sentences] == [
        (3, "Pip ran."),
        (4, "Pip fell."),
    ]


@pytest.fixture(scope="module")
def xgrammar_takes():
    xgrammar = pytest.importorskip("xgrammar")
    letters = [chr(code) for code in range(32, 127)]
    tokenizer = xgrammar.TokenizerInfo([*letters, "<end>"], stop_token_ids=[len(letters)])
    compiler = xgrammar.GrammarCompiler(tokenizer)

    def takes(schema: dict, text: str) -> bool:
        grammar = compiler.compile_json_schema(json.dumps(schema), any_whitespace=True)
        matcher = xgrammar.GrammarMatcher(grammar)
        return matcher.accept_string(text) and matcher.accept_token(len(letters))

    return takes


@pytest.fixture(scope="module")
def llguidance_takes():
    llguidance = pytest.importorskip("llguidance")
    tokenizer = llguidance.LLTokenizer("byte")

    def takes(schema: dict, text: str) -> bool:
        grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema))
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        assert not matcher.is_error(), matcher.get_error()
        return matcher.consume_tokens(list(text.encode())) and matcher.is_accepting()

    return takes


@pytest.mark.parametrize("engine", ["xgrammar_takes", "llguidance_takes"])
@pytest.mark.parametrize("name", GOOD)
def test_grammars_take_a_good_answer(engine, name, request):
    takes = request.getfixturevalue(engine)
    assert takes(SCHEMAS[name], json.dumps(GOOD[name]))


@pytest.mark.parametrize("engine", ["xgrammar_takes", "llguidance_takes"])
@pytest.mark.parametrize("name, answer", BAD)
def test_grammars_do_not_take_what_is_short_empty_or_more(engine, name, answer, request):
    takes = request.getfixturevalue(engine)
    assert not takes(SCHEMAS[name], json.dumps(answer))
