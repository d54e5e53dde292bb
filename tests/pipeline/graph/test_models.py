"""Whole runs with models behind a server, and with models loaded here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from model import smollm
from pipeline import sample
from pipeline.__main__ import main
from pipeline.annotation import prompts
from pipeline.config import load
from pipeline.cost import estimate
from pipeline.graph import run
from pipeline.inference import response_cache
from pipeline.inference.budget import BudgetSpent
from pipeline.inference.client import Interrupted
from pipeline.inference.protocol import Refused
from pipeline.ingest import discovery, speech
from pipeline.ingest.subtitle_lines import Line
from pipeline.testing import behaviours, model_server, replies
from pipeline.testing.behaviours import answering, limited
from pipeline.testing.films import make_film, shots
from pipeline.testing.model_server import serving
from tests import llama_server
from tests.pipeline.runs import IN_MEMORY, copied
from tests.tiny_models import make_clip, make_language_model, make_vision_model

KEY = "sk-very-secret"
PRICES = "prices={eyes: {input: 10, output: 20}, pen: {input: 100, output: 200}}"


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two films of a series, of ten shots each."""
    folder = tmp_path_factory.mktemp("films")
    for episode in (1, 2):
        make_film(folder / f"S01E0{episode}.mp4", shots(10, 16, seed=100 * episode))
    return folder


@pytest.fixture(scope="module")
def selected(films, tmp_path_factory) -> Path:
    """The dataset of the films before any model is asked."""
    out = tmp_path_factory.mktemp("selected") / "out"
    assert run.run(*discovery.find(str(films)), load(), str(out), IN_MEMORY, until="selection") == 0
    return out


@pytest.fixture
def out(selected, tmp_path) -> Path:
    """The same, for a test to go on from."""
    return copied(selected, tmp_path / "out")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def settings(server, *more: str) -> list[str]:
    return [f"captioner=openai:eyes@{server.url}", f"writer=openai:pen@{server.url}", *more]


def make(films, out, settings) -> int:
    """The exit code of a run."""
    try:
        return run.run(*discovery.find(str(films)), load("", settings), str(out), IN_MEMORY)
    except RuntimeError as error:
        code, _ = run.stop_code(error)
        if not code:
            raise
        return code


def command(films, out, settings) -> list[str]:
    return [
        sys.executable,
        "-m",
        "pipeline",
        "dataset",
        "--videos",
        str(films),
        "--out",
        str(out),
        *(word for setting in settings for word in ("--set", setting)),
    ]


def tasks(server) -> list[str]:
    """What the server was asked for, in alphabetical order."""
    return sorted(question["response_format"]["json_schema"]["name"] for question in server.asked)


ALL = ["caption"] * 20 + ["characters"] + ["link"] * 2 + ["narrate"] * 2


def stage(out: Path, name: str) -> dict:
    stages = json.loads((out / "run.json").read_text())["stages"]
    return next(figures for figures in stages if figures["name"] == name)


def test_a_server_captions_and_writes_and_the_run_says_what_it_cost(films, tmp_path):
    with serving() as server:
        assert make(films, tmp_path, settings(server, PRICES)) == 0
        assert tasks(server) == ALL
    captions = stage(tmp_path, "captions")
    assert captions["cost"] == pytest.approx(
        (captions["input_tokens"] * 10 + captions["output_tokens"] * 20) / 1e6
    )
    assert captions["calls"] == 20 and captions["output_tokens"] > 20 * 40
    story = pq.read_table(tmp_path / "stories.parquet").to_pylist()[0]
    assert story["writers"] == ["pen"] * 10 and story["caption_model"] == "eyes"
    assert story["scores"]["grounding"] > 0.5 and story["scores"]["similarity"] is None


@pytest.mark.slow
def test_stories_of_several_films_are_asked_for_at_the_same_time(films, out):
    at_once: dict[str, int] = {}
    normal = answering(0.3)

    async def watched(question, server):
        task = question["response_format"]["json_schema"]["name"]
        at_once[task] = max(at_once.get(task, 0), server.in_flight)
        return await normal(question, server)

    with serving(watched) as server:
        make(films, out, settings(server))
    assert at_once["caption"] >= 8 and at_once["narrate"] == at_once["link"] == 2


