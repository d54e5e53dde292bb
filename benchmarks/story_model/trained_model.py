"""A trained story model as four functions: encode, predict, paint, reconstruct."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.array_types import Floats, Pictures


@dataclass(frozen=True)
class TrainedModel:
    """A story model as it is evaluated. Pictures are uint8 RGB, features float32."""

    sees: int  # pixels: the side of the pictures that `features` takes
    paints: int  # of those that `reconstruct` takes and all that it paints
    features: Callable[[Pictures], Floats]  # [n, sees, sees, 3] to [n, tokens, width]
    # captions and features of m pictures to the features [m - 1, tokens, width] that are predicted
    # for each but the first, given the captions up to its own and the pictures before
    predict: Callable[[Sequence[str], Floats], Floats]
    paint: Callable[[Floats], Pictures]  # from features of true pictures
    paint_predicted: Callable[[Floats], Pictures]  # from predicted features
    reconstruct: Callable[[Pictures], Pictures]  # through the autoencoder


def load_trained_model(folder: str, seed: int = 0) -> TrainedModel:
    """Loads the model of a run. Predicted features are painted by the adapted de-tokenizer.

    Raises model.runs.NotTrained where a stage is missing.
    """
    import torch

    from model import autoencoder, config, precision, runs, sequence, tokens, vision

    run = runs.Run(Path(folder), config.read(str(Path(folder, "preset"))))
    settings = run.preset.model
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tower, teller = runs.tower(run).to(device), runs.story(run).to(device)
    painter = runs.detokenizer(run, "detokenizer").to(device)
    adapted = runs.detokenizer(run, "adaptation").to(device)
    tokenizer, vocabulary = runs.tokenizer(run)
    blank = runs.blank(run, tower)

    def features(pictures: Pictures) -> Floats:
        """Encodes pictures [n, side, side, 3] to features [n, tokens, width]."""
        with torch.no_grad():
            return vision.features(tower, pictures, settings.vision.tokens).float().cpu().numpy()

    def predict(captions: Sequence[str], seen: Floats) -> Floats:
        """Predicts the features of each picture but the first."""
        ids = tokens.encoded(tokenizer, vocabulary, captions)
        layout = sequence.lay_out(ids, vocabulary, range(1, len(ids)))
        layout = sequence.together([layout], [len(ids)]).to(device)
        with torch.no_grad():
            made = teller(layout, torch.from_numpy(seen).to(device)).features
        return made.float().cpu().numpy()

    def painting(by: Any, setting: str) -> Callable[[Floats], Pictures]:
        """Returns the function that paints with a de-tokenizer that was trained in a precision."""

        def paint(values: Floats) -> Pictures:
            """Paints features [n, tokens, width] as pictures."""
            dice = torch.Generator(device).manual_seed(seed)
            with precision.autocast(setting, device):
                return by.generate(torch.from_numpy(values).to(device), blank, dice).cpu().numpy()

        return paint

    return TrainedModel(
        settings.vision.image_size,
        settings.detokenizer.image_size,
        features,
        predict,
        painting(painter, run.stage("detokenizer")[1].train.precision),
        painting(adapted, run.stage("adaptation")[1].train.precision),
        lambda pictures: autoencoder.rebuilt(painter.vae, torch.from_numpy(pictures)).cpu().numpy(),
    )
