"""Training in two processes, as `accelerate launch` starts them, on one CPU with gloo."""

import json
import multiprocessing
import os
import random
import signal
import socket
import sys

import pytest
import torch

from model import checkpoints, features, runs, stages
from model import train as training
from tests.model.test_chain import STAGES, place, train  # noqa: F401

# A fresh process that has imported everything: a clean start for each rank, in a moment
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.model.test_chain", "model.chain", "model.__main__"])


def one_rank(rank, count, port, folder, more, fault):
    """Trains as one of `count` processes; notes its losses, and what it prints, in files."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    torch.set_num_threads(1)
    sys.stdout, sys.stderr, seen = (
        (folder / f"{what}-{rank}").open("w") for what in ("out", "err", "losses")
    )
    step = training._step

    def watched(name, model, *others):
        number = others[-1].step + 1
        if fault and fault[:2] == (rank, number):
            fault[2]()
        figures = step(name, model, *others)
        draws = [torch.rand(()).item(), random.random()]  # noise that is the rank's own
        print(json.dumps([name, number, figures, draws]), file=seen, flush=True)
        return figures

    training._step = watched
    code = train(folder, *more)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def together(folder, *more, count=2, fault=None):
    """Trains in processes; returns their exit codes, what they print, and each one's steps."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [
        CONTEXT.Process(target=one_rank, args=(rank, count, port, folder, more, fault))
        for rank in range(count)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    out, err = (
        "".join((folder / f"{name}-{at}").read_text() for at in range(count))
        for name in ("out", "err")
    )
    steps = [
        [json.loads(line) for line in (folder / f"losses-{at}").read_text().splitlines()]
        for at in range(count)
    ]
    return [process.exitcode for process in ranks], out, err, steps


def copied(place, folder):  # noqa: F811
    folder.mkdir()
    for name in ("preset", "data"):
        (folder / name).symlink_to(place / name)
    return folder


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def stopped():
    os.kill(os.getpid(), signal.SIGTERM)


def damaged():
    raise stages.data.DataError("train1.00.jpg does not decode")


def settings(**values):
    return [
        f"--set={name}.train.{what}={value}" for name in STAGES for what, value in values.items()
    ]


LONGER = settings(steps=5, save_every=2, ema=0.9)


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):  # noqa: F811
    """A run of all stages in two processes, that nothing happened to."""
    folder = copied(place, tmp_path_factory.mktemp("whole") / "a")
    return folder, *together(folder, *LONGER)


def test_every_stage_trains_in_two_processes(whole):
    _, codes, out, err, steps = whole
    assert codes == [0, 0], err
    assert [line for line in out.splitlines() if "done in" in line] == [
        line for name in STAGES for line in out.splitlines() if line.startswith(f"{name}: done in")
    ]
    losses = [[figures for *_, figures, _ in each] for each in steps]
    assert len(losses[0]) == 5 * len(STAGES) and losses[0] == losses[1]
    for one, two in zip(*steps, strict=True):
        assert one[3][0] != two[3][0] and one[3][1] != two[3][1]  # noise of their own


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_of_two_processes_that_was_killed_goes_on_with_the_same_losses(
    name, whole, tmp_path
):
    folder = copied(whole[0], tmp_path / "b")
    (folder / "run").mkdir()
    for done in (whole[0] / "run").iterdir():
        if done.name != name and done.name != ".lock":
            (folder / "run" / done.name).symlink_to(done)
    for written in ("preset", "samples", "logs"):
        (folder / "run" / written).unlink()
    codes, _, err, begun = together(folder, *LONGER, "--stage", name, fault=(1, 4, killed))
    assert begun[0] == [step for step in whole[4][0] if step[0] == name and step[1] < 4]
    assert codes == [1, -signal.SIGKILL]
    assert checkpoints.about(folder / "run" / f"{name}.checkpoint")["step"] == 2

    codes, out, err, steps = together(folder, *LONGER, "--stage", name)

    assert codes == [0, 0], err
    assert f"{name}: resumes from step 2" in out
    for rank in (0, 1):
        assert steps[rank] == [step for step in whole[4][rank] if step[0] == name and step[1] > 2]


def test_a_fault_in_one_process_ends_both_with_one_message(place, tmp_path):  # noqa: F811
    folder = copied(place, tmp_path / "c")
    codes, _, err, _ = together(folder, fault=(1, 2, damaged))
    assert codes == [1, 2]
    assert err.strip() == "train1.00.jpg does not decode"


