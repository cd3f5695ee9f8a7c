"""Times of steps and of operators, with what bounds them."""

from collections.abc import Iterable

import numpy as np
from attrs import fields, frozen
from numpy.typing import NDArray

from specc.cost.steps import Column


@frozen
class StepTimes:
    """Seconds, each of shape (N,): the total and its parts.

    A part sums, over operators, the time of the resource that bounds the operator; `launch` is
    the fixed time of operators. total = matrix + vector + memory + communication + launch.
    """

    total: Column
    matrix: Column
    vector: Column
    memory: Column
    communication: Column
    launch: Column

    @classmethod
    def sum(cls, times: Iterable[tuple[int, "StepTimes"]], rows: int) -> "StepTimes":
        """Add up operators, each as often as it runs."""
        totals = {f.name: np.zeros(rows) for f in fields(cls)}
        for repeat, part in times:
            for name in totals:
                totals[name] += repeat * getattr(part, name)
        return cls(**totals)

    @classmethod
    def concatenate(cls, parts: list["StepTimes"]) -> "StepTimes":
        """Join the rows of several tables."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )

    def rows(self, index: NDArray[np.int64]) -> "StepTimes":
        """Return the rows that an index picks, in its order."""
        return StepTimes(**{f.name: getattr(self, f.name)[index] for f in fields(StepTimes)})

    @property
    def compute(self) -> Column:
        """Seconds bound by the matrix and vector units."""
        return self.matrix + self.vector
