"""The command that tells what another benchmark asks for."""

from types import SimpleNamespace

from benchmarks.__main__ import main
from benchmarks.evaluators import vistorybench
from tests.benchmarks.evaluators import items


def test_a_run_tells_the_stories_of_vistorybench(tmp_path, monkeypatch, capsys):
    dataset = items.vistory(tmp_path / "ViStory")
    asked = []

    def tell(teller, policy, openings, folder, seed):
        asked.append((teller, policy, [opening.id for opening in openings]))
        return items.told(openings, tmp_path / "told")

    monkeypatch.setattr("model.generate.load", lambda run: SimpleNamespace(name=run.name))
    monkeypatch.setattr("benchmarks.generators.trained_run.tell_stories", tell)
    arguments = ["--items", str(dataset), "--run", str(tmp_path / "mine"), "--at-most", "1"]
    code = main(["evaluator", "vistorybench", *arguments, "--to", str(tmp_path / "outputs")])
    assert code == 0
    assert asked == [(SimpleNamespace(name="mine"), "multimodal", ["01"])]
    written = capsys.readouterr().out.strip()
    assert written.startswith(f"{tmp_path}/outputs/mine/multimodal/en/")
    assert sorted(vistorybench.read_outputs(tmp_path / "outputs/mine")["01"]) == [1, 2, 3]
    missing = ["--items", str(tmp_path), "--to", str(tmp_path / "more")]
    assert main(["evaluator", "vistorybench", *missing]) == 2
    assert "has no NUMBER/story.json" in capsys.readouterr().err
