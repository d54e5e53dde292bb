import json

import pyarrow.parquet as pq
import pytest

from pipeline import model_specs
from pipeline.config import DatasetConfig, load
from pipeline.graph import run, stage_cache, stages
from pipeline.graph.stages import STAGES, Stage
from pipeline.ingest import discovery
from pipeline.runtime.stage_inputs import Inputs, UndeclaredRead, declared, setting
from pipeline.runtime.stage_outputs import Film
from pipeline.testing.films import make_film, shots
from schemas.rows import Caption, Keyframe, Reject, Video

IN_MEMORY = ["--direct_running_mode=in_memory"]


def long_shots(film, job):
    return [
        Reject("shot", keyframe.id, "long", "", film.video.id)
        for keyframe in film.rows("selection", Keyframe)
        if keyframe.shot_end - keyframe.shot_start > job.config.keyframes.every
    ]


@pytest.mark.slow
def test_a_stage_is_added_by_declaring_it(tmp_path, monkeypatch):
    added = Stage(
        "long_shots", long_shots, reads={"selection": (Keyframe,)}, settings=("keyframes.every",)
    )
    monkeypatch.setattr(stages, "STAGES", (*STAGES, added))
    make_film(tmp_path / "film.mp4", shots(3, 16))
    found = discovery.find(str(tmp_path / "film.mp4"))
    config = load("", ["keyframes.every=0.5", "stories.shortest=1"])
    assert run.run(*found, config, str(tmp_path / "out"), IN_MEMORY) == 0
    rejects = pq.read_table(tmp_path / "out" / "rejects.parquet").to_pylist()
    assert [row["reason"] for row in rejects if row["stage"] == "shot"]
    recorded = json.loads((tmp_path / "out" / "run.json").read_text())["stages"]
    assert {"long_shots": 1}.items() <= {stage["name"]: stage["done"] for stage in recorded}.items()


def test_a_stage_reads_only_what_it_declares():
    film = Inputs(Film(Video("a", "/a.mp4", "A", "The Kite", language="de"), ""), {}, ("language",))
    assert (film.video.uri, film.video.language) == ("/a.mp4", "de")
    assert film.video.title == film.video.series == ""
    with pytest.raises(UndeclaredRead, match="Caption rows of captions"):
        film.rows("captions", Caption)
    config = declared(load(), ["stories.language", "quality"])
    assert config.stories.language == "en" and config.quality.max_repetition == 0.6
    for read, name in (
        (lambda: config.writer, "setting writer"),
        (lambda: config.stories.words, "setting stories.words"),
    ):
        with pytest.raises(UndeclaredRead, match=name):
            read()


def test_what_stages_declare_is_there():
    names = [stage.name for stage in STAGES]
    for at, stage in enumerate(STAGES):
        assert set(stage.reads) <= set(names[:at])  # a stage reads those before it
        for path in (*stage.settings, *stage.file_settings):
            setting(load(), path)
        for field in stage.video:
            assert hasattr(Video("a", "/a.mp4", "A", "A"), field)


def test_a_new_version_of_an_embedded_model_is_asked_anew(monkeypatch):
    stories = next(stage for stage in stages.STAGES if stage.name == "stories")
    before = stage_cache._model_key(stories, DatasetConfig())
    other = stage_cache._model_key(stories, DatasetConfig(writer="openai:pen"))
    monkeypatch.setitem(model_specs.EMBEDDED, "writer", "embedded-writer-next")
    assert stage_cache._model_key(stories, DatasetConfig()) != before
    assert stage_cache._model_key(stories, DatasetConfig(writer="openai:pen")) == other
