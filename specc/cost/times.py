"""Times of steps and of operators, with what bounds them."""

import numpy as np
from attrs import fields, frozen
from numpy.typing import NDArray

from specc.cost.steps import Column
from specc.records import Record

PARTS = ("matrix", "vector", "memory", "communication", "launch")


@frozen(eq=False, repr=False)
class StepTimes(Record):
    """Seconds, each of shape (N,): the total and its parts.

    A part sums, over operators, the time of the resource that bounds the operator; `launch` is
    the fixed time of operators and the time that the device waits for the host. total = matrix +
    vector + memory + communication + launch. `deviation` is the standard deviation of
    log(measured / predicted) that the residuals of the fit lead to. `pooled` is the part of the
    total that goes on what replicas with shared experts pool.
    """

    total: Column
    matrix: Column
    vector: Column
    memory: Column
    communication: Column
    launch: Column
    deviation: Column
    pooled: Column

    @classmethod
    def of(cls, rows: int, **parts: Column) -> "StepTimes":
        """Times from their parts; what is left out is zero."""
        zero = np.zeros(rows)
        columns = {name: parts.get(name, zero) for name in PARTS}
        total: Column = sum(parts.values(), start=zero)
        return cls(total=total, deviation=zero, pooled=zero, **columns)

    @classmethod
    def concatenate(cls, parts: list["StepTimes"]) -> "StepTimes":
        """Join the rows of several tables."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )

    def rows(self, index: NDArray[np.int64]) -> "StepTimes":
        """Return the rows that an index picks, in its order."""
        return StepTimes(**{f.name: getattr(self, f.name)[index] for f in fields(StepTimes)})

    def first(self, rows: int) -> "StepTimes":
        """Return so many of the rows, or all if there are fewer."""
        if rows >= len(self.total):
            return self
        return StepTimes(**{f.name: getattr(self, f.name)[:rows] for f in fields(StepTimes)})

    def where(self, condition: NDArray[np.bool_], other: "StepTimes") -> "StepTimes":
        """Return these rows where the condition holds, and those of `other` elsewhere."""
        return StepTimes(
            **{
                f.name: np.where(condition, getattr(self, f.name), getattr(other, f.name))
                for f in fields(StepTimes)
            }
        )

    def collapsed(self) -> "StepTimes":
        """Return the sum of all rows as one row."""
        return StepTimes(
            **{f.name: np.array([getattr(self, f.name).sum()]) for f in fields(StepTimes)}
        )

    def plus(self, other: "StepTimes") -> "StepTimes":
        """Return the times of two parts of a step; their deviations go the same way."""
        added = {
            f.name: getattr(self, f.name) + getattr(other, f.name)
            for f in fields(StepTimes)
            if f.name != "deviation"
        }
        weighted = self.deviation * self.total + other.deviation * other.total
        return StepTimes(**added, deviation=weighted / np.maximum(added["total"], 1e-12))

    def scaled(self, factor: float | Column) -> "StepTimes":
        """Return the times multiplied by a factor."""
        return StepTimes(
            **{
                f.name: getattr(self, f.name) * (1.0 if f.name == "deviation" else factor)
                for f in fields(StepTimes)
            }
        )

    @property
    def compute(self) -> Column:
        """Seconds bound by the matrix and vector units."""
        return self.matrix + self.vector

    def quantile(self, deviations: float) -> Column:
        """Return the total so many standard deviations of its logarithm above its median."""
        quantile: Column = self.total * np.exp(deviations * self.deviation)
        return quantile


P10, P90 = -1.2816, 1.2816  # standard normal quantiles
