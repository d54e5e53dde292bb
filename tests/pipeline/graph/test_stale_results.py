"""No result is stale: whatever input or setting changes, a rerun gives what a fresh run gives."""

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import BaseModel

from pipeline.config import DatasetConfig, load
from pipeline.dataset import report
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.review.library import Library, story_view
from pipeline.runtime import decisions
from pipeline.testing.films import make_film, shots
from tests.pipeline.cast.test_onnx_files import write as onnx_file
from tests.pipeline.comparing import digests
from tests.pipeline.runs import IN_MEMORY, copied, scripted_models
from tests.pipeline.scripted import TEXTS, Scripted

pytestmark = pytest.mark.slow

BASE = {
    "captioner": "openai:eyes@http://localhost/v1",
    "writer": "openai:pen@http://localhost/v1",
    "stories.shortest": 2,
    "stories.grounded": 0,
    "keyframes.every": 0.3,
    "quality.min_grounding": None,
    "quality.min_language_share": None,
}
# Another value of every setting. What only says how work is done must not change a result either.
OTHER = {
    "captioner": "openai:other-eyes@http://localhost/v1",
    "writer": "openai:other-pen@http://localhost/v1",
    "keyframes.every": 0.5,
    "keyframes.shortest_shot": 0.9,
    "keyframes.tolerance": 0.1,
    "keyframes.black": 140,
    "keyframes.flat": 60,
    "keyframes.smear_motion": 0,
    "keyframes.smear_sharpness": 5,
    "keyframes.likeness": 0.5,
    "keyframes.change": 1,
    "keyframes.detector": "scenedetect:content",
    "keyframes.detector_parameters": {},  # ours has none, and refuses others
    "keyframes.shots.cut_difference": 200,
    "keyframes.shots.cut_ratio": 50,
    "keyframes.shots.cut_correlation": -1,
    "keyframes.shots.dissolve_span": 200,
    "keyframes.shots.flat": 60,
    "keyframes.shots.dark": 100,
    "keyframes.shots.fade_seconds": 0.1,
    "keyframes.shots.dissolve_seconds": 0.1,
    "keyframes.shots.wipe_seconds": 0.1,
    "selection.recurring_likeness": 0.5,
    "selection.recurring_share": 0.1,
    "selection.recurring_edge": 1,
    "cast.figures": "none",
    "cast.labels": ["fox"],
    "cast.least_score": 0.5,
    "cast.likeness": "onnx:encoder.onnx",
    "captions.neighbours": 1,
    "captions.references": True,
    "stories.cut": "scenes",
    "stories.shortest": 9,
    "stories.window": 3,
    "stories.reader_age": 9,
    "stories.words": 40,
    "stories.tense": "present",
    "stories.language": "de",
    "stories.style": "dry",
    "stories.grounded": 1,
    "quality.clip": "",
    "quality.min_similarity": 0.5,
    "quality.max_repetition": 0,
    "quality.max_reading_grade": -9,
    "quality.min_language_share": 1,
    "quality.max_toxic_words": 3,
    "quality.toxic_words_file": "toxic.txt",
    "quality.min_name_consistency": 1,
    "quality.max_repaired": 0,
    "quality.min_grounding": 1,
    "quality.accepted": True,
    "calls.longest_side": 100,
    "calls.detail": "low",
    "calls.max_tokens": 999,
    "calls.context": 9999,
    "calls.temperature": 1,
    "calls.extra": {"top_k": 20},
    "calls.at_once": 2,
    "calls.timeout": 9,
    "calls.token_timeout": 9,
    "calls.tries": 2,
    "calls.patience": 9,
    "calls.batch": 1,
    "calls.workers": 2,
    "prices": {"pen": {"input": 1, "output": 1}},
    "budget": None,
    "characters": "characters.yaml",
    "prompts": "prompts",
    "speech": "",
    "output.name": "other",
    "output.val_share": 0.9,
    "output.split_likeness": 0.99,
    "output.shard_megabytes": 0.001,
    "reject_limit": 0.1,
    "schemes": ["https"],
}


def settings(model: type[BaseModel], at: str = "") -> list[str]:
    """The dotted paths of all settings."""
    paths = []
    for name, field in model.model_fields.items():
        value = field.get_default(call_default_factory=True)
        section = isinstance(value, BaseModel)
        paths += settings(type(value), f"{at}{name}.") if section else [f"{at}{name}"]
    return paths


def answer(request) -> str:
    """An answer in which a digest of all that was asked can be read."""
    asked = hashlib.sha256(f"{request.texts}{[i.sha256 for i in request.images]}".encode())
    digest = asked.hexdigest()[:6]
    if request.task == "caption":
        return json.dumps({"sentence": f"A picture, {digest}."})
    if request.task == "characters":
        return json.dumps({"characters": [{"name": n, "look": digest} for n in ("Pip", "Momo")]})
    frames = request.facts.get("frames") or [row["frame"] for row in request.facts["captions"]]
    sentences = [{"frame": at, "text": f"{TEXTS[at % 16][:-1]} at {digest}."} for at in frames]
    return json.dumps({"sentences": sentences})


