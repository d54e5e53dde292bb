"""A local model shared by the processes of a machine, by Beam's RunInference.

RunInference wants one answer an element, and a story takes a chain of questions, each made of the
answer before. So what it is handed are lists of films, its "inference" asks all their questions,
and the model it has loaded, once a machine, answers them in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler, RunInference

from pipeline.graph import model_transforms
from pipeline.graph.stage_cache import Run
from pipeline.graph.stages import Stage
from pipeline.inference.backends import loading
from pipeline.runtime import stage_outputs
from pipeline.runtime.stage_outputs import Film


class SharedModel(ModelHandler[Sequence[Sequence[Film]], list[Film], Any]):
    """The model of a stage, and what is done with it for that stage's films."""

    def __init__(self, stage: Stage, run: Run) -> None:
        super().__init__()
        self.stage, self.run = stage, run

    def load_model(self) -> Any:
        """The model. RunInference calls it once a machine."""
        spec = model_transforms.model_spec(self.stage, self.run)
        return loading.load(self.stage.role, spec, self.run.config.calls)

    def run_inference(
        self,
        batch: Sequence[Sequence[Sequence[Film]]],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[list[Film]]:
        """The films of each group of jobs with the stage's output."""
        return [model_transforms.ask(jobs, self.stage, self.run, model) for jobs in batch]

    def share_model_across_processes(self) -> bool:
        """One copy a machine, whatever the number of worker processes."""
        return True

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        """Films are names of files: nothing to speak of."""
        return 0

    def batch_elements_kwargs(self) -> dict[str, Any]:
        """Groups are as large as they should be."""
        return {"min_batch_size": 1, "max_batch_size": 1}


def inference(stage: Stage, run: Run) -> RunInference:
    """The transform from groups of jobs to films with the stage's output.

    Stages of a run that ask the same model share it; other runs on the machine, which may have
    other settings, do not.
    """
    tag = stage_outputs.digest([model_transforms.model_spec(stage, run).identity, run.id])
    return RunInference(SharedModel(stage, run), model_identifier=f"storystream-{tag}")
