import dataclasses
import json
import pickle
import shutil
import threading
import time

import cv2
import pytest
import torch
from PIL import Image
from pydantic import BaseModel
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    CLIPConfig,
    T5Config,
)

from pipeline.inference.backends.transformers_model import load
from pipeline.inference.protocol import Answer, Picture, Request, Unanswered
from pipeline.testing.films import scene
from tests.tiny_models import PATCH, make_language_model, make_vision_model

PROMPTS = ["Where is the red ball?", "Who?", "Pip runs home. " * 9, "What does the cat see?", "Oh"]


class Said(BaseModel):
    text: str


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    return make_language_model(tmp_path_factory.mktemp("writer"))


@pytest.fixture(scope="module")
def captioner(tmp_path_factory):
    return make_vision_model(tmp_path_factory.mktemp("captioner"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three pictures of 2 x 3, 4 x 6 and 8 x 12 squares."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [str(folder / f"{squares}.jpg") for squares in (2, 4, 8)]
    for path, squares in zip(paths, (2, 4, 8), strict=True):
        cv2.imwrite(path, scene(squares, squares * PATCH, squares * PATCH * 3 // 2))
    return paths


def ask(prompt: str, *images: str) -> Request:
    return Request(prompt, "caption", prompt, {}, Said, tuple(Picture(path, "") for path in images))


def by_hand(folder: str, prompt: str, most: int) -> tuple[list[int], list[int]]:
    """The tokens of the question and of the greedy answer, with nothing but transformers."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    read = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt"
    )
    written = AutoModelForCausalLM.from_pretrained(folder).generate(
        **read, do_sample=False, max_new_tokens=most, pad_token_id=0
    )
    length = read["input_ids"].shape[1]
    return read["input_ids"][0].tolist(), written[0, length:].tolist()


def test_an_answer_is_what_the_model_says_to_the_question_in_its_chat_template(tmp_path):
    folder = make_language_model(tmp_path, says='{"text": "The cat sees a bird."}')
    (answer,) = load(folder).answer([ask("What does the cat see?")])
    read, _ = by_hand(folder, ask("What does the cat see?").prompt, 1)
    assert answer == Answer('{"text": "The cat sees a bird."}', folder, len(read), 2)
    assert Said.model_validate_json(answer.text).text == "The cat sees a bird."


def test_a_batch_says_what_the_model_says_to_each_alone_in_the_order_of_the_requests(writer):
    answers = load(writer, max_tokens=12, batch=3).answer([ask(prompt) for prompt in PROMPTS])
    decode = AutoTokenizer.from_pretrained(writer).decode
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        read, written = by_hand(writer, ask(prompt).prompt, 12)
        assert answer == Answer(
            decode(written, skip_special_tokens=True).strip(), writer, len(read), 12, cut="length"
        )
    assert len({answer.text for answer in answers}) == 5


def test_an_answer_ends_with_the_first_token_that_ends_it(tmp_path):
    folder = make_language_model(tmp_path)
    asked = [ask(prompt) for prompt in PROMPTS]
    _, free = by_hand(folder, asked[0].prompt, 12)
    end = next(token for token in free[3:] if token not in free[:3])
    taken = free.index(end) + 1
    make_language_model(tmp_path, ends=end)  # the same model, for which this token ends an answer
    answers = load(folder, max_tokens=12).answer(asked)
    assert answers[0].output_tokens == taken
    assert (
        answers[0].text
        == AutoTokenizer.from_pretrained(folder)
        .decode(free[: taken - 1], skip_special_tokens=True)
        .strip()
    )
    assert max(answer.output_tokens for answer in answers) == 12  # the others went on


def test_a_loop_is_cut_and_may_not_come_when_the_same_is_asked_again(tmp_path):
    model = load(make_language_model(tmp_path, says="round we go ", loops=True), max_tokens=1000)
    asked = [ask("Who?"), ask("Where is the red ball?")]
    looped = model.answer(asked)
    assert [answer.cut for answer in looped] == ["loop", "loop"]
    assert {answer.output_tokens for answer in looped} == {64}  # where it is searched for first
    assert "round we go around we go around we go" in looped[0].text
    again = model.answer([dataclasses.replace(request, again="loop") for request in asked])
    assert not any(answer.cut == "loop" for answer in again)
    assert again[0].text != looped[0].text


def test_decoding_is_greedy_whatever_the_checkpoint_asks_for(tmp_path, writer):
    shutil.copytree(writer, tmp_path, dirs_exist_ok=True)
    settings = tmp_path / "generation_config.json"
    settings.write_text(
        json.dumps(
            {
                **json.loads(settings.read_text()),
                "do_sample": True,
                "temperature": 9.0,
                "top_k": 300,
                "repetition_penalty": 9.0,
                "max_length": 3,
            }
        )
    )
    texts = [
        [
            answer.text
            for answer in load(str(folder), max_tokens=12).answer(
                [ask(prompt) for prompt in PROMPTS]
            )
        ]
        for folder in (tmp_path, writer)
    ]
    assert texts[0] == texts[1]


def test_without_a_chat_template_the_prompt_goes_in_as_it_is(tmp_path):
    folder = make_language_model(tmp_path, chat=False)
    (answer,) = load(folder, max_tokens=3).answer([ask("Who?")])
    plain = AutoTokenizer.from_pretrained(folder)(ask("Who?").prompt).input_ids
    assert (answer.input_tokens, answer.output_tokens) == (len(plain), 3)


def test_pictures_and_words_mix_in_any_order(captioner, pictures):
    small, middle, large = pictures
    asked = [
        ask("What is it?", large),
        ask("Who?"),
        ask("What is it?", small),
        ask("Are these the same?", small, middle),
        ask("What is it?"),
        ask("Who?", middle),
        ask("Are these the same?", middle, small),
    ]
    model = load(captioner, max_tokens=12, batch=4)
    together = model.answer(asked)
    assert together == [model.answer([request])[0] for request in asked]
    assert len({answer.text for answer in together}) == 7  # it looks at them, and at their order


def test_a_picture_costs_a_token_a_square(captioner, pictures):
    words, small, both = load(captioner, max_tokens=1).answer(
        [ask("Who?"), ask("Who?", pictures[0]), ask("Who?", pictures[0], pictures[1])]
    )
    ends = 2  # of a picture
    assert small.input_tokens - words.input_tokens == 2 * 3 + ends
    assert both.input_tokens - words.input_tokens == 2 * 3 + 4 * 6 + 2 * ends


def test_pictures_are_scaled_down_to_the_longest_side_and_never_up(captioner, pictures):
    words, small, large = load(captioner, max_tokens=1, longest_side=6 * PATCH).answer(
        [ask("Who?"), ask("Who?", pictures[0]), ask("Who?", pictures[2])]
    )
    assert small.input_tokens - words.input_tokens == 2 * 3 + 2
    assert large.input_tokens - words.input_tokens == 4 * 6 + 2


def test_a_picture_reaches_the_model_in_its_own_colours(captioner, pictures):
    processor = AutoProcessor.from_pretrained(captioner)
    asked = ask("What is it?", pictures[1])
    read = processor.apply_chat_template(
        [
            {
                "role": "user",
                "content": [
                    {"type": "image", "image": Image.open(pictures[1])},
                    {"type": "text", "text": asked.prompt},
                ],
            }
        ],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    )
    written = AutoModelForImageTextToText.from_pretrained(captioner).generate(
        **read, do_sample=False, max_new_tokens=12, pad_token_id=0
    )
    (answer,) = load(captioner, max_tokens=12).answer([asked])
    assert (
        answer.text
        == processor.decode(
            written[0, read["input_ids"].shape[1] :], skip_special_tokens=True
        ).strip()
    )


def test_without_a_chat_template_pictures_come_before_the_words(tmp_path, pictures):
    folder = make_vision_model(tmp_path, chat=False)
    words, small = load(folder, max_tokens=4).answer([ask("Who?"), ask("Who?", pictures[0])])
    assert small.input_tokens - words.input_tokens == 2 * 3
    assert small.text != words.text


def test_what_a_film_says_is_never_a_special_token(captioner, pictures):
    said = "<|im_end|><|image_pad|><|vision_start|>"
    asked = [ask(f"It says {said}", pictures[0]), ask(f"It says {said}")]
    spelt = said.replace("<", "< ")
    alike = [ask(f"It says {spelt}", pictures[0]), ask(f"It says {spelt}")]
    model = load(captioner, max_tokens=4)
    assert model.answer(asked) == model.answer(alike)


def test_a_picture_that_cannot_be_read_costs_its_own_question_only(captioner, pictures, tmp_path):
    (tmp_path / "words.jpg").write_text("no picture")
    model = load(captioner, max_tokens=4)
    good, broken, missing = model.answer(
        [
            ask("Who?", pictures[0]),
            ask("Who?", str(tmp_path / "words.jpg")),
            ask("Who?", str(tmp_path / "none.jpg")),
        ]
    )
    assert [good] == model.answer([ask("Who?", pictures[0])])
    assert isinstance(broken, Unanswered) and "words.jpg is not an image" in str(broken)
    assert isinstance(missing, Unanswered) and "none.jpg" in str(missing)


def test_a_picture_the_processor_does_not_take_costs_its_own_question_only(
    captioner, pictures, tmp_path
):
    narrow = str(tmp_path / "narrow.png")
    cv2.imwrite(narrow, scene(1, 700, 40)[:, :1])
    model = load(captioner, max_tokens=4)
    good, refused, other = model.answer(
        [ask("Who?", pictures[0]), ask("Who?", narrow), ask("Who?", pictures[1])]
    )
    assert [good, other] == model.answer([ask("Who?", pictures[0]), ask("Who?", pictures[1])])
    assert isinstance(refused, Unanswered) and "aspect ratio" in str(refused)


def test_a_model_that_can_think_answers_without(tmp_path):
    folder = make_language_model(tmp_path)
    before = load(folder, max_tokens=1).answer([ask("Who?")])[0].input_tokens
    template = tmp_path / "chat_template.jinja"
    template.write_text(
        template.read_text() + "{% if enable_thinking is not false %}<think>{% else %}!{% endif %}"
    )
    assert load(folder, max_tokens=1).answer([ask("Who?")])[0].input_tokens == before + 1


def test_a_language_model_says_that_it_reads_no_pictures(writer, pictures):
    with pytest.raises(ValueError, match="cannot read pictures; as captioner choose"):
        load(writer).answer([ask("Who?"), ask("Who?", pictures[0])])
    with pytest.raises(ValueError, match="cannot read pictures; as captioner choose"):
        load(writer, pictures=True)  # told beforehand, before its weights are loaded


def test_a_prompt_longer_than_the_context_is_unanswered_and_the_others_are_not(tmp_path):
    asked = [ask("Who?"), ask("Pip runs home. " * 99), ask("Where?")]
    folder = make_language_model(tmp_path, context=400)
    first, long, third = load(folder, max_tokens=5).answer(asked)
    read, _ = by_hand(folder, asked[1].prompt, 1)
    assert isinstance(long, Unanswered)
    assert f"the prompt is {len(read)} tokens long" in str(long) and "reads 400" in str(long)
    assert [first, third] == load(folder, max_tokens=5).answer([asked[0], asked[2]])
    assert first.output_tokens == third.output_tokens == 5


def test_an_answer_has_the_room_its_own_prompt_leaves_whatever_else_is_in_the_batch(tmp_path):
    asked = [ask("Who?"), ask("Who are they?"), ask("Pip runs home. " * 5)]
    lengths = [
        answer.input_tokens
        for answer in load(make_language_model(tmp_path), max_tokens=1).answer(asked)
    ]
    context = max(lengths) + 5
    folder = make_language_model(tmp_path, context=context)
    model = load(folder, max_tokens=20)
    answers = model.answer(asked)
    assert (
        [answer.output_tokens for answer in answers]
        == [min(20, context - length) for length in lengths]
        == [20, 20, 5]
    )
    assert answers == [model.answer([request])[0] for request in asked]


def test_where_the_gpu_has_too_little_memory_batches_get_smaller(writer, monkeypatch):
    whole = load(writer, max_tokens=4).answer([ask(prompt) for prompt in PROMPTS])
    model = load(writer, max_tokens=4, batch=5)
    generate, sizes = model._network.generate, []

    def cramped(**inputs):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(**inputs)

    monkeypatch.setattr(model._network, "generate", cramped)
    assert model.answer([ask(prompt) for prompt in PROMPTS]) == whole
    assert sizes == [5, 3, 2, 1, 2]
    sizes.clear()
    model.answer([ask(prompt) for prompt in PROMPTS])
    assert sizes == [2, 2, 1]  # it has learnt


def test_a_question_for_which_the_gpu_has_no_memory_even_alone_is_unanswered(writer, monkeypatch):
    model = load(writer, max_tokens=4)

    def full(**inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model._network, "generate", full)
    answers = model.answer([ask("Who?"), ask("Where?")])
    assert [type(answer) for answer in answers] == [Unanswered, Unanswered]
    assert "too little memory" in str(answers[0])


def test_several_threads_may_ask_and_wait_for_each_other(writer, monkeypatch):
    model = load(writer, max_tokens=6)
    asked = [[ask(f"{prompt} {n}") for prompt in PROMPTS[:2]] for n in range(4)]
    one_by_one = list(map(model.answer, asked))
    written = {
        said.prompt: answer
        for questions, answers in zip(asked, one_by_one, strict=True)
        for said, answer in zip(questions, answers, strict=True)
    }
    inside, most, answers = [], [], {}

    def generate(questions):  # in place of the network's arithmetic
        inside.append(questions)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return [written[asked.prompt] for asked, _ in questions]

    monkeypatch.setattr(model, "_generate", generate)
    threads = [
        threading.Thread(
            target=lambda n=n: answers.update({n: model.answer(asked[n])}), daemon=True
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [answers.get(n) for n in range(4)] == one_by_one
    assert most == [1] * 4


def test_questions_and_answers_travel_between_processes(writer):
    asked = pickle.loads(pickle.dumps([ask("Who?"), ask("Pip runs home. " * 999)]))
    answers = load(writer, max_tokens=4).answer(asked)
    again = pickle.loads(pickle.dumps(answers))
    assert again[0] == answers[0]
    assert isinstance(again[1], Unanswered) and str(again[1]) == str(answers[1])


def test_no_question_no_answer(writer):
    assert load(writer).answer([]) == []


@pytest.mark.parametrize(
    "stored, loaded", [("bfloat16", "bfloat16"), ("float16", "float32"), ("float32", "float32")]
)
def test_on_the_cpu_half_floats_become_floats(tmp_path, writer, stored, loaded):
    AutoModelForCausalLM.from_pretrained(writer, dtype=stored).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(writer).save_pretrained(tmp_path)
    model = load(str(tmp_path), max_tokens=2)
    expected = "bfloat16" if torch.cuda.is_available() else loaded
    assert str(model._network.dtype) == f"torch.{expected}"
    assert model.answer([ask("Who?")])[0].output_tokens == 2


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none: there is no such folder; use a folder"):
        load(str(tmp_path / "none"))


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"the folder has no config\.json; use a folder"):
        load(str(tmp_path))


def test_weights_that_can_run_code_are_not_read(tmp_path, writer):
    shutil.copytree(writer, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="no weights in safetensors, the only format"):
        load(str(tmp_path))


def test_weights_that_came_down_in_part_are_named(tmp_path, writer):
    shutil.copytree(writer, tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged, or came down only in part"):
        load(str(tmp_path))


def test_weights_of_which_some_are_missing_are_refused_and_not_random(tmp_path, writer):
    shutil.copytree(writer, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    missing = next(name for name in sorted(weights) if "mlp" in name)
    save_file(
        {name: weight for name, weight in weights.items() if name != missing},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ValueError, match=f"its files lack 1 weights, such as {missing}"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    "name, reason",
    [("tokenizer.json", "tokenizer"), ("processor_config.json", "preprocessor_config.json")],
)
def test_what_else_is_missing_is_named(tmp_path, captioner, name, reason):
    shutil.copytree(captioner, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=reason) as caught:
        load(str(tmp_path))
    assert str(caught.value).startswith(f"transformers:{tmp_path}: ")


@pytest.mark.parametrize("config", [T5Config(), CLIPConfig()])
def test_a_model_that_cannot_answer_is_refused(tmp_path, config):
    config.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ValueError, match=f"type '{config.model_type}' neither reads pictures"):
        load(str(tmp_path))


def test_code_that_comes_with_a_model_is_not_run(tmp_path, writer):
    shutil.copytree(writer, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "stranger", "auto_map": {"AutoConfig": "code.Config"}})
    )
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ValueError, match="trust_remote_code"):
        load(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_an_id_that_cannot_be_had_names_the_remedy(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"cannot be reached; download it once .*hf download a/b"):
        load("a/b")
