"""A local model shared by the processes of a machine, by Beam's RunInference.

RunInference wants one answer an element, and a story takes a chain of questions, each made of the
answer before. So what it is handed are lists of films, its "inference" asks all their questions,
and the model it has loaded, once a machine, answers them in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler, RunInference

from pipeline.graph.stage_cache import Run
from pipeline.graph.stages import Stage
from pipeline.inference.backends import loading
from pipeline.runtime import stage_outputs
from pipeline.runtime.stage_outputs import Film


class SharedModel(ModelHandler[Sequence[Sequence[Film]], list[Film], Any]):
    """The model of a stage, and the function that asks it about that stage's films."""

    def __init__(self, ask: Callable[..., list[Film]], stage: Stage, run: Run) -> None:
        super().__init__()
        self.ask, self.stage, self.run = ask, stage, run

    def load_model(self) -> Any:
        """Loads the model. RunInference calls it once per machine."""
        spec = self.run.model_spec(self.stage)
        return loading.load(self.stage.role, spec, self.run.config.calls)

    def run_inference(
        self,
        batch: Sequence[Sequence[Sequence[Film]]],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[list[Film]]:
        """Returns the films of each group of jobs with the stage's output."""
        return [self.ask(jobs, self.stage, self.run, model) for jobs in batch]

    def share_model_across_processes(self) -> bool:
        """Returns True: one copy per machine, whatever the number of worker processes."""
        return True

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        """Returns 0: films are names of files."""
        return 0

    def batch_elements_kwargs(self) -> dict[str, Any]:
        """Returns batches of one: groups are as large as they should be."""
        return {"min_batch_size": 1, "max_batch_size": 1}


def inference(ask: Callable[..., list[Film]], stage: Stage, run: Run) -> RunInference:
    """Returns the transform from groups of jobs to films with the stage's output.

    `ask` takes the jobs of a group, the stage, the run and the loaded model.

    Stages of a run that ask the same model share it; other runs on the machine, which may have
    other settings, do not.
    """
    tag = stage_outputs.digest([run.model_spec(stage).identity, run.id])
    return RunInference(SharedModel(ask, stage, run), model_identifier=f"storystream-{tag}")
