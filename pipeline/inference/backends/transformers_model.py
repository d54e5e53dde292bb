"""The backend for local Hugging Face transformers models, vision-language or text only.

"transformers:MODEL", where MODEL is a folder or an id on the Hub. The type of its config decides
what it is: an image-text-to-text model, which can caption and write, or a causal language model,
which can only write. Weights load from safetensors alone, and code that comes with a model is never
run.

Requests go through the network in batches: those with equally many pictures together, short ones
first, so that little is spent on padding. Decoding is greedy whatever the checkpoint's settings, so
an answer depends on its request alone, as far as the machine's arithmetic does not depend on the
size of a batch (in float32 that is very nearly so; in bfloat16 a near tie may go the other way).
An answer that runs into a loop is cut there; asked again, it may repeat no long run of tokens.

The model is on one GPU, in bfloat16, or on the CPU. One too large for that belongs on a server
(`openai_server`), as does one that must give thousands of long answers: a server does not wait for
the longest answer of a batch.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import jinja2
import torch
import transformers
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
)

from pipeline.inference import thoughts_and_loops
from pipeline.inference.protocol import Answer, Request, Unanswered
from pipeline.runtime import storage
from pipeline.runtime.images import ImageError, decode_bgr, thumbnail

# Explicitly False: None, the default, would ask at the terminal.
_SAFE: dict[str, Any] = {"trust_remote_code": False}
_REMEDY = (
    "use a folder that holds config.json, the tokenizer and *.safetensors, "
    "or a model's id on the Hugging Face Hub"
)
_NO_PICTURES = (
    "this is a language model, which cannot read pictures; as captioner choose one "
    "that can, such as transformers:Qwen/Qwen2.5-VL-3B-Instruct"
)

# Settings of a checkpoint that greedy decoding must not have. A penalty on repetition is among
# them: JSON repeats its quotes and keys, and padding would count as a repeat.
_NOT_GREEDY = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "num_beams",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "max_length",
)

_LOOP_STEP = 64  # tokens after which answers are searched for loops again
_LOOP_TOKENS = 2400  # that are searched; a loop is no longer in characters
_LONGEST_REPEAT = 24  # tokens, of the answer to what was answered with a loop before

_MARK = "Understood?"  # a message by which a chat template shows what it makes of others
_Input = tuple[Request, list[Image.Image]]  # with texts fit for the tokenizer, and its pictures
_Result = Answer | Unanswered

_log = logging.getLogger(__name__)


def load(
    model: str,
    *,
    longest_side: int = 768,
    max_tokens: int | None = None,
    batch: int = 8,
    pictures: bool = False,
) -> TransformersModel:
    """Loads a model, on the GPU if there is one.

    longest_side: of the pictures given to it, in pixels; max_tokens: of an answer, None for what
    each request needs; batch: requests that go through it at once; pictures: it must read pictures,
    which is checked before anything large is loaded. Raises ValueError, naming the remedy, for a
    model that is not available or cannot answer.
    """
    where = _location(model)
    transformers.logging.disable_progress_bar()  # a run draws its own
    try:
        config = AutoConfig.from_pretrained(where, **_SAFE)
        reads_pictures = _reads_pictures(config)
        if pictures and not reads_pictures:
            raise ValueError(_NO_PICTURES)
        processor = (AutoProcessor if reads_pictures else AutoTokenizer).from_pretrained(
            where, **_SAFE
        )
        if reads_pictures and not hasattr(processor, "image_processor"):
            raise ValueError(
                "its files lack preprocessor_config.json, which says how pictures are "
                "prepared for it"
            )
        network = _network(
            AutoModelForImageTextToText if reads_pictures else AutoModelForCausalLM, where
        )
    except torch.OutOfMemoryError:
        raise ValueError(
            f"transformers:{model}: it does not fit into the GPU's memory; choose a "
            "smaller model, or serve it over several GPUs and use openai:MODEL"
        ) from None
    except OSError as error:
        raise ValueError(_missing(model, error)) from error
    except SafetensorError as error:
        raise ValueError(
            f"transformers:{model}: its weights are damaged, or came down only in "
            f"part; download it again ({error})"
        ) from error
    except (ValueError, KeyError, ImportError) as error:  # of transformers
        reason = str(error).strip().split("\n\n")[0]
        raise ValueError(f"transformers:{model}: {reason}") from error
    return TransformersModel(
        model,
        network,
        processor,
        reads_pictures=reads_pictures,
        longest_side=longest_side,
        max_tokens=max_tokens,
        batch=batch,
    )


class TransformersModel:
    """A loaded model. Several threads may call it; they take turns."""

    def __init__(
        self,
        name: str,
        network: Any,
        processor: Any,
        *,
        reads_pictures: bool,
        longest_side: int,
        max_tokens: int | None,
        batch: int,
    ) -> None:
        self._name, self._network, self._processor = name, network, processor
        self._reads_pictures, self._longest_side = reads_pictures, longest_side
        self._max_tokens, self._batch = max_tokens, batch
        self._fits: dict[int, int] = {}  # pictures per request -> requests the GPU can hold
        self._tokenizer = processor.tokenizer if reads_pictures else processor
        self._end_tokens = _end_tokens(name, network, self._tokenizer)
        self._context = getattr(network.config.get_text_config(), "max_position_embeddings", None)
        self._special_tokens = _special_tokens(processor, self._tokenizer)
        # How the chat template takes messages: as a list of parts, as text, or "" for not at all.
        self._shapes = {role: self._shape(role) for role in ("system", "assistant")}
        self._lock = threading.Lock()  # neither the tokenizer nor the GPU's memory can be shared

        self._tokenizer.padding_side = "left"  # so that every prompt ends where its answer begins
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.convert_ids_to_tokens(min(self._end_tokens))
        if not processor.chat_template:
            _log.warning(
                "%s has no chat template, so it was hardly trained to answer questions; "
                "prompts are given to it as they are",
                name,
            )
        settings = network.generation_config
        for setting in _NOT_GREEDY:
            setattr(settings, setting, None)
        settings.do_sample = False
        settings.eos_token_id = sorted(self._end_tokens)
        settings.pad_token_id = self._tokenizer.pad_token_id

    def answer(self, requests: Sequence[Request]) -> list[Answer | Unanswered]:
        """Returns an answer per request, in their order, or the error for that request.

        Unanswered, as a value, is a request with a picture that cannot be read or that the model's
        processor refuses, one longer than the model's context, and one for which the GPU's memory
        is too small even alone. An answer of `max_tokens` tokens was cut there, and says so. Raises
        ValueError for pictures given to a language model.
        """
        if not self._reads_pictures and any(request.images for request in requests):
            raise ValueError(f"transformers:{self._name}: {_NO_PICTURES}")
        results: dict[int, _Result] = {}

        def kind(place: int) -> tuple[int, bool]:
            return len(requests[place].images), requests[place].again == "loop"

        order = sorted(
            range(len(requests)), key=lambda place: (kind(place), requests[place].length)
        )
        with self._lock:
            for (pictures, _), group in itertools.groupby(order, key=kind):
                waiting = list(group)
                while waiting:
                    size = self._fits.get(pictures, self._batch)
                    batch, waiting = waiting[:size], waiting[size:]
                    answers = self._answer_batch([requests[place] for place in batch])
                    results.update(zip(batch, answers, strict=True))
        return [results[place] for place in range(len(requests))]

    def _answer_batch(self, requests: Sequence[Request]) -> list[_Result]:
        inputs = [self._input(request) for request in requests]
        readable = [pair for pair in inputs if not isinstance(pair, Unanswered)]
        answers = iter(self._complete(readable))
        return [pair if isinstance(pair, Unanswered) else next(answers) for pair in inputs]

    def _input(self, request: Request) -> _Input | Unanswered:
        def spaced(text: str) -> str:
            return self._special_tokens.sub(lambda token: f"{token[0][0]} {token[0][1:]}", text)

        asked = dataclasses.replace(
            request,
            images=tuple(
                dataclasses.replace(image, label=spaced(image.label)) for image in request.images
            ),
            system=spaced(request.system),
            prompt=spaced(request.prompt),
            said=spaced(request.said),
            correction=spaced(request.correction),
        )
        try:
            return asked, [_picture(image.path, self._longest_side) for image in request.images]
        except (OSError, ImageError) as error:
            return Unanswered(str(error))

    def _complete(self, pairs: list[_Input]) -> list[_Result]:
        """Answers one batch, in halves if the GPU's memory is too small for the whole."""
        if not pairs:
            return []
        try:
            return self._generate(pairs)
        except torch.OutOfMemoryError:
            pass  # handled below, where the failed attempt's tensors are no longer held
        torch.cuda.empty_cache()
        if len(pairs) == 1:
            return [
                Unanswered(
                    f"the GPU has too little memory for {self._name} to answer this; "
                    "use smaller pictures or a smaller model"
                )
            ]
        half = (len(pairs) + 1) // 2
        self._fits[len(pairs[0][1])] = half
        _log.warning(
            "%s: not enough GPU memory for %d requests at once; continuing with %d",
            self._name,
            len(pairs),
            half,
        )
        return self._complete(pairs[:half]) + self._complete(pairs[half:])

    def _generate(self, pairs: list[_Input]) -> list[_Result]:
        try:
            inputs = self._network_inputs(pairs)
        except ValueError as error:  # such as a picture far too narrow
            if len(pairs) == 1:
                return [Unanswered(f"{self._name} does not accept this request: {error}")]
            return [answer for pair in pairs for answer in self._generate([pair])]
        lengths = [int(length) for length in inputs["attention_mask"].sum(dim=1)]
        most = [asked.most_tokens(self._max_tokens) for asked, _ in pairs]
        left = [(self._context or 2**62) - length for length in lengths]
        room = [min(limits) for limits in zip(most, left, strict=True)]
        if min(room) < 1:
            fit = [pair for pair, left in zip(pairs, room, strict=True) if left >= 1]
            answers = iter(self._generate(fit) if fit else [])
            return [
                next(answers)
                if left >= 1
                else Unanswered(
                    f"the prompt is {length} tokens long and {self._name} reads {self._context}, "
                    "with its answer; use smaller or fewer pictures, or a model with a longer "
                    "context"
                )
                for length, left in zip(lengths, room, strict=True)
            ]

        longest, start = min(max(room), min(left)), inputs["input_ids"].shape[1]
        loops = _Loops(self._tokenizer, self._end_tokens, start)
        written = self._network.generate(
            **inputs,
            max_new_tokens=longest,
            stopping_criteria=[loops],
            no_repeat_ngram_size=_LONGEST_REPEAT if pairs[0][0].again == "loop" else None,
        )
        rows = [
            self._until_end(row[: loops.found.get(place)])[:limit]
            for place, (row, limit) in enumerate(
                zip(written[:, start:].tolist(), room, strict=True)
            )
        ]
        # An answer cut off only because another prompt of the batch leaves less room is made again.
        cut = [
            place
            for place, row in enumerate(rows)
            if row[-1] not in self._end_tokens
            and room[place] > longest
            and place not in loops.found
        ]
        again = dict(
            zip(cut, self._generate([pairs[place] for place in cut]) if cut else [], strict=True)
        )
        return [
            again[place] if place in again else self._answer(row, length)
            for place, (row, length) in enumerate(zip(rows, lengths, strict=True))
        ]

    def _network_inputs(self, pairs: list[_Input]) -> dict[str, Any]:
        """Makes the network's inputs for one batch, padded on the left, on its device."""
        if self._processor.chat_template:
            inputs = self._chat_inputs(pairs)
        elif self._reads_pictures:
            inputs = self._processor(
                text=[self._placeholders(pictures) + _plain(asked) for asked, pictures in pairs],
                images=[pictures for _, pictures in pairs] if pairs[0][1] else None,
                padding=True,
                return_tensors="pt",
            )
        else:
            inputs = self._tokenizer(
                [_plain(asked) for asked, _ in pairs], padding=True, return_tensors="pt"
            )
        if not self._reads_pictures:  # some tokenizers add inputs that their models refuse
            inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        device, dtype = self._network.device, self._network.dtype
        return {
            name: value.to(device, dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }

    def _chat_inputs(self, pairs: list[_Input]) -> Any:
        """Renders a batch of conversations with the model's chat template."""
        options: dict[str, Any] = {"padding": True}
        if self._reads_pictures:
            options = {"processor_kwargs": options}
        if "enable_thinking" in str(self._processor.chat_template):
            options["enable_thinking"] = False  # an answer is JSON, with no reasoning before it
        return self._processor.apply_chat_template(
            [self._chat(asked, pictures) for asked, pictures in pairs],
            tokenize=True,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
            **options,
        )

    def _chat(self, asked: Request, pictures: list[Image.Image]) -> list[dict[str, Any]]:
        """Makes the conversation of a request, in what forms the chat template takes."""
        prompt, chat = asked.prompt, []
        if asked.system and self._shapes["system"]:
            chat.append(self._message("system", asked.system))
        elif asked.system:
            prompt = f"{asked.system}\n\n{prompt}"
        if asked.correction and not self._shapes["assistant"]:
            prompt = f"{prompt}\n\n{asked.said}\n\n{asked.correction}"
        parts: list[dict[str, Any]] = []
        for image, picture in zip(asked.images, pictures, strict=True):
            if image.label:
                parts.append({"type": "text", "text": image.label})
            parts.append({"type": "image", "image": picture})
        question = self._message("user", prompt)
        if parts:
            question["content"] = [*parts, *question["content"]]
        chat.append(question)
        if asked.correction and self._shapes["assistant"]:
            chat += [
                self._message("assistant", asked.said),
                self._message("user", asked.correction),
            ]
        return chat

    def _message(self, role: str, text: str) -> dict[str, Any]:
        shape = self._shapes.get(role, "parts" if self._reads_pictures else "text")
        return _message(role, text, shape)

    def _shape(self, role: str) -> str:
        """Finds out whether the chat template takes messages of a role, and in what form.

        Some templates take only texts from a system or an assistant, some refuse a system or leave
        it out in silence.
        """
        if not self._processor.chat_template:
            return ""
        kinds = ("parts", "text") if self._reads_pictures else ("text",)
        user = _message("user", "?", kinds[0])
        for shape in kinds:
            message = _message(role, _MARK, shape)
            chat = [message, user] if role == "system" else [user, message, user]
            try:
                text = self._processor.apply_chat_template(
                    chat, tokenize=False, add_generation_prompt=True
                )
            except (jinja2.TemplateError, TypeError, ValueError, KeyError):
                continue
            if _MARK in text and "'text'" not in text:  # not the list itself, printed
                return shape
        return ""

    def _placeholders(self, pictures: list[Image.Image]) -> str:
        """Returns the tokens for pictures, which precede a prompt without a chat template."""
        token = getattr(self._processor, "image_token", None) or ""
        return str(token) * len(pictures)

    def _until_end(self, row: list[int]) -> list[int]:
        """Cuts a row of tokens after the first end token; what follows is padding."""
        end = next(
            (place for place, token in enumerate(row) if token in self._end_tokens), len(row)
        )
        return row[: end + 1]

    def _answer(self, row: list[int], length: int) -> Answer:
        """Reads the tokens of an answer to a prompt of this length."""
        whole = row[-1] in self._end_tokens
        written = self._tokenizer.decode(row[:-1] if whole else row, skip_special_tokens=True)
        text, thoughts = thoughts_and_loops.split_thoughts(str(written), whole)
        return Answer(
            text.strip(),
            self._name,
            length,
            len(row),
            cut="" if whole else "loop" if thoughts_and_loops.loops(str(written)) else "length",
            thinks=bool(thoughts.strip()),
        )


class _Loops(transformers.StoppingCriteria):
    """Ends the answers of a batch that run into a loop; `found` has their lengths by place."""

    def __init__(self, tokenizer: Any, ends: set[int], start: int) -> None:
        self._tokenizer, self._ends, self._start = tokenizer, ends, start
        self.found: dict[int, int] = {}

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        written = input_ids.shape[1] - self._start
        if written and written % _LOOP_STEP == 0:
            for place, row in enumerate(input_ids[:, self._start :].tolist()):
                if place not in self.found and self._ends.isdisjoint(row):
                    text = self._tokenizer.decode(row[-_LOOP_TOKENS:], skip_special_tokens=True)
                    if thoughts_and_loops.loops(text):
                        self.found[place] = written
        places = range(len(input_ids))
        return torch.tensor([place in self.found for place in places], device=input_ids.device)


def _message(role: str, text: str, shape: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text}] if shape == "parts" else text
    return {"role": role, "content": content}