def test_neither_key_nor_address_is_written_down(films, out):
    echo = behaviours.always(replies.error(400, f"bad: {KEY}"))
    with serving(behaviours.every(7, echo, answering())) as server:
        make(films, out, settings(server))
        address = server.url
    for path in out.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content, path
            assert address.encode() not in content, path


def test_a_second_run_asks_nothing(films, out):
    with serving() as server:
        make(films, out, settings(server))
        asked = len(server.asked)
        make(films, out, settings(server))
        assert len(server.asked) == asked


@pytest.mark.slow
def test_stage_outputs_that_are_lost_are_made_from_cached_responses(films, out):
    with serving() as server:
        make(films, out, settings(server))
        asked = len(server.asked)
        for output in (out / "work").glob("[cs]*/*.jsonl"):
            output.unlink()
        make(films, out, settings(server))
        assert len(server.asked) == asked
    assert stage(out, "captions")["kept"] == 20


@pytest.mark.slow
def test_a_prompt_of_ones_own_redoes_only_what_it_touches(films, out, tmp_path):
    own = tmp_path / "prompts"
    own.mkdir()
    shipped = Path(prompts.__file__).parent / "link.txt"
    (own / "link.txt").write_text(
        shipped.read_text().replace("{% endblock %}", "Take care.\n{% endblock %}", 1)
    )
    with serving() as server:
        make(films, out, settings(server))
        server.asked.clear()
        make(films, out, settings(server, f"prompts={own}"))
        assert tasks(server) == ["link", "link"]


def naming(*cast: dict) -> model_server.Behaviour:
    """A server that says who is who."""
    normal = answering()

    async def behaviour(question, server):
        if question["response_format"]["json_schema"]["name"] != "characters":
            return await normal(question, server)
        return replies.completion(
            question, {"role": "assistant", "content": json.dumps({"characters": cast})}
        )

    return behaviour


def with_subtitles(films: Path, folder: Path, line: str) -> Path:
    """The films again, the first of them with a line of dialogue."""
    folder.mkdir()
    for film in films.iterdir():
        (folder / film.name).symlink_to(film)
    (folder / "S01E01.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\n{line}\n")
    return folder


@pytest.mark.slow
def test_who_is_who_may_be_edited_and_stories_follow(films, out, tmp_path):
    films = with_subtitles(films, tmp_path / "films", "Ada: Hello!")
    with serving(naming({"name": "Ada", "look": "a green dragon"})) as server:
        make(films, out, settings(server))
        (file,) = (out / "characters").glob("*.yaml")
        server.asked.clear()
        make(films, out, settings(server))
        assert server.asked == []  # an untouched draft is no change
        file.write_text(file.read_text().replace("Ada", "Berta"))
        make(films, out, settings(server))
        assert set(tasks(server)) == {"narrate", "link"}
        assert 'Character \\"Berta\\"' in json.dumps(server.asked[0])
        assert "Berta" in file.read_text()


@pytest.mark.slow
def test_who_is_who_may_be_given(films, out, selected, tmp_path):
    own = tmp_path / "who.yaml"
    own.write_text("films: []\n")
    with serving() as server:
        make(films, out, settings(server))
        series = pq.read_table(out / "keyframes.parquet")["series"][0].as_py()
        own.write_text(json.dumps({series: [{"name": "Ada", "look": "a girl in a red coat"}]}))
        server.asked.clear()
        two = copied(selected, tmp_path / "two")
        make(films, two, settings(server, f"characters={own}"))
        assert "characters" not in tasks(server)
    (file,) = (two / "characters").glob("*.yaml")
    assert "a girl in a red coat" in file.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["caption", "narrate", "link"])
