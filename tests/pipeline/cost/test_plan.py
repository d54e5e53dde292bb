"""The plan: rates times hours, and where each rate is from."""

import json
from pathlib import Path

import pytest

from pipeline import __main__
from pipeline.config import load
from pipeline.cost import plan, rates
from pipeline.cost.probe import Speed

STAGE = {stage.name: stage for stage in plan.all_steps()}

SERVED = [
    "captioner=openai:eyes",
    "writer=openai:pen",
    "prices={eyes: {input: 1, output: 2}, pen: {input: 10, output: 20}}",
]
EARLIER = {
    "done": 0,
    "seconds": 0.0,
    "calls": 0,
    "kept": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "cost": 0.0,
    "timed_calls": 0,
}


def stage(name, done, seconds, calls=0, read=0, written=0, **more):
    return {
        "name": name,
        "done": done,
        "reused": 0,
        "seconds": seconds,
        "calls": calls,
        "kept": 0,
        "input_tokens": read,
        "output_tokens": written,
        "cost": 0.0,
        "counters": {},
        "distributions": {},
        "earlier": EARLIER,
        **more,
    }


@pytest.fixture
def dataset(tmp_path) -> Path:
    """What a run over two films of half an hour with 600 keyframes leaves of itself: 5 hours of
    work for the keyframes, captions at 4 calls per second, a question in ten asked twice."""
    run = {
        "stages": [
            stage("keyframes", 2, 18000.0),
            stage("text", 2, 1200.0),
            stage("selection", 2, 6.0),
            stage("captions", 2, 165.0, 660, 660_000, 66_000),
            stage("characters", 2, 10.0, 1, 3000, 300),
            stage("stories", 2, 100.0, 80, 160_000, 32_000),
            stage("quality", 2, 6.0),
            stage("shards", 3, 12.0),
            stage("publish", 1, 6.0),
        ]
    }
    manifest = {
        "counts": {"videos": 2, "keyframes": 600},
        "config": load("", SERVED).published(),
        "models": {"captioner": "openai:eyes", "writer": "openai:pen"},
        "videos": [{"duration": 1800.0, "width": 640, "height": 360}] * 2,
        "files": [{"path": f"shards/train-{at}.tar"} for at in range(3)],
    }
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    for path, size in (
        ("images/a/1.jpg", 60_000),
        ("work/pictures/a/1.jpg", 90_000),
        ("work/text/a.jsonl", 6_000),
        ("work/answers/0/1.json", 12_000),
        ("shards/train-0.tar", 60_000),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)
    return tmp_path


def films(known, hours=1.0, **values):
    return plan.Films(
        **{
            "hours": hours,
            "minutes": known.minutes,
            "size": known.size,
            "keyframes": known.keyframes,
            **values,
        }
    )


def test_the_plan_for_its_own_hours_is_what_a_dataset_took(dataset):
    known, config = rates.of_dataset(str(dataset)), load("", SERVED)
    steps = plan.work(films(known), config, known)
    run = json.loads((dataset / "run.json").read_text())
    for took in run["stages"]:
        step = steps[took["name"]]
        assert step.calls == pytest.approx(took["calls"]), took["name"]
        assert step.input_tokens == pytest.approx(took["input_tokens"])
        assert step.output_tokens == pytest.approx(took["output_tokens"])
        if not took["calls"]:
            assert step.core_seconds == pytest.approx(took["seconds"]), took["name"]
        else:
            assert step.model_seconds == pytest.approx(took["seconds"])
    assert steps["captions"].cost == pytest.approx(0.66 * 1 + 0.066 * 2)
    sizes = plan.storage(films(known), steps, config, known)
    assert sizes["images"] == pytest.approx(60_000) and sizes["work"] == pytest.approx(6_000)
    assert sizes["work/answers"] == pytest.approx(12_000)
    assert sizes["shards"] == pytest.approx(60_000)
    there = sum(path.stat().st_size for path in dataset.rglob("*") if path.is_file())
    assert sum(sizes.values()) == pytest.approx(there)


def test_ten_times_the_hours_are_ten_times_the_work(dataset):
    known, config = rates.of_dataset(str(dataset)), load("", SERVED)
    single, ten = (plan.work(films(known, hours), config, known) for hours in (1, 10))
    for name in single:
        assert ten[name].core_seconds == pytest.approx(10 * single[name].core_seconds)
        assert ten[name].cost == pytest.approx(10 * single[name].cost)