def _plain(asked: Request) -> str:
    """Returns all that a model without a chat template is told."""
    parts = (asked.system, asked.prompt, asked.said, asked.correction)
    return "\n\n".join(part for part in parts if part)


def _picture(path: str, longest_side: int) -> Image.Image:
    """Reads a picture and scales it down. Raises OSError or ImageError if that fails."""
    picture = decode_bgr(storage.read_bytes(path), path)
    if max(picture.shape[:2]) > longest_side:
        picture = thumbnail(picture, longest_side)
    return Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def _end_tokens(name: str, network: Any, tokenizer: Any) -> set[int]:
    """Returns the tokens that end an answer: the checkpoint's and the tokenizer's."""
    of_network = network.generation_config.eos_token_id
    ends = set(of_network if isinstance(of_network, list) else [of_network])
    ends = (ends | {tokenizer.eos_token_id}) - {None}
    if not ends:
        raise ValueError(
            f"transformers:{name}: neither the model nor its tokenizer names a token "
            "that ends an answer; set eos_token_id in generation_config.json"
        )
    return ends


def _special_tokens(processor: Any, tokenizer: Any) -> re.Pattern[str]:
    """Returns a pattern for the model's special tokens as text, such as "<|im_end|>".

    A prompt may quote a film, and a film that says "<|im_end|>" must not end the prompt, nor one
    that says "<image>" ask for a picture that is not there: a blank is put into each.
    """
    spelt = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    spelt |= {*tokenizer.all_special_tokens, str(getattr(processor, "image_token", ""))}
    ordered = sorted(
        (token for token in spelt if len(token) > 1), key=lambda token: (-len(token), token)
    )
    return re.compile("|".join(map(re.escape, ordered)) or r"(?!)")  # (?!) matches nothing