def test_a_question_without_an_answer_is_asked_again_by_the_next_run(films, out, task):
    bad: list[str] = []
    normal = answering()

    async def fails_on_one(question, server):
        text = json.dumps(question)
        if question.get("response_format", {}).get("json_schema", {}).get("name") == task:
            bad[:] = bad or [text]
            if text == bad[0]:
                return replies.error(500, "this one never")
        return await normal(question, server)

    short = ["calls.tries=2"]
    with serving(fails_on_one) as server:
        make(films, out, settings(server, *short))
        lost = (
            pq.read_table(out / "rejects.parquet")
            .filter(pc.field("reason") == "no answer")
            .to_pylist()
        )
        linked = pq.read_table(out / "stories.parquet")["linked"].to_pylist()
        assert (len(lost), linked.count(False)) == ((0, 1) if task == "link" else (1, 0))
        server.asked.clear()
        server.behaviour = normal
        make(films, out, settings(server, *short))
        if task == "link":
            assert tasks(server) == ["link"]
    assert "no answer" not in pq.read_table(out / "rejects.parquet")["reason"].to_pylist()
    stories = pq.read_table(out / "stories.parquet").to_pylist()
    assert [len(story["images"]) for story in stories] == [10, 10]


@pytest.mark.slow
@pytest.mark.parametrize("task, questions", [("caption", 2), ("narrate", 12), ("link", 4)])
def test_bad_answers_are_kept_and_asked_for_again_once_by_each_run(films, out, task, questions):
    """One caption is refused, or what is asked of each film: first as it is, then with the fault;
    of a window of ten also as one of five, and of one picture."""
    refused: list[str] = []
    good, refusing = answering(), answering(change=behaviours.refusing)

    async def refuses(question, server):
        name = question["response_format"]["json_schema"]["name"]
        shown = json.dumps(question["messages"][1]["content"][:-1])  # the picture
        if name == task and shown in (refused[:1] or [shown]):
            refused.append(shown)
            return await refusing(question, server)
        return await good(question, server)

    with serving(refuses) as server:
        make(films, out, settings(server))
        answers = len(list((out / "work" / "answers").rglob("*.json")))
        assert len(server.asked) == answers
        for _ in range(2):
            server.asked.clear()
            make(films, out, settings(server))
            assert tasks(server) == [task] * questions
            answers += questions
            assert len(list((out / "work" / "answers").rglob("*.json"))) == answers
        server.behaviour = good
        assert make(films, out, settings(server)) == 0
        server.asked.clear()
        make(films, out, settings(server))
        assert server.asked == []
    stories = pq.read_table(out / "stories.parquet").to_pylist()
    assert [len(story["images"]) for story in stories] == [10, 10]
    assert all(story["linked"] for story in stories)


@pytest.mark.slow
def test_a_longer_answer_is_allowed_without_asking_again_for_those_that_were_whole(films, out):
    """Every story is cut off, until answers may be longer."""
    good, cut = answering(), behaviours.truncated()

    async def cuts(question, server):
        name = question["response_format"]["json_schema"]["name"]
        short = name == "narrate" and question["max_tokens"] < 5000
        return await (cut if short else good)(question, server)

    with serving(cuts) as server:
        make(films, out, settings(server))
        assert len(pq.read_table(out / "stories.parquet")) == 0
        server.asked.clear()
        assert make(films, out, settings(server, "calls.max_tokens=9000")) == 0
        assert tasks(server) == ["link"] * 2 + ["narrate"] * 2
    assert len(pq.read_table(out / "stories.parquet")) == 2


def test_a_budget_stops_the_run_before_it_is_passed_and_more_lets_it_go_on(films, out):
    with serving() as server:
        poor = settings(server, PRICES, "budget=0.3", "calls.max_tokens=500")
        assert make(films, out, poor) == BudgetSpent.exit_code
        spent, asked = response_cache.spent(str(out / "work")), len(server.asked)
        assert 0.05 < spent <= 0.3 and 0 < asked < len(ALL)
        assert make(films, out, poor) == BudgetSpent.exit_code
        assert len(server.asked) == asked
        assert not (out / "dataset.json").exists()


@pytest.mark.slow
def test_a_budget_goes_on_where_it_stopped(films, out):
    with serving() as server:
        assert make(films, out, settings(server, PRICES, "budget=1")) == BudgetSpent.exit_code
        assert make(films, out, settings(server, PRICES, "budget=9")) == 0
        assert tasks(server) == ALL
    used = [stage(out, name) for name in ("captions", "characters", "stories")]
    costs = [figures["cost"] + figures["earlier"]["cost"] for figures in used]
    assert sum(costs) == pytest.approx(response_cache.spent(str(out / "work")))
    assert used[0]["earlier"]["cost"] > 0.01  # of the run that was stopped


