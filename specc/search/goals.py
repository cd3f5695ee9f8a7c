"""What a batch size must meet, and how far it is from that."""

import operator
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.ir import Bound, Layout, Slo
from specc.ir.facts import fact, value
from specc.records import Record
from specc.results import Miss
from specc.serving import ServingTable
from specc.units import Bytes, Tokens

Column = NDArray[np.floating[Any]]

MEMORY = "memory"
LENGTH = "max_model_length"
OPERATORS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}


@frozen(eq=False, repr=False)
class Goals(Record):
    """The limits that a batch size of a layout meets.

    Attributes:
        slo: limits of the workload; one on what a phase does not have is no limit there.
        memory: bytes of a device.
        bounds: further limits; those on facts of whole configurations are not judged here.
        layout: the layout, for limits on it.
        context: tokens that the longest request may have, and those that the cache holds of one.
            An engine that cannot hold such a request does not start (vLLM's
            `check_enough_kv_cache_memory`).
    """

    slo: Slo
    memory: Bytes
    bounds: tuple[Bound, ...] = ()
    layout: Layout | None = None
    context: tuple[Tokens, Tokens] | None = None

    def excess(self, table: ServingTable) -> dict[str, Column]:
        """Return, per limit, how far each row is above it, relative to it; ≤ 0 meets it."""
        excess: dict[str, Column] = {MEMORY: -table.memory.available / self.memory}
        if self.context is not None:
            asked, held = self.context
            excess[LENGTH] = np.full(len(table), min(asked / max(held, 1) - 1, 1e9))
        for name in ("ttft", "tpot"):
            limit, column = getattr(self.slo, name), getattr(table, name)
            if limit is not None and not np.isnan(column).any():
                excess[name] = column / limit - 1
        for bound in self.bounds:
            column = self._fact(table, bound.fact)
            if column is not None and not np.isnan(column).any():
                above = bound_excess(bound, column)
                excess[bound.fact] = np.maximum(above, excess.get(bound.fact, above))
        return excess

    def feasible(self, table: ServingTable) -> NDArray[np.bool_]:
        """Return which rows meet every limit."""
        worst: Column = np.max(list(self.excess(table).values()), axis=0)
        return worst <= 0

    def misses(self, table: ServingTable, row: int) -> tuple[Miss, ...]:
        """Return the limits that a row breaks: memory first (nothing runs), then the worst."""
        found = []
        for limit, column in self.excess(table).items():
            excess = float(column[row])
            if excess > 0:
                found.append(self.miss(table, row, limit, excess))
        if any(miss.limit == MEMORY for miss in found):  # what it holds of a request is no news
            found = [miss for miss in found if miss.limit != LENGTH]
        return tuple(sorted(found, key=lambda miss: (miss.limit != MEMORY, -miss.excess)))

    def relaxations(self, table: ServingTable) -> tuple[Miss, ...]:
        """Return, per limit, the row that breaks it least and meets all the others."""
        excess = self.excess(table)
        found = []
        for limit, column in excess.items():
            others = [other for name, other in excess.items() if name != limit]
            rest = np.max(others, axis=0) if others else np.full(len(table), -1.0)
            if (rest <= 0).any() and limit not in (MEMORY, LENGTH):
                row = int(np.argmin(np.where(rest <= 0, column, np.inf)))
                found.append(self.miss(table, row, limit, float(column[row])))
        return tuple(found)

    def miss(self, table: ServingTable, row: int, limit: str, excess: float) -> Miss:
        """Return how a row stands to a limit."""
        if limit == MEMORY:
            needed = self.memory - float(table.memory.available[row])
            return Miss(limit, needed, float(self.memory), excess)
        if limit == LENGTH:
            assert self.context is not None
            asked, held = self.context
            return Miss(limit, float(asked), float(held), excess)
        column = self._fact(table, limit)
        assert column is not None
        value = float(column[row])
        own = [
            (float(bound_excess(b, column[row : row + 1])[0]), b.value)
            for b in self.bounds
            if b.fact == limit
        ]
        slo = getattr(self.slo, limit, None)
        if slo is not None:
            own.append((value / slo - 1, slo))
        return Miss(limit, value, float(max(own)[1]), excess)

    def _fact(self, table: ServingTable, name: str) -> Column | None:
        """Return a fact of each row: a size of the layout, or a column of the table."""
        path = fact(name).row
        assert path is not None
        if path.startswith("layout."):
            return np.full(len(table), float(value(path, self))) if self.layout else None
        return np.asarray(value(path, table), dtype=np.float64)


def bound_excess(bound: Bound, values: Column) -> Column:
    """Return how far values are beyond a bound, relative to it; ≤ 0 meets it."""
    scale = abs(bound.value) or 1.0
    above = (values - bound.value) / scale
    if bound.operator in (">=", ">"):
        above = -above
    kept = OPERATORS[bound.operator](values, bound.value)
    # At the edge of a strict bound the distance is zero, and yet it is broken.
    excess: Column = np.where(kept, np.minimum(above, 0.0), np.maximum(above, 1e-12))
    return excess