def test_a_signal_to_one_process_stops_both_after_the_same_step(place, tmp_path):  # noqa: F811
    folder = copied(place, tmp_path / "d")
    codes, _, err, _ = together(folder, *LONGER, fault=(1, 3, stopped))
    assert sorted(codes) == [1, 130]
    assert err.strip() == (
        "0a-towers: stopped after step 3 of 5; the same command resumes from there"
    )
    codes, out, err, steps = together(folder, *LONGER, "--stage", "0a-towers", count=1)
    assert codes == [0], err
    assert "2 processes trained until then and 1 go on" in out
    assert [number for _, number, *_ in steps[0]] == [4, 5]


def test_two_processes_train_as_one_with_twice_the_batches_a_step(whole, tmp_path):
    """Where a stage draws no noise; elsewhere each process draws its own."""
    folder = copied(whole[0], tmp_path / "e")
    (folder / "run").mkdir()
    for name in ("0a-towers", "0b-autoencoder", "features", "tokenizer"):
        (folder / "run" / name).symlink_to(whole[0] / "run" / name)
    twice = "--set=2-story.train.accumulate=2"
    codes, _, err, (alone,) = together(folder, *LONGER, twice, "--stage", "2-story", count=1)
    assert codes == [0], err
    norms, others = (
        [figures["gradient"] for name, _, figures, _ in steps if name == "2-story"]
        for steps in (alone, whole[4][0])
    )
    assert norms == pytest.approx(others, rel=1e-4)


def test_features_and_predictions_are_the_same_bytes_however_many_make_them(whole, tmp_path):
    folder = copied(whole[0], tmp_path / "f")
    (folder / "run").mkdir()
    for name in ("0a-towers", "0b-autoencoder", "1-detokenizer", "2-story", "tokenizer"):
        (folder / "run" / name).symlink_to(whole[0] / "run" / name)
    codes, _, err, _ = together(folder, *LONGER, "--stage", "3-adaptation", count=1)
    assert codes == [0], err
    for kind in ("features", "predictions"):
        made = {path.name: path.read_bytes() for path in (folder / "run" / kind).glob("*.tar")}
        assert set(made) == {"train-00000.tar", "val-00000.tar"}
        assert all((whole[0] / "run" / kind / name).read_bytes() == made[name] for name in made)


def test_a_run_is_trained_by_one_command_at_a_time(place, capsys):  # noqa: F811
    with runs.locked(place / "run"):
        assert train(place) == 2
    said = capsys.readouterr().err
    assert f"another training (process {os.getpid()} on {socket.gethostname()}, since 20" in said
    assert f"writes to {place / 'run'}: wait until it ends, stop it, or give another" in said
    with runs.locked(place / "run"):
        pass


def test_shards_that_a_stopped_run_has_made_are_not_made_again(tmp_path):
    def chunk(key):
        seen, latents, figures = torch.ones(1, 4, 8), torch.ones(1, 2, 3, 3), torch.zeros(1, 3, 3)
        return features.Chunk(key, ["Hi."], [[5]], seen, latents, figures)

    made = []

    def of(source):
        made.append(source)
        if source == "c" and made.count("c") == 1:
            raise KeyboardInterrupt
        return [] if source == "b" else [chunk(source)]

    folder, sources = tmp_path / "features", {f"train-{at}.tar": at for at in "abc"}
    with pytest.raises(KeyboardInterrupt):
        features.compute_shards(folder, "k", sources, of)
    assert not folder.exists()

    features.compute_shards(folder, "k", sources, of)

    assert made == ["a", "b", "c", "b", "c"]  # b gives nothing, so that nothing of it is there
    assert sorted(path.name for path in folder.iterdir()) == [
        "about.json",
        "train-a.tar",
        "train-c.tar",
    ]
    with pytest.raises(KeyError):
        features.compute_shards(folder, "other", {"train-a.tar": "a"}, {}.__getitem__)
    assert checkpoints.about(folder)["key"] == "k"  # until another one is whole


def test_a_validation_is_of_the_same_few_chunks_each_time():
    places = [("shard", at, at + 1) for at in range(1000)]
    some = stages.data.some(places, 10)
    assert len(some) == 10 and some == sorted(some) == stages.data.some(places, 10)
    assert all(places[number] == at for number, at in some)
    assert [number for number, _ in stages.data.some(places[:5], 10)] == [0, 1, 2, 3, 4]
