"""transformers:MODEL with every family of image-text models that people name, in its own form."""

from __future__ import annotations

import cv2
import pytest
import torch

from pipeline.inference.backends.transformers_model import TransformersModel, load
from pipeline.inference.protocol import Answer, Picture, Request
from pipeline.testing.films import scene
from schemas.answers import CaptionAnswer
from tests import families

SYSTEM = "You describe pictures."


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    sizes = [(56, 84), (84, 56), (112, 168)]
    paths = [str(folder / f"{number}.jpg") for number in range(len(sizes))]
    for number, (path, (height, width)) in enumerate(zip(paths, sizes, strict=True)):
        cv2.imwrite(path, scene(number, height, width))
    return paths


@pytest.fixture(scope="module", params=families.FAMILIES)
def model(request, tmp_path_factory) -> TransformersModel:
    folder = families.make(request.param, tmp_path_factory.mktemp("model"))
    return load(folder, max_tokens=6, batch=4, pictures=True)


def ask(prompt: str, *images: str, **more: str) -> Request:
    shown = tuple(
        Picture(path, "", f"Picture {number}:" if len(images) > 1 else "")
        for number, path in enumerate(images, 1)
    )
    return Request(prompt, "caption", prompt, {}, CaptionAnswer, shown, system=SYSTEM, **more)


def spoken(model: TransformersModel, request: Request) -> str:
    """The question as the network reads it."""
    inputs = model._network_inputs([model._input(request)])
    return model._tokenizer.decode(inputs["input_ids"][0])


@pytest.mark.slow
def test_a_batch_answers_as_each_alone(model, pictures):
    first, second, third = pictures
    asked = [
        ask("What is it?", first),
        ask("Who is there, and what do they do in this place?", second),
        ask("Who?", third),
        ask("What is it?"),
        ask("Are these the same?", first, second),
        ask("Which of these is the larger one?", third, first),
        ask("What is it?", first, said="A cat.", correction="That is no cat."),
    ]
    model._network.float()  # bfloat16 rounds a batch otherwise than its parts
    together = model.answer(asked)
    assert all(isinstance(answer, Answer) for answer in together), together
    assert together == [model.answer([request])[0] for request in asked]


@pytest.mark.slow
def test_a_model_in_bfloat16_answers(model, pictures):
    model._network.to(torch.bfloat16)
    (answer,) = model.answer([ask("What is it?", pictures[0])])
    assert isinstance(answer, Answer) and answer.output_tokens >= 1


@pytest.mark.slow
def test_all_that_is_asked_is_read_once_and_in_order(model, pictures):
    said = spoken(
        model,
        ask("Question?", *pictures[:2], said="First answer.", correction="Put it right."),
    )
    parts = [SYSTEM, "Picture 1:", "Picture 2:", "Question?", "First answer.", "Put it right."]
    assert all(said.count(part) == 1 for part in parts), said
    places = [said.index(part) for part in parts]
    assert places[1:] == sorted(places[1:]), said


@pytest.mark.slow
def test_pictures_are_looked_at(model, pictures):
    model._network.float()
    answers = {model.answer([ask("What is it?", path)])[0].text for path in pictures}
    assert len(answers) > 1
