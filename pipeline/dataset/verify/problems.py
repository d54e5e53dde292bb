"""What can be wrong with a dataset, and the remedies."""

from __future__ import annotations

from typing import NamedTuple

RUN, DELETE = "run the pipeline again", "delete it"
COPY = f"copy it again, or {RUN}"
# The pipeline does not touch a picture that is there already, so it has to be deleted first.
PICTURE = f"copy it again, or delete it and {RUN} with --force keyframes"


class Problem(NamedTuple):
    """Something that is wrong with a dataset."""

    kind: str  # the same for all of a kind: "missing file"
    where: str  # a path in the dataset, or an id
    what: str
    remedy: str
