"""What a batch size must keep to, and how far it is from that."""

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.ir import Objective, Slo
from specc.serving import ServingTable
from specc.units import Bytes

Column = NDArray[np.floating[Any]]


@frozen
class Miss:
    """A limit that a row breaks: its value, the limit, and the excess relative to the limit."""

    limit: str
    value: float
    allowed: float
    excess: float


@frozen
class Goals:
    """The limits of a workload and the objective. `memory` is the memory of a device."""

    slo: Slo
    objective: Objective
    memory: Bytes

    def excess(self, table: ServingTable) -> dict[str, Column]:
        """Return, per limit, how far each row is above it, relative to it; ≤ 0 keeps to it."""
        excess: dict[str, Column] = {"memory": -table.memory.available / self.memory}
        if self.slo.ttft is not None:
            excess["ttft"] = table.ttft / self.slo.ttft - 1
        if self.slo.tpot is not None:
            excess["tpot"] = table.tpot / self.slo.tpot - 1
        return excess

    def feasible(self, table: ServingTable) -> NDArray[np.bool_]:
        """Return which rows keep to every limit."""
        worst: Column = np.max(list(self.excess(table).values()), axis=0)
        return worst <= 0

    def value(self, table: ServingTable) -> Column:
        """Return the objective of each row."""
        if self.objective is Objective.THROUGHPUT_PER_DEVICE:
            return table.throughput_per_device
        return table.throughput

    def misses(self, table: ServingTable, row: int) -> tuple[Miss, ...]:
        """Return the limits that a row breaks: memory first (nothing runs), then the worst."""
        found = []
        for limit, column in self.excess(table).items():
            excess = float(column[row])
            if excess > 0:
                found.append(self._miss(table, row, limit, excess))
        return tuple(sorted(found, key=lambda miss: (miss.limit != "memory", -miss.excess)))

    def _miss(self, table: ServingTable, row: int, limit: str, excess: float) -> Miss:
        if limit == "memory":
            needed = self.memory - float(table.memory.available[row])
            return Miss(limit, needed, float(self.memory), excess)
        allowed = float(getattr(self.slo, limit))
        return Miss(limit, float(getattr(table, limit)[row]), allowed, excess)