@pytest.fixture(scope="module", autouse=True)
def quick_runs():
    """Scripted models, and no report, which is not compared."""
    with scripted_models(Scripted(answer)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda *_: None)
        yield


def make(place: Path, out: Path, changed=None) -> dict[str, str]:
    """The digests of a dataset of the films in a folder."""
    values = BASE | (changed or {})
    config = load("", [f"{name}={json.dumps(value)}" for name, value in values.items()])
    run.run(*discovery.find(str(place / "films")), config, str(out), IN_MEMORY)
    return digests(out)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """Two films of a series with subtitles, and a dataset of them."""
    place = tmp_path_factory.mktemp("base")
    (place / "films").mkdir()
    intro = shots(1, 20, seed=7)
    for episode in (1, 2):
        film = place / "films" / f"S01E0{episode}.mp4"
        make_film(film, [*intro, *shots(3, 16, seed=100 * episode)])
        film.with_suffix(".srt").write_text(SUBTITLE.format(text="Pip: Hello, Momo!"))
    make(place, place / "out")
    assert pq.read_metadata(place / "out" / "stories.parquet").num_rows == 2  # else little is tried
    return place


SUBTITLE = "1\n00:00:01,000 --> 00:00:01,900\n{text}\n"


@pytest.fixture
def place(base, tmp_path) -> Path:
    return copied(base, tmp_path / "place")


def assert_rerun_is_fresh(place: Path, changed=None) -> bool:
    """Checks a rerun against a fresh run; returns whether the change shows in any row."""
    before = digests(place / "out")
    rerun = make(place, place / "out", changed)
    assert rerun == make(place, place / "fresh", changed)
    return any(rerun.get(name) != before.get(name) for name in before if name.endswith(".parquet"))


@pytest.mark.parametrize("name", settings(DatasetConfig))
def test_a_changed_setting(place, name, monkeypatch):
    monkeypatch.chdir(place)
    (place / "toxic.txt").write_text("rain\n")
    onnx_file(place / "encoder.onnx", {"features": [[1.0, 2.0]]})
    (place / "characters.yaml").write_text(yaml.safe_dump({"films": [{"name": "Momo"}]}))
    shutil.copytree(Path(run.__file__).parents[1] / "annotation" / "prompts", place / "prompts")
    prompt = place / "prompts" / "caption.txt"
    prompt.write_text(prompt.read_text().replace("{% endblock %}", "Be brief.\n{% endblock %}", 1))
    assert_rerun_is_fresh(place, {name: OTHER[name]})


def renamed_series(place: Path) -> None:
    rows = [f"{film.name},Another,{film.name}" for film in sorted(place.glob("films/*.mp4"))]
    (place / "films" / "manifest.csv").write_text("\n".join(["uri,series,title", *rows]))


def in_place(path: str, old: bytes, new: bytes):
    def change(place: Path) -> None:
        file = place / path
        data = file.read_bytes()
        assert old in data
        file.unlink()
        file.write_bytes(data.replace(old, new))

    return change


def other_film(place: Path) -> None:
    make_film(place / "films" / "S01E01.mp4", shots(4, 16, seed=900))


def a_decision(place: Path) -> None:
    """Rejects the story of a film."""
    books = Library(str(place / "out"))
    story = story_view(books.film("S01E01"), "S01E01_story_000", books.titles)
    values = {"film": "S01E01", "story": story["id"], "digest": story["digest"]}
    decisions.append(
        str(place / "out"), {"what": "reject", "reason": "words", **values}, "Ann", lambda *_: None
    )


INPUTS = {
    "a line of subtitles": in_place("films/S01E01.srt", b"Hello", b"Bye, Momo"),
    "a time of subtitles": in_place("films/S01E02.srt", b"00:00:01", b"00:00:03"),
    "subtitles that are gone": lambda place: (place / "films" / "S01E01.srt").unlink(),
    "series and title in a manifest": renamed_series,
    "the content of a film": other_film,
    "a film that is gone": lambda place: (place / "films" / "S01E02.mp4").unlink(),
    "a film that is new": lambda place: shutil.copy(
        place / "films" / "S01E02.mp4", place / "films" / "S01E03.mp4"
    ),
    "a decision of a person": a_decision,
    "characters that are edited": in_place("out/characters/films.yaml", b"Pip", b"Quinn"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_changed_input(place, name):
    INPUTS[name](place)
    if "characters" in name or "decision" in name:  # they are part of the dataset folder
        file = "characters/films.yaml" if "characters" in name else "decisions.jsonl"
        (place / "fresh" / file).parent.mkdir(parents=True)
        shutil.copy(place / "out" / file, place / "fresh" / file)
    assert assert_rerun_is_fresh(place)


def test_a_renamed_series_decodes_and_asks_nothing_again(place):
    renamed_series(place)
    make(place, place / "out")
    stages = json.loads((place / "out" / "run.json").read_text())["stages"]
    done = {stage["name"]: stage["done"] for stage in stages}
    assert (done["keyframes"], done["text"], done["dialogue"], done["selection"]) == (0, 0, 0, 2)