@pytest.mark.slow
def test_a_refused_key_is_said_at_once(films, out):
    with serving(behaviours.no_key()) as server:
        ended = subprocess.run(
            command(films, out, settings(server)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ended.returncode == Refused.exit_code
    assert "is the key right?" in ended.stderr and "Traceback" not in ended.stderr
    assert KEY not in ended.stderr


@pytest.mark.slow
def test_a_server_that_dies_stops_the_run_and_nothing_is_lost(films, out):
    with serving() as server:
        good, count = server.behaviour, 0

        async def dies(question, server):
            nonlocal count
            count += 1
            return await (good if count <= 12 else behaviours.broken())(question, server)

        server.behaviour = dies
        short = settings(server, "calls.tries=2", "calls.patience=1")
        assert make(films, out, short) == Refused.exit_code
        server.behaviour = good
        server.asked.clear()
        assert make(films, out, short) == 0
        assert len(server.asked) == len(ALL) - 12


@pytest.mark.slow
def test_ctrl_c_keeps_the_answers_of_calls_in_flight(films, out):
    with serving(limited(answering(1.0), 8, "queue")) as server:
        running = subprocess.Popen(
            command(films, out, settings(server)),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_for(lambda: server.in_flight >= 8)
        os.killpg(running.pid, signal.SIGINT)
        _, err = running.communicate(timeout=30)
        asked = len(server.asked)
    assert running.returncode == Interrupted.exit_code
    assert "calls in flight" in err and "Traceback" not in err
    cached = len(list((out / "work" / "answers").rglob("*.json")))
    assert cached == asked < 20


@pytest.mark.slow
def test_kill_9_costs_no_more_than_the_calls_in_flight(films, out):
    with serving(limited(answering(0.3), 4, "queue")) as server:
        at_once = settings(server, "calls.at_once=4")
        running = subprocess.Popen(
            command(films, out, at_once), stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for(lambda: len(server.asked) >= 10)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(timeout=10)
        assert make(films, out, at_once) == 0
        assert len(server.asked) <= len(ALL) + 4


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(bool(llama_server.missing()), reason="needs xllamacpp and a model")
def test_a_real_server_with_a_model_that_cannot_write_is_asked_to_the_end(tmp_path, capfd):
    """Stories or rejects, and never a server that is taken for dead. A grammar holds the answers
    to their schema, so that all of them can be read, unless they loop or are cut off."""
    (tmp_path / "films").mkdir()
    make_film(tmp_path / "films" / "S01E01.mp4", shots(4, 16, seed=100))
    few = ["stories.shortest=3", "calls.max_tokens=96", "calls.at_once=1"]
    with llama_server.serving_llama() as url:
        code = make(tmp_path / "films", tmp_path / "out", [f"writer=openai:smollm2@{url}", *few])
    assert code in (0, 3)
    story = stage(tmp_path / "out", "stories")
    assert story["calls"] >= 2 and 0 < story["output_tokens"] / story["calls"] <= 192
    # What it writes differs from CPU to CPU: a story, or a reason why there is none.
    left_out = [row for row in rejected(tmp_path / "out") if row["stage"] in ("story", "quality")]
    assert len(left_out) == (0 if code == 0 else 1)
    assert "no answer" not in capfd.readouterr().err


def rejected(out: Path) -> list[dict]:
    return pq.read_table(out / "rejects.parquet").to_pylist()


@pytest.mark.slow
def test_models_loaded_here_are_shared_by_runinference(films, out, tmp_path):
    eyes = make_vision_model(
        tmp_path / "eyes",
        says=json.dumps(
            {"characters": ["a cat"], "action": "sits", "sentence": "A cat sits on a wall."}
        ),
    )
    pen = make_language_model(
        tmp_path / "pen",
        says=json.dumps(
            {"sentences": [{"frame": number, "text": text} for number, text in enumerate(SITTING)]}
        ),
    )
    models = [
        f"captioner=transformers:{eyes}",
        f"writer=transformers:{pen}",
        "calls.max_tokens=700",
        "calls.longest_side=112",
        "stories.grounded=0.5",
    ]
    assert make(films, out, models) == 0
    stories = pq.read_table(out / "stories.parquet").to_pylist()
    assert [story["captions"] for story in stories] == [list(SITTING)] * 2
    assert stories[0]["caption_model"] == str(eyes)
    assert stage(out, "captions")["calls"] == 20


SITTING = (
    "A cat sits on a wall.",
    "It sits and waits.",
    "The cat does not move.",
    "On the wall it looks about.",
    "Then the cat yawns.",
    "Still the cat sits there.",
    "A wall is a fine seat.",
    "The cat purrs now.",
    "It closes its eyes.",
    "And so the cat falls asleep on the wall.",
)


@pytest.mark.slow
def test_pictures_and_texts_are_compared_where_a_model_is_named(films, out, tmp_path):
    clip = make_clip(tmp_path / "clip")
    with serving() as server:
        compared = settings(server, f"quality.clip=local-dir:{clip}")
        make(films, out, compared)
        stories = pq.read_table(out / "stories.parquet").to_pylist()
        scores = [story["scores"]["similarity"] for story in stories]
        assert len(scores) == 2 and all(-1 < score < 1 for score in scores)
        make(films, out, [*compared, f"quality.min_similarity={max(scores)}"])
    assert len(pq.read_table(out / "stories.parquet")) == 1
    (reject,) = (
        pq.read_table(out / "rejects.parquet").filter(pc.field("stage") == "quality").to_pylist()
    )
    assert reject["reason"] == "unlike pictures"


def test_without_weights_the_comparison_is_left_out_and_said_so(films, out, capsys):
    assert (
        main(
            [
                "dataset",
                "--videos",
                str(films),
                "--out",
                str(out),
                "--set",
                "quality.clip=local-dir:/nowhere",
                "--until",
                "keyframes",
                *IN_MEMORY,
            ]
        )
        == 0
    )
    assert "The similarity of images and texts is not scored: " in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_recognised_from_sound_is_marked_and_never_mixed(films, out, tmp_path, monkeypatch):
    some = with_subtitles(films, tmp_path / "films", "Pip: Hello!")
    heard: list[str] = []

    def recognise(video, model, language, threads, tick):
        heard.append(video.id)
        return [Line(1.0, 2.0, "what was heard")]

    monkeypatch.setattr(speech, "recognise", recognise)
    with serving() as server:
        assert make(some, out, settings(server, "speech=tiny")) == 0
        prompts = [question["messages"][1]["content"][-1]["text"] for question in server.asked]
    assert heard == ["S01E02"]
    rows = pq.read_table(out / "keyframes.parquet").to_pylist()
    lines = {(row["video"], line, row["recognised"]) for row in rows for line in row["dialogue"]}
    assert lines == {("S01E01", "Pip: Hello!", False), ("S01E02", "what was heard", True)}
    assert any(
        'recognised from the sound, so some words may be wrong): ["what was heard"]' in prompt
        for prompt in prompts
    )


@pytest.mark.slow
def test_the_estimate_holds_on_the_sample(tmp_path):
    """For a model that says what it is asked to say and counts words as SmolLM2 does."""
    sample.draw(str(tmp_path / "sample"), episodes=2)
    found, _ = discovery.find(str(tmp_path / "sample"))
    tokenizer = AutoTokenizer.from_pretrained(smollm.converted())
    normal = answering()

    async def counting(question, server):
        reply = await normal(question, server)
        answer = reply.body["choices"][0]["message"]["content"]
        asked = "".join(part.get("text", "") for part in question["messages"][1]["content"])
        usage = reply.body["usage"]
        pictures = usage["prompt_tokens"] - round(len(asked) / 4)
        usage |= {
            "prompt_tokens": pictures + len(tokenizer(asked).input_ids),
            "completion_tokens": len(tokenizer(answer).input_ids),
        }
        return reply

    with serving(counting) as server:
        # Whole stories only: two keyframes more or less would make a tail a story, or none.
        given = settings(server, PRICES, "stories.shortest=20")
        config = load("", given)
        work = estimate.estimate(found, config, str(tmp_path / "out")).stages
        assert make(tmp_path / "sample", tmp_path / "out", given) == 0
    for name in ("input_tokens", "output_tokens", "cost"):
        used = sum(stage(tmp_path / "out", each)[name] for each in work)
        estimated = sum(getattr(stage_work, name) for stage_work in work.values())
        print(f"{name}: {used} used, {estimated} estimated")
        assert estimated == pytest.approx(used, rel=0.15), name
