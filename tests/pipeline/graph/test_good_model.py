"""A whole run with a good model, in languages of three scripts: nothing that it writes is lost."""

from __future__ import annotations

import json
import re
import threading

import pyarrow.parquet as pq
import pytest

from benchmarks.story_checks.tales import Tale, read_tales
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


@pytest.mark.parametrize("language", ["ja", "ar", "ru"])
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