def _network(kind: Any, where: str) -> Any:
    """Loads the network, on the GPU in bfloat16 or on the CPU in the checkpoint's dtype.

    On the CPU float16, which is slow there, becomes float32; bfloat16 stays, at half the memory.
    Raises OSError where weights are missing, which would be random.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, info = kind.from_pretrained(
        where,
        use_safetensors=True,
        **_SAFE,
        dtype=torch.bfloat16 if device == "cuda" else "auto",
        output_loading_info=True,
    )
    if missing := sorted(info["missing_keys"]):
        raise OSError(f"its files lack {len(missing)} weights, such as {missing[0]}")
    if network.device.type != device:  # a quantized one may be there already
        network = network.to(device)
    return network.float() if network.dtype == torch.float16 else network


def _reads_pictures(config: Any) -> bool:
    """Returns whether a model reads pictures. Raises ValueError if it cannot write text."""
    if not config.is_encoder_decoder:
        if type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            return True
        if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
            return False
    raise ValueError(
        f"a model of type {config.model_type!r} neither reads pictures and writes nor "
        "continues a text; choose an image-text-to-text model or a causal language "
        "model"
    )


def _location(model: str) -> str:
    """Returns the folder of a model, or its id on the Hub.

    Raises ValueError for a path that is not a folder, or a folder without a model's files.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if model[:1] in ("", ".", "/", "~") or model.count("/") > 1:
            raise ValueError(f"transformers:{model}: there is no such folder; {_REMEDY}")
        return model
    if not (folder / "config.json").is_file():
        raise ValueError(f"transformers:{model}: the folder has no config.json; {_REMEDY}")
    if not any(folder.glob("*.safetensors")):
        raise ValueError(
            f"transformers:{model}: the folder has no weights in safetensors, the "
            f"only format that is read (others can run code); {_REMEDY}"
        )
    return str(folder)


def _missing(model: str, error: OSError) -> str:
    """Says what to do about a model that cannot be read from its folder or the Hub."""
    if Path(model).expanduser().is_dir():
        return f"transformers:{model}: {str(error).strip()}"
    if isinstance(error.__cause__, LocalEntryNotFoundError):
        return (
            f"transformers:{model}: it is not a folder, not in this machine's cache, and the "
            f"Hugging Face Hub cannot be reached; download it once where there is a network "
            f"(hf download {model}), or give a folder"
        )
    return (
        f"transformers:{model}: the Hugging Face Hub does not provide it: {str(error).strip()}\n"
        "Check the name; a gated model needs its licence accepted and hf auth login; only "
        "weights in safetensors are read"
    )