def test_more_workers_and_servers_take_less_time(dataset):
    known, config = rates.of_dataset(str(dataset)), load("", SERVED)
    steps = plan.work(films(known), config, known)

    def seconds(name, workers, servers=1):
        return plan.seconds(STAGE[name], steps[name], config, workers, servers)

    assert seconds("keyframes", 10) == pytest.approx(1800)
    assert seconds("publish", 10) == pytest.approx(6)  # one worker's
    assert seconds("captions", 10) == pytest.approx(165)
    assert seconds("captions", 10, servers=4) == pytest.approx(165 / 4)
    per_call = rates.SECONDS_PER_CALL + rates.SECONDS_PER_MEGAPIXEL * 640 * 360 / 1e6
    assert seconds("captions", 10, servers=1000) == pytest.approx(
        660 * per_call
    )  # one process asks


def test_larger_films_take_more_time_and_room(dataset):
    known, config = rates.of_dataset(str(dataset)), load("", SERVED)
    larger = films(known, size=(1280, 720))
    steps = plan.work(larger, config, known)
    assert steps["keyframes"].core_seconds == pytest.approx(4 * 18000)
    assert steps["text"].core_seconds == pytest.approx(1200)
    sizes = plan.storage(larger, steps, config, known)
    assert (sizes["images"], sizes["work"]) == (pytest.approx(240_000), pytest.approx(6_000))


def test_what_earlier_runs_did_counts_as_well(dataset):
    run = json.loads((dataset / "run.json").read_text())
    run["stages"][0] |= {
        "done": 0,
        "seconds": 0.0,
        "earlier": {**EARLIER, "done": 4, "seconds": 36000.0},
    }  # done twice
    run["stages"][3] |= {
        "kept": 660,
        "calls": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "earlier": {**EARLIER, "done": 2, "calls": 660, "input_tokens": 660_000},
    }
    run["stages"][1] |= {"done": None, "seconds": None}  # a runner that does not count
    (dataset / "run.json").write_text(json.dumps(run))
    known = rates.of_dataset(str(dataset))
    assert known.seconds["keyframes"] == pytest.approx(18000 / 60)
    assert known.models["captions"].calls == pytest.approx(1.1)
    assert known.models["captions"].input_tokens == pytest.approx(1100)
    assert known.seconds["text"] == rates.BUILT_IN.seconds["text"]
    assert known.source["text"] == "built in"


@pytest.mark.parametrize(
    "last, earlier, rate",
    [
        ({"calls": 10, "seconds": 15.0}, {"calls": 650, "timed_calls": 650, "seconds": 150.0}, 4.0),
        (
            {"calls": 0, "kept": 660, "seconds": 5.0},
            {"calls": 660, "timed_calls": 660, "seconds": 160.0},
            4.0,
        ),
        ({"calls": 40, "seconds": 10.0}, {"calls": 620}, 4.0),  # 620 of a run that was stopped
        ({"calls": 0, "kept": 660, "seconds": 1.0}, {"calls": 660}, None),  # all of them
    ],
    ids=["a few calls more", "all kept", "stopped in between", "stopped at the end"],
)
def test_calls_per_second_are_those_of_all_runs_whose_time_is_known(dataset, last, earlier, rate):
    run = json.loads((dataset / "run.json").read_text())
    run["stages"][3] |= {**last, "earlier": {**EARLIER, **earlier}}
    (dataset / "run.json").write_text(json.dumps(run))
    known, config = rates.of_dataset(str(dataset)), load("", SERVED)
    assert known.models["captions"].calls_per_second == (rate and pytest.approx(rate))
    steps = plan.work(films(known), config, known)
    assert steps["captions"].model_seconds == pytest.approx(
        steps["captions"].calls / (rate or rates.CALLS_PER_SECOND)
    )
    lines = " ".join(plan.assumptions(films(known), config, known))
    assert (f"captions: a server answers 4 calls per second ({dataset})" in lines) is bool(rate)
    assert ("captions: a server answers 10.7 calls per second (assumed" in lines) is (rate is None)


@pytest.mark.parametrize(
    "file, change, fault",
    [
        (
            "run.json",
            lambda run: run["stages"][0]["earlier"].pop("done"),
            "stages.0.earlier.done: Field required",
        ),
        ("run.json", lambda run: run.pop("stages"), "stages: Field required"),
        (
            "dataset.json",
            lambda manifest: manifest["videos"][1].pop("width"),
            "videos.1.width: Field required",
        ),
        ("dataset.json", lambda manifest: manifest.pop("config"), "config: Field required"),
    ],
)
def test_a_dataset_of_another_version_is_named(dataset, capsys, file, change, fault):
    values = json.loads((dataset / file).read_text())
    change(values)
    (dataset / file).write_text(json.dumps(values))
    assert __main__.main(["plan", "--hours", "1", "--from", str(dataset)]) == 2
    assert capsys.readouterr().err == (
        f"error: {dataset / file}: {fault}; it was written by another version: run the command "
        "that made the dataset again\n"
    )


