"""Shares a local model among the processes of a machine, by Beam's RunInference.

RunInference expects one answer per element, but a story takes a chain of questions, each of which
depends on the answer before. So its elements here are lists of films, its "inference" asks all
their questions, and the model, which it loads once per machine, answers them in batches.
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
    """Loads the model of a stage and runs the stage with it."""

    def __init__(self, run_jobs: Callable[..., list[Film]], stage: Stage, run: Run) -> None:
        super().__init__()
        self.run_jobs, self.stage, self.run = run_jobs, stage, run

    def load_model(self) -> Any:
        """Loads the model. RunInference calls this once per machine."""
        spec = self.run.model_spec(self.stage)
        return loading.load(self.stage.role, spec, self.run.config.calls)

    def run_inference(
        self,
        batch: Sequence[Sequence[Sequence[Film]]],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[list[Film]]:
        """Returns the films of each list of jobs with the stage's output."""
        return [self.run_jobs(jobs, self.stage, self.run, model) for jobs in batch]

    def share_model_across_processes(self) -> bool:
        """Returns True: one copy per machine serves all worker processes."""
        return True

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        """Returns 0: films are names of files, of negligible size."""
        return 0

    def batch_elements_kwargs(self) -> dict[str, Any]:
        """Returns batch sizes of 1: a list of jobs is a batch already."""
        return {"min_batch_size": 1, "max_batch_size": 1}


def inference(run_jobs: Callable[..., list[Film]], stage: Stage, run: Run) -> RunInference:
    """Returns the transform from lists of jobs to films with the stage's output.

    `run_jobs` takes the jobs, the stage, the run and the loaded model.

    Stages of a run that ask the same model share it. Other runs on the machine do not, as they may
    have other settings.
    """
    tag = stage_outputs.digest([run.model_spec(stage).identity, run.id])
    return RunInference(SharedModel(run_jobs, stage, run), model_identifier=f"storystream-{tag}")
