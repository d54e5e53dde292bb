"""Redistributes elements among workers, and gathers them in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apache_beam as beam


class Reshuffle(beam.PTransform):
    """Breaks fusion, so that each element may go to another worker."""

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
    """Gathers all elements in one list, which is empty if there are none.

    Beam's own ToList has a side input; for those, Dask computes everything before them again.
    """

    def expand(self, elements: Any) -> Any:
        empty = elements.pipeline | "Empty" >> beam.Create([[]])
        lists = elements | "Lists" >> beam.Map(lambda element: [element])
        return (
            (lists, empty)
            | "Or empty" >> beam.Flatten()
            | "Key" >> beam.WithKeys("")
            | "Group" >> beam.GroupByKey()
            | "Join" >> beam.Map(lambda keyed: [element for part in keyed[1] for element in part])
        )
