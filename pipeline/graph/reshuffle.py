"""How what passes between stages is dealt out to workers and gathered again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apache_beam as beam


class Spread(beam.PTransform):
    """Breaks fusion: each element may go to another worker."""

    def __init__(self, key: Callable[[Any], str]) -> None:
        super().__init__()
        self.key = key

    def expand(self, elements: Any) -> Any:
        return (
            elements
            | "Key" >> beam.Map(lambda element, key: (key(element), element), self.key)
            | "Group" >> beam.GroupByKey()
            | "Elements" >> beam.FlatMap(lambda keyed: keyed[1])
        )


class Gather(beam.PTransform):
    """All elements in one list, also where there are none.

    Beam's own ToList has a side input, and for those Dask does everything before them again.
    """

    def expand(self, elements: Any) -> Any:
        none = elements.pipeline | "None" >> beam.Create([[]])
        one_each = elements | "One each" >> beam.Map(lambda element: [element])
        return (
            (one_each, none)
            | "Or none" >> beam.Flatten()
            | "Key" >> beam.WithKeys("")
            | "Group" >> beam.GroupByKey()
            | "List" >> beam.Map(lambda keyed: [one for some in keyed[1] for one in some])
        )
