import dataclasses
import errno
import json
from pathlib import Path

import pytest

from pipeline import __main__ as command
from pipeline.config import load
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.keyframes import segment_scan
from pipeline.keyframes.stages import place_pictures
from pipeline.runtime import stage_outputs, storage
from pipeline.runtime.stage_outputs import Film
from pipeline.testing.films import make_film, shots
from schemas.rows import Video
from tests.pipeline.comparing import digests
from tests.pipeline.rows import keyframe
from tests.pipeline.runs import IN_MEMORY, copied, scripted_models
from tests.pipeline.scripted import Scripted, said


@pytest.fixture(scope="module", autouse=True)
def models():
    """A captioner and a writer that are quick; it is not about what they say."""
    with scripted_models(Scripted(said)):
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for episode in (1, 2):
        make_film(folder / f"S01E0{episode}.mp4", shots(11, 16, seed=1000 * episode))
    return folder


def make(films, out, **options) -> dict[str, tuple[int, int]]:
    """Runs, and says what each stage has done and what it found done."""
    config = load("", ["quality.min_grounding=null"])  # the scripted texts hold nothing of pictures
    assert run.run(*discovery.find(str(films)), config, str(out), IN_MEMORY, **options) == 0
    record = json.loads((out / "run.json").read_text())
    return {stage["name"]: (stage["done"], stage["reused"]) for stage in record["stages"]}


@pytest.fixture(scope="module")
def first(films, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made")
    make(films, out)
    return out


@pytest.fixture
def made(first, tmp_path):
    """A dataset of its own for each test, and its digests."""
    out = copied(first, tmp_path / "dataset")
    return out, digests(out)


def picture(folder: Path, film: str) -> Path:
    return next(
        path
        for path in sorted(folder.rglob("*.jpg"))
        if path.parent.name.startswith(film) and "rejected" not in path.parts
    )


def test_a_stage_is_done_again(films, made):
    out, before = made
    done = make(films, out, force=["captions"])
    assert done["captions"] == (2, 0)
    assert done["keyframes"] == done["stories"] == (0, 2)
    assert digests(out) == before


def test_all_of_a_film_is_done_again(films, made):
    out, before = made
    done = make(films, out, force=["S01E02"])
    assert [done[stage] for stage in ("keyframes", "text", "captions", "stories", "quality")] == [
        (1, 1)
    ] * 5
    assert digests(out) == before


def test_a_damaged_picture_is_mended_by_doing_its_film_again(films, made):
    out, before = made
    damaged = picture(out / "images", "S01E01")  # and the one in work/, which is the same file
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    make(films, out, force=["S01E01"])
    assert digests(out) == before


@pytest.mark.parametrize(
    "harm", [lambda path: path.write_bytes(path.read_bytes()[:100]), lambda path: path.unlink()]
)
def test_a_picture_that_is_gone_or_cut_short_is_made_again_unasked(films, made, harm):
    out, before = made
    harm(picture(out / "work" / "pictures", "S01E01"))
    assert make(films, out)["keyframes"] == (1, 1)
    assert digests(out) == before


def test_what_is_neither_a_stage_nor_a_film_is_an_error_that_names_what_is(films, tmp_path, capsys):
    assert (
        command.main(
            ["dataset", "--videos", str(films), "--out", str(tmp_path / "out"), "--force", "S01E03"]
        )
        == 2
    )
    assert (
        "--force S01E03: there is no such stage and no film with this id; "
        "similar names are S01E02, S01E01"
    ) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_films_in_segments_give_what_they_give_as_a_whole(films, made, tmp_path, monkeypatch):
    _, before = made
    monkeypatch.setattr(segment_scan, "SECONDS", 1.0)
    scans = []
    monkeypatch.setattr(segment_scan, "path", noting(segment_scan.path, scans))
    out = tmp_path / "again"
    make(films, out)
    assert len(scans) > 10
    assert not list((out / "work" / "segments").rglob("*.npz"))
    assert digests(out) == before


def test_another_choice_of_pictures_replaces_them_also_where_nothing_can_be_linked(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("os.link", no_link)
    film = Film(Video("a", "/a.mp4", "A", "A"), str(tmp_path / "work"))
    for digest, content in (("1", b"old!"), ("2", b"new!")):
        film = dataclasses.replace(
            film,
            outputs={stage: f"{stage}/a-{digest}" for stage in ("keyframes", "text", "selection")},
        )
        for name in film.outputs.values():
            stage_outputs.save(stage_outputs.path(film.work, name), [keyframe("a", 1.0)])
        storage.write_bytes(
            storage.join(
                stage_outputs.images_folder(film.work, film.outputs["keyframes"]),
                f"{keyframe('a', 1.0).id}.jpg",
            ),
            content,
        )
        place_pictures([film], str(tmp_path / "out"), lambda *_: False, lambda: None)
        assert (tmp_path / "out" / keyframe("a", 1.0).image).read_bytes() == content


def no_link(*arguments, **options):
    raise OSError(errno.EOPNOTSUPP, "no links here")


def noting(function, calls):
    def noted(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return noted