def test_local_models_are_limited_by_their_gpus(dataset):
    known = rates.of_dataset(str(dataset))
    config = load("", ["captioner=transformers:eyes", "writer=openai:pen", "calls.workers=4"])
    steps = plan.work(films(known), config, known)
    captions = steps["captions"]
    assert (
        captions.calls == pytest.approx(600) and captions.core_seconds == 0
    )  # nobody but the GPUs
    assert captions.model_seconds == pytest.approx(600 / rates.CALLS_PER_SECOND)
    assert plan.seconds(STAGE["captions"], captions, config, 100, 9) == captions.model_seconds / 4
    printed = plan.describe(films(known), config, known, [100], 9)
    assert "hours with 9 servers, 4 GPUs and this many workers\n" in printed
    assert (
        "captions: a GPU answers 10.7 calls per second (assumed, not measured); "
        "calls.workers=4, each with a GPU\n"
    ) in printed
    assert "stories: a server answers 0.8 calls per second" in printed
    own = load("", ["captioner=transformers:eyes", "writer=transformers:pen"])
    assert "server" not in plan.describe(films(known), own, known, [100], 9)
    steps = plan.work(films(rates.BUILT_IN), own, rates.BUILT_IN)
    calls = sum(step.calls for step in steps.values())
    sizes = plan.storage(films(rates.BUILT_IN), steps, own, rates.BUILT_IN)
    assert calls > 800 and sizes["work/answers"] == pytest.approx(rates.BYTES_PER_RESPONSE * calls)
    embedded = load("", [])
    steps = plan.work(films(rates.BUILT_IN), embedded, rates.BUILT_IN)
    assert plan.storage(films(rates.BUILT_IN), steps, embedded, rates.BUILT_IN)["work/answers"] == 0


def test_another_model_is_planned_by_its_prompts(dataset):
    known = rates.of_dataset(str(dataset))
    config = load("", [*SERVED, "writer=openai:another"])
    steps = plan.work(films(known), config, known)
    assert steps["captions"].calls == pytest.approx(660)
    assert steps["stories"].calls == 80  # 20 stories, each told in 3 windows and linked
    assert steps["characters"].calls == pytest.approx(2 / plan.FILMS_PER_SERIES)
    lines = plan.assumptions(films(known), config, known)
    assert any(line.startswith("stories: calls and tokens by the prompts") for line in lines)
    assert f"captions: calls and tokens as in {dataset}" in lines
    assert "cost is of tokens only; no price is set for another (set prices)" in lines


def test_the_command_takes_settings_and_rates_from_a_dataset(dataset, capsys):
    assert __main__.main(["plan", "--hours", "10", "--from", str(dataset), "--workers", "5"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("10 hours: 20 films of 30 minutes, 640x360; 6,000 keyframes\n")
    lines = {line.split()[0]: line.split() for line in printed.splitlines() if line}
    assert lines["captions"] == [
        "captions",
        "0.014",
        "0.46",
        "6,600",
        "6.6",
        "0.66",
        "7.92",
        "0.46",
    ]
    assert lines["keyframes"] == ["keyframes", "50.0", "-", "0", "-", "-", "0.00", "10.0"]
    assert f"- keyframes: 300 core seconds per minute of film ({dataset})" in printed


def test_the_built_in_rates_say_that_they_are(capsys, monkeypatch):
    monkeypatch.setattr(rates.probe, "measure", lambda: Speed(2.0, 3.0))
    assert (
        __main__.main(
            [
                "plan",
                "--hours",
                "10000",
                "--films-minutes",
                "22",
                "--size",
                "1920x1080",
                "--captioner",
                "openai:eyes",
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "10,000 hours: 27,273 films of 22 minutes, 1920x1080" in printed
    assert "measured on 1280x720: the time to find keyframes and the bytes of images" in printed
    assert "captions: a server answers 10.7 calls per second (assumed, not measured)" in printed
    assert "- built in: measured on Big Buck Bunny (1280x720) and its trailer" in printed
    assert "- corrected for this machine, which takes 2.0 times as long to decode" in printed
    assert f"- text: {3 * rates.BUILT_IN.seconds['text']:.3g} core seconds" in printed


@pytest.mark.parametrize(
    "words, message",
    [
        (["--hours", "0"], "must be more than 0"),
        (["--hours", "1", "--size", "full"], "write it as 1920x1080"),
        (["--hours", "1", "--from", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_planned_is_explained(words, message, capsys):
    assert __main__.main(["plan", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_dataset_without_keyframes_tells_nothing(dataset):
    manifest = json.loads((dataset / "dataset.json").read_text())
    manifest["counts"]["keyframes"] = 0
    (dataset / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="has no keyframes to measure rates with"):
        rates.of_dataset(str(dataset))
