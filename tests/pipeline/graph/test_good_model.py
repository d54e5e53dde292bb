"""A whole run with a good model, in languages of three scripts: nothing that it writes is lost."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks.story_checks.tales import Tale, read_tales
from pipeline import sample
from pipeline.config import load
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.testing import replies
from pipeline.testing.films import make_film, shots
from pipeline.testing.model_server import Behaviour, serving
from tests.pipeline.runs import IN_MEMORY

_HELLO = """1
00:00:01,000 --> 00:00:02,000
Tilda: Good morning, Bruno!
"""
_PICTURE = re.compile(r'^Picture (\d+): (?=")', re.MULTILINE)


def telling(tale: Tale) -> Behaviour:
    """A model that sees a scene of a tale in each picture, the next one in a picture that it has
    not seen, and tells it as the tale does."""
    seen: dict[str, int] = {}
    turn = threading.Lock()
    captions = [caption for _, caption in tale.frames]
    texts = dict(zip((caption.sentence for caption in captions), tale.texts, strict=True))

    async def behaviour(question, server):
        prompts, pictures = replies.texts_and_pictures(question)
        task = question["response_format"]["json_schema"]["name"]
        if task == "caption":
            with turn:
                number = seen.setdefault(pictures[0], len(seen))
            caption = captions[number % len(captions)]
            answer = {
                field: getattr(caption, field)
                for field in (
                    "characters", "place", "action", "mood", "objects", "camera", "sentence",
                )
            }  # fmt: skip
        elif task == "characters":
            answer = {
                "characters": [
                    {
                        "name": character.name,
                        "look": character.look,
                        "role": character.role,
                        "called": character.called,
                        "names": list(tale.names.get(character.name, ())),
                    }
                    for character in tale.characters
                ]
            }
        else:
            prompt = prompts[-1]
            shown = {}
            for line in _PICTURE.finditer(prompt):
                rest = prompt[line.end() : prompt.index("\n", line.end())]
                shown[f"picture_{line[1]}"] = next(
                    text for sentence, text in texts.items() if json.dumps(sentence) in rest
                )
            answer = {"sentences": shown}
        said = json.dumps(answer, ensure_ascii=False)
        return replies.completion(question, {"role": "assistant", "content": said})

    return behaviour


@pytest.mark.parametrize(
    "language",
    ["ar", *(pytest.param(other, marks=pytest.mark.slow) for other in ("ja", "ru"))],
)
def test_a_good_model_is_believed(language, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any word")
    tale = next(
        tale for tale in read_tales() if tale.film == "hedgehog" and tale.language == language
    )
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    make_film(films / "S01E01.mp4", shots(len(tale.texts), 16, seed=7))
    (films / "S01E01.srt").write_text(_HELLO)
    with serving(telling(tale)) as server:
        settings = [
            f"captioner=openai:eyes@{server.url}",
            f"writer=openai:pen@{server.url}",
            f"stories.language={language}",
        ]
        assert run.run(*discovery.find(str(films)), load("", settings), str(out), IN_MEMORY) == 0
    (story,) = pq.read_table(out / "stories.parquet").to_pylist()
    assert sorted(story["captions"]) == sorted(tale.texts)
    assert story["linked"] and not any(story["repaired"])
    assert pq.read_table(out / "rejects.parquet").num_rows == 0
    assert pq.read_table(out / "dropped_stories.parquet").num_rows == 0
    counters = {
        name: number
        for stage in json.loads((out / "run.json").read_text())["stages"]
        for name, number in stage["counters"].items()
    }
    assert not {"refused", "loops", "cut_off", "repaired answers"} & set(counters)
    report = (out / "report.html").read_text()
    assert "Of the answers of models" not in report  # none was refused, cut or put right
    (book,) = json.loads(re.search(r'id="books">(.*?)</script>', report, re.DOTALL)[1])
    assert {page["text"] for page in book["pages"]} == set(tale.texts)
    assert (book["language"], book["direction"]) == (language, "rtl" if language == "ar" else "ltr")


SENTENCES: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("good_sentences.yaml").read_text(encoding="utf-8")
)
_CAST = re.compile(r"\b(?:Pip|Momo)\b")


def writing_by_hand(language: str) -> Behaviour:
    """A model that writes a sentence of ours for each picture, by what is spoken in the caption or
    who is seen, and another about its colour."""
    ours, turn = SENTENCES[language], threading.Lock()
    used: Counter[str] = Counter()

    def text_for(caption: str) -> str:
        names = [ours["names"][name] for name in dict.fromkeys(_CAST.findall(caption))][:2]
        kind = ("nobody", "one", "two")[len(names)]
        written = ours[kind][used[kind] % len(ours[kind])]
        used[kind] += 1
        text = next(
            (spoken for line, spoken in ours["spoken"].items() if line in caption),
            written.format(**dict(zip("ab", names, strict=False))),
        )
        colours = [word for word in re.findall(r"\w+", caption) if word in ours["colours"]]
        if not colours:
            return text
        tail = ours["tails"][used.total() % len(ours["tails"])]
        tail = tail.format(colour=ours["colours"][colours[0]])
        return text + ("" if language == "ja" else " ") + tail[0].upper() + tail[1:]

    async def behaviour(question, server):
        prompts, _ = replies.texts_and_pictures(question)
        task = question["response_format"]["json_schema"]["name"]
        if task == "characters":
            seen = sorted(set(_CAST.findall("\n".join(prompts))))
            answer: dict[str, Any] = {
                "characters": [
                    {"name": name, "look": "", "role": "", "called": [], "names": [own]}
                    for name, own in ((name, ours["names"][name]) for name in seen)
                ]
            }
        else:
            shown = {
                f"picture_{line[1]}": json.JSONDecoder().raw_decode(prompts[-1], line.end())[0]
                for line in _PICTURE.finditer(prompts[-1])
            }
            if task == "narrate":  # and leaves the texts as they are where they are to be linked
                with turn:
                    shown = {picture: text_for(caption) for picture, caption in shown.items()}
            answer = {"sentences": shown}
        said = json.dumps(answer, ensure_ascii=False)
        return replies.completion(question, {"role": "assistant", "content": said})

    return behaviour


@pytest.mark.slow
def test_a_good_writer_is_believed_in_three_languages_about_a_film_of_the_sample(
    tmp_path, monkeypatch
):
    """The captions are those of the embedded captioner; only the writing is done thrice."""
    monkeypatch.setenv("OPENAI_API_KEY", "any word")
    films, out = tmp_path / "films", tmp_path / "out"
    sample.draw(str(films), episodes=1, shots=11)
    for language, ours in SENTENCES.items():
        with serving(writing_by_hand(language)) as server:
            settings = [
                f"writer=openai:pen@{server.url}",
                f"stories.language={language}",
                "stories.shortest=10",
            ]
            code = run.run(*discovery.find(str(films)), load("", settings), str(out), IN_MEMORY)
        assert code == 0
        stories = pq.read_table(out / "stories.parquet").to_pylist()
        assert stories and all(story["linked"] for story in stories)
        assert not any(repaired for story in stories for repaired in story["repaired"])
        assert pq.read_table(out / "dropped_stories.parquet").num_rows == 0
        rejects = pq.read_table(out / "rejects.parquet").to_pylist()
        assert {row["stage"] for row in rejects} <= {"keyframe"}
        report = (out / "report.html").read_text()
        assert "Of the answers of models" not in report
        books = json.loads(re.search(r'id="books">(.*?)</script>', report, re.DOTALL)[1])
        shown = [page["text"] for book in books for page in book["pages"]]
        assert shown == [text for story in stories for text in story["captions"]]
        assert any(name in text for name in ours["names"].values() for text in shown)
