"""Tokenizers in the layout in which SEED-Story's is released: sentencepiece's model alone."""

import io
import json

import pytest
import sentencepiece
from transformers import AutoTokenizer

from model import tokens
from model.config import ConfigError
from model.seed_story import importing

TALE = [
    "Momo said hello to Pip.",
    "Soon, Pip went to the beach.",
    '"Look!" said Rosa. It was late.',
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as transformers 4.34 saved it, with the tokens for pictures of 2 positions."""
    folder, model = tmp_path_factory.mktemp("tokenizer"), io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*TALE * 20, "[INST] [/INST]"] * 2),
        model_writer=model,
        model_type="bpe",
        vocab_size=360,
        byte_fallback=True,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(names))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**names, "tokenizer_class": "LlamaTokenizer", "add_bos_token": True})
    )
    added = ["<img>", "</img>", "<img_00000>", "<img_00001>"]
    (folder / "added_tokens.json").write_text(
        json.dumps({name: 360 + number for number, name in enumerate(added)})
    )
    return folder


def test_texts_have_the_tokens_that_sentencepiece_gives_them(folder, tmp_path):
    sp = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    imported = importing._tokenizer(folder)
    tokens.with_pictures(imported, 2)
    imported.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)  # as a run loads it
    vocabulary = tokens.with_pictures(tokenizer, 2, joined=True)

    assert (vocabulary.bos, vocabulary.eos, len(tokenizer)) == (sp.bos_id(), sp.eos_id(), 364)
    assert (vocabulary.boi, vocabulary.eoi, vocabulary.image) == (360, 361, [362, 363])
    assert vocabulary.turn == sp.encode("[INST]")
    found = tokens.encoded(tokenizer, vocabulary, TALE)
    assert found[0] == sp.encode(TALE[0])
    assert [*vocabulary.turn, *found[1]] == sp.encode("[INST]" + TALE[1]) != sp.encode(TALE[1])
    # Between tokens for pictures, each part begins as a text does
    whole = f"{TALE[0]}<img><img_00000><img_00001></img>[INST]{TALE[1]}<img>"
    assert tokenizer.encode(whole, add_special_tokens=False) == [
        *found[0],
        *(vocabulary.boi, *vocabulary.image, vocabulary.eoi),
        *(*vocabulary.turn, *found[1]),
        vocabulary.boi,
    ]
    assert tokenizer.decode(found[1]).strip() == TALE[1]


def test_texts_that_are_not_joined_are_tokenised_alone(folder):
    tokenizer = importing._tokenizer(folder)
    vocabulary = tokens.with_pictures(tokenizer, 2)
    alone = [tokenizer.encode(text, add_special_tokens=False) for text in TALE]
    assert tokens.encoded(tokenizer, vocabulary, TALE) == alone


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=f"--tokenizer: {tmp_path} cannot be loaded"):
        importing._tokenizer(tmp_path)
